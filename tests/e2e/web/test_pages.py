"""Every page in a real browser: what it shows is what the API says."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.web.cargo import ALERT
from tests.e2e.web.conftest import Open
from tests.e2e.web.harbour import Harbour

pytestmark = pytest.mark.loopback


def api(page: Page, name: str) -> Any:
    answer = page.request.get(
        f"{page.url.split('/', 3)[0]}//{page.url.split('/')[2]}/api/v1/{name}"
    )
    assert answer.ok
    return answer.json()


def text(page: Page, selector: str = "main") -> str:
    return " ".join(page.locator(selector).inner_text().split())


@pytest.fixture
def page(open_window: Open) -> Page:
    return open_window().page


def test_overview__content__is_the_api_s(open_window: Open) -> None:
    page = open_window().go("/")
    document = api(page, "overview")
    shown = text(page)
    assert f"{document['totals']['priced_usd']:,.2f} USD" in shown
    assert "partial" in shown
    assert [s.get_attribute("id") for s in page.locator(".sounding").all()] == [
        f"sounding-{one['id']}" for one in document["nearest"]
    ]
    for one, box in zip(document["nearest"], page.locator(".depth-text").all(), strict=True):
        raw, scale = int(one["health_raw"]), int(one["health_scale"])
        units = raw * 10_000 // scale
        assert box.inner_text() == f"{units // 10_000}.{units % 10_000:04d}"
    for found in document["alerts"]:
        assert found["title"] in shown
    assert "base is down" in text(page, "#strips")


def test_positions__content__is_the_api_s(open_window: Open) -> None:
    page = open_window().go("/positions")
    document = api(page, "risk")
    rows = page.locator("#positions tbody tr")
    assert sorted(r.get_attribute("id") or "" for r in rows.all()) == sorted(
        f"position-{p['id']}" for p in document["positions"]
    )
    for one in document["positions"]:
        shown = " ".join(page.locator(f'[id="position-{one["id"]}"]').inner_text().split())
        assert one["market"] in shown
        assert f"{int(one['provenance']['block_number']):,}" in shown
        if one["equity_usd"] is None:
            assert "unknown" in shown
        else:
            assert f"{one['equity_usd']:,.2f}" in shown
    assert "execution reverted" in text(page, "#unread")


def test_position__deep_link__has_every_leg_and_all_digits(open_window: Open) -> None:
    page = open_window().go("/positions")
    document = api(page, "risk")
    exact = "1010000000000000001"
    one = next(p for p in document["positions"] if p["liquidation"]["health_raw"] == exact)
    page.locator(f'[id="position-{one["id"]}"] a').click()
    page.wait_for_url(f"**/positions/{one['id']}")
    shown = text(page)
    assert "1.010000000000000001" in shown
    for leg in one["legs"]:
        assert leg["symbol"] in shown
    assert page.locator("#canvas-health-history canvas").count() == 1


def test_risk__content__ladder_slider_and_both_halves_of_the_heat_map(open_window: Open) -> None:
    page = open_window().go("/risk")
    document = api(page, "ladder")
    assert page.locator("#ladder tbody tr").count() == sum(
        len(p["curves"]) for p in document["positions"]
    )
    heat = document["heat"]
    assert page.locator("#heat tbody tr").count() == len(heat["x_steps"]) * len(heat["y_steps"])
    assert page.locator("#canvas-heat canvas").count() >= 1
    slider = page.locator("input[type=range]")
    slider.fill("0")
    assert text(page, "output") == "−50 %"
    worst = min(c["health"][0] for p in document["positions"] for c in p["curves"])
    assert str(worst)[:5] in text(page, "#shock-0")


def test_exposure__content__is_the_api_s(open_window: Open) -> None:
    page = open_window().go("/exposure")
    document = api(page, "exposure")
    assert page.locator("#failures tbody tr").count() == len(document["worst"])
    assert page.locator("#keepers tbody tr").count() == sum(
        1 for node in document["nodes"] if node["admin_kind"]
    )
    assert page.locator("#canvas-failures canvas").count() >= 1
    assert page.locator("#canvas-streams canvas").count() >= 1
    assert "one key" in text(page, "#keepers")


def test_rebalance__content__before_after_and_verdicts(open_window: Open) -> None:
    page = open_window().go("/rebalance")
    document = api(page, "plans")
    assert page.locator(".plan").count() == len(document["proposals"])
    shown = text(page)
    assert "1.0412" in shown
    assert "1.8000" in shown
    assert "−40,326.62" in shown
    for plan in document["proposals"]:
        for verdict in plan["verdicts"]:
            assert verdict["text"] in shown


def test_transactions__content__lane_names_each_nonce_and_the_gap(open_window: Open) -> None:
    page = open_window().go("/transactions")
    document = api(page, "txs")
    lane = text(page, ".lane")
    assert "< 41" in lane
    for tx in document["transactions"]:
        if tx["open"] and tx["nonce"]:
            assert tx["nonce"] in lane
    assert "42 ? not ours" in lane
    assert page.locator("#transactions tbody tr").count() == len(document["transactions"])


def test_alerts__content__timeline_and_receipts(open_window: Open) -> None:
    page = open_window().go("/alerts")
    document, happened = api(page, "alerts"), api(page, "events")
    for found in document["alerts"]:
        assert found["title"] in text(page, f"#alert-{found['id']}")
    assert page.locator(".event").count() == len(happened["events"])
    told = [d for a in document["alerts"] for d in a["deliveries"]]
    assert page.locator("#receipts tbody tr").count() == len(told)
    page.locator(f"#alert-{ALERT} a").first.click()
    page.wait_for_url(f"**/alerts/{ALERT}")
    assert page.locator(".event").count() == sum(e["alert"] == ALERT for e in happened["events"])


def test_approvals__content__is_the_api_s(open_window: Open) -> None:
    page = open_window().go("/approvals")
    document = api(page, "approvals")
    assert page.locator("#approvals tbody tr").count() == len(document["approvals"])
    assert "unlimited" in text(page, "#approvals")


def test_history__choice__shows_that_position_alone(open_window: Open) -> None:
    page = open_window().go("/history")
    document = api(page, "history?metric=health_factor")
    assert page.locator("#measured thead th").count() == 1 + len(document["series"])
    page.select_option("#position", index=1)
    page.get_by_role("button", name="Show").click()
    assert page.locator("#measured thead th").count() == 2
    assert "no endpoint answered" in page.locator("#measured").text_content()  # type: ignore[operator]
    assert page.locator("#canvas-measured canvas").count() == 1


def test_system__content__is_the_api_s(open_window: Open, harbour: Harbour) -> None:
    page = open_window().go("/system")
    document = api(page, "system")
    shown = text(page)
    assert ("✔ ready" in shown) is document["ready"]
    for check in document["checks"]:
        assert check["name"] in shown
    assert "Europe/Berlin" in shown


def test_missing__position_or_alert__is_said(open_window: Open) -> None:
    window = open_window()
    page = window.go("/positions/1:nothing")
    assert "1:nothing is not there" in text(page)
    assert any("404" in said for said in window.said)
    window.said.clear()


def test_filter_and_sort__table__rows_follow(open_window: Open) -> None:
    page = open_window().go("/positions")
    rows = page.locator("#positions tbody tr:visible")
    every = rows.count()
    page.fill("#q", "spark treasury")
    assert rows.count() == 1
    page.fill("#q", "")
    assert rows.count() == every
    equity = page.get_by_role("columnheader", name="Equity, USD")
    equity.get_by_role("button").click()
    assert equity.get_attribute("aria-sort") == "descending"
    assert "Steakhouse" in rows.first.inner_text()
    assert "Benqi" in rows.last.inner_text()  # unknown is neither least nor most
    page.goto(page.url.split("?")[0] + "?q=benqi")
    assert rows.count() == 1
