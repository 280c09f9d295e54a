"""Says the name of a failing test at once: a run of all tests takes an hour, and else says it at its end only."""

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
    """Take part where the results are told, and in no worker."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(FailuresAtOnce(config), "failures at once")
