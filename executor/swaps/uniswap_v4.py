"""Uniswap v4: pools of the pool manager by known keys, swapped by the Universal Router.

Reads: `poolManager` of the quoter and of the router; per key the pool's price and liquidity by
`extsload` of the manager; `quoteExactInput` and `quoteExactOutput` of the V4Quoter, which swap and
undo it, so that they are asked with a sender.
Rounds: as the pools, what comes out down, what goes in up.
The manager lists no pools: a pool is found only if its fee, tick spacing and hooks are among the
known ones. Pools of the native coin are left out. The router takes tokens through Permit2.
The calls are those of Universal Router 2.0, whose multi-hop parameters have no prices per hop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.abi import Function
from chain.calls import Read, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from executor.swaps import approvals
from executor.swaps.roots import belongs
from executor.swaps.types import Found, Leg, Order, Pair, Pool, Route, Side, Terms
from executor.types import Call

KEYS: Final = (
    (100, 1, ZERO_ADDRESS),
    (500, 10, ZERO_ADDRESS),
    (3000, 60, ZERO_ADDRESS),
    (10000, 200, ZERO_ADDRESS),
)
"""Fee in millionths, tick spacing, hooks."""
MANAGER: Final = Function("poolManager()(address)")
EXTSLOAD: Final = Function("extsload(bytes32)(bytes32)")
PATH: Final = "(address,uint24,int24,address,bytes)[]"
QUOTE_IN: Final = Function(f"quoteExactInput((address,{PATH},uint128))(uint256,uint256)")
QUOTE_OUT: Final = Function(f"quoteExactOutput((address,{PATH},uint128))(uint256,uint256)")
EXECUTE: Final = Function("execute(bytes,bytes[],uint256)")
SWAP_PARAMS: Final = [f"(address,{PATH},uint128,uint128)"]

POOLS_SLOT: Final = 6
LIQUIDITY_OFFSET: Final = 3
"""Of a pool's record in the manager."""
PRICE_BITS: Final = (1 << 160) - 1
MOST: Final = 2**127 - 1
"""Pools account in signed 128 bits."""
V4_SWAP: Final = b"\x10"
SWAP_EXACT_IN, SWAP_EXACT_OUT, SETTLE_ALL, TAKE = b"\x07", b"\x09", b"\x0c", b"\x0e"
EVERYTHING: Final = 0
"""An amount that stands for all that the swap earned."""


@dataclass(frozen=True, slots=True)
class UniswapV4:
    """Pools of one pool manager."""

    name: str
    pool_manager: Address
    quoter: Address
    router: Address
    permit2: Address
    keys: tuple[tuple[int, int, Address], ...] = KEYS

    def pools(self, pairs: Sequence[Pair]) -> Reads[Found]:
        """Yield the reads, return the pools that have a price."""
        reads = [MANAGER.at(self.quoter), MANAGER.at(self.router)]
        asked = [(_sorted(pair), key) for pair in pairs for key in self.keys]
        for tokens, key in asked:
            slot = _slot(pool_id(tokens, key))
            reads += [
                EXTSLOAD.at(self.pool_manager, at.to_bytes(32, "big"))
                for at in (slot, slot + LIQUIDITY_OFFSET)
            ]
        quoter, router, *results = yield reads
        belongs(self.name, "quoter", self.quoter, self.pool_manager, MANAGER, quoter)
        belongs(self.name, "router", self.router, self.pool_manager, MANAGER, router)
        found, unknown = [], []
        for (tokens, key), first, second in zip(asked, results[::2], results[1::2], strict=True):
            price, deep = EXTSLOAD.known(first), EXTSLOAD.known(second)
            causes = [x.reason for x in (price, deep) if isinstance(x, Unknown)]
            if causes:
                where = f"{tokens[0]} and {tokens[1]} at {key[0]}"
                unknown.append(f"{self.name}: pool of {where}: {causes[0]}")
            elif int.from_bytes(price, "big") & PRICE_BITS:
                name = "0x" + pool_id(tokens, key).hex()
                found.append(Pool(name, tokens, int.from_bytes(deep, "big"), *key))
        return Found(tuple(found), tuple(unknown))

    def ask(self, route: Route, side: Side, amount: int, account: Address) -> Read | Unknown:
        """Return what asks the quoter."""
        if amount > MOST:
            return Unknown(f"{amount} is more than a pool takes")
        function = QUOTE_IN if side is Side.EXACT_IN else QUOTE_OUT
        return function.at(self.quoter, (*path(route, side), amount), sender=account)

    def answer(self, route: Route, side: Side, result: Result) -> int | Unknown:
        """Return the quote; the quoter itself reverts where a pool does not hold enough."""
        quoted = (QUOTE_IN if side is Side.EXACT_IN else QUOTE_OUT).known(result)
        return quoted if isinstance(quoted, Unknown) else int(quoted[0])

    def order(self, leg: Leg, terms: Terms) -> Order:
        """Return the router's call: swap, pay what it cost, hand over what it earned."""
        tokens = leg.route.tokens
        swap, amounts = SWAP_EXACT_IN, (terms.max_in, terms.min_out)
        if terms.side is Side.EXACT_OUT:
            swap, amounts = SWAP_EXACT_OUT, (terms.min_out, terms.max_in)
        steps = (
            encode(SWAP_PARAMS, [(*path(leg.route, terms.side), *amounts)]),
            encode(["address", "uint256"], [tokens[0], terms.max_in]),
            encode(["address", "address", "uint256"], [tokens[-1], terms.recipient, EVERYTHING]),
        )
        plan = encode(["bytes", "bytes[]"], [swap + SETTLE_ALL + TAKE, steps])
        data = EXECUTE.encode(V4_SWAP, (plan,), terms.deadline)
        approval = approvals.through_permit2(
            tokens[0], self.router, terms.max_in, self.permit2, terms.deadline
        )
        return Order(leg, Call(self.router, 0, data), approval, terms.max_in, terms.min_out)


def path(route: Route, side: Side) -> tuple[Address, tuple[Any, ...]]:
    """Return the token whose amount is given, and per pool the token at its far end."""
    tokens = route.tokens
    start, far = (tokens[0], tokens[1:]) if side is Side.EXACT_IN else (tokens[-1], tokens[:-1])
    return start, tuple(
        (token, hop.pool.fee, hop.pool.spacing, hop.pool.hooks, b"")
        for token, hop in zip(far, route.hops, strict=True)
    )


def pool_id(tokens: tuple[Address, ...], key: tuple[int, int, Address]) -> bytes:
    """Return the hash that the manager knows a pool by."""
    return keccak(encode(["address", "address", "uint24", "int24", "address"], [*tokens, *key]))


def _slot(pool: bytes) -> int:
    return int.from_bytes(keccak(pool + POOLS_SLOT.to_bytes(32, "big")), "big")


def _sorted(pair: Pair) -> Pair:
    one, other = sorted(pair, key=lambda token: int(token, 16))
    return one, other
