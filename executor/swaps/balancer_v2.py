"""Balancer v2: configured pools of one Vault, quoted and swapped by the Vault itself.

Reads: `getPoolTokens` of the Vault; `queryBatchSwap`, which swaps and undoes it, so that it is
asked with a sender.
Rounds: as the pools, what comes out down, what goes in up.
The Vault lists no pools: those looked at are named by their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.abi import Function
from chain.calls import Read, Reads, Result, Reverted, Unknown
from chain.types import Address
from executor.swaps import approvals
from executor.swaps.types import Found, Leg, Order, Pair, Pool, Route, Side, Terms
from executor.types import Call

STEPS: Final = "(bytes32,uint256,uint256,uint256,bytes)[]"
FUNDS: Final = "(address,bool,address,bool)"
POOL_TOKENS: Final = Function("getPoolTokens(bytes32)(address[],uint256[],uint256)")
QUERY: Final = Function(f"queryBatchSwap(uint8,{STEPS},address[],{FUNDS})(int256[])")
SWAP: Final = Function(f"batchSwap(uint8,{STEPS},address[],{FUNDS},int256[],uint256)(int256[])")
GIVEN_IN, GIVEN_OUT = 0, 1
MOST: Final = 2**112 - 1
"""The Vault keeps balances in 112 bits."""


@dataclass(frozen=True, slots=True)
class BalancerV2:
    """Some pools of one Vault."""

    name: str
    vault: Address
    pool_ids: tuple[str, ...]
    """0x and 64 hex digits each."""

    def pools(self, pairs: Sequence[Pair]) -> Reads[Found]:
        """Yield the reads, return those of the pools that hold both tokens of any pair."""
        results = yield [POOL_TOKENS.at(self.vault, bytes.fromhex(i[2:])) for i in self.pool_ids]
        found, unknown = [], []
        for name, result in zip(self.pool_ids, results, strict=True):
            held = POOL_TOKENS.known(result)
            if isinstance(held, Unknown):
                what = "is not registered" if isinstance(result, Reverted) else "is unknown"
                unknown.append(f"{self.name}: pool {name} {what}: {held.reason}")
                continue
            tokens, balances, _ = held
            if all(balances) and any({*pair} <= {*tokens} for pair in pairs):
                found.append(Pool(name, tokens, min(balances)))
        return Found(tuple(found), tuple(unknown))

    def ask(self, route: Route, side: Side, amount: int, account: Address) -> Read | Unknown:
        """Return what asks the Vault."""
        if amount > MOST:
            return Unknown(f"{amount} is more than the Vault holds of anything")
        funds = (account, False, account, False)
        what = (*steps(route, side, amount), funds)
        return QUERY.at(self.vault, *what, sender=account)

    def answer(self, route: Route, side: Side, result: Result) -> int | Unknown:
        """Return what the Vault would pay out, or take."""
        deltas = QUERY.known(result)
        if isinstance(deltas, Unknown):
            return deltas
        if len(deltas) != len(route.tokens):
            return Unknown(f"{QUERY.name}: {len(deltas)} amounts for {len(route.tokens)} tokens")
        amount: int = -deltas[-1] if side is Side.EXACT_IN else deltas[0]
        return amount if amount > 0 else Unknown("the Vault would pay nothing")

    def order(self, leg: Leg, terms: Terms) -> Order:
        """Return the Vault's call; it takes tokens of the account that sends it."""
        given = terms.max_in if terms.side is Side.EXACT_IN else terms.min_out
        limits = [0] * len(leg.route.tokens)
        limits[0], limits[-1] = terms.max_in, -terms.min_out
        funds = (terms.account, False, terms.recipient, False)
        what = (*steps(leg.route, terms.side, given), funds, limits, terms.deadline)
        approval = approvals.direct(leg.route.tokens[0], self.vault, terms.max_in)
        return Order(
            leg, Call(self.vault, 0, SWAP.encode(*what)), approval, terms.max_in, terms.min_out
        )


def steps(route: Route, side: Side, amount: int) -> tuple[int, tuple[Any, ...], Any]:
    """Return the kind of the swap, its steps, and the tokens they number.

    A step whose amount is zero takes what the one before it came to; exact-out begins at the end.
    """
    hops = list(enumerate(route.hops))
    if side is Side.EXACT_OUT:
        hops.reverse()
    rows = tuple(
        (bytes.fromhex(hop.pool.id[2:]), n, n + 1, amount if place == 0 else 0, b"")
        for place, (n, hop) in enumerate(hops)
    )
    return GIVEN_IN if side is Side.EXACT_IN else GIVEN_OUT, rows, route.tokens
