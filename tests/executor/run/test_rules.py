"""Single decisions that the explorer does not weigh: consent, fees, privacy, pauses, evidence."""

from dataclasses import replace
from typing import Any

import pytest

from executor.fees import Fees, Market
from executor.run.actions import Action, Adopt, Bind, Fill, Move, Note, Send, Sign, Wait
from executor.run.rules import decide
from executor.run.view import Settings, Spender, Wishes
from executor.types import Attempt, Intent, Kind, Receipt, Refused, State
from tests.executor.samples import OTHER, attempt, block, intent, seen, view

S = State
SENT: dict[str, Any] = {"channels": frozenset({"public"}), "first_block": 99, "last_block": 100}


def bound(state: State, **changes: Any) -> Intent:
    return intent(state=state, nonce=5, **changes)


def flying(**changes: Any) -> tuple[Intent, Attempt]:
    made = bound(S.BROADCAST)
    return made, attempt(made, **(SENT | changes))


def state_of(action: Action) -> State:
    assert isinstance(action, Move)
    return action.state


# Before anything is signed


def test_planned__until_approved__waits() -> None:
    planned = intent(state=S.PLANNED)
    assert isinstance(decide(view(planned)), Wait)
    assert state_of(decide(view(planned, wishes=Wishes(approve=True)))) is S.APPROVED


@pytest.mark.parametrize("state", [S.PLANNED, S.APPROVED, S.NONCED, S.HELD, S.REPLAN])
def test_unsigned__too_late_or_unwanted__is_dropped(state: State) -> None:
    late = seen(at=block(100, timestamp=2_000_001))
    assert state_of(decide(view(intent(state=state), seen=late))) is S.CANCELLED
    cancel = view(intent(state=state), wishes=Wishes(cancel=True))
    assert state_of(decide(cancel)) is S.CANCELLED


def test_approved__all_well__is_bound_to_the_chains_nonce() -> None:
    assert decide(view(intent())) == Bind(5)
    assert decide(view(intent(), seen=seen(nonce=0, final_nonce=0))) == Bind(0)


def test_approved__mined_one_could_come_back__is_bound_above_it() -> None:
    other = intent(2, state=S.MINED, nonce=5)
    assert decide(view(intent(), others=(other,))) == Bind(6)


@pytest.mark.parametrize("state", [S.NONCED, S.SIGNED, S.BROADCAST, S.CANCELLING])
def test_approved__place_taken__waits(state: State) -> None:
    assert isinstance(decide(view(intent(), others=(bound(state, id="0xff"),))), Wait)


@pytest.mark.parametrize(
    "changes",
    [
        {"paused": True}, {"trigger": None}, {"worth": False}, {"limit": 999}, {"whole": False},
        {"refused": Refused("no")},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_approved__anything_unsure__waits(changes: dict[str, Any]) -> None:
    assert isinstance(decide(view(intent(), **changes)), Wait)


def test_approved__trigger_gone__is_dropped() -> None:
    assert state_of(decide(view(intent(), trigger=False))) is S.CANCELLED


def test_approved__refused_for_good__is_held_for_its_owner() -> None:
    assert state_of(decide(view(intent(), refused=Refused("no", lasting=True)))) is S.HELD
    held = intent(state=S.HELD)
    assert isinstance(decide(view(held)), Wait)
    assert state_of(decide(view(held, wishes=Wishes(release=True)))) is S.APPROVED


@pytest.mark.parametrize(
    ("after", "until", "expected"),
    [
        (None, S.DONE, Wait), (S.BROADCAST, S.DONE, Wait), (S.MINED, S.DONE, Wait),
        (S.MINED, S.MINED, Bind), (S.DONE, S.DONE, Bind), (S.DONE, S.MINED, Bind),
        (S.REVERTED, S.DONE, Move), (S.CANCELLED, S.MINED, Move),
    ],
)  # fmt: skip
def test_following__step_before__decides(
    after: State | None, until: State, expected: type[Action]
) -> None:
    second = intent(2, after="0x1", after_state=until)
    assert isinstance(decide(view(second, after=after)), expected)


def test_approved__stranger_pending__waits_for_a_while_unless_urgent() -> None:
    stranger = seen(foreign_pending=True)
    assert isinstance(decide(view(intent(), seen=stranger, waited_s=59)), Wait)
    assert decide(view(intent(), seen=stranger, waited_s=60)) == Bind(5)
    assert decide(view(intent(), seen=stranger, urgent=True)) == Bind(5)


def test_guarded__used_at_the_head__waits_for_finality() -> None:
    made = intent(guard=OTHER)
    assert isinstance(decide(view(made, seen=seen(used=True, used_final=False))), Wait)
    assert state_of(decide(view(made, seen=seen(used=True, used_final=True)))) is S.DONE


# Nonces


def test_nonced__nonce_spent_by_another__is_given_up_at_once() -> None:
    assert state_of(decide(view(bound(S.NONCED), seen=seen(nonce=6)))) is S.REPLAN


def test_nonced__lower_nonce_came_free__is_given_up() -> None:
    assert state_of(decide(view(bound(S.NONCED), seen=seen(nonce=4)))) is S.REPLAN


def test_nonced__refused__gives_its_place_away() -> None:
    assert state_of(decide(view(bound(S.NONCED), refused=Refused("cap")))) is S.REPLAN


def test_broadcast__hole_below__is_filled_unless_ours() -> None:
    made, sent = flying()
    assert decide(view(made, sent, seen=seen(nonce=3))) == Fill(3)
    below = (intent(2, state=S.BROADCAST, nonce=3), intent(3, filler=True, nonce=4, state=S.NONCED))
    assert decide(view(made, sent, seen=seen(nonce=3), others=below)) == Wait("for the next block")


def test_spent__by_another__waits_for_finality_then_replans() -> None:
    made, sent = flying()
    assert isinstance(decide(view(made, sent, seen=seen(nonce=6))), Wait)
    assert state_of(decide(view(made, sent, seen=seen(nonce=6, final_nonce=6)))) is S.REPLAN


def test_spent__by_the_same_effect__is_adopted() -> None:
    made, sent = flying()
    found = seen(nonce=6, final_nonce=6, spender=Spender("0xaa", same_effect=True))
    assert decide(view(made, sent, seen=found)) == Adopt("0xaa", 5)
    known = replace(sent, k=1, hash="0xaa", raw=b"")
    assert isinstance(decide(view(made, sent, known, seen=found)), Wait)


def test_spent__nobody_can_tell__is_held_where_the_journal_lost_records() -> None:
    made, sent = flying()
    unknown = seen(nonce=6, final_nonce=6)
    assert state_of(decide(view(made, sent, seen=unknown, whole=False))) is S.HELD
    other = replace(unknown, spender=Spender("0xaa", same_effect=False))
    assert state_of(decide(view(made, sent, seen=other, whole=False))) is S.REPLAN
    guarded = replace(made, guard=OTHER)
    unused = replace(unknown, used=False, used_final=False)
    assert state_of(decide(view(guarded, sent, seen=unused, whole=False))) is S.REPLAN


# Signing and sending


def test_nonced__first_payload__fits_the_limit() -> None:
    first = decide(view(bound(S.NONCED), limit=1_500))
    assert first == Sign(Kind.EFFECT, Fees(10, 1_500))
    assert isinstance(decide(view(bound(S.NONCED), limit=999)), Wait)


def test_nonced__red_zone__takes_the_fast_tip() -> None:
    urgent = decide(view(bound(S.NONCED), urgent=True))
    assert isinstance(urgent, Sign)
    assert urgent.fees.tip == 20


def test_broadcast__not_mined__is_replaced_or_sent_again() -> None:
    made, sent = flying(first_block=98, last_block=99, tip=10, cap=1_000)
    assert decide(view(made, sent)) == Sign(Kind.EFFECT, Fees(11, seen().market.fees(
        urgent=False).cap))  # fmt: skip
    assert decide(view(made, sent, limit=1_099)) == Send((0,), public=True)
    assert decide(view(made, sent, limit=1_100)) == Sign(Kind.EFFECT, Fees(11, 1_100))
    for stop in ({"paused": True}, {"whole": False}, {"refused": Refused("cap")}):
        assert decide(view(made, sent, **stop)) == Send((0,), public=True)
    assert decide(view(made, replace(sent, last_block=100))) == Wait("for the next block")


def test_broadcast__young__is_sent_again_unless_hurried() -> None:
    made, sent = flying(first_block=99, last_block=99, tip=10, cap=1_000)
    assert decide(view(made, sent)) == Send((0,), public=True)
    for hurry in ({"urgent": True}, {"wishes": Wishes(speed_up=True)}):
        assert isinstance(decide(view(made, sent, **hurry)), Sign)
    stuck = replace(sent, reply="underpriced")
    assert isinstance(decide(view(made, stuck)), Sign)


def test_signed__private__first_alone_then_public_after_a_block() -> None:
    made = bound(S.SIGNED)
    private = Settings(private=True, private_blocks=1)
    fresh = attempt(made)
    assert decide(view(made, fresh, settings=private)) == Send((0,), public=False)
    assert decide(view(made, fresh, settings=private, urgent=True)) == Send((0,), public=True)
    sent = attempt(made, channels=frozenset({"private"}), first_block=99, last_block=99)
    flying_ = replace(made, state=S.BROADCAST)
    assert decide(view(flying_, sent, settings=private)) == Send((0,), public=True)
    now = replace(sent, first_block=100, last_block=None)
    assert decide(view(made, now, settings=private)) == Send((0,), public=False)
    public = replace(sent, channels=frozenset({"private", "public"}), first_block=100)
    assert decide(view(flying_, public, settings=private)) == Send((0,), public=True)


def test_signed__paused__is_taken_back_unless_it_was_sent() -> None:
    made = bound(S.SIGNED)
    assert state_of(decide(view(made, attempt(made), paused=True))) is S.CANCELLING
    sent = attempt(made, 0, **SENT)
    again = attempt(made, 1)
    assert decide(view(made, sent, again, paused=True)) == Send((1,), public=True)


# Cancelling


def test_cancelling__first_noop__beats_the_effect_within_its_reservation() -> None:
    made = bound(S.CANCELLING, fee_cap_abs=1_200)
    effect = attempt(made, 0, **(SENT | {"tip": 10, "cap": 1_150}))
    action = decide(view(made, effect))
    assert isinstance(action, Sign)
    assert action.kind is Kind.NOOP
    assert action.fees.cap >= 1_265
    assert action.fees.cap * 21_000 <= effect.cap * effect.gas


def test_cancelling__only_noops__are_sent() -> None:
    made = bound(S.CANCELLING)
    effect = attempt(made, 0, **(SENT | {"last_block": 90}))
    noop = attempt(made, 1, kind=Kind.NOOP, cap=2_000, gas=21_000)
    assert decide(view(made, effect, noop)) == Send((1,), public=True)


def test_cancelling__noop_unaffordable__waits() -> None:
    made = bound(S.CANCELLING, fee_cap_abs=1)
    effect = attempt(made, 0, **(SENT | {"cap": 1_000, "gas": 21_000}))
    assert decide(view(made, effect)) == Wait("for the next block")


def test_cancelling__spent_by_another__ends_when_final() -> None:
    made = bound(S.CANCELLING)
    effect = attempt(made, 0, **SENT)
    assert state_of(decide(view(made, effect, seen=seen(nonce=6, final_nonce=6)))) is S.CANCELLED


def test_cancelling__spent_by_another_while_records_are_lost__is_no_end_yet() -> None:
    made = bound(S.CANCELLING)
    effect = attempt(made, 0, **SENT)
    gone = seen(nonce=6, final_nonce=6, spender=Spender("0xs", same_effect=False))
    assert isinstance(decide(view(made, effect, seen=gone, whole=False)), Wait)
    assert state_of(decide(view(made, effect, seen=gone))) is S.CANCELLED


def test_records_lost__nothing_ends__and_no_place_is_kept() -> None:
    for state in (S.PLANNED, S.APPROVED, S.REPLAN, S.HELD):
        made = intent(state=state, deadline=0)
        lost = view(made, whole=False, wishes=Wishes(cancel=True), trigger=False)
        assert isinstance(decide(lost), Wait)
        assert state_of(decide(replace(lost, whole=True))) is S.CANCELLED
    lost = view(bound(S.NONCED), whole=False, wishes=Wishes(cancel=True))
    assert state_of(decide(lost)) is S.REPLAN


def test_cancelling__effect_is_mined__counts() -> None:
    made = bound(S.CANCELLING)
    effect = attempt(made, 0, **SENT)
    receipt = Receipt(effect.hash, "0xb", 95, True, 1)
    moved = decide(view(made, effect, seen=seen(receipts={effect.hash: receipt})))
    assert moved == Move(S.MINED, "in block 95", receipt)


# Mined


def test_mined__in_another_block_now__is_noted() -> None:
    made = bound(S.MINED)
    effect = attempt(made, 0, **SENT)
    old = Receipt(effect.hash, "0xb", 95, True, 1)
    new = replace(old, block_hash="0xc")
    now = seen(receipts={effect.hash: new})
    assert decide(view(made, effect, seen=now, receipt=old)) == Note(new)
    assert isinstance(decide(view(made, effect, seen=now, receipt=new)), Wait)


@pytest.mark.parametrize(
    ("success", "event", "used", "expected"),
    [
        (True, True, True, S.DONE), (True, False, False, S.REVERTED), (False, False, True, S.DONE),
        (False, False, False, S.REVERTED),
    ],
)  # fmt: skip
def test_mined__guarded_and_final__by_event_and_bit(
    success: bool, event: bool, used: bool, expected: State
) -> None:
    made = bound(S.MINED, guard=OTHER)
    effect = attempt(made, 0, **SENT)
    receipt = Receipt(effect.hash, "0xb", 90, success, 1, event)
    now = seen(receipts={effect.hash: receipt}, used=used, used_final=used)
    assert state_of(decide(view(made, effect, seen=now, receipt=receipt))) is expected


def test_mined__bytes_lost_and_reorganised__a_noop_competes() -> None:
    made = bound(S.MINED)
    lost = attempt(made, raw=b"")
    assert state_of(decide(view(made, lost))) is S.CANCELLING


def test_broadcast__guard_used_by_another__its_nonce_is_freed() -> None:
    made = bound(S.BROADCAST, guard=OTHER)
    effect = attempt(made, 0, **SENT)
    assert isinstance(decide(view(made, effect, seen=seen(used=True, used_final=False))), Wait)
    taken = view(made, effect, seen=seen(used=True, used_final=True))
    assert state_of(decide(taken)) is S.CANCELLING
    noop = attempt(made, 1, kind=Kind.NOOP, **SENT)
    receipt = Receipt(noop.hash, "0xb", 90, True, 1)
    end = seen(receipts={noop.hash: receipt}, used=True, used_final=True)
    assert (
        state_of(decide(view(replace(made, state=S.CANCELLING), effect, noop, seen=end))) is S.DONE
    )


# Fillers


def test_filler__its_life__spends_the_nonce_or_finds_it_spent() -> None:
    made = bound(S.NONCED, filler=True)
    market = Market(1_000, 10, 20)
    signed = decide(view(made, seen=seen(market=market), paused=True, whole=False, trigger=None))
    assert isinstance(signed, Sign)
    assert signed.kind is Kind.NOOP
    out = replace(made, state=S.BROADCAST)
    noop = attempt(
        out, kind=Kind.NOOP, gas=21_000, **(SENT | {"first_block": 90, "last_block": 99})
    )
    assert isinstance(decide(view(out, noop)), Sign)
    mined = Receipt(noop.hash, "0xb", 90, False, 1)
    assert state_of(decide(view(out, noop, seen=seen(receipts={noop.hash: mined})))) is S.MINED
    gone = seen(nonce=6, final_nonce=6)
    assert state_of(decide(view(out, noop, seen=gone))) is S.CANCELLING
    ending = replace(out, state=S.CANCELLING)
    assert state_of(decide(view(ending, noop, seen=gone))) is S.CANCELLED
    assert state_of(decide(view(made, seen=gone))) is S.CANCELLED
    assert state_of(decide(view(made, seen=seen(nonce=4)))) is S.CANCELLED
