"""How many examples a property is tried on, and that neither chance nor a busy machine decides whether it holds.

`make test` runs tests/laws and tests/formats with `--hypothesis-profile few`, for a quick answer. Every other run takes
the profile `whole`, and with it as many examples as each test asks for; they are the same in every run, unless a test
says that it wants new ones, and none has a time limit of its own: a fifth of a second is little where all processors
are busy.
"""

from hypothesis import HealthCheck, Phase, settings

WHOLE, FEW = "whole", "few"
FEW_EXAMPLES = 10

settings.register_profile(
    WHOLE, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    FEW,
    max_examples=FEW_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile(WHOLE)


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
