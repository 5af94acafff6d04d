"""What an action changes in the journal: pure, and the same for every kind of journal."""

from dataclasses import dataclass, replace

from eth_utils.crypto import keccak

from chain.types import BlockRef
from executor import transitions
from executor.run.actions import Adopt, Bind, Fill, Move, Note
from executor.run.view import View
from executor.types import Attempt, Call, Intent, Kind, Receipt, State


@dataclass(frozen=True, slots=True)
class Change:
    """Rows as they will be; one commit."""

    intent: Intent | None = None
    """The changed intent; its version is still that of the row it was made from."""
    attempts: tuple[Attempt, ...] = ()
    """New, or changed."""
    receipt: Receipt | None = None
    new_intent: Intent | None = None
    usd_e6: int | None = None
    """What the policy counted for the payload that is added."""
    heard: bool = False
    """The owner's wishes were followed and are forgotten."""


def changed(view: View, action: Move | Note | Bind | Fill | Adopt) -> Change:
    """Return what to record for an action that needs nothing else done."""
    intent = view.intent
    match action:
        case Move(state, reason, receipt):
            return Change(_moved(view, state, reason, receipt), receipt=receipt, heard=True)
        case Note(receipt):
            return Change(intent, receipt=receipt)
        case Bind(nonce):
            return Change(_to(intent, State.NONCED, f"nonce {nonce}", nonce))
        case Fill(nonce):
            gas, at = view.settings.noop_gas, view.seen.at
            return Change(new_intent=filler(intent, nonce, gas, at, "fills a hole below"))
        case Adopt(hash_, nonce):
            lost = adopted(intent, len(view.attempts), hash_, nonce, view.seen.at.number)
            return Change(intent, (lost,))


def _moved(view: View, state: State, reason: str, receipt: Receipt | None) -> Intent:
    nonce = view.intent.nonce
    if state in (State.REPLAN, State.HELD):
        nonce = None
    if receipt is not None:
        nonce = next((a.nonce for a in view.attempts if a.hash == receipt.hash), nonce)
    return _to(view.intent, state, reason, nonce)


def _to(intent: Intent, state: State, reason: str, nonce: int | None) -> Intent:
    transitions.check(intent.id, intent.state, state)
    return replace(intent, state=state, reason=reason, nonce=nonce)


def signed(view: View, attempt: Attempt, usd_e6: int | None) -> Change:
    """Return what to record of new signed bytes, before they are sent."""
    state = view.intent.state
    if state is not State.CANCELLING:
        state = State.SIGNED
    reason = f"{attempt.kind} signed at nonce {attempt.nonce}, {attempt.cap} wei per gas"
    return Change(
        _to(view.intent, state, reason, view.intent.nonce), (attempt,), usd_e6=usd_e6, heard=True
    )


def sent(view: View, ks: tuple[int, ...], public: bool, replies: dict[int, str]) -> Change:
    """Return what to record after bytes were given to endpoints; `replies` by k."""
    head = view.seen.at.number
    channels = frozenset({"private"}) if view.settings.private else frozenset()
    channels |= frozenset({"public"}) if public else frozenset()
    attempts = tuple(
        replace(
            a,
            channels=a.channels | channels,
            reply=replies.get(a.k, ""),
            first_block=head if a.first_block is None else a.first_block,
            last_block=head,
        )
        for a in view.attempts
        if a.k in ks
    )
    if view.intent.state is State.SIGNED:
        reason = f"sent {'publicly' if public else 'privately'} at block {head}"
        intent = _to(view.intent, State.BROADCAST, reason, view.intent.nonce)
        return Change(intent, attempts)
    return Change(view.intent, attempts)


def adopted(intent: Intent, k: int, hash_: str, nonce: int, block: int) -> Attempt:
    """Return the record of a payload that is on chain and whose bytes are lost."""
    return Attempt(
        intent=intent.id,
        k=k,
        kind=Kind.EFFECT,
        nonce=nonce,
        raw=b"",
        hash=hash_,
        tip=0,
        cap=0,
        gas=intent.gas_limit,
        channels=frozenset({"public"}),
        reply="found on chain",
        first_block=block,
        last_block=block,
    )


def filler(above: Intent, nonce: int, gas: int, at: BlockRef, why: str) -> Intent:
    """Return an intent that spends a nonce and does nothing else, on behalf of another."""
    seed = f"{above.id}:{nonce}:{at.hash}".encode()
    return Intent(
        id="0x" + keccak(seed).hex(),
        chain_id=above.chain_id,
        account=above.wallet,
        wallet=above.wallet,
        call=Call(above.wallet, 0, b""),
        gas_limit=gas,
        deadline=above.deadline,
        fee_cap_abs=above.fee_cap_abs,
        plan=above.plan,
        step=above.step,
        filler=True,
        state=State.NONCED,
        nonce=nonce,
        reason=f"{why} {above.id[:10]}",
    )
