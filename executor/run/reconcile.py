"""Account for what the journal does not know: strangers' transactions, and our own that it lost.

Two duties, at the start of each pass. A bound nonce that is finally spent, by none of our payloads,
is looked up on chain: if an open intent wants just that, it was a payload of ours that the journal
lost, and it is adopted. And a journal that went back in time is brought up to the chain before
anything new is signed: every nonce spent since is looked up in the same way, and then the next
nonce is spent by a no-op, so that no lost payload can be live at it.
"""

from dataclasses import replace
from typing import Final

from chain.errors import ChainError
from chain.sending import Sender, Spent
from executor.journal.journal import Journal
from executor.journal.known import Known
from executor.run.change import Change, adopted, filler
from executor.run.observe import Scene, same
from executor.run.rules import SENT, UNSIGNED
from executor.run.view import Settings
from executor.types import Intent, Lease, State

LOOKBACK: Final = 90
"""Blocks below the final one that are looked through where nothing is known of the wallet."""
MOST: Final = 256
"""Nonces that are looked up in one pass."""
LIVE: Final = SENT | {State.CANCELLING}


def run(
    journal: Journal, sender: Sender, lease: Lease, now: Scene, settings: Settings
) -> list[str]:
    """Do both duties as far as possible; return what is still missing, for people.

    Fills `now.spent`. Raises what the journal raises, never what single look-ups meet.
    """
    known = journal.known(lease.chain_id, lease.wallet)
    intents = journal.intents(lease.chain_id, lease.wallet)
    for intent in intents:
        if intent.state in LIVE and intent.nonce is not None:
            _look_up(journal, sender, lease, now, intent.nonce, known)
    if known.whole:
        if known.nonce is None or now.final_nonce > known.nonce:
            known = replace(known, nonce=now.final_nonce, block=now.final.number)
            journal.saw(lease, known)
        return []
    return _catch_up(journal, sender, lease, now, settings, known)


def _catch_up(
    journal: Journal, sender: Sender, lease: Lease, now: Scene, settings: Settings, known: Known
) -> list[str]:
    if known.nonce is None:
        known = _first_look(sender, lease, now)
    for nonce in range(known.nonce or 0, min(now.final_nonce, (known.nonce or 0) + MOST)):
        if not _look_up(journal, sender, lease, now, nonce, known):
            journal.saw(lease, known)
            return [_untold(nonce)]
        known = replace(known, nonce=nonce + 1)
    known = replace(known, block=now.final.number)
    if known.nonce is not None and known.nonce < now.final_nonce:
        journal.saw(lease, known)
        return ["looking up what was sent while the journal was away"]
    if known.burn is not None and now.nonce == now.final_nonce > known.burn:
        journal.saw(lease, Known(True, now.final_nonce, now.final.number, probe=known.probe))
        return ["the journal is whole again"]
    if known.burn is not None and now.final_nonce > known.burn:
        journal.saw(lease, known)
        return ["the journal lost records: nothing is signed until all that was sent is final"]
    bound = {i.nonce for i in journal.intents(lease.chain_id, lease.wallet)}
    # None yet, or a reorganisation freed a lower nonce and the no-op was given up.
    if known.burn is None or known.burn not in bound:
        for nonce in range(now.final_nonce, now.nonce):  # not final, and counted to be sure
            if not _count_recent(journal, sender, lease, now, nonce):
                journal.saw(lease, known)
                return [_untold(nonce)]
        known = replace(known, burn=_burn(journal, lease, now, settings))
    journal.saw(lease, known)
    return ["the journal lost records: nothing is signed until a no-op is final"]


def _untold(nonce: int) -> str:
    return f"cannot tell what spent nonce {nonce}; nothing is signed until it is known"


def _first_look(sender: Sender, lease: Lease, now: Scene) -> Known:
    """Return where to begin for a wallet of which nothing is known."""
    low = max(0, now.final.number - LOOKBACK)
    try:
        nonce = sender.nonce(lease.wallet, sender.block(low))
    except ChainError:  # the node does not keep that state; plans that old have expired
        return Known(False, now.final_nonce, now.final.number)
    return Known(False, nonce, low)


def _look_up(
    journal: Journal, sender: Sender, lease: Lease, now: Scene, nonce: int, known: Known
) -> bool:
    """Find out who finally spent a nonce; return whether that is known (or it is not spent)."""
    if nonce >= now.final_nonce:
        return True
    intents = journal.intents(lease.chain_id, lease.wallet, open_only=False)
    hashes = {a.hash for i in intents for a in journal.attempts(i.id) if a.nonce == nonce}
    try:
        if sender.receipts(sorted(hashes), now.at):
            return True
        low = known.block if known.block is not None and nonce >= (known.nonce or 0) else 0
        spent = sender.spender(lease.wallet, nonce, min(low, now.final.number), now.final.number)
    except ChainError:
        return False
    if spent is None:
        return False
    now.spent[nonce] = spent
    if _adopt(journal, lease, now, intents, spent) or known.whole:
        return True
    return _count(journal, sender, lease, now, spent)


def _count_recent(journal: Journal, sender: Sender, lease: Lease, now: Scene, nonce: int) -> bool:
    """Count what spent a nonce above the final ones; False if that cannot be read."""
    try:
        spent = sender.spender(lease.wallet, nonce, now.final.number, now.at.number)
    except ChainError:
        return False
    if spent is None:
        return False
    intents = journal.intents(lease.chain_id, lease.wallet, open_only=False)
    ours = any(spent.hash == a.hash for i in intents for a in journal.attempts(i.id))
    return ours or _count(journal, sender, lease, now, spent)


def _adopt(
    journal: Journal, lease: Lease, now: Scene, intents: tuple[Intent, ...], spent: Spent
) -> bool:
    """Give a transaction to the first open intent that wants just that; False if there is none."""
    known = {a.hash for i in intents for a in journal.attempts(i.id)}
    if spent.hash in known:
        return True
    # One that is bound to this very nonce comes first: it was a replacement that was lost.
    for intent in sorted(intents, key=lambda i: i.nonce != spent.nonce):
        if not intent.done and not intent.filler and same(spent, intent.call):
            k = len(journal.attempts(intent.id))
            lost = adopted(intent, k, spent.hash, spent.nonce, now.at.number)
            journal.commit(lease, intent, Change(intent, (lost,)))
            return True
    return False


def _count(journal: Journal, sender: Sender, lease: Lease, now: Scene, spent: Spent) -> bool:
    """Count what nobody can tell from a payload of ours that was lost; False if it is unread.

    A no-op costs gas, which dollars are not counted for; of all else the worth is unknown.
    """
    try:
        mined = sender.receipts([spent.hash], now.at).get(spent.hash)
    except ChainError:
        mined = None
    if mined is None:
        return False
    noop = spent.to == lease.wallet and not spent.value and not spent.data
    value = spent.value if mined.success and spent.to != lease.wallet else 0
    journal.stray(lease, spent.hash, mined.cost_wei + value, 0 if noop else None)
    return True


def _burn(journal: Journal, lease: Lease, now: Scene, settings: Settings) -> int | None:
    """Return the nonce whose end makes sure that nothing lost is live; None while idle."""
    intents = journal.intents(lease.chain_id, lease.wallet)
    if any(i.nonce == now.nonce for i in intents):
        return now.nonce
    wanted = [
        i for i in intents
        if i.state in UNSIGNED
        or (i.state is State.CANCELLING and i.nonce is not None and i.nonce < now.final_nonce)
    ]  # fmt: skip
    if not wanted:
        return None
    made = filler(wanted[0], now.nonce, settings.noop_gas, now.at, "burns a nonce before")
    journal.commit(lease, None, Change(new_intent=made))
    return now.nonce
