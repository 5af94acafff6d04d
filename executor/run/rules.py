"""The rules of what to do next, in order of precedence: the first that answers decides.

Each rule is a pure function of a `View` and has a name; tests take rules out one by one and see
the invariants of docs/executor.md break. Nothing here knows of databases, keys or nodes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from executor import fees
from executor.fees import Fees
from executor.run.actions import Action, Adopt, Bind, Fill, Move, Note, Send, Sign, Wait
from executor.run.view import IN_FLIGHT, View
from executor.types import TERMINAL, Kind, Receipt, State

S = State
UNBOUND: Final = frozenset({S.PLANNED, S.APPROVED, S.HELD, S.REPLAN})
"""Nothing can be live at a nonce."""
UNSIGNED: Final = UNBOUND | {S.NONCED}
WANTED: Final = frozenset({S.APPROVED, S.REPLAN, S.NONCED})
"""The next signature would be the first at its nonce."""
SENT: Final = frozenset({S.SIGNED, S.BROADCAST})
OPEN: Final = frozenset(S) - TERMINAL
UNDERPRICED: Final = "underpriced"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the states it concerns, and what it says, or None where it has nothing to say."""

    name: str
    states: frozenset[State]
    says: Callable[[View], Action | None]


# What is on chain


def mined(view: View) -> Action | None:
    """Look up every recorded hash, whatever the state: a lost reply is never a failure."""
    if view.mined is None:
        return None
    attempt, receipt = view.mined
    if attempt.kind is Kind.NOOP and not view.intent.filler:
        return _noop_mined(view, receipt)
    if view.intent.state is not S.MINED:
        return Move(S.MINED, f"in block {receipt.block_number}", receipt)
    if view.receipt != receipt:
        return Note(receipt)
    if not view.final(receipt):
        return Wait(f"in block {receipt.block_number}, which is not final")
    return _settled(view, receipt)


def _noop_mined(view: View, receipt: Receipt) -> Action:
    if view.intent.state is not S.CANCELLING:
        return Move(S.CANCELLING, "a no-op of it is on chain")
    if not view.final(receipt):
        return Wait(f"its no-op is in block {receipt.block_number}, which is not final")
    if view.seen.used_final:
        return Move(S.DONE, "the guard tells that it took place", receipt)
    return Move(S.CANCELLED, "its no-op is final", receipt)


def _settled(view: View, receipt: Receipt) -> Action:
    guarded = view.intent.guard is not None
    if view.seen.used_final or (receipt.success and (receipt.guard_event or not guarded)):
        return Move(S.DONE, f"final in block {receipt.block_number}", receipt)
    why = "the guard logged nothing" if receipt.success else "it failed on chain"
    return Move(S.REVERTED, why, receipt)


def reorganised(view: View) -> Action | None:
    """Go back to sending when the block of the receipt is not canonical any more."""
    if not view.live:
        return Move(S.CANCELLING, "reorganised, and its bytes are not ours to send again")
    if view.noops and not view.intent.filler:
        return Move(S.CANCELLING, "reorganised; its no-op competes again")
    return Move(S.BROADCAST, "reorganised: its block is not in the chain any more")


def taken_place(view: View) -> Action | None:
    """Believe the guard's bit: the effect took place by whatever transaction."""
    if not view.seen.used:
        return None
    state, nonce = view.intent.state, view.intent.nonce
    live = state not in UNSIGNED and nonce is not None and view.seen.final_nonce <= nonce
    if view.seen.used_final and not live:
        return Move(S.DONE, "the guard tells that it took place")
    if state in SENT and view.seen.used_final:
        return Move(S.CANCELLING, "the guard tells that it took place; its nonce is to be freed")
    if state is S.CANCELLING:
        return None
    return Wait("the guard tells that it took place, in a block that is not final")


def spent_unsigned(view: View) -> Action | None:
    """Give up a nonce that another spent before anything was signed at it."""
    nonce = view.intent.nonce
    if nonce is not None and view.seen.nonce > nonce:
        return _unbound(view, f"nonce {nonce} was spent by another before it was signed")
    return None


def _unbound(view: View, why: str) -> Move:
    """Let an unsigned nonce go; a filler was only there for it."""
    return Move(S.CANCELLED if view.intent.filler else S.REPLAN, why)


def spent(view: View) -> Action | None:
    """Replan once the nonce was finally spent by another, and all evidence says so."""
    nonce = view.intent.nonce
    if nonce is None or view.seen.nonce <= nonce:
        return None
    if view.seen.final_nonce <= nonce:
        return Wait(f"nonce {nonce} was spent by another, in a block that is not final")
    return evidence(view, nonce)


def evidence(view: View, nonce: int) -> Action:
    """Say what a finally spent nonce without a receipt of ours means."""
    spender = view.seen.spender
    if spender is not None and spender.same_effect:
        if any(a.hash == spender.hash for a in view.attempts):
            return Wait("for the receipt of a payload that was found on chain")
        return Adopt(spender.hash, nonce)
    if view.intent.filler:
        if view.intent.state is S.CANCELLING:
            return Move(S.CANCELLED, f"nonce {nonce} was spent by another")
        return Move(S.CANCELLING, f"nonce {nonce} was spent by another")
    known = view.whole or view.intent.guard is not None
    if spender is None and not known:
        return Move(S.HELD, f"nonce {nonce} is spent, and nobody can tell by what")
    if view.intent.state is S.CANCELLING:
        if not view.whole:  # a payload that was lost may be live at a higher nonce
            return Wait("the journal lost records: reconciling with the chain")
        return Move(S.CANCELLED, f"nonce {nonce} was finally spent by another")
    return Move(S.REPLAN, f"nonce {nonce} was finally spent by another")


# What its owner, its reason and the clock say


def incomplete(view: View) -> Action | None:
    """Sign nothing new, and end nothing, while payloads may be out that the journal does not know.

    Even what was never signed for all the journal knows may be live, or have taken place.
    """
    if view.whole or view.intent.filler:
        return None
    if view.intent.state is S.NONCED:
        return Move(S.REPLAN, "gives its place away: the journal lost records")
    return Wait("the journal lost records: reconciling with the chain")


def unwanted(view: View) -> Action | None:
    """Drop what is too late or cancelled; where bytes exist, only a final no-op makes it sure."""
    late = view.seen.at.timestamp > view.intent.deadline
    if not (late or view.wishes.cancel) or view.intent.filler:
        return None
    reason = "cancelled by its owner" if view.wishes.cancel else "its deadline has passed"
    return Move(S.CANCELLED if view.intent.state in UNSIGNED else S.CANCELLING, reason)


def paused(view: View) -> Action | None:
    """Sign no effect while paused; take back what may have been sent and was not confirmed."""
    if not view.paused or view.intent.filler:
        return None
    if view.intent.state in WANTED:
        return Wait("paused")
    sent = any(a.last_block is not None for a in view.live)
    return None if sent else Move(S.CANCELLING, "paused before it was sent for sure")


def asleep(view: View) -> Action | None:
    """Wait for the owner's word."""
    if view.intent.state is S.PLANNED:
        if view.wishes.approve:
            return Move(S.APPROVED, "approved by its owner")
        return Wait("for approval")
    if view.wishes.release or view.wishes.approve:
        return Move(S.APPROVED, "released by its owner")
    return Wait(f"held: {view.intent.reason}")


def follows(view: View) -> Action | None:
    """Sign only when the intent it follows happened far enough."""
    if view.intent.after is None:
        return None
    if view.after in (S.REVERTED, S.CANCELLED):
        return Move(S.CANCELLED, f"the step before it is {view.after}")
    enough = {S.DONE} if view.intent.after_state is S.DONE else {S.DONE, S.MINED}
    return None if view.after in enough else Wait("for the step before it")


def trigger(view: View) -> Action | None:
    """Ask again, right before it is bound and signed, whether the reason still holds."""
    if view.intent.filler or view.trigger is True:
        return None
    if view.trigger is None:
        return Wait("its trigger cannot be read")
    return Move(S.CANCELLED, "its trigger does not hold any more")


def refused(view: View) -> Action | None:
    """Do as the policy says; what is already signed is only sent again."""
    if view.refused is None:
        return None
    if view.intent.filler:
        return Wait(f"the policy refuses: {view.refused.reason}")
    if view.refused.lasting:
        return Move(S.HELD, view.refused.reason)
    if view.intent.state is S.NONCED:
        return Move(S.REPLAN, f"gives its place away: {view.refused.reason}")
    return Wait(f"the policy refuses: {view.refused.reason}")


def affordable(view: View) -> Action | None:
    """Begin only what is worth its cost and can pay the next base fee."""
    if view.intent.filler:
        return None
    if not view.worth:
        return Wait("not worth its cost yet")
    if first_fees(view) is None:
        return Wait(f"base fee {view.seen.market.base_fee} is above its limit of {view.limit}")
    return None


# Nonces


def single_flight(view: View) -> Action | None:
    """One intent of a wallet is in flight at a time."""
    busy = [o for o in view.others if o.state in IN_FLIGHT and not o.filler]
    return Wait(f"for {busy[0].id[:10]}, which is {busy[0].state}") if busy else None


def strangers(view: View) -> Action | None:
    """Let a stranger's pending transaction of the wallet go first, for a while."""
    if view.seen.foreign_pending and not view.urgent and view.waited_s < view.settings.foreign_s:
        return Wait("a transaction of the wallet that is not ours is pending")
    return None


def bind(view: View) -> Action | None:
    """Take the chain's next nonce, above those of ours that a reorganisation could bring back."""
    bound = [o.nonce + 1 for o in view.others if o.nonce is not None]
    return Bind(max([view.seen.nonce, *bound]))


def hole(view: View) -> Action | None:
    """Fill the lowest nonce that is below ours and that none of ours is going to spend."""
    nonce = view.intent.nonce
    if nonce is None:
        return None
    ours = {o.nonce for o in view.others}
    for missing in range(view.seen.nonce, nonce):
        if missing not in ours:
            if view.intent.state is S.NONCED:
                return _unbound(view, f"nonce {missing} came free below it")
            return Fill(missing)
    return None


# Signing and sending


def first_payload(view: View) -> Action | None:
    """Sign at the bound nonce; the bytes are recorded before they are sent."""
    kind = Kind.NOOP if view.intent.filler else Kind.EFFECT
    priced = first_fees(view)
    return Sign(kind, priced) if priced is not None else Wait("base fee above its limit")


def unsent(view: View) -> Action | None:
    """Send the bytes that are recorded and may not have been sent."""
    ks = tuple(a.k for a in view.live if a.last_block is None)
    return Send(ks, _public(view)) if ks else None


def first_noop(view: View) -> Action | None:
    """Put a no-op against the effect; from here on only no-ops are signed and sent."""
    if view.noops:
        return None
    priced = _priced_noop(view)
    return Sign(Kind.NOOP, priced) if priced is not None else None


def replace(view: View) -> Action | None:
    """Replace a payload that is not mined, where the fee limit bears it."""
    live = view.noops if view.intent.state is S.CANCELLING else view.live
    if not live or ((view.paused or not view.whole) and not view.noops):
        return None
    newest = live[-1]
    waited = view.seen.at.number - (newest.first_block or 0)
    if newest.last_block is None or newest.last_block == view.seen.at.number:
        return None
    wait = 1 if view.urgent or view.wishes.speed_up else view.settings.bump_blocks
    if waited < wait and newest.reply != UNDERPRICED:
        return None
    if view.intent.state is S.CANCELLING or view.intent.filler:
        priced = None if view.refused is not None else _priced_noop(view)
        return Sign(Kind.NOOP, priced) if priced is not None else None
    if view.refused is not None:
        return None
    priced = _priced(view, view.previous)
    return Sign(Kind.EFFECT, priced) if priced is not None else None


def rebroadcast(view: View) -> Action | None:
    """Send the same bytes again at each block until one of them is mined."""
    live = view.noops if view.intent.state is S.CANCELLING else view.live
    stale = tuple(a.k for a in live if a.last_block != view.seen.at.number)
    return Send(stale, _public(view)) if stale else None


def first_fees(view: View) -> Fees | None:
    """Return the fees of a first payload; None where the limit does not pay the base fee."""
    return _priced(view, None)


def _priced(view: View, previous: Fees | None) -> Fees | None:
    wanted = view.seen.market.fees(urgent=view.urgent)
    if previous is None:
        return fees.within(wanted, view.limit, view.seen.market.base_fee)
    least = fees.replacement(previous, Fees(0, 0))
    if least.cap > view.limit:
        return None
    better = fees.replacement(previous, wanted)
    cap = min(better.cap, view.limit)
    return Fees(max(least.tip, min(better.tip, cap)), cap) if least.tip <= cap else None


def _priced_noop(view: View) -> Fees | None:
    """Price a no-op: by the market, and as low as it can be where the policy refuses that."""
    previous = view.previous
    wanted = view.seen.market.fees(urgent=True)
    if previous is None:
        return fees.within(wanted, view.intent.fee_cap_abs, view.seen.market.base_fee)
    ceiling = max(a.cap * a.gas for a in view.live) // view.settings.noop_gas
    ceiling = max(ceiling, view.intent.fee_cap_abs)
    least = fees.replacement(previous, Fees(0, 0))
    if least.cap > ceiling:
        return None
    if view.refused is not None:
        return least
    better = fees.replacement(previous, wanted)
    return Fees(min(better.tip, ceiling), min(better.cap, ceiling))


def _public(view: View) -> bool:
    """Return whether the bytes go public: at once in the red zone, or after a block missed."""
    if not view.settings.private or view.urgent or view.intent.filler or view.noops:
        return True
    first = [a.first_block for a in view.live if a.first_block is not None]
    if any("public" in a.channels for a in view.live):
        return True
    return bool(first) and view.seen.at.number - min(first) >= view.settings.private_blocks


RULES: Final[tuple[Rule, ...]] = (
    Rule("mined", OPEN, mined),
    Rule("reorganised", frozenset({S.MINED}), reorganised),
    Rule("taken_place", OPEN, taken_place),
    Rule("spent_unsigned", frozenset({S.NONCED}), spent_unsigned),
    Rule("spent", SENT | {S.CANCELLING}, spent),
    Rule("incomplete", UNSIGNED, incomplete),
    Rule("unwanted", UNSIGNED | SENT, unwanted),
    Rule("paused", WANTED | {S.SIGNED}, paused),
    Rule("asleep", frozenset({S.PLANNED, S.HELD}), asleep),
    Rule("follows", WANTED, follows),
    Rule("trigger", WANTED, trigger),
    Rule("refused", WANTED, refused),
    Rule("affordable", WANTED, affordable),
    Rule("single_flight", frozenset({S.APPROVED, S.REPLAN}), single_flight),
    Rule("strangers", frozenset({S.APPROVED, S.REPLAN}), strangers),
    Rule("bind", frozenset({S.APPROVED, S.REPLAN}), bind),
    Rule("hole", frozenset({S.NONCED, S.SIGNED, S.BROADCAST, S.CANCELLING}), hole),
    Rule("first_payload", frozenset({S.NONCED}), first_payload),
    Rule("first_noop", frozenset({S.CANCELLING}), first_noop),
    Rule("unsent", SENT, unsent),
    Rule("replace", SENT | {S.CANCELLING}, replace),
    Rule("rebroadcast", SENT | {S.CANCELLING}, rebroadcast),
)


def decide(view: View, rules: Sequence[Rule] = RULES) -> Action:
    """Return what to do next for an intent that is not terminal."""
    for rule in rules:
        if view.intent.state in rule.states:
            action = rule.says(view)
            if action is not None:
                return action
    return Wait("for the next block")
