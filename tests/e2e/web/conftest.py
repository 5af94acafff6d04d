"""One server and one browser for all tests here; every page that is opened is watched.

A page may write nothing to the console, fail at nothing, and ask no other host for anything; what
the content security policy refuses is written to the console, so it is found as well.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.web.harbour import Harbour, moored
from underkeel.web.pages.render import VENDOR

CHROMIUM = os.environ.get("UNDERKEEL_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
)
PATIENCE_MS = 20_000
"""A page that is never right fails after this; how fast it is, is measured elsewhere."""
DESK, PHONE = (1440, 900), (360, 740)


@dataclass
class Watched:
    """A page, and what it did that it should not."""

    page: Page
    context: BrowserContext
    base: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a path of ours."""
        self.page.goto(self.base + path)
        return self.page

    def live(self, path: str) -> Page:
        """Open a path, and wait until the page listens."""
        page = self.go(path)
        page.wait_for_selector("#stream[data-open]", state="attached")
        return page

    def strangers(self) -> list[str]:
        """Return what was asked of other hosts."""
        ours = urlsplit(self.base).netloc
        return [
            url
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != ours
        ]


Open = Callable[..., Watched]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's browser; ended with these tests, because its loop is in the way of others'."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no browser: apt install chromium, or name one in UNDERKEEL_CHROMIUM")
    if not (VENDOR / ".complete").is_file():
        pytest.skip("the pages' libraries are not there: make setup, with npm and a registry")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    with moored(tmp_path_factory.mktemp("harbour")) as found:
        yield found


@contextmanager
def opened(
    chromium: Browser, base: str, size: tuple[int, int] = DESK, **given: object
) -> Iterator[Watched]:
    """Open a window of its own, without cookies."""
    options: dict[str, object] = {"color_scheme": "light", "reduced_motion": "reduce", **given}
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    watched = Watched(page, context, base)
    page.on("console", lambda m: watched.said.append(m.text) if m.type in BAD else None)
    page.on("pageerror", lambda error: watched.said.append(str(error)))
    page.on("request", lambda request: watched.asked.append(request.url))
    try:
        yield watched
    finally:
        context.close()


BAD = ("error", "warning")


@pytest.fixture
def open_window(
    chromium: Browser, harbour: Harbour, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Open windows on the harbour; at the end none may have said or asked anything wrong."""
    opened_: list[tuple[Watched, object]] = []

    def window(size: tuple[int, int] = DESK, base: str = "", **given: object) -> Watched:
        manager = opened(chromium, base or harbour.url, size, **given)
        watched = manager.__enter__()
        opened_.append((watched, manager))
        return watched

    yield window
    for watched, manager in opened_:
        manager.__exit__(None, None, None)  # type: ignore[attr-defined]
        assert watched.said == []
        assert watched.strangers() == []
