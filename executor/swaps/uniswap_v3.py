"""Uniswap v3 and its forks: pools by fee, quoted by QuoterV2, swapped by either SwapRouter.

Reads: `factory` of the quoter and of the router; `getPool` of the factory, `slot0` and `liquidity`
of the pool; `quoteExactInput` and `quoteExactOutput` of the quoter, which swap and undo it, so
that they are asked with a sender.
Rounds: as the pools, what comes out down, what goes in up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import NoCode, Read, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from executor.swaps import approvals
from executor.swaps.roots import belongs
from executor.swaps.types import Found, Leg, Order, Pair, Pool, Route, Side, Terms
from executor.types import Call
from protocols.uniswap_v3.contracts import FACTORY, GET_POOL, LIQUIDITY, SLOT0
from protocols.uniswap_v3.math import MAX_SQRT_RATIO, MIN_SQRT_RATIO

FEES: Final = (100, 500, 3000, 10000)
QUOTE_IN: Final = Function("quoteExactInput(bytes,uint256)(uint256,uint160[],uint32[],uint256)")
QUOTE_OUT: Final = Function("quoteExactOutput(bytes,uint256)(uint256,uint160[],uint32[],uint256)")
SWAP_IN: Final = Function("exactInput((bytes,address,uint256,uint256,uint256))(uint256)")
SWAP_OUT: Final = Function("exactOutput((bytes,address,uint256,uint256,uint256))(uint256)")
SWAP_IN_02: Final = Function("exactInput((bytes,address,uint256,uint256))(uint256)")
SWAP_OUT_02: Final = Function("exactOutput((bytes,address,uint256,uint256))(uint256)")
MULTICALL: Final = Function("multicall(uint256,bytes[])(bytes[])")
MOST: Final = 2**255 - 1
"""Pools take signed amounts."""


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """Pools of one factory."""

    name: str
    factory: Address
    quoter: Address
    """A QuoterV2; the first Quoter answers otherwise."""
    router: Address
    router_02: bool = True
    """Whether the router is a SwapRouter02, whose deadline is that of its `multicall`."""
    fees: tuple[int, ...] = FEES
    """In millionths."""

    def pools(self, pairs: Sequence[Pair]) -> Reads[Found]:
        """Yield the reads, return the pools that have a price."""
        reads = [FACTORY.at(self.quoter), FACTORY.at(self.router)]
        keys = [(*pair, fee) for pair in pairs for fee in self.fees]
        for key in keys:
            at = GET_POOL.pointer(self.factory, *key)
            reads += [GET_POOL.at(self.factory, *key), SLOT0.at(at), LIQUIDITY.at(at)]
        quoter, router, *results = yield reads
        belongs(self.name, "quoter", self.quoter, self.factory, FACTORY, quoter)
        belongs(self.name, "router", self.router, self.factory, FACTORY, router)
        found, unknown = [], []
        for n, (one, other, fee) in enumerate(keys):
            where, slot0, liquidity = results[3 * n : 3 * n + 3]
            address = GET_POOL.known(where)
            if address == ZERO_ADDRESS and isinstance(slot0, NoCode):
                continue
            price, deep = SLOT0.known(slot0), LIQUIDITY.known(liquidity)
            causes = [x.reason for x in (address, price, deep) if isinstance(x, Unknown)]
            if causes:
                unknown.append(f"{self.name}: pool of {one} and {other} at {fee}: {causes[0]}")
            elif price[0]:
                tokens = sorted((one, other), key=lambda token: int(token, 16))
                found.append(Pool(address, tuple(tokens), deep, fee))
        return Found(tuple(found), tuple(unknown))

    def ask(self, route: Route, side: Side, amount: int, account: Address) -> Read | Unknown:
        """Return what asks the quoter."""
        if amount > MOST:
            return Unknown(f"{amount} is more than a pool takes")
        function = QUOTE_IN if side is Side.EXACT_IN else QUOTE_OUT
        return function.at(self.quoter, path(route, side), amount, sender=account)

    def answer(self, route: Route, side: Side, result: Result) -> int | Unknown:
        """Return the quote; `Unknown` where a pool would run dry and swap a part only."""
        quoted = (QUOTE_IN if side is Side.EXACT_IN else QUOTE_OUT).known(result)
        if isinstance(quoted, Unknown):
            return quoted
        amount, after, _, _ = quoted
        if not all(MIN_SQRT_RATIO + 1 < price < MAX_SQRT_RATIO - 1 for price in after):
            return Unknown("the pool does not hold enough")
        return int(amount)

    def order(self, leg: Leg, terms: Terms) -> Order:
        """Return the router's call."""
        amounts = (terms.max_in, terms.min_out)
        if terms.side is Side.EXACT_OUT:
            amounts = (terms.min_out, terms.max_in)
        what = path(leg.route, terms.side)
        if self.router_02:
            function = SWAP_IN_02 if terms.side is Side.EXACT_IN else SWAP_OUT_02
            inner = function.encode((what, terms.recipient, *amounts))
            data = MULTICALL.encode(terms.deadline, (inner,))
        else:
            function = SWAP_IN if terms.side is Side.EXACT_IN else SWAP_OUT
            data = function.encode((what, terms.recipient, terms.deadline, *amounts))
        approval = approvals.direct(leg.route.tokens[0], self.router, terms.max_in)
        return Order(leg, Call(self.router, 0, data), approval, terms.max_in, terms.min_out)


def path(route: Route, side: Side) -> bytes:
    """Return tokens and fees in turn, for exact-out from the last token backwards."""
    tokens = [bytes.fromhex(token[2:]) for token in route.tokens]
    fees = [hop.pool.fee.to_bytes(3, "big") for hop in route.hops]
    if side is Side.EXACT_OUT:
        tokens.reverse()
        fees.reverse()
    return tokens[0] + b"".join(fee + token for fee, token in zip(fees, tokens[1:], strict=True))
