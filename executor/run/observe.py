"""Read from the chain what a decision needs. Whatever cannot be read raises `ChainError`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from chain.abi import Function
from chain.errors import AllEndpointsFailed, ChainError, Disagreement, RpcError
from chain.fees import DATA_FEES, GET_L1_FEE, Charged
from chain.networks import FeeKind
from chain.sending import Mined, Sender, Spent
from chain.types import Address, BlockRef
from executor import fees
from executor.fees import Market
from executor.journal.known import Known, Probe
from executor.run.view import Observation, Spender
from executor.types import Attempt, Call, Intent, Receipt

USED_AT = Function("usedAt(bytes32)(uint256)")


class NoMarket(ChainError):
    """The node tells neither tips nor base fees."""


@dataclass(slots=True)
class Scene:
    """What concerns the wallet as a whole, read once per pass."""

    at: BlockRef
    final: BlockRef
    nonce: int
    final_nonce: int
    """At least so many are final."""
    balance: int
    market: Market
    pending: int
    spent: dict[int, Spent] = field(default_factory=dict)
    """By nonce, what was found of strangers' transactions."""
    mined: dict[str, Mined | None] = field(default_factory=dict)
    """By hash, what was read of receipts: a pass sees one chain."""


def scene(sender: Sender, wallet: Address, known: Known) -> tuple[Scene, Known]:
    """Return the wallet at the newest block and at the newest final one, and what is known now.

    Nodes that prune do not have the state of the final block on chains where finality takes
    thousands of blocks. The final nonce is then one that was read at an earlier head, which is
    final by now: later than it could be, and never wrong.
    """
    at = sender.head()
    final = sender.final(at)
    history = sender.fee_history(fees.PERCENTILES)
    market = fees.market(history) or fees.market(history, sender.node_tip())
    if market is None:
        raise NoMarket(f"{sender.client.spec.name}: no fee history and no suggested tip")
    nonce = sender.nonce(wallet, at)
    probe, final_nonce = known.probe, known.nonce or 0
    if probe is not None and probe.block <= final.number:
        if sender.block(probe.block).hash == probe.hash:
            final_nonce = max(final_nonce, probe.nonce)
        probe = None
    try:
        final_nonce = max(final_nonce, sender.nonce(wallet, final))
    except (Disagreement, AllEndpointsFailed, RpcError):
        probe = probe or Probe(nonce, at.number, at.hash)
    else:
        probe = None
    found = Scene(
        at, final, nonce, final_nonce, sender.balance(wallet, at), market, sender.pending(wallet)
    )
    return found, replace(known, probe=probe)


def observe(
    sender: Sender, scene: Scene, intent: Intent, attempts: Sequence[Attempt], ours: Iterable[int]
) -> Observation:
    """Return what concerns one intent. `ours` are the nonces of the wallet's live payloads."""
    unread = [a.hash for a in attempts if a.hash not in scene.mined]
    scene.mined.update(dict.fromkeys(unread) | sender.receipts(unread, scene.at))
    found = {a.hash: scene.mined[a.hash] for a in attempts}
    receipts = {h: _receipt(mined, intent) for h, mined in found.items() if mined is not None}
    used = used_final = None
    if intent.guard is not None:
        asked = USED_AT.encode(bytes.fromhex(intent.id[2:]))
        # The bit is the second of its block, so the head's state tells whether that is final.
        when = sender.word(intent.guard, asked, scene.at)
        used, used_final = when != 0, 0 < when <= scene.final.timestamp
    spender: Spender | None = None
    if intent.nonce is not None and intent.nonce in scene.spent:
        spent = scene.spent[intent.nonce]
        spender = Spender(spent.hash, same(spent, intent.call))
    return Observation(
        at=scene.at,
        final=scene.final.number,
        nonce=scene.nonce,
        final_nonce=scene.final_nonce,
        market=scene.market,
        receipts=receipts,
        used=used,
        used_final=used_final,
        spender=spender,
        foreign_pending=any(n not in set(ours) for n in range(scene.nonce, scene.pending)),
    )


def same(spent: Spent, call: Call) -> bool:
    """Whether a transaction on chain does what a call would do."""
    return (spent.to, spent.value, spent.data) == (call.to, call.value, call.data)


def _receipt(mined: Mined, intent: Intent) -> Receipt:
    event = intent.guard is not None and any(
        address == intent.guard and intent.id in topics for address, topics in mined.logs
    )
    return Receipt(
        mined.hash, mined.block_hash, mined.block_number, mined.success, mined.cost_wei, event
    )


def data_fee(sender: Sender, kind: FeeKind, raw_or_data: bytes, at: BlockRef) -> int:
    """Return the fee for data that is charged beside gas, in wei; 0 where there is none."""
    row = DATA_FEES[kind]
    if row.charged is not Charged.BESIDE or row.oracle is None:
        return 0
    return sender.word(row.oracle, GET_L1_FEE.encode(raw_or_data), at)
