"""A pool made of answers: any account of any release, as its contracts would tell it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode

from chain.abi import Function
from chain.calls import (
    Call,
    NoCode,
    Ok,
    Pointer,
    Read,
    Reads,
    Result,
    Reverted,
    Unknown,
)
from chain.types import ZERO_ADDRESS, Address, address_of_word
from protocols import tokens
from protocols.aave_v3 import AaveV3
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.state import AaveAccount, Quote, Reserve
from protocols.adapter import Market
from protocols.prices import feed
from protocols.types import Position, Reading
from tests.protocols.prices.build import AT, address, latest, text
from tests.risk.aave_states import transcribed

PROVIDER, POOL, ORACLE, SENTINEL, FALLBACK = (address(n) for n in range(1, 6))
CONTROLLER, REWARD = address(6), address(7)
OWNER, STRANGER = address(0xEE), address(0xEF)
MARKET = Market("aave-v3", "test", PROVIDER, {})
DECIMALS = tokens.DECIMALS


def token_of(kind: int, reserve_id: int) -> Address:
    """Return the aToken (0xB), stable (0xC) or variable debt token (0xD) of a reserve."""
    return address(kind << 4 | reserve_id << 8 | 0x10000)


def feed_of(factor: str) -> Address:
    """Return the feed that stands for a factor."""
    return address(0xF000000 + sum(ord(letter) << 5 * i for i, letter in enumerate(factor)) % 2**20)


@dataclass
class FakeChain:
    """Answers by (contract, call data); a known contract reverts on what it does not know."""

    answers: dict[tuple[str, bytes], Result] = field(default_factory=dict)
    rounds: int = 0

    def tell(self, target: Address, function: Function, *args: Any, says: Any = None) -> None:
        """Let a contract answer one call; `says` is one value, a tuple of values or a result."""
        if not isinstance(says, Ok | Reverted | NoCode | Unknown):
            values = says if isinstance(says, tuple) and len(function.outputs) > 1 else (says,)
            says = Ok(encode(function.outputs, values))
        self.answers[target, function.encode(*args)] = says

    def run(self, program: Reads[Any]) -> Any:
        """Drive a program to its end."""
        self.rounds, results = 0, None
        while True:
            try:
                batch = next(program) if results is None else program.send(results)
            except StopIteration as stop:
                return stop.value
            self.rounds += 1
            results = [self.answer(read) for read in batch]

    def answer(self, read: Read) -> Result:
        """Return what one read gives."""
        assert isinstance(read, Call)
        target = read.target
        if isinstance(target, Pointer):
            named = self.answer(target.call)
            if not isinstance(named, Ok):
                return named
            word = named.data[32 * target.word : 32 * target.word + 32]
            if len(word) < 32:
                return Unknown("the naming call answered too little")
            target = address_of_word(word)
        exists = any(where == target for where, _ in self.answers)
        return self.answers.get((target, read.data), Reverted(b"") if exists else NoCode())

    def read(self, owners: Sequence[Address] = (OWNER, STRANGER)) -> Reading:
        """Read the pool with the adapter."""
        reading = self.run(AaveV3().read(MARKET, owners, AT))
        assert isinstance(reading, Reading)
        return reading

    def position(self) -> Position:
        """Read; return the only position."""
        (position,) = self.read().positions
        assert isinstance(position, Position)
        return position


def publish(state: AaveAccount) -> FakeChain:
    """Return a chain on which a pool has this account, and a stranger who has nothing."""
    chain = FakeChain()
    chain.tell(PROVIDER, c.GET_POOL, says=POOL)
    chain.tell(PROVIDER, c.GET_PRICE_ORACLE, says=ORACLE)
    chain.tell(PROVIDER, c.GET_SENTINEL, says=ZERO_ADDRESS)
    if not state.liquidation_allowed:
        chain.tell(PROVIDER, c.GET_SENTINEL, says=SENTINEL)
        chain.tell(SENTINEL, c.IS_LIQUIDATION_ALLOWED, says=False)
    if state.rules.revision is not None:
        chain.tell(POOL, c.POOL_REVISION, says=state.rules.revision)
    chain.tell(ORACLE, c.BASE_CURRENCY, says=ZERO_ADDRESS)
    chain.tell(ORACLE, c.BASE_CURRENCY_UNIT, says=10**8)
    chain.tell(ORACLE, c.GET_FALLBACK_ORACLE, says=ZERO_ADDRESS)
    reserves = [holding.reserve for holding in state.holdings]
    chain.tell(POOL, c.GET_RESERVES_LIST, says=[one.asset for one in reserves])
    for one in reserves:
        _list(chain, state, one)
    _emode(chain, state)
    _account(chain, state)
    for function in (c.GET_USER_CONFIGURATION, c.GET_USER_EMODE):
        chain.tell(POOL, function, STRANGER, says=0)
    chain.tell(POOL, c.GET_USER_ACCOUNT_DATA, STRANGER, says=(0, 0, 0, 0, 0, 2**256 - 1))
    return chain


def price(chain: FakeChain, asset: Address, quote: Quote) -> None:
    """Let the oracle price an asset by a plain feed."""
    source = feed_of(quote.factor)
    chain.tell(ORACLE, c.GET_ASSET_PRICE, asset, says=quote.price())
    chain.tell(ORACLE, c.GET_SOURCE, asset, says=source)
    chain.tell(source, feed.LATEST, says=latest(quote.raw))
    chain.tell(source, c.LATEST_ANSWER, says=quote.raw)
    chain.tell(source, DECIMALS, says=8)
    chain.tell(source, feed.DESCRIPTION, says=text(f"{quote.factor} / USD"))


def _list(chain: FakeChain, state: AaveAccount, one: Reserve) -> None:
    a_token, stable, debt = (token_of(kind, one.id) for kind in (0xB, 0xC, 0xD))
    chain.tell(
        *(POOL, c.GET_RESERVE_DATA, one.asset),
        says=(
            *(one.configuration, one.liquidity_index, one.liquidity_rate),
            *(one.borrow_index, one.borrow_rate, 0, one.updated_at, one.id),
            *(a_token, stable, debt, ZERO_ADDRESS, 0, 0, 0),
        ),
    )
    if state.rules.grace_periods:
        chain.tell(POOL, c.GET_GRACE_PERIOD, one.asset, says=one.grace_until)
    chain.tell(one.asset, tokens.SYMBOL, says=one.symbol)
    chain.tell(one.asset, DECIMALS, says=one.decimals)
    chain.tell(a_token, c.GET_CONTROLLER, says=ZERO_ADDRESS)
    for owner in (OWNER, STRANGER):
        chain.tell(a_token, c.SCALED_BALANCE_OF, owner, says=0)
    if one.quote is not None:
        price(chain, one.asset, one.quote)


def _emode(chain: FakeChain, state: AaveAccount) -> None:
    emode = state.emode
    chain.tell(POOL, c.GET_USER_EMODE, OWNER, says=emode.category if emode else 0)
    if emode is None:
        return
    terms = (9000, emode.liquidation_threshold, emode.liquidation_bonus)
    if emode.bitmap is not None:
        chain.tell(POOL, c.EMODE_CONFIG, emode.category, says=terms)
        chain.tell(POOL, c.EMODE_BITMAP, emode.category, says=emode.bitmap)
        return
    source = address(0xE0E) if emode.quote is not None else ZERO_ADDRESS
    chain.tell(POOL, c.EMODE_DATA, emode.category, says=(*terms, source, "mode"))
    if emode.quote is not None:
        price(chain, source, emode.quote)


def _account(chain: FakeChain, state: AaveAccount) -> None:
    bits = 0
    for holding in state.holdings:
        number = holding.reserve.id
        bits |= (holding.borrowing | holding.collateral << 1) << 2 * number
        a_token, stable, debt = (token_of(kind, number) for kind in (0xB, 0xC, 0xD))
        chain.tell(a_token, c.SCALED_BALANCE_OF, OWNER, says=holding.scaled_supply)
        chain.tell(debt, c.SCALED_BALANCE_OF, OWNER, says=holding.scaled_debt)
        own = holding.stable
        chain.tell(stable, c.PRINCIPAL_BALANCE_OF, OWNER, says=own.principal if own else 0)
        chain.tell(stable, c.GET_USER_STABLE_RATE, OWNER, says=own.rate if own else 0)
        chain.tell(stable, c.GET_USER_LAST_UPDATED, OWNER, says=own.updated_at if own else 0)
    chain.tell(POOL, c.GET_USER_CONFIGURATION, OWNER, says=bits)
    view(chain, state)


def view(chain: FakeChain, state: AaveAccount) -> None:
    """Let the pool's own view say what the contracts' loop gives."""
    collateral, debt, average, sound = transcribed(state)
    says = (collateral, debt, 0, average, 0, sound)
    chain.tell(POOL, c.GET_USER_ACCOUNT_DATA, OWNER, says=says)
