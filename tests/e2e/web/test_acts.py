"""The few things that a page can do, with and without scripts; and who may."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.web.conftest import Open, opened
from tests.e2e.web.harbour import TOKEN, Harbour, moored

pytestmark = pytest.mark.loopback
WAKE = "b2" * 16


@pytest.mark.parametrize("scripts", [True, False])
def test_acknowledge__button__state_and_name_are_shown(
    scripts: bool, open_window: Open, harbour: Harbour
) -> None:
    harbour.fire(WAKE, title="A rehearsal")
    page = open_window(java_script_enabled=scripts).go("/alerts")
    card = page.locator(f"#alert-{WAKE}")
    card.get_by_role("button", name="Acknowledge").click()
    expect(card).to_contain_text("acknowledged")
    expect(card).to_contain_text("by web")
    expect(card.get_by_role("button", name="Acknowledge")).to_have_count(0)
    harbour.forget(WAKE)


@pytest.mark.parametrize("scripts", [True, False])
def test_silence__chosen_time__listed_and_ended(
    scripts: bool, open_window: Open, harbour: Harbour
) -> None:
    harbour.fire(WAKE, title="A rehearsal", rule="rehearsal")
    page = open_window(java_script_enabled=scripts).go("/alerts")
    card = page.locator(f"#alert-{WAKE}")
    card.locator("summary").click()
    card.get_by_label("for", exact=True).select_option(label="2 hours")
    card.get_by_label("because").fill("a <b>rehearsal</b>")
    card.get_by_role("button", name="Silence it").click()
    if scripts:  # the list of silences may be far below
        expect(page.locator(".toast")).to_contain_text("silenced by web")
        expect(card.get_by_role("button", name="Silence it")).to_be_hidden()
    silence = page.locator("[id^=silence-]", has_text="rule = rehearsal")
    expect(silence).to_contain_text("a <b>rehearsal</b>")
    silence.get_by_role("button", name="End it").click()
    expect(silence).to_have_count(0)
    harbour.forget(WAKE)


def test_pause__confirmed__stands_until_a_shell_lifts_it(
    open_window: Open, harbour: Harbour
) -> None:
    page = open_window().go("/")
    page.locator("#pause").click()
    dialog = page.locator("#pause-dialog")
    expect(dialog).to_contain_text("underkeel resume")
    dialog.get_by_role("button", name="Cancel").click()
    assert not (harbour.state / "pause").exists()
    page.locator("#pause").click()
    dialog.get_by_label("Why").fill("the tide is out")
    dialog.get_by_role("button", name="Pause now").click()
    expect(page.locator("#strips")).to_contain_text("from the web page: the tide is out")
    expect(page.locator("#strips")).not_to_contain_text("paused:")
    expect(page.locator("#strips")).to_contain_text("underkeel resume")
    assert (harbour.state / "pause").exists()
    expect(page.locator("#pause")).to_have_count(0)
    harbour.unpause()
    harbour.read(1.0412)
    expect(page.locator("#pause")).to_have_count(1)


def test_pause__without_scripts__asks_on_a_page(open_window: Open, harbour: Harbour) -> None:
    page = open_window(java_script_enabled=False).go("/")
    page.locator("#pause").click()
    page.locator("main").get_by_label("Why").fill("by hand")
    page.locator("main").get_by_role("button", name="Pause now").click()
    expect(page.locator("#strips")).to_contain_text("by hand")
    harbour.unpause()


def test_token__wrong_then_right__pages_open_and_log_out(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("guarded")
    with (
        moored(folder, token=True) as harbour,
        opened(chromium, harbour.url) as window,
    ):
        page = window.go("/positions?q=spark")
        assert "/login" in page.url
        assert "Aave" not in page.content()
        page.get_by_label("Token").fill("not it")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("That is not the token")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/positions?q=spark")
        expect(page.locator("#positions")).to_be_visible()
        assert TOKEN not in page.content()
        page.wait_for_selector("#stream[data-open]", state="attached")
        harbour.fire(WAKE, title="Told to who may know")
        expect(page.locator(".toast")).to_contain_text("Told to who may know")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login*")
        assert page.request.get(harbour.url + "/api/v1/overview").status == 401
