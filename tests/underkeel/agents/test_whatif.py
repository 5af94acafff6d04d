"""What a move would liquidate: exact, or unknown; never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from tests.underkeel.agents.build import curve, edge, ladder, position
from underkeel.agents.whatif import what_if

FALLING = (True, True, False, False, False, False)
"""Liquidatable from −20 % on."""


def fate(one: dict[str, Any], move: float, *, feeds: int = 1, doubt: str = "") -> tuple[str, str]:
    found = what_if(ladder(one, feeds=feeds), "ETH", move, {"ethereum": doubt} if doubt else {})
    (row,) = found["positions"]
    assert found["liquidatable"] == (row["then"] == "liquidatable")
    assert found["unknown"] == (row["then"] == "unknown")
    return row["then"], row["why"]


@pytest.mark.parametrize(
    ("move", "then"),
    [(-0.5, "liquidatable"), (-0.3, "liquidatable"), (-0.2, "liquidatable"), (-0.1, "not"),
     (-0.05, "not"), (0.0, "not"), (0.2, "not")],
)  # fmt: skip
def test_what_if__steps_agree__they_say(move: float, then: str) -> None:
    assert fate(position("a", curve(*FALLING)), move)[0].startswith(then)


def test_what_if__between_two_steps__the_exact_edge_decides() -> None:
    one = position("a", curve(*FALLING, boundary=edge(-0.15)))
    assert fate(one, -0.149)[0] == "not liquidatable"
    assert fate(one, -0.15) == ("liquidatable", "its exact edge is at -15.0000%")
    assert fate(one, -0.151)[0] == "liquidatable"


@pytest.mark.parametrize(
    ("boundary", "feeds"),
    [(None, 1), (edge(-0.15, exact=False), 1), (edge(0.4), 1), (edge(-0.15), 2)],
    ids=["none", "about", "other way", "several feeds"],
)
def test_what_if__between_two_steps_without_such_an_edge__is_unknown(
    boundary: dict[str, Any] | None, feeds: int
) -> None:
    assert (
        fate(position("a", curve(*FALLING, boundary=boundary)), -0.15, feeds=feeds)[0] == "unknown"
    )


def test_what_if__beyond_the_steps__is_unknown_but_for_the_edge() -> None:
    assert fate(position("a", curve(*FALLING)), -0.6) == (
        "unknown", "the stored steps end at -50% and +50%",
    )  # fmt: skip
    assert fate(position("a", curve(*FALLING, boundary=edge(-0.15))), -0.6)[0] == "liquidatable"


def test_what_if__unknown_step__is_unknown() -> None:
    assert fate(position("a", curve(None, None, False, False, False, False)), -0.3)[0] == "unknown"


def test_what_if__factor_does_not_move_it__stays_as_it_is() -> None:
    assert fate(position("a"), -0.3)[0] == "not liquidatable"
    assert fate(position("a", status="liquidatable"), -0.3)[0] == "liquidatable"


def test_what_if__not_known_now__is_unknown_whatever_was_stored() -> None:
    assert fate(position("a", curve(*FALLING), status="unknown"), -0.3)[0] == "unknown"
    assert fate(position("a", curve(*FALLING)), -0.3, doubt="down") == ("unknown", "down")


def test_what_if__debts__their_sum_is_unknown_with_one_that_is() -> None:
    rows = [position("a", curve(*FALLING)), position("b", curve(*FALLING))]
    assert what_if(ladder(*rows), "ETH", -0.3, {})["debt_usd_of_liquidatable"] == 200.0
    rows[1]["debt_usd"] = None
    assert what_if(ladder(*rows), "ETH", -0.3, {})["debt_usd_of_liquidatable"] is None


def test_what_if__another_name__lists_those_there_are() -> None:
    with pytest.raises(ValueError, match="none of the factors: ETH"):
        what_if(ladder(), "BTC", -0.3, {})
