"""Morpho positions made by hand, for the engine's unit tests."""

from chain.types import ZERO_ADDRESS, Address, checksum
from chain.units import WAD
from protocols.morpho_blue.math import MarketParams, Totals, accrue, average_rate
from protocols.morpho_blue.state import FeedLeaf, MorphoOracle, MorphoPosition, OracleParts
from protocols.types import Token

SCALE = 10**36


def address(n: int) -> Address:
    return checksum(f"0x{n:040x}")


LOAN, COLLATERAL, ORACLE, IRM = (address(n) for n in (1, 2, 3, 4))
BASE, QUOTE = address(5), address(6)
START = 1_700_000_000


def feed(at: Address, answer: int, decimals: int = 8) -> FeedLeaf:
    return FeedLeaf(at, answer, decimals, f"feed {at[-2:]}", START, 3600, ())


def parts(base: int = 3000 * 10**8, quote: int = 10**8) -> OracleParts:
    """18-decimal collateral, 6-decimal loan, two 8-decimal feeds."""
    return OracleParts(10**24, None, (feed(BASE, base),), None, (feed(QUOTE, quote),))


def market(used: float = 0.5, supply: int = 10**15, fee: int = 0) -> Totals:
    borrow = int(supply * used)
    return Totals(supply, supply * 10**6, borrow, borrow * 10**6, START, fee)


def position(
    *,
    totals: Totals | None = None,
    shares: int = 2 * 10**15,
    collateral: int = 10**18,
    price: int = 3000 * 10**24,
    lltv: int = 86 * WAD // 100,
    at_target: int | None = 10**9,
    rate: int | None = None,
    elapsed: int = 0,
    oracle: MorphoOracle | None = None,
    irm: Address = IRM,
) -> MorphoPosition:
    """Return a borrower; `at_target` None with an IRM is an unfamiliar model at `rate`."""
    stored = totals or market()
    now = stored.last_update + elapsed
    if rate is None:
        rate = 0 if at_target is None else average_rate(at_target, stored, now)
    if irm == ZERO_ADDRESS:
        at_target = None
    params = MarketParams(LOAN, COLLATERAL, ORACLE, irm, lltv)
    return MorphoPosition(
        market_id="0x" + params.id().hex(),
        params=params,
        loan=Token(LOAN, "USDC", 6),
        collateral_token=Token(COLLATERAL, "WETH", 18),
        stored=stored,
        accrued=accrue(stored, rate, now),
        rate=rate,
        rate_at_target=at_target,
        timestamp=now,
        supply_shares=0,
        borrow_shares=shares,
        collateral=collateral,
        oracle=oracle or MorphoOracle(ORACLE, price, None),
    )
