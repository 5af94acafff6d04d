"""The shape of a liquidation engine, and what it answers with.

An engine restates one protocol's liquidation function over that protocol's `State`. It is pure,
holds nothing between calls, and answers in the oracle's own integers. Factors are the prices that
move alone; several assets may hang on one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from chain.types import Address
from chain.units import YEAR
from protocols.types import State
from risk.types import Boundary

S = TypeVar("S", bound=State)

HORIZON_S: Final = 100 * YEAR
"""How far ahead the time to liquidation is looked for."""

NOW: Final[Mapping[str, int]] = {}
"""No override: every factor as it was read."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A price that moves alone."""

    name: str
    """`Price.factor`: the feed's address, or the oracle expression."""
    label: str
    raw: int
    decimals: int
    updated_at: int | None = None
    heartbeat_s: int | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the liquidating function would do."""

    close_factor_frac: float | None = None
    penalty_frac: float | None = None
    expected_loss_usd: float | None = None
    blocked_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seizure:
    """The most profitable single liquidation, in base units."""

    debt: Address
    repaid: int
    collateral: Address
    seized: int
    """What the liquidator receives."""
    protocol_fee: int
    """What the protocol takes of the collateral besides."""
    profit_usd: float | None
    """Received less repaid, before gas; None where the oracle does not count in dollars."""
    ask: int | None = None
    """The amount to ask the liquidating function for, where that is not what it then repays."""


@dataclass(frozen=True, slots=True)
class Instant:
    """The first second of liquidation by interest alone."""

    after_s: int | None
    """From the state's own time; None if never within the horizon."""
    exact: bool = True


class Engine(Protocol[S]):
    """One protocol's liquidation rule."""

    @property
    def scale(self) -> int:
        """Return what the health of a position on the edge is."""
        ...

    def factors(self, state: S) -> tuple[Factor, ...]:
        """Return every price that health depends on, each once."""
        ...

    def health(
        self, state: S, prices: Mapping[str, int] = NOW, at: int | None = None
    ) -> int | None:
        """Return health at factor prices and a time; None without debt.

        `prices` overrides factors by name, in oracle units; `at` is in seconds since 1970, None
        for the block's own time. Liquidatable if and only if health < `scale`.
        """
        ...

    def boundary(self, state: S, factor: Factor) -> tuple[Boundary, ...]:
        """Return where this factor alone makes the position liquidatable, per direction."""
        ...

    def time_to_liquidation(self, state: S, horizon_s: int) -> Instant:
        """Return the first second at which interest alone makes the position liquidatable."""
        ...

    def terms(self, state: S, prices: Mapping[str, int] = NOW) -> Terms:
        """Return what a liquidation would do at factor prices, at the state's own time."""
        ...

    def seizure(self, state: S, prices: Mapping[str, int] = NOW) -> Seizure | None:
        """Return what a liquidator would take; None where nothing may be liquidated."""
        ...

    def reprice(self, state: S, prices: Mapping[str, int]) -> S:
        """Return the state with factors moved."""
        ...

    def token_prices(self, state: S) -> Mapping[Address, int]:
        """Return the raw oracle price of each token that the engine prices."""
        ...
