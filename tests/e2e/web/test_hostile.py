"""Names that strangers choose are shown, and do nothing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.web import documents as made
from tests.e2e.web.conftest import PHONE, Open
from tests.e2e.web.harbour import Harbour

pytestmark = pytest.mark.loopback
EVIL = (
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror='window.pwned=1'>",
    "{{77*77}}${77*77}",
    "‮lufmrah‬ ⁦x",
    "javascript:window.pwned=1",
    "long " * 1_000,
    "W" * 5_000,
    "\x00\x1b[31mred\x07",
)


@pytest.fixture
def infested(harbour: Harbour) -> Any:
    """Positions, an alert and events, all with hostile names."""
    positions = [
        made.position(
            "aave-v3",
            evil,
            made.OPS,
            made.WAD * (11 + i) // 10,
            [made.leg(evil, made.WETH, made.WAD, 18, "collateral", 10.0)],
            part=str(i),
            owner_name=evil[:2_000],
            notes=[evil],
            unknown=[evil],
        )
        for i, evil in enumerate(EVIL)
    ]
    harbour.write("base", made.risk("base", harbour.at, positions, block=23_101))
    for i, evil in enumerate(EVIL):
        harbour.fire(f"{i:02x}" * 16, title=evil, rule=f"rule{i}", cause=evil, note=evil)
    yield positions
    harbour.silence_base()
    for i in range(len(EVIL)):
        harbour.forget(f"{i:02x}" * 16)


def test_names__of_strangers__are_inert_on_every_page(
    infested: list[dict[str, Any]], open_window: Open
) -> None:
    window = open_window(PHONE)
    for path in (
        "/", "/positions", "/alerts", "/history", "/approvals", "/system", "/risk", "/exposure",
        f"/positions/{infested[0]['id']}", f"/positions/{infested[6]['id']}",
        f"/alerts/{'01' * 16}",
    ):  # fmt: skip
        page = window.go(path)
        assert page.evaluate("window.pwned") is None
        assert page.locator("main script, main img, main iframe").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert "\u202e" not in page.content()
        assert "W" * 301 not in page.locator("main").inner_text()
    page = window.go("/positions")
    expect(page.locator("main")).to_contain_text("<script>window.pwned=1</script>")
    expect(page.locator("main")).to_contain_text("⟨U+202E⟩")
    assert "5929" not in page.locator("#positions").inner_text()  # 77 times 77


def test_toast__hostile_title__is_text(open_window: Open, harbour: Harbour) -> None:
    page = open_window().live("/")
    harbour.fire("c3" * 16, title=EVIL[1])
    expect(page.locator(".toast")).to_contain_text("onerror")
    assert page.locator(".toast img").count() == 0
    assert page.evaluate("window.pwned") is None
    harbour.forget("c3" * 16)


@pytest.mark.parametrize(
    "query", ["<script>window.pwned=1</script>", '"><svg onload=window.pwned=1>', "‮"]
)
def test_query__hostile__comes_back_as_text(query: str, open_window: Open) -> None:
    window = open_window()
    page = window.page
    page.goto(f"{window.base}/positions?q=" + "".join(f"%{b:02x}" for b in query.encode()))
    assert page.evaluate("window.pwned") is None
    assert page.locator("#q").input_value() == query
