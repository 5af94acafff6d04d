"""What each way costs, whether it can be gone, and in which order they are told."""

from dataclasses import replace
from fractions import Fraction

import pytest
from rich.console import Console

from chain.units import WAD
from protocols.types import Side, Token
from risk.remedy import Kind, remedies
from tests.risk import aave_states as aave
from tests.risk import morpho_states
from tests.support.fake_chain import AT, address
from tests.underkeel.distance import scene
from underkeel.cli.joint import Extras, remedies_report, rows
from underkeel.distance.means import Means
from underkeel.distance.remedies import (
    AHEAD_S,
    NOTHING,
    Feasible,
    Way,
    Ways,
    parse_health,
    ways_of,
)
from underkeel.documents.build import risk_document
from underkeel.documents.study import extended
from underkeel.errors import UsageError
from underkeel.portfolio import Portfolio

DAI = Token(scene.asset(2), "DAI", 18)
T0 = Token(scene.asset(0), "T0", 18)


def borrower(frozen: bool = False, cap: int = 0, revision: int = 10) -> Portfolio:
    """Return 10 units of 3,000 dollars for 20,000 dollars, on Aave."""
    flags = 1 << 56 | (1 << 57 if frozen else 0) | cap << 116
    held = aave.reserve(0, aave.quote(3000 * 10**8, "eth"), aave.configuration(flags=flags))
    owed = aave.reserve(2, aave.quote(10**8, "usd"))
    state = aave.account(revision, aave.supplied(held, 10**19), aave.owed(owed, 20_000 * 10**18))
    legs = (
        scene.priced(T0, 10**19, Side.COLLATERAL, "feed", raw=3000 * 10**8),
        scene.priced(DAI, 20_000 * 10**18, Side.DEBT, "feed"),
    )
    at = replace(AT, timestamp=aave.NOW)
    position = replace(scene.held(state, *legs, name="a"), at=at)
    return scene.portfolio(position, scene.wallet((DAI, 1)))


def means(*held: tuple[Token, int], supplied: int | None = None) -> Means:
    """Return what the owner holds, and what all supply of the collateral."""
    balances = {("c", scene.OWNER, token.address): amount for token, amount in held}
    total = {} if supplied is None else {("c", address(8), T0.address): supplied}
    return Means(balances, total)


def found(portfolio: Portfolio, health: str = "1.8", known: Means = NOTHING) -> Ways:
    return ways_of(portfolio, parse_health(health), known)["a"]


def way(ways: Ways, kind: Kind) -> Way:
    return next(way for way in ways.each if way.remedy.kind is kind)


def test_ways__wallet_read__feasible_first_and_then_the_cheap() -> None:
    ways = found(borrower(), known=means((DAI, 10**22), (T0, 5)))
    repay, add = ways.each
    assert (repay.feasible, add.feasible) == (Feasible.YES, Feasible.NO)
    assert add.reasons == ("the wallet holds less",)
    # 24,000 of borrowing power bear 13,333.33… at 1.8; debts count in whole 1e-8 dollars, up
    assert repay.remedy.amount == 666_666_666_667 * 10**10
    assert repay.usd == pytest.approx(6_666.67, abs=0.01)
    assert add.remedy.amount == 5 * 10**18
    assert add.usd == pytest.approx(15_000)
    assert ways.at == aave.NOW + AHEAD_S
    unread = found(borrower())
    assert [w.feasible for w in unread.each] == [Feasible.UNKNOWN] * 2
    assert [w.remedy.kind for w in unread.each] == [Kind.REPAY, Kind.ADD]


def test_ways__frozen_or_capped__said() -> None:
    rich = means((T0, 10**20))
    frozen = way(found(borrower(frozen=True), known=rich), Kind.ADD)
    assert (frozen.feasible, frozen.reasons) == (Feasible.NO, ("the reserve is frozen",))
    tight = way(found(borrower(cap=4), known=rich), Kind.ADD)
    assert (tight.feasible, tight.reasons) == (Feasible.NO, ("the supply cap leaves less room",))
    wide = way(found(borrower(cap=10**6), known=rich), Kind.ADD)
    assert wide.feasible is Feasible.UNKNOWN
    assert "supply cap" in wide.reasons[0]


@pytest.mark.parametrize("revision", [1, 10])
def test_ways__room_under_the_cap_read__is_to_the_unit(revision: int) -> None:
    portfolio = borrower(cap=100, revision=revision)
    amount = way(found(portfolio), Kind.ADD).remedy.amount
    assert amount is not None
    full = 100 * 10**18 - amount
    for supplied, expected in ((full, Feasible.YES), (full + 1, Feasible.NO)):
        known = means((T0, 10**20), supplied=supplied)
        assert way(found(portfolio, known=known), Kind.ADD).feasible is expected


def test_ways__already_there__nothing_to_do() -> None:
    portfolio = borrower()
    ways = found(portfolio, "1.1")
    assert ways.found is not None
    assert ways.found.already
    assert ways.each == ()
    assert "nothing to do" in told({"a": ways}, portfolio)


def told(ways: dict[str, Ways], portfolio: Portfolio) -> str:
    screen = Console(width=100, color_system=None)
    with screen.capture() as capture:
        screen.print(remedies_report(ways, portfolio))
    return " ".join(capture.get().split())


def test_report__every_way__amounts_are_enough_and_reasons_are_there() -> None:
    portfolio = borrower()
    ways = ways_of(portfolio, Fraction(18, 10), means((DAI, 10**22)))
    text = told(ways, portfolio)
    assert "To a health of 1.8" in text
    assert "repay 6,666.666667 DAI" not in text  # the asset's own symbol there is T2
    assert "repay 6,666.666667 T2 6,666.67 yes" in text
    assert "what the wallet holds of it was not read" in text
    full = [str(value) for _, value in rows(Extras(ways=ways), portfolio.assessments[0])]
    assert any("exactly 6666666666670000000000 base units" in line for line in full)
    document = extended(risk_document(portfolio, 0.0), None, ways, {})
    shown = document.positions[0].remedies
    assert shown is not None
    assert shown.each[0].amount_raw == "6666666666670000000000"
    assert document.positions[1].remedies is None
    assert "There is no health" not in text
    assert "no health to raise" in told({}, portfolio)


def test_ways__one_debt_of_two__alone_is_not_enough() -> None:
    usd = aave.quote(10**8, "usd")
    state = aave.account(
        10,
        aave.supplied(aave.reserve(0, aave.quote(3000 * 10**8, "eth")), 10**19),
        aave.owed(aave.reserve(2, usd), 10_000 * 10**18),
        aave.owed(aave.reserve(3, usd), 10_000 * 10**18),
    )
    some = remedies(state, 3 * WAD, aave.NOW)
    assert some is not None
    first, second, add = (next(r for r in some.each if r.symbol == s) for s in ("T2", "T3", "T0"))
    assert (first.amount, second.amount) == (None, None)
    assert first.health_raw == 24 * 10**17  # all of it, and the other is left
    assert add.amount == 15 * 10**18
    position = replace(scene.held(state, name="a"), at=replace(AT, timestamp=aave.NOW))
    portfolio = scene.portfolio(position)
    ways = ways_of(portfolio, Fraction(3))
    assert ways["a"].each[0].remedy.kind is Kind.ADD
    assert ways["a"].each[1].reasons == ("no amount of this alone is enough",)
    assert "repay T2" in told(ways, portfolio)


def test_ways__nothing_owed__are_none() -> None:
    assert ways_of(scene.portfolio(scene.wallet((DAI, 1))), Fraction(2)) == {}


def test_ways__protocols_arithmetic_fails__is_unknown_with_the_cause() -> None:
    totals = morpho_states.market()
    state = morpho_states.position(totals=totals, rate=10**30, at_target=None, elapsed=0)
    position = replace(scene.held(state, name="a"), at=replace(AT, timestamp=totals.last_update))
    ways = ways_of(scene.portfolio(position), Fraction(2))["a"]
    assert ways.found is None
    assert ways.cause == "the compounded rate does not fit 256 bits"
    assert "not computed the compounded" in told({"a": ways}, scene.portfolio(position))
    document = extended(risk_document(scene.portfolio(position), 0.0), None, {"a": ways}, {})
    some = document.positions[0].remedies
    assert some is not None
    assert some.unknown == [ways.cause]


@pytest.mark.parametrize("text", ["0.99", "", "1/0", "nan", "1e9", "-2"])
def test_parse_health__senseless__says_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError, match=r"such as 1\.8"):
        parse_health(text)


def test_parse_health__decimal__is_exact() -> None:
    assert parse_health("1.1") == Fraction(11, 10)
