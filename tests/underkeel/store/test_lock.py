"""One service per database: takeover, fencing, jumping clocks, and real processes."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.fixtures_store import StoreClock
from underkeel.store import documents
from underkeel.store.errors import LockLost
from underkeel.store.lock import TTL_S, Lock, alive, holder, identity
from underkeel.store.store import Store

HOLD = """
import sys
from underkeel.store import documents
from underkeel.store.lock import Lock
from underkeel.store.store import Store
store = Store.open(sys.argv[1], mode="dry-run", chains={})
lock = Lock(store)
print("taken" if lock.take() is None else "held", flush=True)
for line in sys.stdin:
    with store.writing() as db:
        lock.check(db)
        documents.put(db, "risk", "ethereum", "{}", at=0)
        if line == "inside\\n":
            print("inside", flush=True)
            sys.stdin.readline()
    print("written", flush=True)
"""


@dataclass
class Ticks:
    """A monotonic clock."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def lock_of(store: Store, who: str, ticks: Ticks) -> Lock:
    return Lock(store, monotonic=ticks, who=who)


def test_take__free__is_ours_and_the_other_waits(store: Store) -> None:
    ticks = Ticks()
    one, two = lock_of(store, "one", ticks), lock_of(store, "two", ticks)
    assert one.take() is None
    held = two.take()
    assert held is not None
    assert (held.holder, held.epoch) == ("one", 1)


def test_take__given_back__is_free_at_once(store: Store) -> None:
    ticks = Ticks()
    one, two = lock_of(store, "one", ticks), lock_of(store, "two", ticks)
    one.take()
    one.release()
    with store.reading() as db:
        assert holder(db) is None
    assert two.take() is None
    assert two.epoch == 2


def test_take__holder_is_silent__after_the_ttl_and_the_old_one_writes_no_more(
    store: Store,
) -> None:
    ticks = Ticks()
    one, two = lock_of(store, "one", ticks), lock_of(store, "two", ticks)
    one.take()
    assert two.take() is not None
    ticks.now += TTL_S - 1
    assert two.take() is not None
    ticks.now += 1
    assert two.take() is None

    def late() -> None:
        with store.writing() as db:
            documents.put(db, "risk", "ethereum", "{}", at=0)
            one.check(db)

    with pytest.raises(LockLost, match="another monitor service has taken over") as lost:
        late()
    assert lost.value.holder == "two"
    with store.reading() as db:
        assert documents.get(db, "risk", "ethereum") is None
    one.release()  # of an epoch that is over: nothing
    two.renew()


def test_take__holder_renews_now_and_then__never(store: Store) -> None:
    ticks = Ticks()
    one, two = lock_of(store, "one", ticks), lock_of(store, "two", ticks)
    one.take()
    for _ in range(10):
        ticks.now += TTL_S - 1
        assert two.take() is not None
        one.renew()


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["back", "forward"])
def test_take__wall_clock_jumps__changes_nothing(
    store: Store, store_clock: StoreClock, jump: float
) -> None:
    ticks = Ticks()
    one, two = lock_of(store, "one", ticks), lock_of(store, "two", ticks)
    one.take()
    assert two.take() is not None
    store_clock.now += jump
    assert two.take() is not None
    one.renew()
    ticks.now += 1
    assert two.take() is not None
    ticks.now += TTL_S
    assert two.take() is None


def test_take__again_by_the_holder__a_new_epoch_needs_the_old_one_over(store: Store) -> None:
    lock = lock_of(store, "one", Ticks())
    assert lock.take() is None
    assert lock.take() is None
    assert lock.epoch == 1


def test_take__holder_died_on_this_machine__at_once(store: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = identity(child.pid)
    assert alive(who) is True
    lock_of(store, who, Ticks()).take()
    two = lock_of(store, identity(), Ticks())
    assert two.take() is not None
    child.kill()
    child.communicate()
    assert alive(who) is False
    assert two.take() is None


def test_alive__of_another_machine_or_older_boot__is_not_known() -> None:
    host, pid, *rest = identity().split(":")
    assert alive(f"other:{pid}:{':'.join(rest)}") is None
    assert alive(f"{host}:{pid}:another-boot") is None
    assert alive("") is None
    assert alive("a:b:c") is None


@pytest.mark.parametrize("where", ["between", "inside"])
def test_holder__stopped_and_woken__writes_nothing_after_a_takeover(
    store: Store, store_url: str, where: str
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "taken\n"
        if where == "inside":
            child.stdin.write("inside\n")
            child.stdin.flush()
            assert child.stdout.readline() == "inside\n"
            # its transaction is open, so nobody else can take over: what it writes is valid
            child.stdin.write("go on\n")
            child.stdin.flush()
            assert child.stdout.readline() == "written\n"
        os.kill(child.pid, signal.SIGSTOP)
        ticks = Ticks()
        lock = lock_of(store, "two", ticks)
        assert lock.take() is not None
        ticks.now += TTL_S
        assert lock.take() is None
        os.kill(child.pid, signal.SIGCONT)
        _, said = child.communicate("write\n", timeout=60)
        assert child.returncode == 1
        assert "LockLost" in said
    finally:
        child.kill()
        child.communicate()
    with store.reading() as db:
        found = documents.get(db, "risk", "ethereum")
        now = holder(db)
    assert (found is None) is (where == "between")
    assert now is not None
    assert now.holder == "two"
