"""Numbers and names as pages write them."""

from __future__ import annotations

from typing import Literal

import pytest

from underkeel.documents.events import Event
from underkeel.documents.models import Boundary
from underkeel.web.pages import cells, words
from underkeel.web.pages.routes import back
from underkeel.web.pages.views.alerts import timeline


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("WETH", "WETH"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\x00\nb", "a⟨U+0000⟩⟨U+000A⟩b"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 63 + "…"),
        ("\u202e" * 5_000, ("⟨U+202E⟩" * 8)[:63] + "…"),
        ("<b>", "<b>"),
    ],
)
def test_name__of_a_stranger__is_short_and_stands_still(text: str, shown: str) -> None:
    assert cells.name(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0412, "1.0412"), (0.99999, "0.9999"), (1.00009, "1.0000"), (1e9, "1,000,000.0000")],
)
def test_ratio__float__is_cut_off_like_the_exact_one(value: float, shown: str) -> None:
    assert words.ratio(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.0395, "−3.95 %"),
        (0.21499, "+21.49 %"),
        (0.0, "0.00 %"),
        (0.00001, "< 0.01 %"),
        (-0.00001, "−< 0.01 %"),
    ],
)
def test_percent__signed__is_cut_off_and_never_called_nought(value: float, shown: str) -> None:
    assert words.percent_text(value, signed=True) == shown


@pytest.mark.parametrize(
    ("raw", "scale", "shown"),
    [
        (1_010_000_000_000_000_001, 10**18, "1.010000000000000001"),
        (2 * 10**18, 10**18, "2"),
        (100, 3, "100 / 3"),
    ],
)
def test_exact__health__has_all_digits(raw: int, scale: int, shown: str) -> None:
    assert words.exact(raw, scale) == shown


def test_status__safe_with_unknown_parts__is_not_called_safe() -> None:
    assert words.status("safe", doubt=True).text == "unknown"
    assert words.status("safe").text == "safe"
    assert words.status("liquidatable", doubt=True).text == "liquidatable"


def test_unknown__number__is_no_nought() -> None:
    for found in (
        words.dollars(None),
        words.percent(None, cause="why"),
        words.amount(None, "18", cause="why"),
        words.health(None, "1", "why"),
        cells.moment(None, ""),
    ):
        assert found.kind == "unknown"
        assert found.text
        assert found.sort is None
    assert words.health(None, "1").text == "–"  # no debt, which is known
    assert words.seconds(None).text == "not in sight"


def test_size__bytes__in_the_largest_whole_unit() -> None:
    assert words.size("1023") == "1,023 bytes"
    assert words.size("1536") == "1.5 KiB"
    assert words.size(str(5 * 2**40)) == "5.0 TiB"
    assert words.size(None) == "size unknown"


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/alerts?x=1", "/alerts?x=1"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_back__after_a_form__stays_here(path: str, there: str) -> None:
    assert back(path) == there


@pytest.mark.parametrize(
    ("severity", "tone"), [("critical", "bad"), ("warning", "warn"), ("info", ""), (None, "bad")]
)
def test_alert_state__firing__as_loud_as_its_severity(severity: str | None, tone: str) -> None:
    cell = words.alert_state("firing", severity)
    assert (cell.text, cell.more["tone"]) == ("firing", tone)


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        ("alert", {"state": "resolved"}, ("✔", "resolved", "good")),
        ("alert", {"state": "firing"}, ("▲", "critical", "bad")),
        ("plan", {"status": "done"}, ("✔", "done", "good")),
        ("plan", {"status": "failed"}, ("▲", "critical", "bad")),
    ],
    ids=["over", "fires", "done", "failed"],
)
def test_timeline__good_news__is_not_drawn_as_danger(
    kind: str, body: dict[str, str], shown: tuple[str, str, str]
) -> None:
    happened = Event.model_validate(
        {"id": "1", "at": "2026-01-01T00:00:00.000Z", "kind": kind, "severity": "critical",
         "chain": None, "wallet": None, "position": None, "alert": None, "text": "x", "body": body}
    )  # fmt: skip
    (line,) = timeline([happened], "UTC")
    assert (line["icon"], line["word"], line["tone"]) == shown


@pytest.mark.parametrize(
    ("direction", "shown"),
    [
        ("down", "safe if ETH / USD ≥ 2,545.46, +13.14 %"),
        ("up", "safe if ETH / USD ≤ 2,545.45, +13.14 %"),
    ],
)
def test_way_back__past_the_edge__price_that_is_safe_again(
    direction: Literal["down", "up"], shown: str
) -> None:
    found = Boundary(
        factor="0x" + "1" * 40, label="ETH / USD", price_raw="254545000000",
        safe_price_raw="254545454546", current_raw="225000000000", decimals="8",
        distance_frac=0.13, direction=direction, mode="jump", exact=True,
    )  # fmt: skip
    assert words.way_back(found) == shown
