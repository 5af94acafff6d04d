"""A Compound in memory, for what the world's contracts do not do."""

from typing import Any

from chain.abi import Function
from chain.calls import Code, NativeBalance, Ok, Read, Result, Reverted
from chain.types import ZERO_ADDRESS, Address
from chain.units import WAD
from protocols import tokens
from protocols.adapter import Market
from protocols.compound_v2 import CompoundV2
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.math import accrue, exchange_rate
from protocols.compound_v2.state import Book, CompoundAccount
from protocols.prices import feed
from protocols.types import Position, Reading
from tests.support import referee
from tests.support.fake_chain import AT, NOW, FakeChain, address

ROOT, ORACLE, MODEL, OWNER, COMP = (address(n) for n in range(1, 6))
C_ETH, C_USD, USD = (address(n) for n in range(10, 13))
FEED_ETH, FEED_USD = address(20), address(21)
NUMBER = 5_000
ETH_PRICE, USD_PRICE = 3000 * WAD, 10**30
SNAPSHOT_ERROR = 9
BOOKS = {
    C_ETH: Book(10**22, 10**21, 10**18, 5 * 10**13, WAD // 10, 11 * WAD // 10, 10**10, 0),
    C_USD: Book(10**13, 10**13, 10**9, 10**17, WAD // 10, 12 * WAD // 10, 2 * 10**10, 0),
}


class FakeCompound(FakeChain):
    """Two markets, coins and a dollar token; the owner supplies coins and owes dollars.

    Interest runs by the block, or with `seconds` by the second. The oracle names feeds.
    """

    def __init__(self, *, seconds: bool = False) -> None:
        super().__init__()
        self.seconds = seconds
        self.since = (NOW if seconds else NUMBER) - 1_000
        self.now = NOW if seconds else NUMBER
        self.coins = {C_ETH: BOOKS[C_ETH].cash}
        self.held = {(C_ETH, OWNER): (10**10, 0), (C_USD, OWNER): (0, 4_000 * 10**6)}
        self.entered: dict[Address, tuple[Address, ...]] = {OWNER: (C_ETH, C_USD)}
        self._comptroller()
        for ctoken, name, price in ((C_ETH, "cETH", ETH_PRICE), (C_USD, "cUSDC", USD_PRICE)):
            self._market(ctoken, name)
            self.price(ctoken, price)
        self.put(C_USD, c.UNDERLYING, lambda *_: USD)
        self.put(USD, tokens.SYMBOL, "USDC")
        self.put(USD, tokens.DECIMALS, 6)
        self.feed(FEED_ETH, 3000 * 10**8, "ETH / USD")
        self.feed(FEED_USD, 10**8, "USDC / USD")
        self.configs = {C_ETH: (18, FEED_ETH, 0), C_USD: (6, FEED_USD, 0)}
        self.put(ORACLE, c.GET_CONFIG, lambda ctoken: self.configs.get(_key(ctoken), Reverted(b"")))

    def _comptroller(self) -> None:
        self.put(ROOT, c.GET_ALL_MARKETS, (C_ETH, C_USD))
        self.put(ROOT, c.ORACLE, ORACLE)
        self.put(ROOT, c.CLOSE_FACTOR, WAD // 2)
        self.put(ROOT, c.INCENTIVE, 108 * WAD // 100)
        self.put(ROOT, c.SEIZE_PAUSED, False)
        clock = c.BLOCK_TIMESTAMP if self.seconds else c.BLOCK_NUMBER
        self.put(ROOT, clock, self.now)
        self.put(ROOT, c.GET_ASSETS_IN, lambda owner: self.entered.get(_key(owner), ()))
        self.put(ROOT, c.GET_LIQUIDITY, self.liquidity)
        self.put(ROOT, c.COMP_ACCRUED, 0)
        self.put(ROOT, c.MARKETS_COMPED, (True, 8 * WAD // 10, True))
        self.put(ROOT, c.IS_DEPRECATED, False)
        self.put(ROOT, c.MINT_PAUSED, False)

    def _market(self, ctoken: Address, name: str) -> None:
        stored, now = self.book(ctoken), accrue(self.book(ctoken), self.now)
        rates = exchange_rate(stored, 0), exchange_rate(now, 0)
        self.put(ctoken, c.SYMBOL, name)
        self.put(ctoken, c.EXCHANGE_RATE_STORED, rates[0])
        self.put(ctoken, c.EXCHANGE_RATE_CURRENT, lambda *_: rates[1])
        self.put(ctoken, c.SEIZE_SHARE, lambda *_: 28 * WAD // 1000)
        self.put(ctoken, c.RATE_MODEL, MODEL)
        self.put(MODEL, c.BLOCKS_PER_YEAR, 2_628_000)
        values: tuple[tuple[Function, int], ...] = (
            (c.CASH, stored.cash),
            (c.TOTAL_BORROWS, stored.borrows),
            (c.TOTAL_RESERVES, stored.reserves),
            (c.TOTAL_SUPPLY, stored.supply),
            (c.RESERVE_FACTOR, stored.reserve_factor),
            (c.BORROW_INDEX, stored.index),
            (c.ACCRUED_AT_TIME if self.seconds else c.ACCRUED_AT_BLOCK, stored.since),
            (c.RATE_PER_SECOND if self.seconds else c.RATE_PER_BLOCK, stored.rate),
        )
        for function, value in values:
            self.put(ctoken, function, value)

        def snapshot(owner: str) -> tuple[int, int, int, int]:
            return (0, *self.held.get((ctoken, _key(owner)), (0, 0)), rates[0])

        def debt(owner: str, _: str) -> int:
            return self.held[ctoken, _key(owner)][1] * now.index // stored.index

        self.put(ctoken, c.SNAPSHOT, snapshot)
        self.put(ctoken, c.BORROW_CURRENT, debt)

    def book(self, ctoken: Address) -> Book:
        found = BOOKS[ctoken]
        return Book(
            *(found.cash, found.borrows, found.reserves, found.supply, found.reserve_factor),
            *(found.index, found.rate, self.since),
        )

    def price(self, ctoken: Address, price: int) -> None:
        """Let the oracle answer a price."""
        self.prices = {**getattr(self, "prices", {}), ctoken: price}
        self.put(ORACLE, c.UNDERLYING_PRICE, lambda asked: self.prices[_key(asked)])

    def feed(self, at: Address, answer: int, label: str) -> None:
        self.put(at, feed.LATEST, (7, answer, NOW - 60, NOW - 60, 7))
        self.put(at, feed.DECIMALS, 8)
        self.put(at, feed.DESCRIPTION, label)

    def liquidity(self, owner: str) -> tuple[int, int, int]:
        """Answer `getAccountLiquidity` on stored numbers."""
        bears = weighs = 0
        for ctoken in self.entered.get(_key(owner), ()):
            balance, debt = self.held.get((ctoken, _key(owner)), (0, 0))
            rate, price = exchange_rate(self.book(ctoken), 0), self.prices[ctoken]
            if not price:
                return 13, 0, 0
            bears += 8 * WAD // 10 * rate // WAD * price // WAD * balance // WAD
            weighs += price * debt // WAD
        return 0, max(0, bears - weighs), max(0, weighs - bears)

    def answer(self, read: Read) -> Result:
        if isinstance(read, NativeBalance) and self.override(read) is None:
            return Ok(self.coins.get(read.account, 0).to_bytes(32, "big"))
        if isinstance(read, Code):
            return Ok(b"\x60")
        return super().answer(read)

    def read(self, *accounts: Address) -> Reading:
        market = Market("compound-v2", "test", ROOT, {"native_symbol": "ETH"})
        return referee.drive(CompoundV2().read(market, accounts or (OWNER,), AT), self.answer_all)

    def position(self) -> Position:
        (found,) = self.read().positions
        assert isinstance(found, Position), found
        return found

    def state(self) -> CompoundAccount:
        state = self.position().state
        assert isinstance(state, CompoundAccount)
        return state


def _key(text: Any) -> Address:
    from chain.types import checksum

    return checksum(text)


__all__ = ["ZERO_ADDRESS", "FakeCompound"]
