"""Alerts, proposals, plans and children that are made up."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from executor.journal.tables import intents, metadata
from executor.plan.codec import to_data
from executor.plan.types import Plan
from tests.executor.plan.test_codec import PLAN
from underkeel.config.load import Config, load
from underkeel.config.steer import ActionTable
from underkeel.plans.make import Made
from underkeel.plans.wanted import Wanted
from underkeel.steer.propose import Planner, Proposed
from underkeel.steer.types import Firing, Proposal, Status
from underkeel.steer.worker import Steering
from underkeel.store.store import Store
from underkeel.store.tables import alerts, events, notifications, proposals

OWNER = str(PLAN.wallet)
OTHER = "0x1111111111111111111111111111111111111111"
NOW = 1_800_000_000.0
SECRET = "0123456789abcdef-key"
ALLOWED = ({"step": "1", "rule": "policy", "ok": True, "text": "counts 5 USD"},)
REFUSED = ({"step": "1", "rule": "tx-usd", "ok": False, "text": "tx-usd: $9.50 of $5; raise it"},)

CONFIG = f"""version = 1
mode = "MODE"
[chains.demo]
chain_id = 1
rpc = ["http://127.0.0.1:1/{SECRET}"]
[channels.ops]
apprise = "env:NOWHERE"
[channels.night]
apprise = "env:NOWHERE"
[wallets.ops]
address = "{OWNER}"
SIGNER
[wallets.watched]
address = "{OTHER}"
[policy.ops]
max_tx_usd = 500
max_day_usd = 1_000
max_fee_gwei = 100
allow = []
[[alert]]
id = "hf-low"
expr = "health_factor"
levels = [{{ severity = "warning", fire_below = 1.5 }}]
notify = {{ warning = ["ops"], critical = ["ops", "night"] }}
action = {{ plan = "repay", restore_to = 1.8, mode = "ACTION", max_per_hour = 4 }}
"""
SIGNER = 'signer = { kind = "env", name = "NO_KEY" }'

CHILD = """
import sys, time
from pathlib import Path
folder = Path(__file__).parent
with (folder / "asked").open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
while not (go := folder / "go").exists():
    time.sleep(0.005)
code, out, err = go.read_text().split("|")
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(int(code))
"""
"""Stands for `underkeel execute`: ends as the file `go` beside it says."""


def config(folder: Path, *, mode: str = "live", action: str = "execute", more: str = "") -> Config:
    """Write and read a config; `mode` and `action` are what a rule may do by itself."""
    text = CONFIG.replace("MODE", mode).replace("ACTION", action).replace("SIGNER", SIGNER)
    path = folder / "underkeel.toml"
    path.write_text(text + more)
    return load(path, {})


def plan(**changed: Any) -> Plan:
    """Return a plan that is good for ten minutes."""
    return replace(PLAN, expires_at=int(NOW) + 600, **changed)


@dataclass(frozen=True, slots=True)
class Planned(Planner):
    """Plans without a chain: what it is given, one after the other, the last one for ever."""

    answers: list[Proposed] = field(default_factory=list)
    asked: list[Wanted] = field(default_factory=list)

    policy_asked: list[bool] = field(default_factory=list)

    def propose(self, asked: Wanted, *, ask: bool = True) -> Proposed:
        """Return the next answer."""
        self.asked.append(asked)
        self.policy_asked.append(ask)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def proposed(found: Plan, verdicts: tuple[Any, ...] = ALLOWED) -> Proposed:
    """Return what planning says where there is a plan."""
    document = {"schema": "underkeel.plan/1", "hash": found.hash, "plan": to_data(found)}
    return Proposed(Made(found, "demo", None), "", document, Path("/plans/x.json"), verdicts)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """A store, a config and what steers by them."""

    folder: Path
    config: Config
    store: Store
    clock: Clock
    planner: Planned
    steering: Steering

    @classmethod
    def open(cls, folder: Path, *answers: Proposed, **kind: str) -> Desk:
        """Begin anew in a folder."""
        found = config(folder, **kind)
        clock = Clock()
        store = Store.open(
            f"sqlite:///{folder / 'db.sqlite'}", mode=found.settings.mode, chains={"demo": 1},
            clock=clock,
        )  # fmt: skip
        (folder / "child.py").write_text(textwrap.dedent(CHILD))
        planner = Planned(
            found,
            extra={"UNDERKEEL_STATE_DIR": str(folder / "state")},
            program=(sys.executable, "-S", "-E", str(folder / "child.py")),
            answers=list(answers) or [proposed(plan())],
        )
        return cls(
            folder,
            found,
            store,
            clock,
            planner,
            Steering(found, store, clock=clock, planner=planner),
        )

    def again(self) -> None:
        """Let another service take over, as after a crash: this one is not told."""
        planner = replace(self.planner)
        self.steering = Steering(self.config, self.store, clock=self.clock, planner=planner)

    def fires(self, key: str = "k1", state: str = "firing", **labels: str) -> None:
        """Set an alert's state."""
        labels = {"chain": "demo", "wallet": "ops", "position": "p", **labels}
        with self.store.writing() as db:
            done = db.execute(update(alerts).where(alerts.c.key == key).values(state=state))
            if done.rowcount:
                return
            db.execute(
                insert(alerts).values(
                    key=key, rule="hf-low", chain="demo", metric="health_factor", labels=labels,
                    state=state, severity="warning", title="t", value=1, cause="", note="",
                    since=NOW, changed_at=NOW, acked_by="", silenced="", inhibited="", body="",
                )
            )  # fmt: skip

    def go(self, code: int, out: str = "", err: str = "") -> None:
        """Let children end."""
        (self.folder / "go").write_text(f"{code}|{out}|{err}")

    def ends(self) -> None:
        """Wait for the child that runs, and look."""
        for child in list(self.steering._children.values()):
            assert child.wait(20)
        self.steering.turn()

    def started(self) -> list[str]:
        """Return the command lines of children so far."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def journal(self, *states: str, of: Plan | None = None) -> None:
        """Let the journal know of the plan's steps."""
        whole = of or plan()
        metadata.create_all(self.store.engine)
        with self.store.writing() as db:
            for step, state in enumerate(states):
                id_ = whole.hash[:-2] + f"{step:02d}"
                db.execute(intents.delete().where(intents.c.id == id_))
                db.execute(insert(intents).values(**row_of(id_, whole.hash, step, state)))

    def rows(self) -> list[tuple[str, str]]:
        """Return status and cause of every proposal."""
        with self.store.reading() as db:
            query = select(proposals.c.status, proposals.c.cause).order_by(proposals.c.id)
            return [(row.status, row.cause) for row in db.execute(query)]

    def statuses(self) -> list[str]:
        """Return the status of every proposal."""
        return [status for status, _ in self.rows()]

    def messages(self) -> list[Any]:
        """Return what the channels are to be told."""
        with self.store.reading() as db:
            return list(db.execute(select(notifications).order_by(notifications.c.seq)))

    def said(self) -> list[str]:
        """Return the texts of all events."""
        with self.store.reading() as db:
            return list(db.execute(select(events.c.text).order_by(events.c.id)).scalars())


def row_of(id_: str, plan_hash: str, step: int, state: str) -> dict[str, Any]:
    """Return a row of the journal."""
    return {
        "id": id_, "chain_id": 1, "wallet": OWNER, "account": OWNER, "plan": plan_hash,
        "step": step, "body": "{}", "fee_cap_abs": 1, "state": state, "version": 1,
        "reason": "", "recorded_at": 1, "changed_at": 1,
        "nonce": step if state in ("nonced", "signed", "broadcast", "cancelling") else None,
    }  # fmt: skip


def firing(key: str = "k1", *, known: bool = True, wallet: str = "ops", **action: Any) -> Firing:
    """Return an alert with an action."""
    given = {"plan": "repay", "restore_to": 1.8, "mode": "execute", **action}
    severity = given.pop("severity", "warning")
    value = given.pop("value", 1.0)
    return Firing(
        key, "hf-low", severity, {"chain": "demo", "wallet": wallet},
        ActionTable.model_validate(given), known, wallet, value,
    )  # fmt: skip


def proposal(number: int = 1, **changed: Any) -> Proposal:
    """Return a proposal for the alert k1."""
    found = Proposal(
        id=number, at=NOW, changed_at=NOW, expires_at=NOW + 600, plan="0x1", name="repay",
        alert="k1", rule="hf-low", chain="demo", wallet="ops", account="ops", position="p",
        mode="execute", status=Status.PROPOSED, cause="",
    )  # fmt: skip
    return replace(found, **changed)


def lease(db: Connection, until: float) -> None:
    """Let some process have the right to act for the wallet."""
    from executor.journal.tables import wallets

    db.execute(
        insert(wallets).values(
            chain_id=1, address=OWNER, epoch=1, holder="x", until=int(until), whole=True, commits=0
        )
    )
