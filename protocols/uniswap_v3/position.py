"""Turn the answers about one NFT into a position."""

from chain.calls import ReadFailed, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.adapter import Market
from protocols.prices.twap import OBSERVE, WINDOW_S, PoolCheck, mean_tick
from protocols.types import Leg, Position, Side, Token
from protocols.uniswap_v3 import math as maths
from protocols.uniswap_v3.contracts import (
    GET_POOL,
    GROWTH0,
    GROWTH1,
    LIQUIDITY,
    POOL_POSITIONS,
    SLOT0,
    TICKS,
)
from protocols.uniswap_v3.pools import Nft, PoolAnswers
from protocols.uniswap_v3.state import UniswapV3State

PROTOCOL = "uniswap-v3"


def build(market: Market, version: str, nft: Nft, answers: PoolAnswers, at: BlockRef) -> Position:
    """Return the position of an NFT; raises `ReadFailed` when its amounts cannot be known.

    Fees that cannot be known leave their legs out and are named in `unknown`.
    """
    pool: Address = GET_POOL.decode(answers.of(nft, "address"))
    if pool == ZERO_ADDRESS:
        raise ReadFailed("the factory knows no such pool")
    sqrt_price, tick, *_ = SLOT0.decode(answers.of(nft, "slot0"))
    if not maths.MIN_SQRT_RATIO <= sqrt_price < maths.MAX_SQRT_RATIO:
        raise ReadFailed(f"slot0: {sqrt_price} is not a price")
    if not (-maths.MAX_TICK <= nft.lower < nft.upper <= maths.MAX_TICK):
        raise ReadFailed(f"positions: {nft.lower} to {nft.upper} is not a range")
    amounts = maths.amounts(sqrt_price, tick, nft.lower, nft.upper, nft.liquidity)

    token0, unknown0 = answers.token(nft.token0)
    token1, unknown1 = answers.token(nft.token1)
    unknown = [*unknown0, *unknown1]
    fees: list[Leg] = []
    try:
        paid = _paid(nft, answers, tick, amounts)
        fees = [
            Leg(token, max(0, total - amount), Side.FEE, name="uncollected")
            for token, total, amount in zip((token0, token1), paid, amounts, strict=True)
        ]
        # a sum that wrapped at 2^128 pays less than the liquidity alone would
        amounts = (min(amounts[0], paid[0]), min(amounts[1], paid[1]))
    except ReadFailed as failure:
        unknown.append(f"uncollected fees: {failure.cause}")
    legs = [Leg(token0, amounts[0], Side.ASSET), Leg(token1, amounts[1], Side.ASSET), *fees]

    depth = LIQUIDITY.known(answers.of(nft, "liquidity"))
    pool_liquidity = None if isinstance(depth, Unknown) else int(depth)
    return Position(
        id=f"{at.chain_id}:{PROTOCOL}:{market.root}:{nft.owner}:{nft.token_id}",
        protocol=PROTOCOL,
        version=version,
        market=market.name,
        root=market.root,
        owner=nft.owner,
        kind="liquidity",
        legs=tuple(legs),
        at=at,
        state=UniswapV3State(
            token_id=nft.token_id,
            pool=pool,
            fee_pips=nft.fee,
            tick_lower=nft.lower,
            tick_upper=nft.upper,
            liquidity=nft.liquidity,
            tick=tick,
            sqrt_price_x96=sqrt_price,
            pool_liquidity=pool_liquidity,
            in_range=nft.lower <= tick < nft.upper,
            twap=_twap(nft, answers, pool, sqrt_price, pool_liquidity, token0, token1),
            greeks=None
            if token0.decimals is None or token1.decimals is None
            else maths.greeks(
                sqrt_price,
                tick,
                nft.lower,
                nft.upper,
                nft.liquidity,
                (token0.decimals, token1.decimals),
            ),
        ),
        unknown=tuple(unknown),
    )


def _paid(nft: Nft, answers: PoolAnswers, tick: int, amounts: tuple[int, int]) -> tuple[int, int]:
    """Return what `collect` pays after everything was burnt, per token; raises `ReadFailed`.

    Without liquidity nobody can poke the range: only what is already owed can be collected.
    """
    held, *account = POOL_POSITIONS.decode(answers.account(nft))
    if nft.liquidity == 0:
        return min(nft.owed0, account[2]), min(nft.owed1, account[3])
    lower = TICKS.decode(answers.of(nft, nft.lower))
    upper = TICKS.decode(answers.of(nft, nft.upper))
    if not (lower[-1] and upper[-1]) or held < nft.liquidity:
        raise ReadFailed("ticks and liquidity contradict each other")
    growth = (
        GROWTH0.decode(answers.of(nft, "growth0")),
        GROWTH1.decode(answers.of(nft, "growth1")),
    )
    last = (nft.inside0_last, nft.inside1_last)
    totals = []
    for i, owed in enumerate((nft.owed0, nft.owed1)):
        inside = maths.fee_growth_inside(
            growth[i], lower[2 + i], upper[2 + i], tick, nft.lower, nft.upper
        )
        due = owed + amounts[i] + maths.accrued(inside, last[i], nft.liquidity)
        there = account[2 + i] + amounts[i] + maths.accrued(inside, account[i], held)
        totals.append(min(due & maths.U128, there & maths.U128))
    return totals[0], totals[1]


def _twap(
    nft: Nft,
    answers: PoolAnswers,
    pool: Address,
    sqrt_price: int,
    liquidity: int | None,
    token0: Token,
    token1: Token,
) -> PoolCheck | None:
    observed = OBSERVE.known(answers.of(nft, "observe"))
    if isinstance(observed, Unknown) or len(observed[0]) != 2:
        return None
    if token0.decimals is None or token1.decimals is None or liquidity is None:
        return None
    return PoolCheck(
        pool=pool,
        token0=nft.token0,
        token1=nft.token1,
        tick=mean_tick(observed[0], WINDOW_S),
        window_s=WINDOW_S,
        decimals0=token0.decimals,
        decimals1=token1.decimals,
        depth1=liquidity * sqrt_price // maths.Q96 // 200,
    )
