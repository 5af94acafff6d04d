"""What leaves the owner's accounts, from the logs of a simulation.

Net per token over all accounts of the owner together: what a flash loan brings and takes counts
for nothing. A receipt token (aToken, vault share) that goes counts as any other token; a debt token
counts where it comes: that is debt taken on.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from eth_utils.crypto import keccak

from chain.types import ZERO_ADDRESS, Address, checksum

TRANSFER: Final = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
SINGLE: Final = "0x" + keccak(
    text="TransferSingle(address,address,address,uint256,uint256)"
).hex()  # fmt: skip
BATCH: Final = "0x" + keccak(
    text="TransferBatch(address,address,address,uint256[],uint256[])"
).hex()  # fmt: skip


class Logged(Protocol):
    """A log, from wherever."""

    @property
    def address(self) -> Address:
        """Who logged it."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """0x and 64 hex digits each."""
        ...

    @property
    def data(self) -> bytes:
        """The rest."""
        ...


@dataclass(frozen=True, slots=True)
class Flows:
    """What a transaction moves."""

    out: Mapping[Address, int]
    """By token, what leaves on balance; base units, above zero."""
    touched: frozenset[Address]
    uncountable: tuple[str, ...]


def flows(
    logs: Iterable[Logged],
    accounts: Collection[Address],
    *,
    value: int = 0,
    debts: Collection[Address] = (),
) -> Flows:
    """Return what leaves the accounts. `value` is native coin that goes to somebody else."""
    net: dict[Address, int] = {}
    odd: list[str] = []
    for log in logs:
        kind = log.topics[0] if log.topics else ""
        if kind == TRANSFER and len(log.topics) == 3 and len(log.data) == 32:
            source, target = (_account(topic) for topic in log.topics[1:3])
            amount = int.from_bytes(log.data)
            sign = -1 if log.address in debts else 1
            if source in accounts:
                net[log.address] = net.get(log.address, 0) + sign * amount
            if target in accounts:
                net[log.address] = net.get(log.address, 0) - sign * amount
        elif kind == TRANSFER and len(log.topics) == 4:
            source, target = (_account(topic) for topic in log.topics[1:3])
            if source in accounts and target not in accounts and target != ZERO_ADDRESS:
                odd.append(f"NFT {int(log.topics[3], 16)} of {log.address}")
        elif kind in (SINGLE, BATCH) and len(log.topics) == 4:
            source, target = (_account(topic) for topic in log.topics[2:4])
            if source in accounts and target not in accounts:
                odd.append(f"an ERC-1155 token of {log.address}")
        elif kind == TRANSFER:
            odd.append(f"a transfer of {log.address} in a form of its own")
    out = {token: amount for token, amount in net.items() if amount > 0}
    if value:
        out[ZERO_ADDRESS] = value
    return Flows(out, frozenset(net), tuple(odd))


def _account(topic: str) -> Address:
    return checksum("0x" + topic[-40:])
