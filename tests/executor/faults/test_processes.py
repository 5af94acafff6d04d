"""Faults 11, 12 and 19: several processes, wrong clocks, crash loops and pauses."""

import os
import random
import time

import pytest

from executor.types import State
from tests.executor.faults.place import Place
from tests.executor.run.stage import DEPTH, GWEI

pytestmark = pytest.mark.world
S = State
SOAK = int(os.environ.get("UNDERKEEL_SOAK", "1"))


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_fault_11__two_executors_and_a_wrong_clock__one_effect(place: Place, skew: int) -> None:
    """Invariant: one epoch, one writer, however wrong a clock is."""
    wanted = place.intent(7)
    one, two = place.start(holder="one"), place.start(holder="two", skew_s=skew)
    for _ in range(7):
        one.tick()
        two.tick()
        if place.state(wanted) is S.DONE:
            break
        place.node.mine()
    errors = {one.error, two.error}
    assert any(error and ("Busy" in error or "LeaseLost" in error) for error in errors)
    assert (place.state(wanted), place.effects(wanted), place.nonce()) == (S.DONE, 1, 1)


STOPS = (("before commit", 1), ("before check", 0),
         ("before the signature", 0), ("after the signature", 0), ("before the sending", 0),
         ("after the sending", 0))  # fmt: skip


def test_fault_11__paused_and_taken_over__stale_epoch_does_nothing(place: Place) -> None:
    """Invariant: a process that was stopped for an hour cannot write, and its bytes do not leave.

    Between the comparison of the epoch and the key there is no lock: what is signed there is
    refused by the journal, and nobody ever sees it. A process that is stopped inside a transaction
    keeps SQLite's lock: nobody acts until it goes on or is killed.
    """
    for number, (name, nth) in enumerate(STOPS, 1):
        wanted = place.intent(number)
        paused = place.start(holder="paused", stop_on=(name, nth))
        paused.ask()
        paused.await_stop()
        before = place.signed()
        place.end(holder="other", skew_s=3600)
        after = place.signed()
        paused.go_on()
        paused.answer()
        assert paused.error is None or "LeaseLost" in paused.error, name
        own = place.signed()[len(after) :]
        assert len(own) == (name == "before the signature"), name
        assert all(line.nonce < place.nonce() for line in own), "it can never be mined"
        assert (place.state(wanted), place.effects(wanted)) == (S.DONE, 1)
        assert len({line.nonce for line in after[len(before) :]}) <= 1
        paused.kill()
        place.node.mine()


def test_spent_and_reserved__a_stranger__is_no_spend_of_ours(place: Place) -> None:
    place.stranger(0)
    place.node.mine()
    assert place.nonce() == 1
    assert place.spent_and_reserved() == 0
    wanted = place.intent(7)
    place.end()
    receipt = place.journal.receipt(wanted.id)
    assert receipt is not None
    assert place.spent_and_reserved() == receipt.cost_wei + 7


def test_fault_12__crash_loop_with_random_fees__spent_and_reserved_within_the_cap(
    place: Place,
) -> None:
    """Invariant: spent + reserved ≤ cap, always, whatever crashes and whatever fees do."""
    rng = random.Random(12)
    cap = 6 * 21_000 * 20 * GWEI
    for number in range(20 * SOAK):
        if len(place.open()) < 3:
            place.intent(number + 1, fee_cap_abs=rng.randrange(2, 40) * GWEI)
        place.base_fee(rng.choice([0.5, 1, 2, 5, 20]))
        place.node.mine(rng.randrange(3))
        place.die(rng.randrange(6, 40), ticks=rng.randrange(1, 4), mine=True, cap=cap)
        assert place.spent_and_reserved() <= cap
        if rng.random() < 0.2:
            place.drop()
    dear = place.intent(1 << 30, fee_cap_abs=1_000 * GWEI)
    running = place.start(cap=cap)
    for _ in range(3 * (1 + DEPTH)):
        place.base_fee(300)
        place.node.mine()
        reports = {id_: what for id_, _, what in running.tick()}
        assert place.spent_and_reserved() <= cap
    assert "cap of the day" in reports[dear.id]
    assert place.state(dear) is S.APPROVED


def test_fault_19__paused_mid_flight__no_new_signature_and_what_flies_lands(place: Place) -> None:
    """Invariant: after the pause no effect is signed; what was in flight is resolved."""
    flying, waiting = place.intent(7), place.intent(9)
    running = place.start()
    running.tick()
    place.drop()
    (place.folder / "pause").touch()
    at = time.time()
    for fee in (20, 20, 20, 1, 1):  # it would be replaced at these fees
        place.base_fee(fee)
        place.node.mine()
        running.tick()
    place.node.mine(DEPTH)
    running.tick()
    assert (place.state(flying), place.state(waiting)) == (S.DONE, S.APPROVED)
    assert not [line for line in place.signed() if line.effect and line.at > at]
    (place.folder / "pause").unlink()
    place.end(running)
    assert (place.effects(flying), place.effects(waiting)) == (1, 1)


@pytest.mark.parametrize("name", ["after the signature", "before the sending"])
def test_fault_19__paused_while_it_is_being_sent__is_taken_back(place: Place, name: str) -> None:
    """Invariant: bytes of which nobody knows whether they were sent are put out by a no-op."""
    wanted = place.intent(7)
    assert place.die((name, 0))
    (place.folder / "pause").touch()
    now = time.time()
    running = place.start()
    for _ in range(6):
        running.tick()
        place.node.mine()
    assert place.state(wanted) in (S.CANCELLED, S.APPROVED, S.NONCED)
    assert not [line for line in place.signed() if line.effect and line.at > now]
    (place.folder / "pause").unlink()
    place.end(running)
    assert place.effects(wanted) == (place.state(wanted) is S.DONE)
