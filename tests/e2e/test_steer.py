"""From an alert to restored health on the world: plan, policy, a child process, the chain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from world.actors import aave, feeds

from executor.journal.tables import wallets
from tests.e2e.test_execute import MARKET, POLICY, WALLET, Desk, desk, indebted
from underkeel.config.load import load
from underkeel.steer import rows
from underkeel.steer.child import Files
from underkeel.steer.propose import Planner
from underkeel.steer.types import OPEN, Proposal
from underkeel.steer.worker import Steering
from underkeel.store.open import open_store
from underkeel.store.store import Store
from underkeel.store.tables import alerts, events, notifications, service_lock

pytestmark = pytest.mark.world
__all__ = ["desk", "indebted"]

ROOT = Path(__file__).resolve().parents[2]

RULE = """
[channels.ops]
apprise = "env:NOWHERE"
[[alert]]
id = "hf-low"
expr = "health_factor"
match = { wallet = "ops" }
levels = [{ severity = "critical", fire_below = 1.50, clear_above = 1.60 }]
action = { plan = "repay", restore_to = 1.80, mode = "execute" }
"""


@dataclass
class Wheel:
    """A desk with an alert that fires, and what steers by it; the clock is the chain's."""

    desk: Desk
    store: Store
    steering: Steering

    @classmethod
    def of(cls, desk: Desk, policy: str = POLICY, mode: str = "live") -> Wheel:
        config = load(desk.config(policy=policy + RULE, mode=mode))
        node = desk.world.node

        def clock() -> float:
            return float(
                int(node.rpc.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
            )

        store = open_store(config, clock=clock)
        planner = Planner(config, cache=desk.folder / "cache")
        return cls(desk, store, Steering(config, store, clock=clock, planner=planner))

    def fires(self) -> None:
        with self.store.writing() as db:
            db.execute(
                insert(alerts).values(
                    key="k1", rule="hf-low", chain="demo", metric="health_factor",
                    labels={"chain": "demo", "wallet": "ops", "protocol": "aave-v3"},
                    state="firing", severity="critical", title="t", value=1, cause="", note="",
                    since=1, changed_at=1, acked_by="", silenced="", inhibited="", body="",
                )
            )  # fmt: skip

    def row(self) -> Proposal:
        with self.store.reading() as db:
            (found,) = rows.current(db, 0)
            return found

    def until(self, *wanted: str) -> Proposal:
        """Turn until the proposal is there."""
        stop = time.monotonic() + 60
        while (found := self.row()).status not in wanted:
            assert time.monotonic() < stop, found
            for child in self.steering._children.values():
                child.wait(0.1)
            self.steering.turn()
        return found


@pytest.fixture
def opened() -> Iterator[list[Wheel]]:
    wheels: list[Wheel] = []
    yield wheels
    for wheel in wheels:
        wheel.steering.stop(0, 0)
        wheel.store.close()


def health(desk: Desk) -> int:
    return int(aave.pool(desk.world, MARKET).call("getUserAccountData", WALLET)[5])


@contextmanager
def service(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the monitor in a process of its own; it is killed in the end."""
    with path.with_name("service.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "underkeel", "--config", str(path), "run"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def test_steer__service_killed_while_its_child_acts__the_next_takes_it_up_and_it_is_done_once(
    desk: Desk,
) -> None:
    node, before = desk.world.node, desk.nonce()
    node.mine_at(int(time.time()))
    feeds.refresh_feeds(desk.world)
    path = desk.config(policy=POLICY + RULE.replace("env:NOWHERE", "file:channel"))
    (desk.folder / "channel").write_text("json://127.0.0.1:9/")
    store = open_store(load(path))

    def await_row(holds: Callable[[Proposal], bool], process: subprocess.Popen[bytes]) -> Proposal:
        stop = time.monotonic() + 120
        while True:
            with store.reading() as db:
                found = [row for row in rows.current(db, 0) if holds(row)]
            if found:
                return found[0]
            log = desk.folder.joinpath("service.log").read_text()
            assert process.poll() is None, log
            assert time.monotonic() < stop, log
            time.sleep(0.05)

    node.automine(False)
    with service(path) as first:
        await_row(lambda row: row.status == "executing", first)
        while node.rpc.request("txpool_status")["pending"] == "0x0":
            assert first.poll() is None
        first.kill()
        first.wait(20)
    with store.reading() as db:
        (row,) = rows.current(db, 0)
    assert row.status == "executing"
    files = Files.of(desk.folder / "state/plans", f"run-{row.id}")
    assert files.running()  # the child outlived it
    with store.writing() as db:  # as a quarter of a minute of silence does
        db.execute(update(service_lock).values(holder=""))
    with service(path) as second:
        node.automine(True)
        node.mine()
        done = await_row(lambda row: row.status not in OPEN, second)
    assert (done.id, done.status) == (row.id, "done"), done.cause
    assert not files.running()
    assert desk.nonce() == before + 2
    assert health(desk) >= 18 * 10**17
    assert done.ended is not None
    assert {one["end"] for one in done.ended["ended"]} <= {"mined", "done"}
    assert [verdict["ok"] for verdict in done.verdicts] == [True, True]
    with store.reading() as db:
        said = list(db.execute(select(events.c.text).where(events.c.kind == "plan")).scalars())
        (message,) = db.execute(select(notifications).where(notifications.c.state == "plan"))
    assert [text.split(":")[0] for text in said] == [
        "repay proposed", "repay is being carried out", "repay carried out",
    ]  # fmt: skip
    assert message.title == "repay carried out: demo ops"
    assert "→ 1.8" in message.body
    store.close()


def test_steer__dry_run__proposes_and_says_what_the_policy_would_refuse(
    desk: Desk, opened: list[Wheel]
) -> None:
    before = desk.nonce()
    wheel = Wheel.of(desk, POLICY.replace("25_000", "500"), mode="dry-run")
    opened.append(wheel)
    wheel.fires()
    wheel.steering.turn()
    wheel.steering.turn()
    row = wheel.row()
    assert (row.status, row.cause) == ("proposed", 'it is only proposed: mode = "dry-run"')
    assert [verdict["ok"] for verdict in row.verdicts] == [True, False]
    assert "raise policy.ops.max_tx_usd" in row.verdicts[1]["text"]
    words = row.command.split()
    assert words[:2] == ["underkeel", "execute"]
    path = Path(words[2])
    assert path.parent.stat().st_mode & 0o077 == 0
    ran = desk.run("execute", path)
    assert ran.code == 6, ran.out + ran.err
    assert desk.nonce() == before


def test_steer__child_killed_after_it_sent__unknown_and_done_when_carried_on(
    desk: Desk, opened: list[Wheel]
) -> None:
    before = desk.nonce()
    node = desk.world.node
    wheel = Wheel.of(desk)
    opened.append(wheel)
    wheel.fires()
    wheel.steering.turn()
    node.automine(False)
    wheel.until("executing")
    while node.rpc.request("txpool_status")["pending"] == "0x0":
        (child,) = wheel.steering._children.values()
        assert child.code is None
    child.process.kill()
    assert child.wait(20)
    found = wheel.until("done", "failed", "refused", "unknown")
    assert found.status == "unknown", found.cause
    wheel.steering.turn()
    assert wheel.row().status == "unknown"  # never tried again by itself
    node.automine(True)
    node.mine()
    path = desk.folder / "state/plans" / f"{(found.plan or '')[2:18]}.json"
    with wheel.store.writing() as db:  # as a minute does
        db.execute(update(wallets).values(until=0))
    ran = desk.run("execute", path, "--execute", "--yes", "--json")
    assert ran.code == 0, ran.out + ran.err
    wheel.steering.turn()
    assert wheel.row().status == "done"
    assert desk.nonce() == before + 2
    assert json.loads(path.read_text())["hash"] == found.plan
