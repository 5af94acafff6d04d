"""Uniswap v4: pools of the pool manager by known keys, swapped by the Universal Router.

Reads: `poolManager` of the quoter and of the router; per key the pool's price and liquidity by
`extsload` of the manager; `quoteExactInput` and `quoteExactOutput` of the V4Quoter, which swap and
undo it, so that they are asked with a sender.
Rounds: as the pools, what comes out down, what goes in up.
The manager lists no pools: a pool is found only if its fee, tick spacing and hooks are among the
known ones. Pools of the native coin are used as if they were of the wrapped one, which the router
unwraps and wraps on the way. The router takes tokens through Permit2.
The calls are those of Universal Router 2.0, whose multi-hop parameters have no prices per hop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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
SWAP_EXACT_IN, SWAP_EXACT_OUT, SETTLE, SETTLE_ALL, TAKE = (
    b"\x07",
    b"\x09",
    b"\x0b",
    b"\x0c",
    b"\x0e",
)
"""What the router does with the manager, all in one `V4_SWAP`."""
TAKE_TOKEN, WRAP, UNWRAP, V4_SWAP = b"\x02", b"\x0b", b"\x0c", b"\x10"
"""What it does besides."""
ROUTER: Final = Address("0x0000000000000000000000000000000000000002")
"""How the router calls itself."""
BALANCE: Final = 1 << 255
"""An amount that stands for all that the router has."""
EVERYTHING: Final = 0
"""An amount that stands for all that the swap earned, or owes."""


@dataclass(frozen=True, slots=True)
class UniswapV4:
    """Pools of one pool manager."""

    name: str
    pool_manager: Address
    quoter: Address
    router: Address
    permit2: Address
    wrapped: Address | None = None
    """The wrapped native coin that the router knows; without it no native pool is looked at."""
    keys: tuple[tuple[int, int, Address], ...] = KEYS

    def pools(self, pairs: Sequence[Pair]) -> Reads[Found]:
        """Yield the reads, return the pools that have a price."""
        reads = [MANAGER.at(self.quoter), MANAGER.at(self.router)]
        asked = [
            (pair, native, key)
            for pair in pairs
            for native in ((False, True) if self.wrapped in pair else (False,))
            for key in self.keys
        ]
        for pair, native, key in asked:
            slot = _slot(pool_id(self._currencies(pair, native=native), key))
            reads += [
                EXTSLOAD.at(self.pool_manager, at.to_bytes(32, "big"))
                for at in (slot, slot + LIQUIDITY_OFFSET)
            ]
        quoter, router, *results = yield reads
        belongs(self.name, "quoter", self.quoter, self.pool_manager, MANAGER, quoter)
        belongs(self.name, "router", self.router, self.pool_manager, MANAGER, router)
        found, unknown = [], []
        for one, first, second in zip(asked, results[::2], results[1::2], strict=True):
            pair, native, key = one
            price, deep = EXTSLOAD.known(first), EXTSLOAD.known(second)
            causes = [x.reason for x in (price, deep) if isinstance(x, Unknown)]
            if causes:
                where = f"{pair[0]} and {pair[1]} at {key[0]}"
                unknown.append(f"{self.name}: pool of {where}: {causes[0]}")
            elif int.from_bytes(price, "big") & PRICE_BITS:
                name = "0x" + pool_id(self._currencies(pair, native=native), key).hex()
                depth = int.from_bytes(deep, "big")
                found.append(Pool(name, _sorted(pair), depth, *key, native=native))
        return Found(tuple(found), tuple(unknown))

    def _currencies(self, pair: Pair, *, native: bool) -> Pair:
        """Return what the manager calls the two, in its order."""
        one, other = (ZERO_ADDRESS if native and token == self.wrapped else token for token in pair)
        return _sorted((one, other))

    def _path(self, route: Route, side: Side) -> tuple[Address, tuple[Any, ...]] | None:
        """Return the currency whose amount is given, and per pool the one at its far end.

        None where one pool pays the native coin and the next one takes the wrapped one.
        """
        ends = [
            [
                ZERO_ADDRESS if hop.pool.native and token == self.wrapped else token
                for token in (hop.token_in, hop.token_out)
            ]
            for hop in route.hops
        ]
        if any(one[1] != other[0] for one, other in pairwise(ends)):
            return None
        start, far = (ends[0][0], 1) if side is Side.EXACT_IN else (ends[-1][1], 0)
        return start, tuple(
            (end[far], hop.pool.fee, hop.pool.spacing, hop.pool.hooks, b"")
            for end, hop in zip(ends, route.hops, strict=True)
        )

    def ask(self, route: Route, side: Side, amount: int, account: Address) -> Read | Unknown:
        """Return what asks the quoter."""
        if amount > MOST:
            return Unknown(f"{amount} is more than a pool takes")
        path = self._path(route, side)
        if path is None:
            return Unknown("one pool holds the native coin, the other one the wrapped")
        function = QUOTE_IN if side is Side.EXACT_IN else QUOTE_OUT
        return function.at(self.quoter, (*path, amount), sender=account)

    def answer(self, route: Route, side: Side, result: Result) -> int | Unknown:
        """Return the quote; the quoter itself reverts where a pool does not hold enough."""
        quoted = (QUOTE_IN if side is Side.EXACT_IN else QUOTE_OUT).known(result)
        return quoted if isinstance(quoted, Unknown) else int(quoted[0])

    def order(self, leg: Leg, terms: Terms) -> Order:
        """Return the router's call: swap, pay what it cost, hand over what it earned."""
        tokens, hops = leg.route.tokens, leg.route.hops
        path = self._path(leg.route, terms.side)
        assert path is not None, "no such route is quoted"
        from_native = hops[0].pool.native and tokens[0] == self.wrapped
        to_native = hops[-1].pool.native and tokens[-1] == self.wrapped
        commands: list[tuple[bytes, bytes]] = []
        pay = (SETTLE_ALL, _encoded("address,uint256", tokens[0], terms.max_in))
        if from_native:
            taken = _encoded("address,address,uint160", tokens[0], ROUTER, terms.max_in)
            commands += [(TAKE_TOKEN, taken), (UNWRAP, _encoded("address,uint256", ROUTER, 0))]
            pay = (SETTLE, _encoded("address,uint256,bool", ZERO_ADDRESS, EVERYTHING, False))
        out, to = (ZERO_ADDRESS, ROUTER) if to_native else (tokens[-1], terms.recipient)
        amounts, swap = (terms.max_in, terms.min_out), SWAP_EXACT_IN
        if terms.side is Side.EXACT_OUT:
            amounts, swap = (terms.min_out, terms.max_in), SWAP_EXACT_OUT
        steps = (
            (swap, encode(SWAP_PARAMS, [(*path, *amounts)])),
            pay,
            (TAKE, _encoded("address,address,uint256", out, to, EVERYTHING)),
        )
        commands.append((V4_SWAP, encode(["bytes", "bytes[]"], _apart(steps))))
        if to_native:
            commands.append((WRAP, _encoded("address,uint256", terms.recipient, BALANCE)))
        elif from_native and terms.side is Side.EXACT_OUT:
            commands.append((WRAP, _encoded("address,uint256", terms.account, BALANCE)))
        data = EXECUTE.encode(*_apart(commands), terms.deadline)
        approval = approvals.through_permit2(
            tokens[0], self.router, terms.max_in, self.permit2, terms.deadline
        )
        return Order(leg, Call(self.router, 0, data), approval, terms.max_in, terms.min_out)


def _encoded(kinds: str, *values: Any) -> bytes:
    return encode(kinds.split(","), values)


def _apart(steps: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return what is done, one byte each, and with what."""
    return b"".join(what for what, _ in steps), tuple(params for _, params in steps)


def pool_id(tokens: tuple[Address, ...], key: tuple[int, int, Address]) -> bytes:
    """Return the hash that the manager knows a pool by."""
    return keccak(encode(["address", "address", "uint24", "int24", "address"], [*tokens, *key]))


def _slot(pool: bytes) -> int:
    return int.from_bytes(keccak(pool + POOLS_SLOT.to_bytes(32, "big")), "big")


def _sorted(pair: Pair) -> Pair:
    one, other = sorted(pair, key=lambda token: int(token, 16))
    return one, other
