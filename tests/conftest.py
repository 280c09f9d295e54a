"""What holds for all tests: a failing test is named at once, and garbage is collected seldom.

A run of all tests takes an hour, and would name what failed at its end only. Collecting garbage as often as Python does
by itself takes a tenth of the tests' CPU: thousands of models and tables stay, and are looked through each time.
"""

import gc
import os

import pytest


class FailuresAtOnce:
    """Writes a line for each failed test, where the results of all workers come together."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter is not None:
            reporter.write_line(f"\nFAILED at {report.when}: {report.nodeid}")


def pytest_configure(config: pytest.Config) -> None:
    """Take part in each process, and in the one where the results are told."""
    gc.set_threshold(100_000, 50, 100)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(FailuresAtOnce(config), "failures at once")
