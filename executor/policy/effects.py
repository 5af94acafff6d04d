"""What leaves the owner's accounts, from the logs of a simulation.

Net per token, over all accounts and guards of the owner together: what a flash loan brings and
takes back counts for nothing, and what a sale brings does not make up for what was sold. A token
without a price that is burnt from an account is a receipt given back, or a debt repaid; it does not
count, as what was got for it does not either.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from eth_utils.crypto import keccak

from chain.types import ZERO_ADDRESS, Address, address_of_word

TRANSFER: Final = keccak(text="Transfer(address,address,uint256)")
SINGLE: Final = keccak(text="TransferSingle(address,address,address,uint256,uint256)")
BATCH: Final = keccak(text="TransferBatch(address,address,address,uint256[],uint256[])")


class Logged(Protocol):
    """A log, from wherever."""

    @property
    def address(self) -> Address:
        """Who logged it."""
        ...

    @property
    def topics(self) -> tuple[bytes, ...]:
        """32 bytes each."""
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
    priced: Collection[Address],
    *,
    value: int = 0,
) -> Flows:
    """Return what leaves the accounts. `value` is native coin that goes to somebody else."""
    net: dict[Address, int] = {}
    odd: list[str] = []
    for log in logs:
        kind = log.topics[0] if log.topics else b""
        if kind == TRANSFER and len(log.topics) == 3 and len(log.data) == 32:
            source, target = (address_of_word(topic) for topic in log.topics[1:3])
            receipt = ZERO_ADDRESS in (source, target) and log.address not in priced
            if receipt or (source in accounts) == (target in accounts):
                continue
            amount = int.from_bytes(log.data)
            net[log.address] = net.get(log.address, 0) + (amount if source in accounts else -amount)
        elif kind == TRANSFER and len(log.topics) == 4:
            source, target = (address_of_word(topic) for topic in log.topics[1:3])
            if source in accounts and target not in accounts and target != ZERO_ADDRESS:
                odd.append(f"NFT {int.from_bytes(log.topics[3])} of {log.address}")
        elif kind in (SINGLE, BATCH) and len(log.topics) == 4:
            source, target = (address_of_word(topic) for topic in log.topics[2:4])
            if source in accounts and target not in accounts:
                odd.append(f"an ERC-1155 token of {log.address}")
        elif kind == TRANSFER:
            odd.append(f"something of {log.address}, by a transfer in a form of its own,")
    out = {token: amount for token, amount in net.items() if amount > 0}
    if value:
        out[ZERO_ADDRESS] = value
    return Flows(out, frozenset(net), tuple(odd))


def taken(logs: Iterable[Logged], account: Address) -> Mapping[Address, int]:
    """Return by token what is taken from one account, nothing netted: what allowances must bear."""
    sums: dict[Address, int] = {}
    for log in logs:
        if len(log.topics) == 3 and log.topics[0] == TRANSFER and len(log.data) == 32:
            source, target = (address_of_word(topic) for topic in log.topics[1:3])
            if source == account != target:
                sums[log.address] = sums.get(log.address, 0) + int.from_bytes(log.data)
    return sums
