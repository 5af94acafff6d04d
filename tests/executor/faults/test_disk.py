"""Fault 13: a full disk, a torn log, a journal from a backup."""

import pytest

from executor.types import State
from tests.executor.faults.place import Place

pytestmark = pytest.mark.world
S = State


def test_fault_13__disk_full__refuses_to_sign_and_goes_on_when_there_is_room(place: Place) -> None:
    """Invariant: what is not on disk is not sent."""
    wanted = place.intent(7)
    full = place.start(file_limit=4096)
    for _ in range(3):
        if full.process.is_alive() and full.error is None:
            full.tick()
        place.node.mine()
    full.kill()
    assert place.state(wanted) is S.APPROVED
    assert (place.signed(), place.nonce()) == ([], 0)
    room = (place.folder / "journal.sqlite-wal").stat().st_size
    for extra in range(4096, 60_000, 12_288):  # full at later and later commits
        running = place.start(file_limit=room + extra)
        running.tick()
        running.kill()
        recorded = {a.hash for a in place.journal.attempts(wanted.id)}
        place.node.mine()
        assert {tx["hash"] for tx in place.transactions()} <= recorded
    place.end()
    assert (place.state(wanted), place.effects(wanted)) == (S.DONE, 1)


@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_fault_13__torn_log__refuses_to_sign_until_reconciled(place: Place, part: float) -> None:
    """Invariant: a journal behind its mark signs no effect before all is accounted for."""
    running = place.start()
    done = place.intent(7)
    running.tick()
    place.node.mine(4)
    running.tick()
    flying = place.intent(8)
    running.tick()
    running.kill()
    log = place.folder / "journal.sqlite-wal"
    content = log.read_bytes()
    place.journal.close()
    log.write_bytes(content[: int(len(content) * part)])
    (place.folder / "journal.sqlite-shm").unlink(missing_ok=True)
    place.reopen()
    for intent in (done, flying):  # whoever plans finds them missing and records them again
        if place.journal.intent(intent.id) is None:
            place.journal.record(intent)
    reconciled(place)
    assert (place.effects(done), place.effects(flying)) == (1, 1)
    assert (place.state(done), place.state(flying)) == (S.DONE, S.DONE)


@pytest.mark.parametrize("flies", [False, True], ids=["mined", "in flight"])
def test_fault_13__restored_from_a_backup__refuses_to_sign_until_reconciled(
    place: Place, flies: bool
) -> None:
    """Invariant: the same, for what was signed since the backup, mined or not."""
    first, second = place.intent(7), place.intent(8)
    place.start().kill()
    copy = place.backup()
    running = place.start()
    running.tick()
    if not flies:
        place.node.mine()
        running.tick()
    running.kill()
    place.restore(copy)
    reconciled(place)
    assert (place.effects(first), place.effects(second)) == (1, 1)
    assert (place.state(first), place.state(second)) == (S.DONE, S.DONE)


def reconciled(place: Place) -> None:
    """Run to the end; no effect is signed while the journal is not whole."""
    known = place.journal.known(place.node.chain_id, place.wallet)
    assert not known.whole
    running = place.start()
    for _ in range(30):
        before = len([line for line in place.signed() if line.effect])
        whole = place.journal.known(place.node.chain_id, place.wallet).whole
        running.tick()
        now = place.journal.known(place.node.chain_id, place.wallet).whole
        if not (whole or now):
            assert len([line for line in place.signed() if line.effect]) == before
        if not place.open():
            break
        place.node.mine()
    assert not place.open(), [(i.state, i.reason) for i in place.open()]
    running.kill()
    known = place.reopen().known(place.node.chain_id, place.wallet)
    assert known.whole, "one reconciliation is enough"
