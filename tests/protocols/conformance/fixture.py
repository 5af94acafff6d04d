"""What an adapter contributes to the conformance suite."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from chain.types import Address
from protocols.adapter import Adapter, Market
from protocols.types import Reading


@dataclass(frozen=True, slots=True)
class Plant:
    """A contract that shall refuse every call."""

    label: str
    address: Address


@dataclass(frozen=True, slots=True)
class Stage:
    """Positions on the world, and how to judge a reading of them."""

    market: Market
    accounts: tuple[Address, ...]
    """Hold positions; few, because every answer about them is falsified in turn."""
    empty: Address
    """Holds nothing: gives no position and no complaint."""
    views: Callable[[Reading], None]
    """Assert that the reading equals the protocol's own views, to the wei."""
    plants: tuple[Plant, ...]
    boundary: Callable[[Reading], None] | None = None
    """Prove the liquidation boundary by the real liquidation, one unit on either side of it."""
    renumber: Callable[[Any], None] | None = None
    """Where the contracts remember block numbers: set them back on a copy that counts anew."""


class Fixture(Protocol):
    """Opens positions on the world for one adapter."""

    def stage(self, world: Any) -> Stage:
        """Open the positions."""
        ...

    def crowd(self, world: Any, seed: int, count: int) -> Sequence[Address]:
        """Open random positions in the stage's market; return their owners."""
        ...


class NoFixture(LookupError):
    """A registered adapter without a conformance fixture."""


def fixture_of(adapter: Adapter) -> Fixture:
    """Return an adapter's fixture; raises `NoFixture` when it has none."""
    module = f"tests.protocols.{adapter.name.replace('-', '_')}.conformance_fixture"
    try:
        found: Fixture = import_module(module).FIXTURE
    except (ModuleNotFoundError, AttributeError) as error:
        raise NoFixture(f"{adapter.name} is registered but {module}.FIXTURE is missing") from error
    return found
