"""The environment: texts by their names, read and checked one by one (contract, section 10)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Self

from chalicelib.domain.ids import MerchantId, merchant_id
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.terms import Level, Levels, checked
from chalicelib.telemetry import LEVELS

DAYS_MAX = 3650
DAYS_AHEAD_MAX = 5
"""The most numbers of a list of days."""
NONE = "none"

_DIGITS_MAX = 20
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
_CLAIM = re.compile(r"[!-~]{1,128}", re.ASCII)
# Only on the machine itself may keys be had without TLS: anybody on the way could put in their own.
_SECURE = re.compile(r"(https://|http://(127\.0\.0\.1|localhost|\[::1\])(?=[:/]))[!-?A-~]+", re.ASCII)
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?", re.ASCII)


class SettingError(Exception):
    """A setting is missing or invalid; the message names it and the values that it accepts."""


class Text(cached_property[str]):
    """A text of a group, by its environment name, read once; empty where it is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(self._read)
        self.name = name

    def _read(self, group: "Group") -> str:
        return group.texts[self.name]


class Required(Text):
    """A text of a group without which its reader cannot work.

    Raises:
        SettingError: on reading, it is not set.
    """

    def _read(self, group: "Group") -> str:
        return present(self.name, super()._read(group))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shops:
    """Some merchants, or with `everyone` all of them."""

    everyone: bool = False
    named: frozenset[MerchantId] = frozenset()

    def __contains__(self, merchant: MerchantId) -> bool:
        """Return whether the merchant is one of them."""
        return self.everyone or merchant in self.named


@dataclass(frozen=True)
class Group:
    """Texts that belong together, under their environment names."""

    texts: Mapping[str, str]

    @classmethod
    def read(cls, reader: "Reader") -> Self:
        """Return the group's texts, those that are not set empty."""
        declared = (text for text in vars(cls).values() if isinstance(text, Text))
        return cls({text.name: reader.text(text.name) for text in declared})


def present(name: str, text: str) -> str:
    """Return a text that must not be empty; raises `SettingError` with the setting's name if it is."""
    if not text:
        raise SettingError(f"{name} is not set: this function cannot work without it")
    return text


class Reader:
    """Reads one environment. Every method raises `SettingError` with the name of a setting that is invalid."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        """Return a text without surrounding spaces, empty if it is not set."""
        return self._environment.get(name, "").strip()

    def whole(self, name: str, default: int, *, most: int = CREDITS_MAX) -> int:
        """Return a whole number from 0 to `most`."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX) or int(text) > most:
            raise SettingError(f"{name} is {text!r}: it takes a whole number from 0 to {most}")
        return int(text)

    def days(self, name: str, default: int, *, least: int = 0) -> int:
        """Return a number of days, up to ten years."""
        found = self.whole(name, default, most=DAYS_MAX)
        if found < least:
            raise SettingError(f"{name} is {found}: it takes a whole number from {least} to {DAYS_MAX}")
        return found

    def days_ahead(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return a list of numbers of days, with commas between them, the largest first; empty for `none`."""
        text = self.text(name)
        parts = [part.strip() for part in text.split(",")] if text else []
        if not parts or parts == [NONE]:
            return () if parts else default
        if len(parts) > DAYS_AHEAD_MAX or not all(
            part.isascii() and part.isdigit() and len(part) <= _DIGITS_MAX and 1 <= int(part) <= DAYS_MAX
            for part in parts
        ):
            raise SettingError(
                f"{name} is {text!r}: it takes up to {DAYS_AHEAD_MAX} whole numbers of days from 1 to {DAYS_MAX}, with "
                f"commas between them, or {NONE}"
            )
        return tuple(sorted({int(part) for part in parts}, reverse=True))

    def levels(self, name: str) -> Levels:
        """Return levels with commas between them, such as `week=7 days, half=50%`; none where it is not set."""
        text = self.text(name)
        try:
            return checked(Level.named(part) for part in text.split(",")) if text and text != NONE else ()
        except ValueError as error:
            raise SettingError(f"{name} is {text!r}: {error}") from None

    def percent(self, name: str) -> Decimal:
        """Return a percentage from 0 to 100, 0 where it is not set."""
        text = self.text(name) or "0"
        if _PERCENT.fullmatch(text) is None or Decimal(text) > 100:  # noqa: PLR2004 - percent
            raise SettingError(f"{name} is {text!r}: it takes a percentage from 0 to 100")
        return Decimal(text)

    def log_level(self) -> None:
        """Raise `SettingError` if the log level does not exist; Powertools reads the setting itself."""
        text = self.text("LOG_LEVEL")
        if text and text.upper() not in LEVELS:
            raise SettingError(f"LOG_LEVEL is {text!r}: it takes {', '.join(LEVELS)}")

    def credits_by_name(self, name: str) -> Mapping[str, int]:
        """Return a JSON object of names and whole credits, empty where it is not set."""
        text = self.text(name) or "{}"
        try:
            pairs = json.loads(text, object_pairs_hook=list, parse_float=str)
        except (ValueError, RecursionError):
            pairs = None
        entries = pairs if isinstance(pairs, list) and text.startswith("{") else [(None, None)]
        if len(dict(entries)) < len(entries) or not all(
            type(value) is int and 0 <= value <= CREDITS_MAX for _, value in entries
        ):
            raise SettingError(
                f"{name} takes a JSON object of price ids, each once, with whole credits from 0 to {CREDITS_MAX}, "
                'such as {"price_1": 500}'
            )
        return dict(entries)

    def claim(self, name: str, default: str) -> str:
        """Return the name of a token's claim."""
        text = self.text(name)
        if text and _CLAIM.fullmatch(text) is None:
            raise SettingError(f"{name} is {text!r}: it takes a claim's name, 1 to 128 characters without spaces")
        return text or default

    def secure_address(self, name: str) -> str:
        """Return an https address, or one on this machine; empty where it is not set."""
        text = self.text(name)
        if text and _SECURE.fullmatch(text) is None:
            raise SettingError(f"{name} is {text!r}: it takes an address that begins with https://")
        return text

    def origins(self, name: str) -> tuple[str, ...]:
        """Return a list of browsers' origins."""
        origins = tuple(origin.strip() for origin in self.text(name).split(",") if origin.strip())
        for origin in origins:
            # Compared with what browsers send, letter by letter: any other spelling would never match.
            if _ORIGIN.fullmatch(origin) is None:
                raise SettingError(
                    f"{name} holds {origin!r}: it takes origins such as https://shop.example, in lower case and "
                    "without a path, with commas between them"
                )
        return origins

    def shops(self, name: str) -> Shops:
        """Return a list of merchant ids with commas between them; `on` is every merchant, `off` none."""
        text = self.text(name)
        if text in ("", "off", "on"):
            return Shops(everyone=text == "on")
        try:
            return Shops(named=frozenset(merchant_id(part.strip()) for part in text.split(",")))
        except ValueError:
            raise SettingError(
                f"{name} is {text!r}: it takes off, on, or merchant ids with commas between them"
            ) from None

    def choice(self, name: str, choices: Sequence[str], default: str = "") -> str:
        """Return one of the choices: `default`, else the first of them, where it is not set."""
        text = self.text(name) or default or choices[0]
        if text not in choices:
            raise SettingError(f"{name} is {text!r}: it takes {' or '.join(choices)}")
        return text
