"""Pages follow the chain without being loaded again."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.web.conftest import Open, opened
from tests.e2e.web.harbour import Harbour, moored

pytestmark = pytest.mark.loopback
NEW = "e1" * 16


def test_block__while_page_is_open__number_changes_in_place(
    open_window: Open, harbour: Harbour
) -> None:
    window = open_window()
    page = window.live("/positions")
    page.evaluate("window.mark = document.querySelector('#positions')")
    first = page.locator("#positions tbody tr", has_text="Aave v3").filter(has_text="treasury")
    expect(first).to_contain_text("1.04")
    page.locator("#q").fill("aave")
    harbour.read(1.2345)
    expect(first).to_contain_text("1.2345")
    assert page.evaluate("window.mark.isConnected")  # nothing was drawn anew
    assert page.locator("#q").input_value() == "aave"
    assert page.locator("#positions tbody tr:visible").count() < 8
    harbour.read(1.0412)
    expect(first).to_contain_text("1.0412")


def test_block__crossing_the_edge__sounding_runs_aground(
    open_window: Open, harbour: Harbour
) -> None:
    page = open_window().live("/")
    box = page.locator(".sounding", has_text="Aave v3").filter(has_text="treasury")
    expect(box.locator(".rock")).to_have_count(0)
    harbour.read(0.99995)
    expect(box.locator(".rock")).to_have_count(1)
    expect(box.locator(".depth-text")).to_have_text("0.9999")
    harbour.read(1.0412)
    expect(box.locator(".rock")).to_have_count(0)


def test_alert__fires_and_ends__toast_title_and_bell_follow(
    open_window: Open, harbour: Harbour
) -> None:
    page = open_window().live("/system")
    before = page.locator("#bell").get_attribute("data-firing")
    expect(page).to_have_title(f"({before}) System · Underkeel")
    harbour.fire(NEW, title="Health 1.01 is below 1.15")
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Health 1.01 is below 1.15")
    expect(toast.get_by_role("link")).to_have_attribute("href", f"/alerts/{NEW}")
    expect(page.locator("#bell")).to_have_attribute("data-firing", str(int(before or 0) + 1))
    expect(page).to_have_title(f"({int(before or 0) + 1}) System · Underkeel")
    harbour.forget(NEW)
    harbour.read(1.0412)
    expect(page).to_have_title(f"({before}) System · Underkeel")


def test_connection__lost_and_found__banner_comes_and_goes(
    open_window: Open, harbour: Harbour
) -> None:
    window = open_window()
    page = window.live("/")
    lost = page.locator("#lost")
    expect(lost).to_be_hidden()
    window.context.set_offline(True)
    harbour.server._loop.call_soon_threadsafe(harbour.hang_up)
    expect(lost).to_be_visible()
    window.context.set_offline(False)
    expect(lost).to_be_hidden()
    window.said.clear()  # the browser itself notes each failed try


def test_age__older_than_allowed__says_so(open_window: Open) -> None:
    page = open_window().go("/")
    stale = page.locator(".chip-down .age")
    expect(stale).to_have_class("age stale")
    expect(stale).to_contain_text("2 h")
    age = page.locator(".chip-ok .age")
    before = age.inner_text()
    page.wait_for_function(
        "before => document.querySelector('.chip-ok .age').textContent !== before", arg=before
    )


def test_empty__database__every_page_says_so_calmly(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        moored(tmp_path_factory.mktemp("empty"), fill=False) as harbour,
        opened(chromium, harbour.url) as window,
    ):
        for path in ("/", "/positions", "/risk", "/exposure", "/rebalance", "/transactions",
                     "/alerts", "/approvals", "/history", "/system"):  # fmt: skip
            page = window.go(path)
            assert page.locator("h1").count() == 1
            assert " 0.00" not in page.locator("main").inner_text().replace("\n", " ")
        assert window.said == []
        assert time.time() > harbour.at
