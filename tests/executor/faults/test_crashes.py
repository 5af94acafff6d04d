"""Faults 1 to 4 of the list in docs/executor.md: processes that are killed, wherever they are."""

import pytest

from executor.types import Call, Intent, Kind, State
from tests.executor.faults.place import REVERTS, Place
from tests.executor.run.stage import DEPTH

pytestmark = pytest.mark.world
S = State


def boundaries(place: Place) -> list[str]:
    """Run one intent without a fault; return what boundaries its first pass has."""
    wanted = place.intent(1)
    running = place.start()
    running.tick()
    names = running.boundaries
    place.end(running)
    running.kill()
    assert place.state(wanted) is S.DONE
    return names


def test_fault_1__killed_at_every_boundary__one_effect_each(place: Place) -> None:
    """Invariant: at most one effect per intent, whatever the process was doing when killed."""
    names = boundaries(place)
    assert {"before the signature", "after the signature", "after commit", "inside a transaction",
            "before the sending", "after the sending", "before the mark"} <= set(names)  # fmt: skip
    seen: set[State] = set()
    for number, name in enumerate(names):
        wanted = place.intent(100 + number) if number % 2 else place.guarded()
        for _ in range(1 + number % 2):  # it may die twice at the same place
            place.die(number, ticks=2)
            seen.add(place.state(wanted))
        place.node.mine()
        place.end()
        assert place.state(wanted) is S.DONE, name
        assert place.effects(wanted) == 1, name
    assert {S.APPROVED, S.NONCED, S.SIGNED, S.BROADCAST} <= seen
    before = place.received()
    assert before == 1 + sum(100 + n for n in range(len(names)) if n % 2)
    place.resend()
    assert place.received() == before


def test_fault_2__cancelled_or_failed__no_payload_is_live(place: Place) -> None:
    """Invariant: what ended without effect can never have one: its nonces are spent."""
    place.node.set_code(REVERTS, "0x5f5ffd")
    for number in range(8, 24, 5):  # killed in the middle of cancelling
        cancelled = place.intent(number)
        running = place.start()
        running.tick()
        assert place.state(cancelled) is S.BROADCAST
        running.kill()
        place.drop()
        place.journal.wish(cancelled.id, "cancel")
        place.die(number, ticks=2)
        place.end()
        assert place.state(cancelled) is S.CANCELLED
    failed = place.intent(1, call=Call(REVERTS, 8, b""), gas_limit=60_000)
    place.end()
    assert place.state(failed) is S.REVERTED
    before = place.nonce()
    place.resend()
    assert place.nonce() == before
    assert all(line.nonce < before for line in place.signed())
    assert place.received() == 0
    assert place.effects(failed) == 0


def test_fault_3__done__only_in_a_final_block_with_the_guards_event(place: Place) -> None:
    """Invariant: DONE is final, and the guard logged the id."""
    wanted = place.guarded()
    silent = place.guarded(after=wanted.id)
    running = place.start()
    for _ in range(12):
        running.tick()
        head = place.node.block()
        if place.state(wanted) is S.DONE:
            break
        place.node.mine()
    receipt = place.journal.receipt(wanted.id)
    assert receipt is not None
    assert receipt.guard_event
    assert receipt.block_number <= int(head["number"], 16) - DEPTH
    assert place.node.rpc.request("eth_getBlockByNumber", hex(receipt.block_number), False)[
        "hash"] == receipt.block_hash  # fmt: skip
    place.node.set_code(str(silent.guard), "0x3660241460085700" + "5b5f5f5260205ff3")
    place.end(running)
    assert place.state(silent) is S.REVERTED, "it succeeded, and the guard logged nothing"


def test_fault_4__killed_again_and_again__every_state_comes_to_an_end(place: Place) -> None:
    """Invariant: from each state a terminal one is reached, and no intent is lost."""
    wanted: list[Intent] = []
    seen: set[State] = set()
    for number in range(14):
        wanted.append(place.intent(number + 1, state=S.PLANNED if number % 3 == 0 else S.APPROVED))
        if number % 3 == 0:
            place.journal.wish(wanted[-1].id, "approve")
        if number % 5 == 4:
            place.journal.wish(wanted[number - 1].id, "cancel")
        place.die(7 + 5 * number, ticks=9, mine=True)
        seen |= {place.state(i) for i in wanted}
    place.end(blocks=60)
    assert {S.APPROVED, S.BROADCAST, S.MINED} <= seen
    for intent in wanted:
        state = place.state(intent)
        assert state in (S.DONE, S.CANCELLED)
        assert place.effects(intent) == (state is S.DONE)
    kinds = {a.kind for i in wanted for a in place.journal.attempts(i.id)}
    assert Kind.EFFECT in kinds
