"""A real Chromium for the tests of pages, driven by Playwright.

Debian's packages, which CI installs; elsewhere its tests are skipped with a message. The browser makes no requests of
its own. The one without windows (chromium-headless-shell) takes a quarter of the other's CPU for a page.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

WAIT_MS = 60_000
"""The time limit on a busy machine; no wait is longer than needed."""
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason="NO CHROMIUM: apt-get install --no-install-recommends chromium-headless-shell fonts-dejavu-core",
)
"""Skips with a message where there is no browser."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a Chromium for the caller alone.

    Playwright holds the thread's event loop until the context is left: nothing in it may call `asyncio.run`. So no
    fixture of a whole session holds one.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
