"""Faults 7 to 10 and 18: what the chain itself does to a transaction on its way."""

from itertools import pairwise

import pytest

from executor.types import Kind, State
from tests.executor.faults.place import REVERTS, Place
from tests.executor.run.stage import ETHER, GWEI

pytestmark = pytest.mark.world
S = State


@pytest.mark.parametrize("depth", [1, 2, 7, 64])
@pytest.mark.parametrize("seen", [False, True], ids=["before", "after"])
def test_fault_7__reorganised__state_follows_the_canonical_hash(
    place: Place, depth: int, seen: bool
) -> None:
    """Invariant: a receipt counts while its block is in the chain; the effect is one in the end."""
    place.node.mine(depth)
    wanted = place.intent(7)
    running = place.start(depth=70)
    running.tick()
    place.node.mine()
    if seen:
        running.tick()
        assert place.state(wanted) is S.MINED
    place.node.mine(depth - 1)
    if seen:
        running.tick()
    place.node.reorg(depth)
    place.drop()
    assert place.received() == 0
    running.tick()
    assert place.state(wanted) is S.BROADCAST
    assert place.journal.receipt(wanted.id) is None
    place.node.mine()
    running.tick()
    receipt = place.journal.receipt(wanted.id)
    assert receipt is not None
    assert receipt.block_hash == place.receipt(receipt.hash)["blockHash"]
    place.node.mine(69)
    running.tick()
    assert place.state(wanted) is S.MINED, "one block short of final"
    place.node.mine()
    running.tick()
    assert place.state(wanted) is S.DONE
    assert (place.effects(wanted), place.nonce()) == (1, 1)


def test_fault_7__rolled_back_to_a_shorter_chain__state_follows(place: Place) -> None:
    """Invariant: the same where the head itself goes down."""
    wanted = place.intent(7)
    running = place.start(depth=10)
    running.tick()
    snapshot = place.node.snapshot()
    place.node.mine(4)
    running.tick()
    assert place.state(wanted) is S.MINED
    place.node.revert(snapshot)
    running.tick()
    assert place.state(wanted) is S.BROADCAST
    place.end(running, blocks=24)
    assert (place.state(wanted), place.effects(wanted)) == (S.DONE, 1)


def test_fault_8__base_fee_times_50_and_back__never_above_the_cap_and_lands(place: Place) -> None:
    """Invariant: no payload is dearer than the cap; it lands when the spike is over."""
    wanted = place.intent(7, fee_cap_abs=4 * GWEI)
    running = place.start()
    running.tick()
    for _ in range(8):
        place.base_fee(50)
        place.drop()
        place.node.mine()
        running.tick()
        assert place.state(wanted) is S.BROADCAST
    place.base_fee()
    place.node.mine()
    place.end(running)
    signed = place.signed()
    assert all(line.cap <= 4 * GWEI for line in signed)
    assert all(10 * new.cap >= 11 * old.cap for old, new in pairwise(signed))
    assert len({line.nonce for line in signed}) == 1
    assert (place.state(wanted), place.effects(wanted)) == (S.DONE, 1)


def test_fault_9__price_falls_to_liquidation__pays_more_and_lands_in_time(place: Place) -> None:
    """Invariant: what may be paid rises as the health falls; mined before it is below 1."""
    path = tuple(1.08 - 0.005 * step for step in range(20))
    wanted = place.intent(7, gas_limit=400_000, fee_cap_abs=5_000 * GWEI, value_wei=1)
    at = int(place.node.block()["number"], 16)
    running = place.start(health=path, health_from=at, at_stake=2 * ETHER, bump_blocks=1)
    caps: list[tuple[float, int]] = []
    mined_at: float | None = None
    for health in path:
        running.tick()
        known = len(caps)
        caps += [(health, line.cap) for line in place.signed()[known:]]
        if place.state(wanted) is S.MINED:
            mined_at = path[min(int(place.node.block()["number"], 16) - at, len(path) - 1)]
            break
        fee = 30 + 40 * len(caps)  # others outbid each payload until it is worth more to us
        place.base_fee(min(fee, 200))
        place.node.mine()
    assert [health for health, _ in caps] == sorted((h for h, _ in caps), reverse=True)
    assert [cap for _, cap in caps] == sorted(cap for _, cap in caps)
    assert caps[0][0] < 1.08, "far from liquidation it is not worth its gas"
    assert mined_at is not None
    assert mined_at > 1
    place.base_fee()
    place.end(running)
    assert place.effects(wanted) == 1


def test_fault_10__stranger_takes_the_nonce_and_is_reorganised_out__no_wedge(place: Place) -> None:
    """Invariant: the gap is filled, and what follows lands."""
    first = place.intent(7)
    running = place.start(depth=4)
    running.tick()
    place.drop()
    place.stranger(0, value="0x1")
    place.node.mine()
    running.tick()
    assert place.state(first) is S.BROADCAST, "the stranger is not final"
    place.node.reorg(1)
    place.drop()
    running.tick()
    place.node.mine()
    running.tick()
    assert place.state(first) is S.MINED, "at its first nonce, with its first bytes"
    place.stranger(1, value="0x1")
    place.node.mine()
    second = place.intent(9)
    running.tick()
    assert place.journal.attempts(second.id)[0].nonce == 2
    place.drop()
    place.node.reorg(1)
    place.drop()
    place.end(running)
    assert (place.state(first), place.state(second)) == (S.DONE, S.DONE)
    assert (place.effects(first), place.effects(second), place.nonce()) == (1, 1, 3)
    noops = [line for line in place.signed() if not line.effect]
    assert {line.nonce for line in noops} == {1}


def test_fault_18__state_moves_after_the_simulation__reverts_whole(place: Place) -> None:
    """Invariant: nothing but gas is lost, and the same call is not tried again."""
    wanted = place.intent(7, call=place.call(REVERTS, 5), gas_limit=60_000)
    place.node.set_code(REVERTS, "0x00")
    running = place.start()
    running.tick()
    place.node.set_code(REVERTS, "0x5f5ffd")
    before = place.balance()
    place.end(running)
    assert place.state(wanted) is S.REVERTED
    receipt = place.journal.receipt(wanted.id)
    assert receipt is not None
    assert before - place.balance() == receipt.cost_wei
    assert [a.kind for a in place.journal.attempts(wanted.id)] == [Kind.EFFECT]
    assert place.balance(REVERTS) == 0
