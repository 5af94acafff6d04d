"""What a strategy may ask while it looks for a plan: what is, what a token is worth, and what if.

Everything is of one block. A strategy proposes drafts of transactions; only a simulation says what
they do, so no strategy knows any protocol's arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Final, TypeVar

from chain.abi import Function, explain
from chain.calls import NativeBalance, Ok, Read, ReadFailed, Reads, Reverted, Unknown, gather
from chain.client import Client
from chain.simulation import Message, NotSimulated, Outcome, Override, Simulated, simulate
from chain.types import ZERO_ADDRESS, Address, BlockRef
from executor.guard import named_error
from executor.swaps.types import Limits, Venue
from executor.types import State
from protocols.aave_v3.refusals import meaning
from protocols.adapter import Market
from protocols.effects import Effect
from protocols.prices.book import PriceBook
from protocols.registry import BY_NAME
from protocols.types import Position, Price, Reading, Token, Unpriced, Unreadable
from risk.liquidation import health

T = TypeVar("T")

CAREFUL: Final = Limits(slippage_bps=50, max_cost_bps=100, max_gain_bps=100)

BALANCE_OF = Function("balanceOf(address)(uint256)")
ALLOWANCE = Function("allowance(address,address)(uint256)")


@dataclass(frozen=True, slots=True)
class Draft:
    """One transaction that is proposed."""

    what: str
    effect: Effect
    sender: Address
    guard: Address | None = None
    deadline: int | None = None
    until: State = State.MINED
    id: str | None = None
    """The intent's, where the call itself holds it."""


@dataclass(frozen=True, slots=True)
class After:
    """What drafts lead to."""

    way: str
    at: BlockRef
    outcomes: tuple[Outcome, ...]
    positions: tuple[Position, ...]
    unknown: tuple[str, ...]
    """What could not be read afterwards."""

    def find(self, position_id: str) -> Position | None:
        """Return a position as it is afterwards; None where it is gone."""
        return next((p for p in self.positions if p.id == position_id), None)


@dataclass(frozen=True, slots=True)
class Failed:
    """Drafts that do not go through, or cannot be simulated."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lab:
    """One account on one chain at one block."""

    client: Client
    at: BlockRef
    time: int
    """Of the block in which drafts are tried, and for which amounts are exact."""
    account: Address
    wallet: Address
    markets: tuple[Market, ...]
    positions: tuple[Position, ...]
    """The account's, as read at the block."""
    book: PriceBook
    overrides: Mapping[Address, Override] = field(default_factory=dict)
    venues: tuple[Venue, ...] = ()
    """Where tokens may be swapped."""
    limits: Limits = CAREFUL
    guard: Address | None = None
    """The guard contract that flash loans go through."""

    # What is

    def read(self, program: Reads[T]) -> T:
        """Answer a read program at the block."""
        return self.client.snapshot(self.at).run(program)

    def balance(self, token: Address, owner: Address | None = None) -> int | Unknown:
        """Return what the wallet, or another account, holds of a token."""
        who = owner or self.wallet
        read: Read = NativeBalance(who) if token == ZERO_ADDRESS else BALANCE_OF.at(token, who)
        (result,) = self.client.snapshot(self.at).read([read])
        if token == ZERO_ADDRESS and isinstance(result, Ok):
            return int.from_bytes(result.data, "big")
        found: int | Unknown = BALANCE_OF.known(result)
        return found

    def allowance(self, token: Address, spender: Address) -> int | Unknown:
        """Return what a spender may take from the wallet."""
        (result,) = self.client.snapshot(self.at).read([ALLOWANCE.at(token, self.wallet, spender)])
        found: int | Unknown = ALLOWANCE.known(result)
        return found

    def market_of(self, position: Position) -> Market:
        """Return the market that a position was read from."""
        return next(
            m for m in self.markets if m.adapter == position.protocol and m.root == position.root
        )

    # What it is worth

    def price(self, token: Address) -> Price | Unpriced:
        """Return a token's dollar price."""
        return self.book.usd(token)

    def usd(self, token: Token, amount: int) -> Decimal | None:
        """Return what an amount is worth in dollars; None without price or decimals."""
        price = self.price(token.address)
        if isinstance(price, Unpriced) or token.decimals is None:
            return Decimal(0) if amount == 0 else None
        with localcontext() as exact:
            exact.prec = 40
            return Decimal(amount * price.raw).scaleb(-(token.decimals + price.decimals))

    # What if

    def try_all(self, drafts: Sequence[Draft]) -> After | Failed:
        """Return every position of the account after the drafts."""
        return self._tried(drafts, self.markets)

    def health_after(self, drafts: Sequence[Draft], position: Position) -> "int | Failed | None":
        """Return one position's health after the drafts; None without debt."""
        after = self._tried(drafts, (self.market_of(position),))
        if isinstance(after, Failed):
            return after
        found = after.find(position.id)
        if found is None:
            return Failed("; ".join(after.unknown)) if after.unknown else None
        if found.unknown or not found.verified:
            return Failed("; ".join((*found.unknown, *found.notes)))
        return health(found)

    def health_now(self, position: Position) -> "int | Failed | None":
        """Return one position's health at `time` if nothing is done."""
        return self.health_after((), position)

    def _tried(self, drafts: Sequence[Draft], markets: Sequence[Market]) -> After | Failed:
        messages = [Message(d.sender, d.effect.to, d.effect.data, d.effect.value) for d in drafts]
        ran = simulate(
            self.client,
            self.at,
            messages,
            lambda block: self._reading(markets, block),
            time=self.time,
            overrides=self.overrides,
        )
        if isinstance(ran, NotSimulated):
            return Failed(f"it cannot be simulated: {ran.reason}")
        for draft, outcome in zip(drafts, ran.outcomes, strict=True):
            if not outcome.ok:
                return Failed(f"{draft.what}: {reverted(outcome.output)}")
            if draft.effect.zero and any(outcome.output):
                code = int.from_bytes(outcome.output[:32], "big")
                return Failed(f"{draft.what}: refused with error code {code}")
        return _after(ran, markets)

    def _reading(
        self, markets: Sequence[Market], block: BlockRef
    ) -> Reads[list[Reading | ReadFailed]]:
        accounts = tuple(dict.fromkeys((self.account, self.wallet)))
        programs = [BY_NAME[m.adapter].read(m, accounts, block) for m in markets]
        return gather(programs)


def reverted(output: bytes) -> str:
    """Say in words why a transaction failed."""
    refusal = named_error(output)
    if refusal is not None:
        said = ", ".join(map(_argument, refusal.args))
        return f"the guard refuses: {refusal.name}" + (f"({said})" if said else "")
    told = explain(Reverted(output))
    known = meaning(output, told.removeprefix("reverted: "))
    return told if known is None else f"{told} (of Aave: {known})"


def _argument(value: object) -> str:
    """Return what a guard's error says; what the callee of a failed step said is in there."""
    if isinstance(value, bytes) and len(value) != 32:
        return reverted(value)
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _after(ran: Simulated[list[Reading | ReadFailed]], markets: Sequence[Market]) -> After:
    positions: list[Position] = []
    unknown: list[str] = []
    for market, reading in zip(markets, ran.value, strict=True):
        if isinstance(reading, ReadFailed):
            unknown.append(f"{market.name}: {reading.cause}")
            continue
        for found in reading.positions:
            if isinstance(found, Unreadable):
                unknown.append(f"{found.market}: {found.cause}")
            else:
                positions.append(found)
    return After(str(ran.way), ran.at, ran.outcomes, tuple(positions), tuple(unknown))
