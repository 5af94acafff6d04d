"""What a swap is asked for, what venues answer, and what is ordered of a router.

Amounts are base units. A quote that could not be had is `Unknown` with its cause, never a zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from chain.calls import Read, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from chain.units import BPS, div_up
from executor.types import Call
from protocols.types import Price, Token, Unpriced


class Side(StrEnum):
    """Which of the two amounts is given; the other one is quoted."""

    EXACT_IN = "exact-in"
    EXACT_OUT = "exact-out"


Pair = tuple[Address, Address]


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that exists at the block."""

    id: str
    """Its address, or the 0x and 64 hex digits by which the venue names it."""
    tokens: tuple[Address, ...]
    """All tokens it holds, in its own order."""
    depth: int
    """Orders the pools of one venue and one pair by what they hold; otherwise without meaning."""
    fee: int = 0
    """In millionths, as Uniswap v3 and v4 name a pool by it."""
    spacing: int = 0
    """Tick spacing, part of a Uniswap v4 pool's name."""
    hooks: Address = ZERO_ADDRESS
    """Hooks of a Uniswap v4 pool."""
    native: bool = False
    """Whether it holds the native coin where `tokens` says the wrapped one."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One pool, in one direction."""

    pool: Pool
    token_in: Address
    token_out: Address


@dataclass(frozen=True, slots=True)
class Found:
    """The pools of one venue, and what could not be learned about it."""

    pools: tuple[Pool, ...]
    unknown: tuple[str, ...] = ()


class Venue(Protocol):
    """Where tokens are swapped. Implementations are frozen, hold no state and do no I/O."""

    @property
    def name(self) -> str:
        """The display name."""
        ...

    def pools(self, pairs: Sequence[Pair]) -> Reads[Found]:
        """Yield one batch, return the pools that hold both tokens of any pair.

        Raises `ReadFailed` where the configured contracts do not belong together.
        """
        ...

    def ask(self, route: "Route", side: Side, amount: int, account: Address) -> Read | Unknown:
        """Return what asks for the other amount; `Unknown` for an amount that it cannot take."""
        ...

    def answer(self, route: "Route", side: Side, result: Result) -> int | Unknown:
        """Return the other amount: what comes out, or what has to go in."""
        ...

    def order(self, leg: "Leg", terms: "Terms") -> "Order":
        """Return the call that swaps, with the approval it needs."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """One or two pools of one venue, one after the other."""

    venue: Venue
    hops: tuple[Hop, ...]

    @property
    def tokens(self) -> tuple[Address, ...]:
        """From what goes in to what comes out."""
        return (self.hops[0].token_in, *(hop.token_out for hop in self.hops))

    @property
    def pools(self) -> frozenset[str]:
        """What must not be used twice: a quote does not know of another one in its pool."""
        return frozenset(hop.pool.id for hop in self.hops)

    @property
    def key(self) -> str:
        """A name that is the same in every process; orders what is otherwise equal."""
        return " ".join((self.venue.name, *(hop.pool.id for hop in self.hops)))


@dataclass(frozen=True, slots=True)
class Question:
    """So much of one ERC-20 for another."""

    token_in: Token
    token_out: Token
    side: Side
    amount: int
    """Base units of `token_in` for exact-in, of `token_out` for exact-out."""
    account: Address
    """Who will pay, and whom the venues are asked as."""
    price_in: Price | Unpriced | None
    price_out: Price | Unpriced | None
    """The oracle's prices; without a sound one on both sides there is no swap."""
    via: tuple[Address, ...] = ()
    """Tokens that a route of two pools may go through."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the owner lets a swap cost."""

    slippage_bps: int
    """How much worse than its quote each leg may turn out before it reverts."""
    max_cost_bps: int
    """Most that the quote may lose against the oracle's prices, fees and price impact together."""
    max_gain_bps: int
    """Most that it may win: more means that the oracle or the pools are wrong."""
    routes: int = 3
    """Most routes that share the amount."""
    leg_cost: int = 0
    """What each leg after the first costs, gas for the most part, in base units of the token whose
    amount is not given."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the amount, over one route, as the venue quotes it."""

    route: Route
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Considered:
    """What one route alone would give for the whole amount."""

    route: Route
    amount: int | Unknown
    """What comes out for exact-in, what has to go in for exact-out."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What is lost against the oracle's prices; negative where something is won."""

    bps: int
    """Of the value that goes in; rounded up."""
    value: int
    """In `quote`, 1e18 fixed point; rounded up."""
    quote: str
    """What both prices count in: `USD`, or a token's address."""


@dataclass(frozen=True, slots=True)
class Swap:
    """The best that was found, quoted to the wei at `at`."""

    question: Question
    at: BlockRef
    legs: tuple[Leg, ...]
    """The largest first; no pool is in two of them."""
    cost: Cost
    slippage_bps: int
    considered: tuple[Considered, ...]
    """Every route alone, the best first, unknown ones last."""
    unknown: tuple[str, ...]
    """Venues and pools that could not be asked, in words."""

    @property
    def amount_in(self) -> int:
        """What goes in by all quotes together."""
        return sum(leg.amount_in for leg in self.legs)

    @property
    def amount_out(self) -> int:
        """What comes out by all quotes together."""
        return sum(leg.amount_out for leg in self.legs)

    @property
    def min_out(self) -> int:
        """Least that comes out of all legs unless one reverts."""
        return sum(least_out(self, leg) for leg in self.legs)

    @property
    def max_in(self) -> int:
        """Most that goes into all legs."""
        return sum(most_in(self, leg) for leg in self.legs)


class Why(StrEnum):
    """Why there is no swap."""

    NO_PRICE = "no oracle price"
    NO_ROUTE = "no route"
    TOO_DEAR = "too dear"
    TOO_GOOD = "too good to be true"


@dataclass(frozen=True, slots=True)
class NoSwap:
    """Nothing is to be swapped."""

    question: Question
    at: BlockRef
    why: Why
    reason: str
    """In words, with the figures."""
    best: Swap | None = None
    """What was found and refused."""
    considered: tuple[Considered, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order says besides its route."""

    side: Side
    max_in: int
    min_out: int
    account: Address
    """Who pays, and the only one who may send the order."""
    recipient: Address
    deadline: int
    """Last second at which it may be mined."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What the router must be allowed to take, exactly.

    A token such as USDT refuses to change an allowance that is not zero: where one is left from
    before, `revoke` it first.
    """

    token: Address
    spender: Address
    """The router, whether it takes the tokens itself or through Permit2."""
    amount: int
    permit2: Address | None = None
    expiration: int = 0
    """Last second of an allowance in Permit2."""
    grant: tuple[Call, ...] = field(default=())
    """To be made before the order."""
    revoke: tuple[Call, ...] = field(default=())
    """To be made after it: an exact-out swap leaves some of the allowance."""


@dataclass(frozen=True, slots=True)
class Order:
    """One call to one router, from the account of the question."""

    leg: Leg
    call: Call
    approval: Approval
    max_in: int
    min_out: int


def least_out(swap: Swap, leg: Leg) -> int:
    """Return what a leg has to pay out at least, rounded up."""
    if swap.question.side is Side.EXACT_OUT:
        return leg.amount_out
    return div_up(leg.amount_out * (BPS - swap.slippage_bps), BPS)


def most_in(swap: Swap, leg: Leg) -> int:
    """Return what a leg may take at most, rounded down."""
    if swap.question.side is Side.EXACT_IN:
        return leg.amount_in
    return leg.amount_in * (BPS + swap.slippage_bps) // BPS
