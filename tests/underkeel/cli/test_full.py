"""`risk --full`: what it says of states that the test world's positions are not in."""

from dataclasses import replace

import pytest
from rich.console import Console

from chain.types import ZERO_ADDRESS
from chain.units import WAD
from protocols.erc4626.state import MetaMorpho, QueueMarket, VaultHolding
from protocols.morpho_blue.state import MorphoOracle, MorphoPosition
from protocols.types import AllowanceGiven, Leg, Position, Price, Side, State, Token, Unpriced
from protocols.uniswap_v3 import UniswapV3State
from risk.types import Assessment, Boundary, Direction, Status
from tests.risk.morpho_states import BASE, COLLATERAL, LOAN, ORACLE, parts
from tests.risk.morpho_states import position as morpho
from tests.support.fake_chain import AT, address
from underkeel.cli.full import full_report
from underkeel.cli.tables import named, risk_report
from underkeel.documents.facts import Erc4626Facts, MorphoBlueFacts, bad_debt, facts
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.valuation import Valuation, assess

OWNER = address(9)
USDC, WETH = Token(LOAN, "USDC", 6), Token(COLLATERAL, "WETH", 18)
VALUATION = Valuation.of((), (), (), AT)


def held(state: State | None, *legs: Leg, **more: object) -> Position:
    base = Position(
        *("1:p:r:o:7", "p", "v1", "m", address(8), OWNER, "lending", legs, AT), state=state
    )
    return replace(base, **more)  # type: ignore[arg-type]


def shown(*found: Assessment, names: dict[str, str] | None = None) -> str:
    chain = ChainReport("c", 1, AT, positions=found, valuation=VALUATION)
    portfolio = Portfolio((OWNER,), (chain,), names or {})  # type: ignore[arg-type]
    screen = Console(width=200, color_system=None)
    with screen.capture() as capture:
        screen.print(full_report(portfolio, "UTC"))
    return " ".join(capture.get().split())


def borrower(price: int) -> MorphoPosition:
    """1 WETH for 2,000 USDC; `price` in USDC."""
    made = parts(base=price * 10**8)
    worth = made.price()
    assert worth is not None
    return morpho(oracle=MorphoOracle(ORACLE, worth, made))


def test_full__under_water__says_the_way_back_and_what_suppliers_lose() -> None:
    found = assess(held(borrower(1_900)), VALUATION, None)
    lost = bad_debt(found)
    assert found.liquidation.status is Status.LIQUIDATABLE
    assert lost is not None
    assert lost > 0
    text = shown(found, names={OWNER: "me"})
    assert f"{OWNER} (me)" in text
    assert "to safety" in text
    assert "for the suppliers if liquidated now" in text
    told = facts(found)
    assert isinstance(told, MorphoBlueFacts)
    assert told.bad_debt_raw == str(lost)


def test_bad_debt__no_debt_or_no_edge__none() -> None:
    assert bad_debt(assess(held(morpho(shares=0)), VALUATION, None)) is None
    assert bad_debt(assess(held(None), VALUATION, None)) is None
    judged = assess(held(borrower(3_000)), VALUATION, None)
    edgeless = replace(judged, liquidation=replace(judged.liquidation, boundary=()))
    assert bad_debt(judged) == 0
    assert bad_debt(edgeless) is None
    assert "no single price" in shown(edgeless)


def test_full__supplier__what_can_leave_now() -> None:
    state = replace(morpho(shares=0), supply_shares=10**12)
    assert f"withdrawable {state.withdrawable // 10**6}" in shown(
        assess(held(state), VALUATION, None)
    )


def test_full__no_price_no_decimals_no_age__said_with_the_cause() -> None:
    silent = Price(COLLATERAL, LOAN, 3 * 10**8, 8, "oracle(x)", "x", None, problems=("odd",))
    odd = Token(address(3), "ODD", None)
    found = assess(
        held(
            None,
            Leg(WETH, 10**18, Side.COLLATERAL, silent),
            Leg(USDC, 5, Side.DEBT, Unpriced(LOAN, "feed(y)", "it is stale")),
            Leg(odd, 7, Side.ASSET),
            unknown=("the rest: timed out",),
            notes=("a note",),
            allowances=(AllowanceGiven(USDC, address(4), 3 * 10**6, unlimited=False),),
            root=ZERO_ADDRESS,
        ),
        VALUATION,
        None,
    )
    text = shown(found)
    for words in (
        "at 3.00000000 USDC, age not told; oracle(x); odd",
        "no price: it is stale; feed(y)",
        "7 base units ODD = unpriced",
        "equity unknown",
        "the rest: timed out",
        "note a note",
        f"USDC to {address(4)}: 3",
    ):
        assert words in text
    assert "root" not in text


def vault(inner: MetaMorpho | None, redeemable: int | None) -> VaultHolding:
    return VaultHolding(
        *(address(8), Token(address(8), "vUSDC", 18), USDC, 10**18, 10**6, 10**6, None, None),
        *(redeemable, 10**18, 10**6, 10**12, 10**24, 0),
        metamorpho=inner,
    )


def inner(lost: int | None) -> MetaMorpho:
    queue = QueueMarket("0x", ZERO_ADDRESS, 0, 9 * 10**6, 7 * 10**6, 7 * 10**6, 0, None, 0)
    return MetaMorpho(
        *("1.1", address(7), (queue,), 9 * 10**6, 9 * 10**6, lost, WAD // 10, OWNER, 0),
        *(OWNER, OWNER, OWNER, 86_400, None, None),
    )


def test_full__vault__what_can_leave_and_what_is_lost() -> None:
    text = shown(assess(held(vault(inner(2 * 10**6), 10**6)), VALUATION, None))
    assert "redeemable 1 USDC now" in text
    assert "exit liquidity 7 USDC for all holders" in text
    assert "lost assets 2 USDC" in text
    plain = shown(assess(held(vault(None, None)), VALUATION, None))
    assert "redeemable not known" in plain
    assert "exit liquidity" not in plain


@pytest.mark.parametrize("lost", [None, 0, 5])
def test_facts__vault_release_without_lost_assets__leaves_them_out(lost: int | None) -> None:
    told = facts(assess(held(vault(inner(lost), 1)), VALUATION, None))
    assert isinstance(told, Erc4626Facts)
    dumped = told.model_dump(exclude_unset=True)
    assert dumped.get("lost_assets_raw") == (None if lost is None else str(lost))
    assert ("lost_assets_raw" in dumped) is (lost is not None)
    assert dumped["exit_liquidity_raw"] == str(7 * 10**6)
    assert dumped["timelock_s"] == "86400"


def test_full__range_left_behind__said_and_greeks_unknown() -> None:
    state = UniswapV3State(1, address(5), 500, -10, 10, 1, 20, 2**96, None, False, None, None)
    text = shown(assess(held(state), VALUATION, None))
    assert "out of range: tick 20 in -10 … 10" in text
    assert "greeks not known" in text


def test_named__oracle_and_its_feed_at_one_edge__always_the_feed() -> None:
    for price in (3_000, 1_900):  # before and after a crash
        found = assess(held(borrower(price)), VALUATION, None)
        down = [b for b in found.liquidation.boundary if b.direction is Direction.DOWN]
        assert {b.factor for b in down} == {ORACLE, BASE}
        for order in (down, down[::-1]):
            assert named(found, order).factor == BASE
        chain = ChainReport("c", 1, AT, positions=(found,), valuation=VALUATION)
        screen = Console(width=120, color_system=None)
        with screen.capture() as capture:
            screen.print(risk_report(Portfolio((OWNER,), (chain,), {}), "UTC"))
        assert f"feed {BASE[-2:]}" in capture.get()
        assert "WETH / USDC" not in capture.get()


def test_named__feed_at_another_distance__the_nearest() -> None:
    found = assess(held(borrower(3_000)), VALUATION, None)
    whole = next(b for b in found.liquidation.boundary if b.factor == ORACLE)

    def moved(change: float, **more: object) -> Boundary:
        return replace(whole, factor=BASE, distance_frac=whole.distance_frac + change, **more)  # type: ignore[arg-type]

    assert named(found, (whole, moved(-1e-3))) == whole
    assert named(found, (whole, moved(0, direction=Direction.UP))) == whole
    assert named(found, (whole,)) == whole
