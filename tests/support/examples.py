"""How many examples a property is tried on, and that neither chance nor a busy machine decides whether it holds.

`make test` runs tests/laws, tests/formats and tests/bridge with `--hypothesis-profile few`, for a quick answer. Every
other run takes the profile `whole`, and with it as many examples as each test asks for. They are the same in every run,
unless a test asks for new ones, and have no time limit: hypothesis's own, a fifth of a second, is too short on a busy
machine.
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
