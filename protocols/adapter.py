"""The shape of an adapter."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from chain.calls import Reads
from chain.types import Address, BlockRef
from protocols.types import Reading


@dataclass(frozen=True, slots=True)
class Market:
    """One market of one adapter: its name and the root addresses that config or data give."""

    adapter: str
    name: str
    root: Address
    """The root address of the market; the wallet adapter has the zero address."""
    params: Mapping[str, Any]
    """The adapter's own keys, parsed: addresses checked, integers as integers."""


class Adapter(Protocol):
    """Read one protocol. Implementations are frozen, hold no state and do no I/O."""

    name: ClassVar[str]
    """As in the config: `aave-v3`."""
    root_key: ClassVar[str | None]
    """The config key of the root address: `pool_addresses_provider`."""
    keys: ClassVar[Mapping[str, str]]
    """Further config keys and their kinds: `address`, `addresses`, `ids` (bytes32 hex)."""

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Yield the reads, return what they say.

        A failed read of the market itself raises `ReadFailed`; a failed read of one account or
        one part becomes `Unreadable` or `Position.unknown`. Accounts that hold nothing give no
        position.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs to look for: of one contract, by topics as `eth_getLogs` takes them."""

    address: Address
    topics: tuple[str | tuple[str, ...] | None, ...]
    """Per topic one of several values, or None for any; 0x and 64 hex digits."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event that a contract emitted."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


class Discovery(Protocol):
    """Find from a contract's logs what the config leaves out. Pure: the caller reads the logs."""

    key: ClassVar[str]
    """The market param that is found when it is empty: `market_ids`."""

    def filters(self, market: Market, accounts: Sequence[Address]) -> Sequence[LogFilter]:
        """Return which logs to read, from the market's `from_block` to the snapshot's block."""
        ...

    def found(self, logs: Iterable[Log]) -> tuple[str, ...]:
        """Return the values for `key`, each once, in the order first seen."""
        ...
