"""How many examples a property is tried on: all of them, or the few of a quick answer.

`make test` runs the unit part with `--hypothesis-profile few`. `make test-all` takes Hypothesis's own profile, and
with it as many examples as each test asks for.
"""

from hypothesis import HealthCheck, Phase, settings

FEW = "few"
FEW_EXAMPLES = 10

settings.register_profile(
    FEW,
    max_examples=FEW_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def examples(number: int) -> int:
    """Return `number`, or the few examples of the profile for a quick answer if they are fewer."""
    return min(number, FEW_EXAMPLES) if settings.get_current_profile_name() == FEW else number


def repeatable(number: int) -> settings:
    """Return settings by which every run tries the same examples, `examples(number)` of them, and reports the least."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples(number),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
