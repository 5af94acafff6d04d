"""Positions made by hand, valued at dollars per whole token."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from chain.types import Address
from protocols.aave_v3.state import AaveAccount
from protocols.types import Leg, Position, Price, Side, Token
from protocols.uniswap_v3.math import amounts, sqrt_ratio_at_tick
from protocols.uniswap_v3.state import UniswapV3State
from risk.scenario.types import Exposed, Valued
from tests.protocols.prices.build import AT
from tests.risk.aave_states import account as made
from tests.risk.aave_states import asset, owed, position, reserve, supplied
from tests.risk.aave_states import quote as priced

ETH, USD = "eth", "usd"


def token(number: int, decimals: int = 18, symbol: str = "") -> Token:
    """Return a made-up token; addresses in the order of their numbers."""
    return Token(asset(number), symbol or f"T{number}", decimals)


def leg(number: int, amount: int, side: Side, factor: str = "", raw: int = 10**8) -> Leg:
    """Return a leg at a price of eight decimals."""
    price = Price(asset(number), "USD", raw, 8, f"feed({factor})", factor, None)
    return Leg(token(number), amount, side, price if factor else None)


def valued(one: Leg, usd: float | None, powers: Mapping[str, int], **more: Any) -> Valued:
    """Return a leg at dollars per whole token."""
    unit = None if usd is None else usd / 10 ** (one.token.decimals or 0)
    return Valued(one, unit, powers, **more)


def loan(
    revision: int = 3, eth: float = 10.0, debt: float = 15_000.0, price: int = 2_000
) -> Exposed:
    """Return ether borrowed against: threshold 80 %, bonus 5 %, two factors."""
    first = reserve(0, priced(price * 10**8, ETH))
    second = reserve(1, priced(10**8, USD))
    state = made(revision, supplied(first, int(eth * 10**18)), owed(second, int(debt * 10**18)))
    return exposed_loan(state, price)


def exposed_loan(state: AaveAccount, price: int = 2_000) -> Exposed:
    """Return a hand-made account's legs, in the order of its holdings."""
    legs = []
    for holding in state.holdings:
        at = holding.reserve.quote
        assert at is not None
        usd = at.raw / 10**8
        token_ = Token(holding.reserve.asset, holding.reserve.symbol, 18)
        price_ = Price(token_.address, "USD", at.raw, 8, "", at.factor, None)
        for amount, side in (
            (holding.scaled_supply, Side.COLLATERAL if holding.collateral else Side.ASSET),
            (holding.scaled_debt, Side.DEBT),
        ):
            if amount:
                powers = {at.factor: 1}
                room = inf if at.cap is None else at.cap / at.raw
                legs.append(valued(Leg(token_, amount, side, price_), usd, powers, room=room))
    held = replace(position(state), legs=tuple(v.leg for v in legs))
    return Exposed(held, tuple(legs))


def pool_range(
    tick: int, lower: int, upper: int, liquidity: int = 10**21, powers: Any = None
) -> Exposed:
    """Return a range over two tokens of 18 decimals, priced as its pool prices them."""
    root = sqrt_ratio_at_tick(tick) + 12_345
    held = amounts(root, tick, lower, upper, liquidity)
    state = UniswapV3State(
        token_id=1,
        pool=Address(asset(0x77)),
        fee_pips=3000,
        tick_lower=lower,
        tick_upper=upper,
        liquidity=liquidity,
        tick=tick,
        sqrt_price_x96=root,
        pool_liquidity=liquidity,
        in_range=lower <= tick < upper,
        twap=None,
        greeks=None,
    )
    p0, p1 = powers or ({ETH: 1}, {USD: 1})
    price = (root / 2**96) ** 2
    zero = Leg(token(0xA0), held[0], Side.ASSET)
    one = Leg(token(0xA1), held[1], Side.ASSET)
    fee = Leg(token(0xA1), 10**17, Side.FEE, name="uncollected")
    legs = (valued(zero, price, p0), valued(one, 1.0, p1), valued(fee, 1.0, p1))
    where = Position(
        *("1:uniswap-v3:x", "uniswap-v3", "v3", "pool", asset(1), asset(0xEE), "liquidity"),
        tuple(v.leg for v in legs),
        AT,
        state=state,
    )
    return Exposed(where, legs)


def wallet(*legs: Valued, unknown: tuple[str, ...] = ()) -> Exposed:
    """Return tokens in a wallet."""
    where = Position(
        *("1:wallet:x", "wallet", "", "wallet", asset(1), asset(0xEE), "wallet"),
        tuple(v.leg for v in legs),
        AT,
        unknown=unknown,
    )
    return Exposed(where, legs)
