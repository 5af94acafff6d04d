"""Make a position of what is known about an NFT."""

from chain.calls import ReadFailed
from chain.types import BlockRef
from protocols.adapter import Market
from protocols.types import Leg, Position, Side
from protocols.uniswap_v3 import math as maths
from protocols.uniswap_v3.facts import Nft, Pool, Range
from protocols.uniswap_v3.state import UniswapV3State

PROTOCOL = "uniswap-v3"


def build(
    market: Market, version: str, nft: Nft, pool: Pool, held: Range | ReadFailed, at: BlockRef
) -> Position:
    """Return the position of an NFT; raises `ReadFailed` when its amounts cannot be known.

    Fees that cannot be known leave their legs out and are named in `unknown`.
    """
    lower, upper, liquidity = nft.lower, nft.upper, nft.liquidity
    if not (-maths.MAX_TICK <= lower < upper <= maths.MAX_TICK):
        raise ReadFailed(f"positions: {lower} to {upper} is not a range")
    sqrt_price, tick = pool.sqrt_price, pool.tick
    amounts = maths.amounts(sqrt_price, tick, lower, upper, liquidity)
    token0, token1, unknown = pool.token0, pool.token1, pool.unknown
    legs: tuple[Leg, ...] = ()
    try:
        paid = _paid(nft, pool, held, amounts)
        legs = (
            Leg(token0, max(0, paid[0] - amounts[0]), Side.FEE, None, "uncollected"),
            Leg(token1, max(0, paid[1] - amounts[1]), Side.FEE, None, "uncollected"),
        )
        # a sum that wrapped at 2^128 pays less than the liquidity alone would
        amounts = (min(amounts[0], paid[0]), min(amounts[1], paid[1]))
    except ReadFailed as failure:
        unknown = (*unknown, f"uncollected fees: {failure.cause}")
    decimals0, decimals1 = token0.decimals, token1.decimals
    greeks = None
    if decimals0 is not None and decimals1 is not None:
        decimals = (decimals0, decimals1)
        greeks = maths.greeks(sqrt_price, tick, lower, upper, liquidity, decimals)
    return Position(
        id=f"{at.chain_id}:{PROTOCOL}:{market.root}:{nft.owner}:{nft.token_id}",
        protocol=PROTOCOL,
        version=version,
        market=market.name,
        root=market.root,
        owner=nft.owner,
        kind="liquidity",
        legs=(Leg(token0, amounts[0], Side.ASSET), Leg(token1, amounts[1], Side.ASSET), *legs),
        at=at,
        state=UniswapV3State(
            token_id=nft.token_id,
            pool=pool.address,
            fee_pips=nft.fee,
            tick_lower=lower,
            tick_upper=upper,
            liquidity=liquidity,
            tick=tick,
            sqrt_price_x96=sqrt_price,
            pool_liquidity=pool.liquidity,
            in_range=lower <= tick < upper,
            twap=pool.twap,
            greeks=greeks,
        ),
        unknown=unknown,
    )


def _paid(
    nft: Nft, pool: Pool, held: Range | ReadFailed, amounts: tuple[int, int]
) -> tuple[int, int]:
    """Return what `collect` pays after everything was burnt, per token; raises `ReadFailed`.

    Without liquidity nobody can poke the range: only what is already owed can be collected.
    """
    if isinstance(held, ReadFailed):
        raise held
    liquidity, lower, upper = nft.liquidity, nft.lower, nft.upper
    if liquidity == 0:
        return min(nft.owed0, held.owed0), min(nft.owed1, held.owed1)
    if not (held.lower_set and held.upper_set) or held.held < liquidity:
        raise ReadFailed("ticks and liquidity contradict each other")
    if isinstance(pool.growth, ReadFailed):
        raise pool.growth
    totals = []
    for growth, below, above, owed, last, there, there_last, amount in (
        (pool.growth[0], held.lower0, held.upper0, nft.owed0, nft.inside0_last,
         held.owed0, held.inside0_last, amounts[0]),
        (pool.growth[1], held.lower1, held.upper1, nft.owed1, nft.inside1_last,
         held.owed1, held.inside1_last, amounts[1]),
    ):  # fmt: skip
        inside = maths.fee_growth_inside(growth, below, above, pool.tick, lower, upper)
        due = owed + amount + maths.accrued(inside, last, liquidity)
        most = there + amount + maths.accrued(inside, there_last, held.held)
        totals.append(min(due & maths.U128, most & maths.U128))
    return totals[0], totals[1]
