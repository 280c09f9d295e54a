"""Settings of the caller's environment become parameters of the stack (contract, section 10).

CloudFormation's parameter names hold letters and digits only, so a setting and a parameter are the
same when they are spelled the same without underscores and capitals: `TRIAL_CREDITS` is `TrialCredits`.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.deploying.emulator import parsed, release

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

SETTINGS = (
    "TRIAL_CREDITS",
    "LOW_BALANCE_THRESHOLD_PERCENT",
    "ORDER_CREDIT_DIRECTION",
    "ORDER_CREDIT_BASIS",
    "ORDER_CREDIT_FIXED_AMOUNT",
    "ORDER_CREDIT_PERCENTAGE",
    "ORDER_CREDIT_MINIMUM",
    "TEST_ORDERS",
    "RENEWAL_WITHOUT_PERIOD",
    "RENEWAL_REPEAT_DAYS",
    "DISCARDED_DAYS",
    "REVERSAL_DEBT",
    "TRIAL_EXPIRES_DAYS",
    "SUBSCRIPTION_EXPIRES",
    "REFUND_GRACE_DAYS",
    "EXPIRY_NOTICE_DAYS",
    "ALERT_LEVELS",
    "GRACE_HOURS",
    "GRACE_CREDITS",
    "ADJUSTMENT_CONFIRM_ABOVE",
    "UNLINKED",
    "CREDITS_BY_PRICE",
    "PLUGIN_STATUS_CACHE_TTL",
    "PLUGIN_STATUS_STALE_SECONDS",
    "GROUND_RETRY_SECONDS_MIN",
    "GROUND_RETRY_SECONDS_MAX",
    "GROUND_RETRY_SECONDS_TOTAL",
    "REDIS_URL",
    "CORS_ORIGINS",
    "WIDGET_DAYS_LEFT",
    "LOG_LEVEL",
    "SERVICE_NAME",
    "METRICS_PER_MERCHANT",
)
"""What a caller may set for a local stack, which chooses tables, queues, keys and ports itself."""

KEYS = (
    "JWT_ALGORITHM",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "JWT_SCOPE_CLAIM",
    "JWT_MERCHANT_CLAIM",
    "JWT_AUDIENCE_CLAIM",
    "JWT_JWKS_URL",
    "JWT_KEY_PARAMETER",
    "CURSOR_KEY_PARAMETER",
    "SHOPIFY_SECRET_PARAMETER",
    "STRIPE_SECRET_PARAMETER",
    "ALARM_EMAIL",
    "PERMISSIONS_BOUNDARY",
    "REDIS_URL_PARAMETER",
)
"""Settings that a local stack chooses itself. For a stage, whoever deploys it gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The parameters to deploy with, by name, and the settings for which the template has no parameter."""

    parameters: Mapping[str, str]
    unknown: tuple[str, ...]


class ParametersError(ValueError):
    """Raised for a text of parameters that cannot be read."""


def given_parameters(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that the caller names in `PARAMETERS`, and what `EMERGENCY` sets for this once.

    While an alarm is on, CodeDeploy refuses and rolls back every gradual deployment, the one that would end it too.

    Raises:
        ParametersError: `PARAMETERS` is no list of pairs; the text names what is none.
    """
    emergency = {"GradualDeployment": "false"} if environment.get("EMERGENCY") == "1" else {}
    given: dict[str, str] = {}
    for pair in environment.get("PARAMETERS", "").split():
        name, sign, value = pair.partition("=")
        if not name or not sign:
            raise ParametersError(f'PARAMETERS="Name=value …" takes pairs with no spaces in them: {pair} is none')
        given[name] = value
    return given | emergency


def declared_parameters(template: Path) -> AbstractSet[str]:
    """Return the names of the parameters that the template declares."""
    return set(parsed(template).get("Parameters") or {})


def choose_parameters(
    declared: AbstractSet[str], caller: Mapping[str, str], own: Mapping[str, str], *, settings: Sequence[str] = SETTINGS
) -> Choice:
    """Return what to deploy with: the caller's `settings` of section 10 of the contract, and `own` ones, which win.

    An empty setting counts as not set.
    """
    asked = {name: caller[name] for name in settings if caller.get(name)} | dict(own)
    by_spelling = {_spelling(name): name for name in declared}
    known = {by_spelling[_spelling(name)]: value for name, value in asked.items() if _spelling(name) in by_spelling}
    unknown = tuple(name for name in asked if _spelling(name) not in by_spelling)
    return Choice(parameters=known, unknown=unknown)


def passed_parameters(
    declared: Mapping[str, Any],
    stage: str,
    chosen: Mapping[str, str],
    environment: Mapping[str, str],
    known: Mapping[str, str],
) -> list["ParameterTypeDef"]:
    """Return every parameter with its value: the chosen one, the environment's, or that of the stack: the `known` one.

    Raises:
        ParametersError: `PARAMETERS` names one that the template has not.
    """
    if unknown := sorted(given_parameters(environment).keys() - declared.keys()):
        raise ParametersError(f"the template has no parameter {', '.join(unknown)}")
    by_setting = choose_parameters(set(declared), environment, {}, settings=(*SETTINGS, *KEYS)).parameters
    given = {name: value for name, value in chosen.items() if name in declared}
    given |= {**by_setting, **given_parameters(environment), "Stage": stage}
    kept = {name for name in declared if name in known and name not in given and name != "Release"}
    # A hash of what the functions will see: their versions are made anew when it changes, and only then.
    seen = {**{name: known[name] for name in kept}, **given}
    given["Release"] = release(declared["Release"]["Default"], seen)
    passed: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in sorted(given.items())
    ]
    passed += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]
    return passed


def in_effect(passed: Sequence["ParameterTypeDef"], known: Mapping[str, str]) -> dict[str, str]:
    """Return the values that parameters will have, by name; secret ones that stand are stars."""
    return {
        one["ParameterKey"]: known[one["ParameterKey"]] if one.get("UsePreviousValue") else one["ParameterValue"]
        for one in passed
    }


def _spelling(name: str) -> str:
    return name.replace("_", "").casefold()
