"""What is committed is there, on SQLite and on Postgres; a stale writer is refused."""

import threading
from dataclasses import replace

import pytest

from chain.types import Address
from executor.journal.errors import IntentConflict, LeaseLost, RowChanged, WrongStamp
from executor.journal.journal import Journal
from executor.run.change import Change
from executor.run.view import Wishes
from executor.types import (
    Condition,
    Intent,
    Kind,
    Lease,
    Receipt,
    Spend,
    State,
    Trigger,
)
from tests.executor.samples import MAX, OTHER, WALLET, Clock, attempt, intent

RECEIPT = Receipt("0x" + "a" * 64, "0x" + "b" * 64, 12, True, 21_000 * 7, True)


def leased(journal: Journal) -> Lease:
    lease = journal.lease(1, WALLET, "me", 60)
    assert lease is not None
    return lease


def bound(journal: Journal, lease: Lease, wanted: Intent, nonce: int) -> Intent:
    journal.record(wanted)
    new = replace(wanted, state=State.NONCED, nonce=nonce)
    done = journal.commit(lease, wanted, Change(new))
    assert done is not None
    return done


def test_record__every_field_at_its_largest__reads_back(journal: Journal) -> None:
    wanted = intent(
        guard=OTHER,
        conditions=(Condition("health_factor", "x", at_least=MAX), Condition("debt", "y", None, 0)),
        trigger=Trigger("health_factor", "x", MAX, MAX - 1, 19_000_000),
        value_wei=MAX,
        other_cost_wei=MAX,
        fee_cap_abs=MAX,
        authorizations=(b"\xf8\x5c", b""),
        plan="0x" + "cd" * 32,
        after="0x" + "00" * 32,
        after_state=State.MINED,
        reason="because",
    )
    assert journal.record(wanted)
    assert journal.intent(wanted.id) == wanted
    assert journal.intents(1, WALLET) == (wanted,)


def test_record__twice__is_recorded_once(journal: Journal) -> None:
    assert journal.record(intent())
    assert not journal.record(intent())
    with pytest.raises(IntentConflict):
        journal.record(intent(gas_limit=1))
    with pytest.raises(ValueError, match="planned or approved"):
        journal.record(intent(2, state=State.DONE))


def test_commit__state_nonce_and_bytes__in_one(journal: Journal) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    assert (now.version, now.nonce, now.state) == (1, 3, State.NONCED)
    first = attempt(now, cap=MAX, tip=MAX, gas=1, raw=b"\x00\xff" * 100)
    signed = journal.commit(lease, now, Change(replace(now, state=State.SIGNED), (first,)))
    assert signed is not None
    assert journal.intent(now.id) == signed
    assert journal.attempts(now.id) == (first,)
    sent = replace(first, channels=frozenset({"public", "private"}), reply="known", last_block=9)
    journal.commit(lease, signed, Change(signed, (sent,), RECEIPT))
    assert journal.attempts(now.id) == (sent,)
    assert journal.receipt(now.id) == RECEIPT
    assert journal.sequence() == 2


def test_commit__row_read_before_another_change__is_refused(journal: Journal) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    journal.commit(lease, now, Change(replace(now, state=State.REPLAN, nonce=None)))
    with pytest.raises(RowChanged):
        journal.commit(lease, now, Change(replace(now, state=State.SIGNED), (attempt(now),)))
    assert journal.attempts(now.id) == ()


def test_commit__two_intents_at_one_nonce__second_is_refused(journal: Journal) -> None:
    lease = leased(journal)
    bound(journal, lease, intent(1), 3)
    with pytest.raises(RowChanged):
        bound(journal, lease, intent(2), 3)
    assert journal.intents(1, WALLET)[1].state is State.APPROVED


def test_commit__two_threads_one_row__one_wins(journal: Journal) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    results: list[str] = []

    def write(k: int) -> None:
        change = Change(replace(now, state=State.SIGNED), (attempt(now, 0, hash=f"0x{k:064x}"),))
        try:
            journal.commit(lease, now, change)
            results.append("written")
        except RowChanged:
            results.append("refused")

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 3 + ["written"]
    assert len(journal.attempts(now.id)) == 1


def test_lease__held_by_another__is_refused_until_it_ends(journal: Journal, clock: Clock) -> None:
    mine = leased(journal)
    assert journal.lease(1, WALLET, "you", 60) is None
    assert journal.lease(1, OTHER, "you", 60) is not None
    clock.now += 61
    yours = journal.lease(1, WALLET, "you", 60)
    assert yours is not None
    assert yours.epoch == mine.epoch + 1


def test_lease__taken_over_while_paused__old_epoch_does_nothing(
    journal: Journal, clock: Clock
) -> None:
    mine = leased(journal)
    now = bound(journal, mine, intent(), 3)
    clock.now += 3_600  # or the other's clock is an hour ahead
    yours = journal.lease(1, WALLET, "you", 60)
    assert yours is not None
    clock.now -= 7_200
    for act in (
        lambda: journal.check(mine),
        lambda: journal.renew(mine, 60),
        lambda: journal.commit(mine, now, Change(replace(now, state=State.SIGNED))),
        lambda: journal.commit(mine, None, Change(new_intent=intent(5, state=State.NONCED))),
    ):
        with pytest.raises(LeaseLost):
            act()
    journal.release(mine)  # nothing of yours is given away
    assert journal.renew(yours, 60).epoch == yours.epoch
    assert journal.intent(now.id) == now


def test_lease__of_another_wallet__cannot_write(journal: Journal) -> None:
    journal.record(intent())
    other = journal.lease(1, OTHER, "me", 60)
    assert other is not None
    with pytest.raises(LeaseLost):
        journal.commit(other, intent(), Change(replace(intent(), state=State.NONCED, nonce=1)))


def test_lease__given_back__is_free(journal: Journal) -> None:
    journal.release(leased(journal))
    assert journal.lease(1, WALLET, "you", 60) is not None


def test_ledger__live_payloads__reserve_the_dearest(journal: Journal, clock: Clock) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    assert journal.ledger(1, WALLET, since=0).spends == ()
    change = Change(replace(now, state=State.SIGNED), (attempt(now, cap=10),), usd_e6=5)
    signed = journal.commit(lease, now, change)
    assert signed is not None
    clock.now += 100_000
    noop = attempt(signed, 1, kind=Kind.NOOP, cap=20, gas=21_000)
    change = Change(replace(signed, state=State.CANCELLING), (noop,))
    journal.commit(lease, signed, change)
    wei = 100_000 * 10 + 7
    ledger = journal.ledger(1, WALLET, since=1_050_000, balance=9)
    assert ledger.spends == (Spend(now.id, 1_000_000, wei, 5, True),)
    assert (ledger.reserved(), ledger.balance, ledger.now) == (wei, 9, 1_100_000)


@pytest.mark.parametrize(
    ("state", "wei", "usd_e6"),
    [(State.DONE, 21_000 * 7 + 7, 5), (State.REVERTED, 21_000 * 7, 0)],
)
def test_ledger__mined_for_good__is_what_it_cost(
    journal: Journal, clock: Clock, state: State, wei: int, usd_e6: int
) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    now = _do(journal, lease, now, Change(replace(now, state=State.SIGNED), (attempt(now),),
                                          usd_e6=5))  # fmt: skip
    now = _do(journal, lease, now, Change(replace(now, state=State.MINED), receipt=RECEIPT))
    clock.now += 500
    _do(journal, lease, now, Change(replace(now, state=state), receipt=RECEIPT))
    assert journal.ledger(1, WALLET, since=1_000_400).spends == (
        Spend(now.id, 1_000_500, wei, usd_e6, False),
    )
    assert journal.ledger(1, WALLET, since=1_000_501).spends == ()


def test_ledger__nonce_lost_to_another__reserves_nothing(journal: Journal) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    now = _do(journal, lease, now, Change(replace(now, state=State.SIGNED), (attempt(now),)))
    _do(journal, lease, now, Change(replace(now, state=State.REPLAN, nonce=None)))
    assert journal.ledger(1, WALLET, since=0).spends == ()


def test_ledger__spent_and_nobody_knows_by_what__counts_until_it_is_signed_again(
    journal: Journal, clock: Clock
) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    wei = 100_000 * 1000 + 7
    change = Change(replace(now, state=State.SIGNED), (attempt(now),), usd_e6=5)
    now = _do(journal, lease, now, change)
    clock.now += 500
    now = _do(journal, lease, now, Change(replace(now, state=State.HELD, nonce=None)))
    spend = Spend(now.id, 1_000_500, wei, 5, False)
    assert journal.ledger(1, WALLET, since=1_000_400).spends == (spend,)
    now = _do(journal, lease, now, Change(replace(now, state=State.APPROVED)))
    now = _do(journal, lease, now, Change(replace(now, state=State.NONCED, nonce=4)))
    again = attempt(now, 1, cap=10)
    now = _do(journal, lease, now, Change(replace(now, state=State.SIGNED), (again,), usd_e6=3))
    spend = Spend(now.id, 1_000_500, 100_000 * 10 + 7, 3, True)
    assert journal.ledger(1, WALLET, since=0).spends == (spend,)


def test_receipt__reorganised__is_forgotten(journal: Journal) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    now = _do(journal, lease, now, Change(replace(now, state=State.SIGNED), (attempt(now),)))
    now = _do(journal, lease, now, Change(replace(now, state=State.MINED), receipt=RECEIPT))
    _do(journal, lease, now, Change(replace(now, state=State.BROADCAST)))
    assert journal.receipt(now.id) is None
    assert journal.ledger(1, WALLET, since=0).spends[0].live


def _do(journal: Journal, lease: Lease, before: Intent, change: Change) -> Intent:
    after = journal.commit(lease, before, change)
    assert after is not None
    return after


def test_wishes__until_followed__are_kept(journal: Journal) -> None:
    lease = leased(journal)
    now = bound(journal, lease, intent(), 3)
    assert journal.wish(now.id, "cancel")
    assert journal.wish(now.id, "speed_up", fee_cap=MAX)
    assert not journal.wish("0x" + "ff" * 32, "cancel")
    assert journal.wishes(now.id) == Wishes(cancel=True, speed_up=True)
    raised = journal.intent(now.id)
    assert raised is not None
    assert raised.fee_cap_abs == MAX
    journal.commit(lease, raised, Change(replace(raised, state=State.CANCELLED), heard=True))
    assert journal.wishes(now.id) == Wishes()
    assert not journal.wish(now.id, "cancel")
    with pytest.raises(ValueError, match="none of"):
        journal.wish(now.id, "explode")


def test_stamp__another_mode_or_chain__is_refused(url: str) -> None:
    journal = Journal.open(url, mode="live")
    journal.stamp_chain(1, "0xaa")
    journal.stamp_chain(1, "0xaa")
    journal.stamp_chain(10, "0xbb")
    with pytest.raises(WrongStamp):
        journal.stamp_chain(1, "0xbb")
    journal.close()
    with pytest.raises(WrongStamp):
        Journal.open(url, mode="dry-run")
    with pytest.raises(WrongStamp):
        Journal.open(url, mode="maybe")


def test_intents__order__bound_first_then_as_recorded(journal: Journal, clock: Clock) -> None:
    lease = leased(journal)
    journal.record(intent(9))
    clock.now += 1
    journal.record(intent(1))
    journal.record(intent(4, wallet=Address(OTHER)))
    bound(journal, lease, intent(5), 7)
    bound(journal, lease, intent(6), 6)
    assert [int(i.id, 16) for i in journal.intents(1, WALLET)] == [6, 5, 9, 1]
