"""The console in a tab of a real browser, as a person uses it; the tab's requests and errors are kept."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from infra.local.tokens import ADMIN_SCOPE
from tests.support.browser import WAIT_MS
from tests.support.running_stack import Stack

MISSED = "Failed to load resource"
"""The browser's message for a failed request; the console shows its own message."""

expect.set_options(timeout=WAIT_MS)


@dataclass(slots=True)
class Console:
    """A tab. `complaints` are the messages of the browser's console, `hosts` the requested hosts."""

    page: Page
    stack: Stack
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Where the console is served."""
        return f"{self.stack.description.api_url}/console"

    def open(self, view: str = "") -> None:
        """Go to the page, at a view of it."""
        self.page.goto(f"{self.address}#/{view}")
        expect(self.page.locator("h1")).to_be_visible()

    def sign_in(self, token: str | None = None) -> None:
        """Give the page a token, an admin's by default."""
        self.page.get_by_label("Access token").fill(token or self.stack.description.admin_token)
        self.page.get_by_role("button", name="Sign in").click()

    def signed_in(self, view: str = "") -> None:
        """Open the page and give it an admin's token."""
        self.open(view)
        self.sign_in()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def find(self, merchant_or_transaction: str, order: str = "") -> None:
        """Search as people do."""
        self.page.get_by_label("Merchant or transaction").fill(merchant_or_transaction)
        self.page.get_by_role("textbox", name="Order").fill(order)
        self.page.get_by_role("button", name="Find").click()

    def said(self, name: str) -> Any:
        """Return the element that the page shows under this name."""
        return self.page.locator(f'[data-test="{name}"]')

    def violations(self) -> list[str]:
        """Return axe-core's findings on accessibility, each with the first element concerned."""
        self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [f"{one['id']}: {json.dumps(one['nodes'][0]['target'])}" for one in found["violations"]]

    def wider_than_the_screen(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        overflow: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return overflow

    def focused(self) -> str:
        """Return the label or text of the element with the keyboard's focus."""
        said: str = self.page.evaluate(
            "(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent)(document.activeElement)"
        )
        return said.strip()


@contextmanager
def tab(browser: Browser, stack: Stack, **options: Any) -> Iterator[Console]:
    """Yield a new tab without history. A request to another host or an error in it fails the test."""
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", **options)
    context.set_default_timeout(WAIT_MS)
    console = Console(context.new_page(), stack)
    context.on("request", lambda request: console.hosts.add(urlsplit(request.url).netloc))
    console.page.on("console", lambda said: console.complaints.append(f"{said.type}: {said.text}"))
    console.page.on("pageerror", lambda error: console.complaints.append(f"error: {error}"))
    try:
        yield console
        assert console.hosts - {""} <= {urlsplit(stack.description.api_url).netloc}
        assert [one for one in console.complaints if MISSED not in one] == []
    finally:
        # A route's handler that still runs when its tab goes would fail the next test.
        console.page.unroute_all(behavior="ignoreErrors")
        context.close()


@cache
def _key(path: str) -> bytes:
    return Path(path).read_bytes()


def token_for(stack: Stack, *, seconds: int, scope: str = ADMIN_SCOPE) -> str:
    """Return an admin's token that is valid for so many seconds."""
    signing = stack.description.jwt
    now = int(time.time())
    claims = {"iss": signing.issuer, "aud": signing.audience, "sub": "short-lived", "scope": scope}
    key = _key(signing.private_key_path)
    headers = {"kid": signing.key_id}
    return jwt.encode({**claims, "iat": now, "exp": now + seconds}, key, signing.algorithm, headers=headers)
