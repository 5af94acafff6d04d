"""Everybody can use the pages: by keyboard, by ear, without scripts, on a small screen."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.e2e.web.cargo import ALERT
from tests.e2e.web.conftest import PHONE, Open
from tests.e2e.web.harbour import Harbour
from underkeel.web.pages.site import PAGES

pytestmark = pytest.mark.loopback
PATHS = {
    **{page.key: page.path for page in PAGES},
    "position": "/positions/{position}",
    "alert": f"/alerts/{ALERT}",
    "pause": "/pause",
    "login": "/login",
    "missing": "/positions/none",
}


def path_of(key: str, harbour: Harbour) -> str:
    first = harbour.server._web.data.risk().positions[0].id
    return PATHS[key].replace("{position}", first)


@pytest.mark.parametrize("key", list(PATHS))
def test_axe__both_themes_and_small__finds_nothing_and_nothing_beyond_the_edge(
    key: str, open_window: Open, harbour: Harbour
) -> None:
    window = open_window()
    page = window.go(path_of(key, harbour))
    assert page.title().endswith("Underkeel")
    assert page.locator("h1").count() == 1
    if key in {one.key for one in PAGES}:
        assert page.locator("nav [aria-current=page]").get_attribute("href") == PATHS[key]
        assert page.locator("#mode").inner_text().startswith("○ DRY RUN")
    axe = Axe()
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="dark")
    only = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    found = axe.run(page, options=only)
    assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    if key == "missing":
        window.said.clear()  # the browser notes the 404


def test_menu__small_screen__opens_by_its_link(open_window: Open) -> None:
    page = open_window(PHONE).go("/")
    rail = page.locator("#rail")
    expect(rail).to_be_hidden()
    page.get_by_role("link", name="Menu", exact=True).click()
    expect(rail).to_be_visible()
    rail.get_by_role("link", name="Exposure").click()
    page.wait_for_url("**/exposure")
    expect(page.locator("#rail")).to_be_hidden()


def test_keyboard__alone__walks_skips_and_goes(open_window: Open) -> None:
    page = open_window().go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("?")
    expect(page.locator("#keys-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys-dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/positions")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("spark")
    # While a page is read again its headings are no buttons for a moment: then once more.
    assert any(_walks_to_the_head(page) for _ in range(3))
    page.keyboard.press("Enter")
    assert page.locator("#positions th[aria-sort]").count() == 1


def _walks_to_the_head(page: Page) -> bool:
    """Walk from the search past what filters there are; return whether that leads to a heading."""
    page.locator("#q").focus()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('thead') !== null"):
            return True
    return False


def test_theme__toggled__is_remembered(open_window: Open) -> None:
    page = open_window().go("/")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.goto(page.url + "risk")
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("key", [page.key for page in PAGES])
def test_without_scripts__page__has_its_tables(key: str, open_window: Open) -> None:
    page = open_window(java_script_enabled=False).go(PATHS[key])
    assert page.locator("h1").count() == 1
    assert page.locator("table").count() >= 1
    for drawn in page.locator("[data-draw]").all():
        table = drawn.get_attribute("data-table")
        assert page.locator(f"table[id='{table}'] caption").count() == 1
        assert page.locator(f"table[id='{table}'] tbody tr").count() > 0
    assert page.locator("button:visible", has_text="copied").count() == 0
