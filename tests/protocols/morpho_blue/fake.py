"""A Morpho in memory, for what the world's contracts do not do."""

from typing import Any

from chain.types import ZERO_ADDRESS, Address
from chain.units import WAD
from protocols import tokens
from protocols.adapter import Market
from protocols.morpho import (
    BORROW_RATE_VIEW,
    FEE_RECIPIENT,
    ID_TO_MARKET_PARAMS,
    MARKET,
    POSITION,
    MarketParams,
    Totals,
)
from protocols.morpho_blue import MorphoBlue, oracle
from protocols.morpho_blue.irm import RATE_AT_TARGET
from protocols.morpho_blue.math import average_rate
from protocols.prices import feed
from protocols.types import Position, Reading
from tests.support import referee
from tests.support.fake_chain import AT, NOW, FakeChain, address

MORPHO, LOAN, COLLATERAL, ORACLE, IRM, OWNER, RECIPIENT = (address(n) for n in range(1, 8))
BASE, BASE_2, QUOTE, QUOTE_2, VAULT, QUOTE_VAULT = (address(n) for n in range(20, 26))
PARAMS = MarketParams(LOAN, COLLATERAL, ORACLE, IRM, 86 * WAD // 100)
TOTALS = Totals(10**13, 10**19, 8 * 10**12, 8 * 10**18, NOW - 86_400, WAD // 10)
AT_TARGET = 2 * 10**9
PRICE = 3000 * 10**24


class FakeMorpho(FakeChain):
    """One market with one borrower; an opaque oracle unless `compose` is called."""

    def __init__(self, params: MarketParams = PARAMS, totals: Totals = TOTALS) -> None:
        super().__init__()
        self.params = params
        self.put(MORPHO, FEE_RECIPIENT, RECIPIENT)
        self.put(MORPHO, ID_TO_MARKET_PARAMS, lambda i: self.known(i, params.words()))
        self.put(MORPHO, MARKET, lambda i: self.known(i, totals.words()))
        self.held: dict[Address, tuple[int, int, int]] = {OWNER: (10**15, 10**15, 10**18)}
        self.put(MORPHO, POSITION, self.position)
        self.put(IRM, RATE_AT_TARGET, AT_TARGET)
        self.put(IRM, BORROW_RATE_VIEW, self.rate)
        self.put(ORACLE, oracle.PRICE, PRICE)
        self.token(LOAN, "USDC", 6)
        self.token(COLLATERAL, "WETH", 18)

    def known(self, i: bytes, words: tuple[Any, ...]) -> tuple[Any, ...]:
        if i == self.params.id():
            return words
        return (ZERO_ADDRESS,) * 4 + (0,) if len(words) == 5 else (0,) * 6

    def position(self, i: bytes, owner: str) -> tuple[int, int, int]:
        held = {key.lower(): value for key, value in self.held.items()}
        return held.get(owner.lower(), (0, 0, 0)) if i == self.params.id() else (0, 0, 0)

    def rate(self, params: tuple[Any, ...], words: tuple[int, ...]) -> int:
        return average_rate(AT_TARGET, Totals(*words), NOW)

    def token(self, at: Address, symbol: str, decimals: int) -> None:
        self.put(at, tokens.SYMBOL, symbol)
        self.put(at, tokens.DECIMALS, decimals)

    def feed(self, at: Address, answer: int, label: str, age: int = 60) -> None:
        self.put(at, feed.LATEST, (7, answer, NOW - age, NOW - age, 7))
        self.put(at, feed.DECIMALS, 8)
        self.put(at, feed.DESCRIPTION, label)

    def compose(self, **parts: Any) -> None:
        """Make the oracle a MorphoChainlinkOracleV2 of the given getters' answers."""
        getters = {f.name: f for f in (*oracle.FEEDS, oracle.BASE_VAULT, oracle.QUOTE_VAULT)}
        for name, getter in getters.items():
            self.put(ORACLE, getter, parts.get(name, ZERO_ADDRESS))
        self.put(ORACLE, oracle.SCALE_FACTOR, parts["SCALE_FACTOR"])
        self.put(ORACLE, oracle.BASE_SAMPLE, parts.get("base_sample", 1))
        self.put(ORACLE, oracle.QUOTE_SAMPLE, parts.get("quote_sample", 1))
        self.put(ORACLE, oracle.PRICE, parts["price"])

    def read(
        self,
        *accounts: Address,
        ids: tuple[Any, ...] | None = None,
        discovered: tuple[Any, ...] = (),
    ) -> Reading:
        wanted = ("0x" + self.params.id().hex(),) if ids is None else ids
        params = {"market_ids": wanted, "discovered": discovered}
        market = Market("morpho-blue", "test", MORPHO, params)
        return referee.drive(MorphoBlue().read(market, accounts or (OWNER,), AT), self.answer_all)

    def position_of(self, owner: Address = OWNER) -> Position:
        (found,) = self.read(owner).positions
        assert isinstance(found, Position), found
        return found
