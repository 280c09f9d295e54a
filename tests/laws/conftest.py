"""Registers the profiles of Hypothesis before pytest asks for one."""

from tests.support import examples  # noqa: F401 - its profiles are what is wanted
