"""What a transaction costs: the history of fees, and the fee for data on the chain beneath."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from chain import wire
from chain.abi import Function
from chain.errors import Malformed
from chain.networks import FeeKind
from chain.types import Address


@dataclass(frozen=True, slots=True)
class FeeHistory:
    """What `eth_feeHistory` told, oldest block first."""

    base_fees: tuple[int, ...]
    """One per block, and one more for the next block where the node computes it."""
    used: tuple[float, ...]
    """Gas used over gas limit, per block."""
    rewards: tuple[tuple[int, ...], ...]
    """Per block the tips at the percentiles asked for; empty where the node gives none."""


def fee_history(label: str, answer: Any) -> FeeHistory:
    """Return the answer to `eth_feeHistory`; raises `Malformed`.

    Rewards and the base fee of the next block may be missing; rewards of another shape than the
    blocks count as missing.
    """
    if not isinstance(answer, Mapping):
        raise Malformed(label, "a fee history that is no object")
    bases = [wire.quantity(label, v) for v in wire.items(label, answer.get("baseFeePerGas"))]
    used = [_ratio(label, v) for v in wire.items(label, answer.get("gasUsedRatio"))]
    rows = wire.items(label, answer.get("reward"))
    rewards = [tuple(wire.quantity(label, v) for v in wire.items(label, row)) for row in rows]
    if len(bases) not in (len(used), len(used) + 1):
        raise Malformed(label, f"{len(bases)} base fees for {len(used)} blocks")
    if len(rewards) != len(used):
        rewards = []
    return FeeHistory(tuple(bases), tuple(used), tuple(rewards))


def _ratio(label: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise Malformed(label, "a share of gas used that is none")
    return float(value)


class Charged(StrEnum):
    """Where a chain hides what publishing a transaction's data costs."""

    NOTHING = "nothing"
    BESIDE = "beside"
    """An extra amount, on top of gas times price; it bounds no field of the transaction."""
    IN_GAS = "in gas"
    """More gas is used: an estimate of the gas has it."""
    IN_PRICE = "in price"
    """The tip asked for is higher: the node's own suggestion has it."""


@dataclass(frozen=True, slots=True)
class DataFee:
    """How one kind of chain charges for data."""

    charged: Charged
    oracle: Address | None = None
    """Answers `getL1Fee(bytes)` in wei where it is charged beside."""
    transfer_gas: int = 21_000
    """Enough for sending nothing to oneself; what is not used is not paid."""


GET_L1_FEE: Final = Function("getL1Fee(bytes)(uint256)")

DATA_FEES: Final[dict[FeeKind, DataFee]] = {
    FeeKind.EIP1559: DataFee(Charged.NOTHING),
    FeeKind.OP_STACK: DataFee(
        Charged.BESIDE, Address("0x420000000000000000000000000000000000000F")
    ),
    FeeKind.SCROLL: DataFee(Charged.BESIDE, Address("0x5300000000000000000000000000000000000002")),
    FeeKind.ARBITRUM: DataFee(Charged.IN_GAS, transfer_gas=1_000_000),
    FeeKind.ZKSYNC: DataFee(Charged.IN_GAS, transfer_gas=2_000_000),
    FeeKind.LINEA: DataFee(Charged.IN_PRICE),
}
"""By kind of network. Addresses are predeploys, the same on every chain of the kind."""
