"""Balancer v2: join, swap and leave weighted pools; pools by their names in the book."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from world.actors.tokens import approve_tx, balance, mint_txs
from world.node import Bound, Node
from world.world import World

FAR = 2**48
EXACT_TOKENS_IN, EXACT_POOL_TOKENS_IN = 1, 1
"""Kinds of a join and of an exit, as weighted pools number them."""
GIVEN_IN = 0


def vault(world: World[Node]) -> Bound:
    return world.contract("balancer-v2/Vault", world.book["balancer-v2"]["vault"])


def queries(world: World[Node]) -> Bound:
    """What joins, exits and swaps would give: ask by eth_call."""
    return world.contract("balancer-v2/BalancerQueries", world.book["balancer-v2"]["queries"])


def page(world: World[Node], name: str) -> dict[str, Any]:
    """The book's record of a pool: address, id, token symbols in the Vault's order, weights."""
    record: dict[str, Any] = world.book["balancer-v2"]["pools"][name]
    return record


def pool(world: World[Node], name: str) -> Bound:
    return world.contract("balancer-v2/WeightedPool", page(world, name)["address"])


def balances(world: World[Node], name: str, block: Any = "latest") -> list[int]:
    """What the Vault holds for the pool, in the Vault's order."""
    _, held, _ = vault(world).call("getPoolTokens", pool_id(world, name), block=block)
    return list(held)


def pool_id(world: World[Node], name: str) -> bytes:
    return bytes.fromhex(page(world, name)["id"][2:])


def join(world: World[Node], name: str, user: str, amounts: Sequence[int]) -> int:
    """Give the user the tokens and let it join with all; return the pool tokens received."""
    bound = vault(world)
    before: int = pool(world, name).call("balanceOf", user)
    symbols = page(world, name)["tokens"]
    for symbol, amount in zip(symbols, amounts, strict=True):
        _give(world, symbol, user, bound.address, amount)
    kind = encode(["uint256", "uint256[]", "uint256"], [EXACT_TOKENS_IN, amounts, 0])
    request = (_assets(world, name), list(amounts), kind, False)
    bound.send(user, "joinPool", pool_id(world, name), user, user, request)
    after: int = pool(world, name).call("balanceOf", user)
    return after - before


def exit_request(world: World[Node], name: str, pool_tokens: int) -> tuple[Any, ...]:
    """The request to leave with a share of every token."""
    kind = encode(["uint256", "uint256"], [EXACT_POOL_TOKENS_IN, pool_tokens])
    assets = _assets(world, name)
    return (assets, [0] * len(assets), kind, False)


def leave(world: World[Node], name: str, user: str, pool_tokens: int) -> list[int]:
    """Burn pool tokens and return what was really paid, in the Vault's order."""
    symbols = page(world, name)["tokens"]
    before = [balance(world, symbol, user) for symbol in symbols]
    request = exit_request(world, name, pool_tokens)
    vault(world).send(user, "exitPool", pool_id(world, name), user, user, request)
    return [
        balance(world, symbol, user) - held for symbol, held in zip(symbols, before, strict=True)
    ]


def swap_params(
    world: World[Node], name: str, user: str, token_in: str, token_out: str, amount_in: int
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The Vault's SingleSwap and FundManagement."""
    tokens = (world.book.tokens[symbol].address for symbol in (token_in, token_out))
    single = (pool_id(world, name), GIVEN_IN, *tokens, amount_in, b"")
    return single, (user, False, user, False)


def swap(
    world: World[Node], name: str, user: str, token_in: str, token_out: str, amount_in: int
) -> int:
    """Give the user what it sells, swap it, and return what was really paid."""
    bound, before = vault(world), balance(world, token_out, user)
    _give(world, token_in, user, bound.address, amount_in)
    params = swap_params(world, name, user, token_in, token_out, amount_in)
    bound.send(user, "swap", *params, 0, FAR)
    return balance(world, token_out, user) - before


def _assets(world: World[Node], name: str) -> list[str]:
    return [world.book.tokens[symbol].address for symbol in page(world, name)["tokens"]]


def _give(world: World[Node], symbol: str, user: str, spender: str, amount: int) -> None:
    for tx in mint_txs(world, symbol, user, amount) if amount else []:
        world.node.send(tx)
    world.node.send(approve_tx(world, symbol, user, spender))
