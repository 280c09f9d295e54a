"""Settings of the local stack itself, from the caller's environment."""

import re
from collections.abc import Mapping


class LocalSettingError(ValueError):
    """Raised for a bad setting of the local stack; the text names it."""


def switched(environment: Mapping[str, str], setting: str, *, default: bool) -> bool:
    """Return whether a setting of the local stack is on; an empty one counts as not set.

    Raises:
        LocalSettingError: It is neither `on` nor `off`.
    """
    chosen = environment.get(setting, "").strip().lower()
    if chosen not in ("", "on", "off"):
        raise LocalSettingError(f"{setting} is {environment[setting]!r}; it must be on or off.")
    return chosen == "on" if chosen else default


def seed(environment: Mapping[str, str]) -> int:
    """Return the seed of the sample traffic, 1 where none is set.

    Raises:
        LocalSettingError: TRAFFIC_SEED is no whole number.
    """
    text = environment.get("TRAFFIC_SEED", "").strip() or "1"
    if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
        raise LocalSettingError(f"TRAFFIC_SEED is {text!r}; it must be a whole number.")
    return int(text)
