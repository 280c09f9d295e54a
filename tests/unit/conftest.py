"""Registers the profile of few examples before pytest asks for it."""

from tests.support import examples  # noqa: F401 - its profile is what is wanted
