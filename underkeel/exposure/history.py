"""Since when contracts have been as they are: asked of the chain's own past, by bisection.

Contracts that are at the same block are asked together; they part as they are found, so that one
takes at most two requests per binary digit of the block's number. The past is kept by archive
nodes only; where it is not, nothing is known, and nothing is assumed. What is found is the latest
block found at which a contract was otherwise: one that changed and changed back in between may
seem older than it is.
"""

from collections.abc import Mapping, Sequence

from eth_utils.crypto import keccak

from chain.calls import Code, NoCode, Ok, Read, Result, Storage
from chain.client import Client
from chain.errors import ChainError
from chain.types import Address, BlockRef
from protocols.exposure import slots
from protocols.exposure.state import Facts, ProxyKind, Survey
from underkeel.discovery import Progress

_SLOTS: Mapping[ProxyKind, int] = {
    ProxyKind.TRANSPARENT: slots.IMPLEMENTATION,
    ProxyKind.UUPS: slots.IMPLEMENTATION,
    ProxyKind.EIP1967: slots.IMPLEMENTATION,
    ProxyKind.BEACON: slots.BEACON,
    ProxyKind.EIP1822: slots.PROXIABLE,
    ProxyKind.ZEPPELINOS: slots.ZEPPELINOS,
    ProxyKind.SAFE: slots.SINGLETON,
}


def since(client: Client, at: BlockRef, found: Survey, progress: Progress) -> dict[str, int]:
    """Return, by address, the time of the first block with the present code or implementation.

    Contracts whose past the node does not tell are left out.
    """
    asked = {a: _question(facts) for a, facts in found.facts.items() if facts.codehash}
    low = dict.fromkeys(asked, -1)  # the last block known to be otherwise
    high = dict.fromkeys(asked, at.number)
    lost: set[Address] = set()
    rounds = max(1, at.number.bit_length())
    for step in range(rounds + 1):
        wanted: dict[int, list[Address]] = {}
        for address in asked:
            if address not in lost and high[address] - low[address] > 1:
                wanted.setdefault((low[address] + high[address]) // 2, []).append(address)
        if not wanted:
            break
        for number, group in wanted.items():
            answers = _past(client, number, [asked[a] for a in group])
            for address, answer in zip(group, answers, strict=True):
                same = _same(found.facts[address], answer)
                if same is None:
                    lost.add(address)
                elif same:
                    high[address] = number
                else:
                    low[address] = number
        progress("how old contracts are", step + 1, rounds + 1)
    times: dict[int, int] = {}
    for address in asked:
        if address not in lost and high[address] not in times:
            times[high[address]] = client.block(high[address]).timestamp
    return {a: times[high[a]] for a in asked if a not in lost}


def _question(facts: Facts) -> Read:
    slot = next((_SLOTS[p.kind] for p in facts.proxies if p.kind in _SLOTS), None)
    return Code(facts.address) if slot is None else Storage(facts.address, slot)


def _past(client: Client, number: int, reads: Sequence[Read]) -> Sequence[Result | None]:
    try:
        return client.snapshot(client.block(number)).read(reads)
    except ChainError:
        return [None] * len(reads)


def _same(facts: Facts, answer: Result | None) -> bool | None:
    """Return whether an answer of the past is the present one; None where there is no answer."""
    if isinstance(answer, NoCode):
        return False
    if not isinstance(answer, Ok):
        return None
    if isinstance(_question(facts), Code):
        return "0x" + keccak(answer.data).hex() == facts.codehash
    held = slots.held(answer)
    return isinstance(held, str) and any(held in proxy.targets for proxy in facts.proxies)
