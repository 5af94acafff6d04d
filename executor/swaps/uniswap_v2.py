"""Uniswap v2 and its forks: pairs of a factory, quoted and swapped by the router.

Reads: `factory` of the router; `getPair` of the factory, `getReserves` of the pair;
`getAmountsOut` and `getAmountsIn` of the router, which know the fork's own fee.
Rounds: as the router, what comes out down, what goes in up.
A token that takes a fee on its transfers gives less than the quote: exact-in reverts at its bound,
exact-out too if the fee is on what goes in.
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

FACTORY: Final = Function("factory()(address)")
GET_PAIR: Final = Function("getPair(address,address)(address)")
RESERVES: Final = Function("getReserves()(uint112,uint112,uint32)")
AMOUNTS_OUT: Final = Function("getAmountsOut(uint256,address[])(uint256[])")
AMOUNTS_IN: Final = Function("getAmountsIn(uint256,address[])(uint256[])")
SWAP_IN: Final = Function(
    "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)"
)
"""Of the router's two ways the one that looks at what the recipient has got."""
SWAP_OUT: Final = Function(
    "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)(uint256[])"
)


@dataclass(frozen=True, slots=True)
class UniswapV2:
    """Pairs of one factory."""

    name: str
    factory: Address
    router: Address

    def pools(self, pairs: Sequence[Pair]) -> Reads[Found]:
        """Yield the reads, return the pairs that hold anything."""
        reads = [FACTORY.at(self.router)]
        for pair in pairs:
            reads += [
                GET_PAIR.at(self.factory, *pair),
                RESERVES.at(GET_PAIR.pointer(self.factory, *pair)),
            ]
        owner, *results = yield reads
        belongs(self.name, "router", self.router, self.factory, FACTORY, owner)
        found, unknown = [], []
        for pair, where, reserves in zip(pairs, results[::2], results[1::2], strict=True):
            address = GET_PAIR.known(where)
            if address == ZERO_ADDRESS and isinstance(reserves, NoCode):
                continue
            held = RESERVES.known(reserves)
            if isinstance(address, Unknown) or isinstance(held, Unknown):
                causes = [one.reason for one in (address, held) if isinstance(one, Unknown)]
                unknown.append(f"{self.name}: pair of {pair[0]} and {pair[1]}: {causes[0]}")
            elif held[0] and held[1]:
                tokens = sorted(pair, key=lambda token: int(token, 16))
                found.append(Pool(address, tuple(tokens), held[0] * held[1]))
        return Found(tuple(found), tuple(unknown))

    def ask(self, route: Route, side: Side, amount: int, account: Address) -> Read | Unknown:
        """Return what asks the router."""
        function = AMOUNTS_OUT if side is Side.EXACT_IN else AMOUNTS_IN
        return function.at(self.router, amount, route.tokens)

    def answer(self, route: Route, side: Side, result: Result) -> int | Unknown:
        """Return the last amount of the path, or its first."""
        function = AMOUNTS_OUT if side is Side.EXACT_IN else AMOUNTS_IN
        amounts = function.known(result)
        if isinstance(amounts, Unknown):
            return amounts
        if len(amounts) != len(route.tokens):
            return Unknown(f"{function.name}: {len(amounts)} amounts for {len(route.tokens)}")
        amount: int = amounts[-1] if side is Side.EXACT_IN else amounts[0]
        return amount

    def order(self, leg: Leg, terms: Terms) -> Order:
        """Return the router's call."""
        rest = (leg.route.tokens, terms.recipient, terms.deadline)
        if terms.side is Side.EXACT_IN:
            data = SWAP_IN.encode(terms.max_in, terms.min_out, *rest)
        else:
            data = SWAP_OUT.encode(terms.min_out, terms.max_in, *rest)
        approval = approvals.direct(leg.route.tokens[0], self.router, terms.max_in)
        return Order(leg, Call(self.router, 0, data), approval, terms.max_in, terms.min_out)
