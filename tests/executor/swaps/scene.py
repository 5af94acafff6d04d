"""Made-up venues for unit tests: constant-product pairs, each at a venue of its own."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from chain.calls import Unknown
from chain.types import ZERO_ADDRESS, Address
from executor.swaps import Limits, NoSwap, Question, Side, Swap, best_swap
from executor.swaps import uniswap_v2 as v2
from executor.swaps.uniswap_v2 import UniswapV2
from protocols.types import Price, Token
from tests.support.fake_chain import AT, FakeChain, address

ETH = Token(address(0xE), "ETH", 18)
USD = Token(address(0xD), "USD", 6)
MID = Token(address(0xF), "MID", 18)
ACCOUNT = address(0xACC)
LIMITS = Limits(slippage_bps=50, max_cost_bps=5_000, max_gain_bps=1_000)
Reserves = dict[frozenset[Address], dict[Address, int]]


def price(token: Token, raw: int, **kwargs: Any) -> Price:
    """Return an oracle's price in USD with 8 decimals."""
    return Price(token.address, "USD", raw, 8, "feed", "feed", None, **kwargs)


ETH_PRICE = price(ETH, 3_000 * 10**8)
USD_PRICE = price(USD, 10**8)


def question(side: Side, amount: int, **kwargs: Any) -> Question:
    """Return a question of ETH for USD."""
    rest: dict[str, Any] = {"price_in": ETH_PRICE, "price_out": USD_PRICE} | kwargs
    return Question(ETH, USD, side, amount, ACCOUNT, **rest)


def amount_out(amount_in: int, held_in: int, held_out: int) -> int:
    """What a pair pays, as its router says: three thousandths are the fee."""
    counted = amount_in * 997
    return counted * held_out // (held_in * 1000 + counted)


def amount_in(amount_out: int, held_in: int, held_out: int) -> int | None:
    """What a pair takes, rounded up; None where it does not hold that much."""
    if amount_out >= held_out:
        return None
    return held_in * amount_out * 1000 // ((held_out - amount_out) * 997) + 1


class Venues:
    """A chain with venues of one pair or more each."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.all: list[UniswapV2] = []
        self._next = 0x1000

    def add(self, *pools: tuple[Token, int, Token, int], name: str = "") -> UniswapV2:
        """Make a venue with these pairs: token and reserve, twice, in base units."""
        self._next += 0x100
        factory, router = address(self._next), address(self._next + 1)
        venue = UniswapV2(name or f"venue {len(self.all)}", factory, router)
        held: Reserves = {}
        pairs: dict[frozenset[Address], Address] = {}
        for n, (one, first, other, second) in enumerate(pools):
            key = frozenset((one.address, other.address))
            held[key] = {one.address: first, other.address: second}
            pairs[key] = address(self._next + 2 + n)
            by_order = sorted(held[key].items(), key=lambda item: int(item[0], 16))
            reserves = (by_order[0][1], by_order[1][1], 0)
            self.chain.put(pairs[key], v2.RESERVES, reserves)
        chain = self.chain
        chain.put(router, v2.FACTORY, factory)
        chain.put(factory, v2.GET_PAIR, lambda a, b: pairs.get(_key(a, b), ZERO_ADDRESS))
        chain.put(router, v2.AMOUNTS_OUT, lambda amount, path: _out(held, amount, path))
        chain.put(router, v2.AMOUNTS_IN, lambda amount, path: _in(held, amount, path))
        self.all.append(venue)
        return venue

    def run(
        self, asked: Question, limits: Limits = LIMITS, venues: Sequence[Any] | None = None
    ) -> Swap | NoSwap:
        """Answer a question."""
        program = best_swap(asked, self.all if venues is None else venues, limits, AT)
        self.chain.rounds.clear()
        try:
            batch = next(program)
            while True:
                batch = program.send(self.chain.answer_all(batch))
        except StopIteration as stop:
            found: Swap | NoSwap = stop.value
            return found

    def swap(self, asked: Question, limits: Limits = LIMITS) -> Swap:
        """Answer a question that has a good answer."""
        found = self.run(asked, limits)
        assert isinstance(found, Swap), found
        return found

    def refused(self, asked: Question, limits: Limits = LIMITS) -> NoSwap:
        """Answer a question that has none."""
        found = self.run(asked, limits)
        assert isinstance(found, NoSwap)
        return found


def _key(a: str, b: str) -> frozenset[Address]:
    return frozenset((address(int(a, 16)), address(int(b, 16))))


def _out(held: Reserves, amount: int, path: Sequence[str]) -> Any:
    amounts = [amount]
    for one, other in pairwise(path):
        pair = held.get(_key(one, other))
        if pair is None or amount == 0:
            return Unknown("no such pair")
        first, second = address(int(one, 16)), address(int(other, 16))
        amounts.append(amount_out(amounts[-1], pair[first], pair[second]))
    return amounts


def _in(held: Reserves, amount: int, path: Sequence[str]) -> Any:
    amounts = [amount]
    for one, other in reversed(list(pairwise(path))):
        pair = held.get(_key(one, other))
        if pair is None:
            return Unknown("no such pair")
        first, second = address(int(one, 16)), address(int(other, 16))
        taken = amount_in(amounts[0], pair[first], pair[second])
        if taken is None:
            return Unknown("the pair does not hold that much")
        amounts.insert(0, taken)
    return amounts
