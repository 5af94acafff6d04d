"""What is known of each network before asking it anything: rows of data, checked in a test."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from chain.types import Address, parse_address


class FeeKind(StrEnum):
    """How a transaction is paid for."""

    EIP1559 = "eip1559"
    """Gas times base fee and tip."""
    OP_STACK = "op-stack"
    """The same, and an extra fee for the data on the chain underneath (GasPriceOracle)."""
    ARBITRUM = "arbitrum"
    """The data's cost is inside the gas used."""
    ZKSYNC = "zksync"
    """Gas times a price, with gas per byte of published data."""
    SCROLL = "scroll"
    """EIP-1559, and an extra L1 data fee (Scroll's own L1GasPriceOracle)."""
    LINEA = "linea"
    """EIP-1559 with a price that includes the data (linea_estimateGas)."""


@dataclass(frozen=True, slots=True)
class Native:
    """A chain's own coin."""

    symbol: str
    decimals: int
    wrapped: Address
    """Its ERC-20 form."""


@dataclass(frozen=True, slots=True)
class Network:
    """One network."""

    key: str
    """As in the config: `ethereum`."""
    chain_id: int
    name: str
    native: Native
    multicall3: Address
    multicall3_block: int
    """The first block with Multicall3; 0 where it is built in."""
    finality_tags: tuple[str, ...]
    """Which of `safe`, `finalized` nodes of this chain understand."""
    finality_s: int
    """About how long a transaction takes to be final, in seconds."""
    block_time_s: float
    fees: FeeKind
    l1_block_number: bool = False
    """`block.number` inside a contract is the number of the chain underneath."""
    blockhash: bool = False
    """`blockhash(block.number - 1)` inside a contract is the parent's hash."""
    sequencer_feed: Address | None = None
    """Chainlink's feed of whether the sequencer is up."""


@cache
def all_networks() -> tuple[Network, ...]:
    """Return every row, in the order of the file."""
    rows = tomllib.loads((files("chain") / "data" / "networks.toml").read_text("utf-8"))
    return tuple(_row(key, row) for key, row in rows.items())


@cache
def _by_id() -> dict[int, Network]:
    return {network.chain_id: network for network in all_networks()}


def by_id(chain_id: int) -> Network | None:
    """Return the network with this chain id; None where we have no row for it."""
    return _by_id().get(chain_id)


def by_key(key: str) -> Network | None:
    """Return the network with this config key; None where we have no row for it."""
    return next((network for network in all_networks() if network.key == key), None)


def _row(key: str, row: dict[str, Any]) -> Network:
    feed = row.get("sequencer_feed")
    return Network(
        key=key,
        chain_id=row["chain_id"],
        name=row["name"],
        native=Native(row["symbol"], row.get("decimals", 18), parse_address(row["wrapped"])),
        multicall3=parse_address(row["multicall3"]),
        multicall3_block=row["multicall3_block"],
        finality_tags=tuple(row["finality_tags"]),
        finality_s=row["finality_s"],
        block_time_s=float(row["block_time_s"]),
        fees=FeeKind(row["fees"]),
        l1_block_number=row.get("l1_block_number", False),
        blockhash=row.get("blockhash", False),
        sequencer_feed=parse_address(feed) if feed else None,
    )
