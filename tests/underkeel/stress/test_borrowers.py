"""Borrowers of vaults: what is missing makes the vault unknown, never safe."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chain.calls import ReadFailed, Reads, Result, Unknown
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.erc4626.state import MetaMorpho, QueueMarket, VaultHolding
from protocols.morpho_blue.state import MorphoOracle, MorphoPosition
from protocols.types import Leg, Position, Price, Reading, Side, Token, Unreadable
from risk.scenario.lending import Lent, Stake
from tests.risk.morpho_states import BASE, COLLATERAL, LOAN, ORACLE, QUOTE, market, parts, position
from tests.support.fake_chain import AT, address
from tests.underkeel.stress.build import OWNER, portfolio
from underkeel.stress.borrowers import Borrowers, _kept, _lent, _owners, _stake, _totals, _whole
from underkeel.stress.library import Library, Scenario
from underkeel.stress.run import Book, Play, named

VAULT, MORPHO = address(0x4A17), address(0x30)
MARKET_ID = "0x" + "ab" * 32
TOLD = MorphoOracle(ORACLE, parts().price() or 0, parts())
USDC = Token(LOAN, "USDC", 6)


def borrower(**more: Any) -> MorphoPosition:
    return position(totals=market(), shares=market().borrow_shares, oracle=TOLD, **more)


def vault(supplied: int = 5 * 10**14) -> Position:
    queue = QueueMarket(MARKET_ID, COLLATERAL, 86 * 10**16, supplied, 0, 0, 0, None, 0)
    idle = replace(queue, market_id="0x" + "00" * 32, collateral_token=address(0))
    inner = MetaMorpho(
        *("1.0", MORPHO, (queue, idle), 10**15, 10**15, None, 0, OWNER, 0, OWNER, OWNER, OWNER),
        *(0, None, None),
    )
    state = VaultHolding(
        *(VAULT, Token(VAULT, "wUSDC", 18), USDC, 10**18, 10**9, 10**9, 10**9, 10**18, 10**9),
        *(10**18, 10**6, 10**15, 10**27, 0),
        metamorpho=inner,
    )
    price = Price(LOAN, "USD", 10**8, 8, f"feed({QUOTE})", QUOTE, None, label="USDC / USD")
    legs = (Leg(USDC, 10**9, Side.ASSET, price, "underlying"),)
    return Position(
        *(
            f"1:erc4626:{VAULT}:{OWNER}",
            "erc4626",
            "MetaMorpho 1.0",
            "wUSDC",
            VAULT,
            OWNER,
            "vault",
        ),
        legs,
        AT,
        state=state,
    )


def test_whole__all_that_is_lent__or_why_not() -> None:
    one, totals = borrower(), market()
    found = _whole("m", MARKET_ID, [one], totals)
    assert isinstance(found, Lent)
    half = replace(one, borrow_shares=one.borrow_shares // 2)
    assert _whole("m", MARKET_ID, [half], totals) == "m: those found owe 50.00% of what it lends"
    assert _whole("m", MARKET_ID, [], totals) == "m: those found owe 0.00% of what it lends"
    assert _whole("m", MARKET_ID, [], replace(totals, borrow_shares=0)) is None
    assert _whole("m", MARKET_ID, [one], "market: lost") == "m: market: lost"
    opaque = replace(one, oracle=replace(TOLD, parts=None))
    assert "does not say what moves" in str(_whole("m", MARKET_ID, [opaque], totals))


def test_kept__anybody_unread__says_why() -> None:
    held = Position("p", "morpho-blue", "", "m", ORACLE, OWNER, "lending", (), AT, state=borrower())
    states: list[MorphoPosition] = []
    supplier = replace(held, state=replace(borrower(), borrow_shares=0))
    assert _kept(Reading((held, supplier)), states) == ""
    assert len(states) == 1
    assert _kept(Reading((replace(held, unknown=("interest: lost",)),)), states) == "interest: lost"
    lost = Unreadable("morpho-blue", "m", ORACLE, OWNER, "position: lost", AT)
    assert _kept(Reading((lost,)), states) == "position: lost"


def test_stake__by_the_vaults_part_of_the_market__idle_and_empty_ones_apart() -> None:
    lent = Lent(MARKET_ID, (borrower(),))
    found = _stake(vault(), {(MORPHO, MARKET_ID): lent})
    assert isinstance(found, Stake)
    ((_, part),) = found.markets
    assert part == pytest.approx(5 * 10**14 / lent.totals.supply_assets / 10**15)
    assert _stake(vault(), {(MORPHO, MARKET_ID): None}) == Stake(())
    assert _stake(vault(), {(MORPHO, MARKET_ID): "why"}) == "its borrowers: why"
    assert _stake(vault(0), {}) == Stake(())


class Answers:
    """A snapshot at which every read fails."""

    at: BlockRef = AT

    def run(self, program: Reads[Any]) -> Any:
        try:
            batch: Sequence[Any] = next(program)
            while True:
                batch = program.send([Unknown("lost on the way") for _ in batch])
        except StopIteration as stop:
            return stop.value


class Logs:
    """A search that found some borrowers, or could not."""

    def __init__(self, found: tuple[str, ...], cause: str = "") -> None:
        self.found, self.cause = found, cause
        self.asked: Any = None

    def complete(self, market_: Any, accounts: Sequence[Address]) -> tuple[Any, Any]:
        self.asked = market_
        lost = Unreadable("m", "m", ORACLE, None, self.cause, AT) if self.cause else None
        return replace(market_, params={**market_.params, "borrowers": self.found}), lost


def test_owners__by_market__or_why_the_logs_were_not_read() -> None:
    other = "0x" + "cd" * 32
    found = (MARKET_ID + OWNER[2:].lower(), other + VAULT[2:].lower(), other + OWNER[2:].lower())
    search: Any = Logs(found)
    report = portfolio().chains[0]
    ids = (MARKET_ID, other)
    assert _owners(report, MORPHO, ids, search) == {MARKET_ID: [OWNER], other: [VAULT, OWNER]}
    assert search.asked.params == {"market_ids": ids, "from_block": 0}
    row = Market("morpho-blue", "Morpho", MORPHO, {"from_block": 77})
    _owners(replace(report, markets=(row,)), MORPHO, ids, search)
    assert search.asked.params["from_block"] == 77
    lost: Any = Logs((), "no logs")
    assert _owners(report, MORPHO, ids, lost) == "no logs"


def test_lent__reads_that_fail_or_too_many__are_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot: Any = Answers()
    assert "lost on the way" in str(_lent(MORPHO, MARKET_ID, [OWNER], snapshot))
    assert "lost on the way" in str(_lent(MORPHO, MARKET_ID, [], snapshot))
    monkeypatch.setattr("underkeel.stress.borrowers.MOST", 0)
    assert "has had 1 borrowers; more than 0" in str(_lent(MORPHO, MARKET_ID, [OWNER], snapshot))


def test_totals__not_read__is_a_cause_and_not_zero() -> None:
    program: Generator[Any, list[Result], Any] = _totals(MORPHO, MARKET_ID, AT)
    next(program)
    with pytest.raises(StopIteration) as stop:
        program.send([Unknown("lost")])
    assert "lost" in stop.value.value
    assert not isinstance(stop.value.value, ReadFailed)


def test_named__vault_with_borrowers__loses_their_bad_debt_and_knows_their_feeds() -> None:
    one = vault()
    lent = Lent(MARKET_ID, (borrower(),))
    stake = Stake(((lent, 0.5 / lent.totals.supply_assets),))
    place = portfolio(one)
    plain, book = Book.of(place), Book.of(place, Borrowers({one.id: stake}))
    assert {k.name for k in book.factors} - {k.name for k in plain.factors} == {BASE}
    crash = Library(scenarios={"x": Scenario.model_validate({"moves": {BASE: -0.9}})})
    found = named(book, crash, "x", Play(steps=1))
    before = 10**9 / 10**6
    path = lent.bad_debt(_path(0.1))
    assert path > 0
    assert found.loss_usd == pytest.approx(before * 0.5 * path / lent.totals.supply_assets)
    assert named(plain, Library(scenarios={"x": Scenario()}), "x", Play()).loss_usd == 0


def _path(many: float) -> Any:
    from risk.scenario.types import Point

    return (Point({BASE: many}, {BASE: many}),)


def test_named__borrowers_unknown_or_oracle_reverts__the_vault_is_in_no_sum() -> None:
    one = vault()
    book = Book.of(portfolio(one), Borrowers({}, {one.id: "its borrowers: no logs"}))
    found = named(book, Library(scenarios={"x": Scenario()}), "x", Play())
    assert found.blank
    assert found.unknown == (f"{one.id}: its borrowers: no logs",)
    stake = Stake(((Lent(MARKET_ID, (borrower(),)), 1e-15),))
    book = Book.of(portfolio(one), Borrowers({one.id: stake}))
    far = Library(scenarios={"x": Scenario.model_validate({"moves": {QUOTE: -0.999999999}})})
    assert not named(book, far, "x", Play()).blank
    huge = replace(TOLD, price=2**251, parts=replace(parts(), scale=2**240))
    lent = Lent(MARKET_ID, (replace(borrower(), oracle=huge),))
    book = Book.of(portfolio(one), Borrowers({one.id: Stake(((lent, 1e-15),))}))
    up = Library(scenarios={"x": Scenario.model_validate({"moves": {BASE: 99}})})
    assert "would revert" in named(book, up, "x", Play()).unknown[0]
