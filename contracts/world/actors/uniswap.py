"""Uniswap: provide liquidity and take it out again on v3, swap on v3 and v2.

Tokens are symbols of the book; amounts and liquidity are in base units. `token0` and `token1` are
in the pool's own order (`in_order`), because ticks have a meaning in that order alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

from world.actors.tokens import approve_tx, balance, mint_txs
from world.node import Bound, Node, Tx
from world.world import World

FAR = 2**48
UINT128_MAX = 2**128 - 1
MINT_GAS = 1_500_000
SWAP_GAS = 5_000_000
"""Enough for a swap that crosses many ticks."""


@dataclass(frozen=True, slots=True)
class Position:
    """`NonfungiblePositionManager.positions`; fees owed as of the last touch."""

    nonce: int
    operator: str
    token0: str
    token1: str
    fee: int
    lower: int
    upper: int
    liquidity: int
    growth0: int
    growth1: int
    owed0: int
    owed1: int


def manager(world: World[Node]) -> Bound:
    return _contract(world, "NonfungiblePositionManager", "position_manager")


def router(world: World[Node]) -> Bound:
    return _contract(world, "SwapRouter", "router")


def quoter(world: World[Node]) -> Bound:
    return _contract(world, "QuoterV2", "quoter")


def factory(world: World[Node]) -> Bound:
    return _contract(world, "UniswapV3Factory", "factory")


def pool(world: World[Node], a: str, b: str, fee: int) -> Bound:
    """The v3 pool of two tokens in any order."""
    address = factory(world).call("getPool", _address(world, a), _address(world, b), fee)
    return world.contract("uniswap-v3/UniswapV3Pool", address)


def in_order(world: World[Node], a: str, b: str) -> tuple[str, str]:
    """The two symbols as the pool's token0 and token1."""
    first, second = sorted((a, b), key=lambda symbol: int(_address(world, symbol), 16))
    return first, second


def sqrt_price_and_tick(world: World[Node], a: str, b: str, fee: int) -> tuple[int, int]:
    """The pool's sqrtPriceX96 and tick."""
    slot0 = pool(world, a, b, fee).call("slot0")
    return slot0[0], slot0[1]


def position(world: World[Node], token_id: int, block: Any = "latest") -> Position:
    return Position(*manager(world).call("positions", token_id, block=block))


def mint_position_txs(
    world: World[Node],
    user: str,
    token0: str,
    token1: str,
    fee: int,
    lower: int,
    upper: int,
    amount0: int,
    amount1: int,
) -> list[Tx]:
    """Give the user both tokens, and provide at most so much of them in a range of ticks."""
    if in_order(world, token0, token1) != (token0, token1):
        raise ValueError(f"the pool's order is {token1}, {token0}: mind the ticks")
    bound = manager(world)
    tokens = (_address(world, token0), _address(world, token1))
    params = (*tokens, fee, lower, upper, amount0, amount1, 0, 0, user, FAR)
    return [
        *_give_txs(world, token0, user, bound.address, amount0),
        *_give_txs(world, token1, user, bound.address, amount1),
        bound.tx(user, "mint", params, gas=MINT_GAS),
    ]


def mint(
    world: World[Node],
    user: str,
    token0: str,
    token1: str,
    fee: int,
    lower: int,
    upper: int,
    amount0: int,
    amount1: int,
) -> int:
    """Provide liquidity and return the position's id; what does not fit stays with the user."""
    for tx in mint_position_txs(world, user, token0, token1, fee, lower, upper, amount0, amount1):
        world.node.send(tx)
    bound = manager(world)
    token_id: int = bound.call("tokenOfOwnerByIndex", user, bound.call("balanceOf", user) - 1)
    return token_id


def swap_txs(
    world: World[Node], user: str, token_in: str, token_out: str, fee: int, amount_in: int
) -> list[Tx]:
    """Give the user what it sells, and swap it in one v3 pool at any price."""
    bound = router(world)
    tokens = (_address(world, token_in), _address(world, token_out))
    params = (*tokens, fee, user, FAR, amount_in, 0, 0)
    return [
        *_give_txs(world, token_in, user, bound.address, amount_in),
        bound.tx(user, "exactInputSingle", params, gas=SWAP_GAS),
    ]


def swap(
    world: World[Node], user: str, token_in: str, token_out: str, fee: int, amount_in: int
) -> int:
    """Swap on v3 and return what was really paid out."""
    return _paid(world, user, token_out, swap_txs(world, user, token_in, token_out, fee, amount_in))


def trade_to(
    world: World[Node], user: str, a: str, b: str, fee: int, price: float, most: dict[str, int]
) -> None:
    """Swap in a v3 pool until one whole `a` costs `price` whole `b`, or `most` of one is sold."""
    first, second = in_order(world, a, b)
    whole = {symbol: world.amount(symbol, 1) for symbol in (a, b)}
    ratio = Fraction(price) * whole[b] / whole[a]
    if first != a:
        ratio = 1 / ratio
    target = isqrt(int(ratio * 2**192))
    now, _ = sqrt_price_and_tick(world, a, b, fee)
    sold, bought = (first, second) if target < now else (second, first)
    bound = router(world)
    tokens = (_address(world, sold), _address(world, bought))
    params = (*tokens, fee, user, FAR, most[sold], 0, target)
    for tx in [
        *_give_txs(world, sold, user, bound.address, most[sold]),
        bound.tx(user, "exactInputSingle", params, gas=SWAP_GAS),
    ]:
        world.node.send(tx)


def quote(
    world: World[Node],
    token_in: str,
    token_out: str,
    fee: int,
    amount_in: int,
    block: Any = "latest",
) -> int:
    """What QuoterV2 says a swap would pay out."""
    params = (_address(world, token_in), _address(world, token_out), amount_in, fee, 0)
    amount_out: int = quoter(world).call("quoteExactInputSingle", params, block=block)[0]
    return amount_out


def decrease_tx(world: World[Node], owner: str, token_id: int, liquidity: int) -> Tx:
    return manager(world).tx(owner, "decreaseLiquidity", (token_id, liquidity, 0, 0, FAR))


def decrease_liquidity(world: World[Node], owner: str, token_id: int, liquidity: int) -> None:
    """Take liquidity out; the tokens are owed until collected."""
    world.node.send(decrease_tx(world, owner, token_id, liquidity))


def collect_tx(world: World[Node], owner: str, token_id: int) -> Tx:
    """Collect everything owed, to the owner."""
    params = (token_id, owner, UINT128_MAX, UINT128_MAX)
    return manager(world).tx(owner, "collect", params)


def collect(world: World[Node], owner: str, token_id: int) -> tuple[int, int]:
    """Collect everything owed and return what was really paid."""
    held = position(world, token_id)
    tokens = [world.node.at(token, world.token("WETH").interface) for token in _tokens(held)]
    before = [token.call("balanceOf", owner) for token in tokens]
    world.node.send(collect_tx(world, owner, token_id))
    amount0, amount1 = (
        token.call("balanceOf", owner) - held for token, held in zip(tokens, before, strict=True)
    )
    return amount0, amount1


def preview_collect(
    world: World[Node], owner: str, token_id: int, block: Any = "latest"
) -> tuple[int, int]:
    """What collecting would pay at a block, from the contract itself: the fees, if untouched."""
    data = collect_tx(world, owner, token_id).data
    return _collected(world, world.node.call(manager(world).address, data, block, sender=owner))


def preview_exit(
    world: World[Node], owner: str, token_id: int, block: Any = "latest"
) -> tuple[int, int]:
    """What taking all liquidity out and collecting would pay in one call at a block."""
    bound = manager(world)
    liquidity = position(world, token_id, block).liquidity
    steps = [decrease_tx(world, owner, token_id, liquidity)] if liquidity else []
    steps.append(collect_tx(world, owner, token_id))
    calls = [bytes.fromhex(step.data[2:]) for step in steps]
    answers = bound.call("multicall", calls, block=block, sender=owner)
    return _collected(world, "0x" + answers[-1].hex())


def v2_router(world: World[Node]) -> Bound:
    return world.contract("uniswap-v2/UniswapV2Router02", world.book["uniswap-v2"]["router"])


def v2_pair(world: World[Node], a: str, b: str) -> Bound:
    """The v2 pair of two tokens in any order."""
    page = world.book["uniswap-v2"]
    bound = world.contract("uniswap-v2/UniswapV2Factory", page["factory"])
    address = bound.call("getPair", _address(world, a), _address(world, b))
    return world.contract("uniswap-v2/UniswapV2Pair", address)


def v2_add_liquidity(
    world: World[Node], user: str, a: str, b: str, amount_a: int, amount_b: int
) -> int:
    """Give the user both tokens, provide them, and return the liquidity tokens minted."""
    bound, pair = v2_router(world), v2_pair(world, a, b)
    before: int = pair.call("balanceOf", user)
    for symbol, amount in ((a, amount_a), (b, amount_b)):
        for tx in _give_txs(world, symbol, user, bound.address, amount):
            world.node.send(tx)
    tokens = (_address(world, a), _address(world, b))
    bound.send(user, "addLiquidity", *tokens, amount_a, amount_b, 0, 0, user, FAR)
    after: int = pair.call("balanceOf", user)
    return after - before


def v2_swap(world: World[Node], user: str, token_in: str, token_out: str, amount_in: int) -> int:
    """Swap on v2 and return what was really paid out."""
    bound = v2_router(world)
    path = [_address(world, token_in), _address(world, token_out)]
    return _paid(
        world,
        user,
        token_out,
        [
            *_give_txs(world, token_in, user, bound.address, amount_in),
            bound.tx(user, "swapExactTokensForTokens", amount_in, 0, path, user, FAR),
        ],
    )


def _give_txs(world: World[Node], symbol: str, user: str, spender: str, amount: int) -> list[Tx]:
    minted = mint_txs(world, symbol, user, amount) if amount else []
    return [*minted, approve_tx(world, symbol, user, spender)]


def _paid(world: World[Node], user: str, token_out: str, txs: list[Tx]) -> int:
    before = balance(world, token_out, user)
    for tx in txs:
        world.node.send(tx)
    return balance(world, token_out, user) - before


def _collected(world: World[Node], answer: str) -> tuple[int, int]:
    amounts: tuple[int, int] = manager(world).interface["collect"].decode(answer)
    return amounts


def _tokens(held: Position) -> tuple[str, str]:
    return held.token0, held.token1


def _address(world: World[Node], symbol: str) -> str:
    return world.book.tokens[symbol].address


def _contract(world: World[Node], name: str, key: str) -> Bound:
    return world.contract(f"uniswap-v3/{name}", world.book["uniswap-v3"][key])
