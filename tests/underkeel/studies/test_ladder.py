"""The ladder: curves, exact edges, the heat map, and what is left out of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from protocols.types import Leg, Position, Side, Token
from risk.assess import assess
from risk.liquidation import health
from risk.scenario.play import moved
from risk.types import Status
from tests.risk.aave_states import account, owed, reserve, supplied
from tests.risk.aave_states import position as lending
from tests.risk.aave_states import quote as priced
from tests.support.fake_chain import AT, address
from tests.underkeel.stress.build import (
    ETH_FEED,
    OWNER,
    PRICES,
    USDC_FEED,
    WETH,
    loan,
    portfolio,
    price,
    wallet,
)
from underkeel.documents.ladder import LadderDocument
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.studies import ladder as study
from underkeel.studies.ladder import HEAT_STEPS, STEPS, ladder
from underkeel.valuation import Valuation

DEBT = 35_000
BTC_FEED = address(0xF7)
BTC = Token(address(0x47), "WBTC", 18)
BTC_PRICE = price(BTC, 60_000, f"feed({BTC_FEED})", BTC_FEED, "BTC / USD")


def two() -> Position:
    """Return ten ether and half a bitcoin against dollars."""
    eth = reserve(0, priced(2_000 * 10**8, ETH_FEED, label="ETH / USD"))
    btc = reserve(2, priced(60_000 * 10**8, BTC_FEED, label="BTC / USD"))
    usdc = reserve(1, priced(10**8, USDC_FEED, label="USDC / USD"))
    lent = owed(usdc, DEBT * 10**18)
    state = account(7, supplied(eth, 10**19), supplied(btc, 5 * 10**17), lent)
    legs = (
        Leg(WETH, 10**19, Side.COLLATERAL, PRICES[0], "supply"),
        Leg(BTC, 5 * 10**17, Side.COLLATERAL, BTC_PRICE, "supply"),
        Leg(Token(usdc.asset, "USDC", 18), DEBT * 10**18, Side.DEBT, PRICES[1], "variable"),
    )
    return replace(lending(state), legs=legs, owner=OWNER, id=f"1:aave-v3:two:{OWNER}")


def held(*positions: Position, **changed: Any) -> Portfolio:
    prices = (*PRICES, BTC_PRICE)
    chain = ChainReport(
        "main", 1, AT, tuple(assess(p) for p in positions), prices=prices,
        valuation=Valuation.of(prices, (), positions, AT), **changed,
    )  # fmt: skip
    return Portfolio((OWNER,), (chain,), {OWNER: "ops"})


def test_curve__each_step__is_the_protocols_own_health() -> None:
    position = two()
    found = ladder(held(position), 0.0)
    assert [f.name for f in found.factors] == ["BTC", "ETH", "USDC"]
    (one,) = found.positions
    for curve, feed, raw in zip(
        one.curves,
        (BTC_FEED, ETH_FEED, USDC_FEED),
        (60_000 * 10**8, 2_000 * 10**8, 10**8),
        strict=True,
    ):
        wanted = [health(position, {feed: moved(raw, 1 + step)}) for step in STEPS]
        wanted[STEPS.index(0.0)] = health(position)
        assert [round((h or 0) * 10**18) for h in curve.health] == pytest.approx(wanted, rel=1e-12)
        edge = curve.boundary
        assert edge is not None
        assert edge.factor == feed
        past = [s == "liquidatable" for s in curve.status]
        beyond = [
            step <= edge.distance_frac if edge.direction == "down" else step >= edge.distance_frac
            for step in STEPS
        ]
        assert past == beyond


def test_curve__doubtful_position__is_unknown_but_past_the_edge_liquidatable() -> None:
    found = ladder(held(replace(loan(), verified=False, notes=("odd",))), 0.0)
    assert set(found.positions[0].curves[0].status) == {"unknown", "liquidatable"}


def test_heat__two_names__equity_and_edges_by_hand() -> None:
    position = two()
    heat = ladder(held(position, wallet()), 0.0).heat
    assert heat is not None
    assert (heat.x, heat.y, heat.positions, heat.left_out) == ("BTC", "ETH", "1", "0")
    for i, y in enumerate(HEAT_STEPS):
        for j, x in enumerate(HEAT_STEPS):
            owned = 20_000 * (1 + y) + 30_000 * (1 + x) - DEBT
            apart = 2_000 + 2_200 * (1 + y) + 20_000 * (1 + y)  # LINK, staked ether, a receipt
            assert heat.equity_usd[i][j] == pytest.approx(owned + apart)
            raw = health(
                position,
                {
                    ETH_FEED: moved(2_000 * 10**8, 1 + y),
                    BTC_FEED: moved(60_000 * 10**8, 1 + x),
                },
            )
            assert raw is not None
            assert heat.worst[i][j] == pytest.approx(raw / 10**18, rel=1e-6)
            assert heat.liquidatable[i][j] == (raw < 10**18)


def test_heat__one_name_only__says_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "MOST_NAMES", 1)
    found = ladder(held(loan()), 0.0)
    assert found.heat is None
    assert found.heat_cause == "no two prices move debts apart from each other"


def test_ladder__no_debts__is_empty_and_says_so() -> None:
    found = ladder(held(wallet()), 0.0)
    assert (found.positions, found.factors, found.heat) == ([], [], None)
    assert found.heat_cause == "no position has a debt"


def test_ladder__more_than_it_looks_at__says_how_many_and_how_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study, "MOST", 1)
    monkeypatch.setattr(study, "MOST_HEAT", 1)
    near, far = loan(15_900), replace(two(), id="far")
    found = ladder(held(far, near), 0.0)
    assert [p.id for p in found.positions] == [near.id]
    assert found.left_out == "1"
    assert found.left_out_health is not None
    assert found.left_out_health > (found.positions[0].health or 0)
    assert found.heat is not None
    assert (found.heat.positions, found.heat.left_out) == ("1", "1")


def test_ladder__chain_down_and_something_unreadable__both_are_told() -> None:
    found = ladder(portfolio(down=True), 0.0)
    assert any("other: no answer" in text for text in found.unknown)
    assert found.chains[1].cause == "no answer"
    assert found.heat is not None
    assert found.heat.equity_cause is not None
    assert "other: no answer" in found.heat.equity_cause


def test_ladder__position_that_could_not_be_judged__is_unknown_and_not_left_out() -> None:
    made = held(loan())
    chain = made.chains[0]
    judged = chain.positions[0]
    unknown = replace(
        judged.liquidation, health_raw=None, causes=("overflow",), status=Status.UNKNOWN
    )
    broken = replace(judged, liquidation=unknown)
    found = ladder(replace(made, chains=(replace(chain, positions=(broken,)),)), 0.0)
    assert found.unknown == [f"{judged.position.id}: overflow"]


def test_ladder__worth_of_a_position_not_known__is_said_beside_the_map() -> None:
    odd = wallet(Leg(Token(address(0x99), "ODD", 18), 10**18, Side.ASSET))
    heat = ladder(held(two(), odd), 0.0).heat
    assert heat is not None
    assert heat.equity_cause == "1 positions of which no worth is known"


def test_ladder__chances_given__are_beside_their_positions() -> None:
    position = loan()
    given: Mapping[str, Any] = {position.id: ([], "no history")}
    found = ladder(held(position), 0.0, given)
    assert found.positions[0].chances_cause == "no history"
    LadderDocument.model_validate_json(found.model_dump_json(by_alias=True))
