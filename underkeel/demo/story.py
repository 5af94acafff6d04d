"""The demo's story: read, crash, read again, tell what changed, and prove it."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, Literal, cast

from chain.client import ChainSpec, Client, connect
from chain.types import Address
from executor.plan.types import PositionView
from risk.liquidation import seizure
from risk.liquidation.engine import Seizure
from risk.types import Assessment, Status
from underkeel.config.load import Config, load
from underkeel.demo.rescue import Rescue
from underkeel.demo.stage import ANVIL, CRASHED, Stage, config_text, crash, price_of, prove
from underkeel.demo.timeline import Entry
from underkeel.documents.build import risk_document
from underkeel.documents.demo import Change, DemoDocument, DemoEntry, DemoRescue, DemoSaved
from underkeel.documents.scenario import health_part, liquidator_part
from underkeel.portfolio import Portfolio, read_portfolio
from underkeel.valuation import profit

CONFIG_NAME: Final = "underkeel.toml"
LEAST_CHANGE_USD: Final = 0.01
SLOW_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Changed:
    """One position before and after the crash."""

    before: Assessment
    after: Assessment
    seizure: Seizure | None
    profit_usd: float | None
    proof: str | None

    @property
    def becomes_liquidatable(self) -> bool:
        """Return whether the crash pushed it over the edge."""
        taken = Status.LIQUIDATABLE
        return (
            self.after.liquidation.status is taken and self.before.liquidation.status is not taken
        )


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the demo has to tell."""

    stage: Stage
    config: Config
    before: Portfolio
    shock: str
    after: Portfolio
    changes: tuple[Changed, ...]
    bottom: float
    """The price that the crash ends at."""

    def document(self, told: "Told | None") -> DemoDocument:
        """Return `underkeel.demo/2`."""
        now = time.time()
        return DemoDocument(
            schema="underkeel.demo/2",
            node=cast(Literal["anvil", "eth-tester"], self.stage.node_kind),
            shock=self.shock,
            before=risk_document(self.before, now),
            after=risk_document(self.after, now),
            changes=[_change(change) for change in self.changes],
            rescue=None if told is None else _rescue(told.rescue, now),
            dashboard=None if told is None else told.url,
            receipts=None if told is None else told.receipts,
            timeline=[] if told is None else [_entry(entry) for entry in told.entries],
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What the live part has to tell."""

    rescue: Rescue
    url: str
    """Where the pages were."""
    receipts: int
    """Signed messages that the demo's own receiver took."""
    entries: tuple[Entry, ...]


def tell(stage: Stage, folder: Path, say: Callable[[str], None]) -> Story:
    """Run the story on a stage, through a config in `folder` and the ordinary reading path.

    Where the node can undo, the fall is undone.
    """
    path = folder / CONFIG_NAME
    path.write_text(config_text(stage), encoding="utf-8")
    config = load(path, environ={})
    accounts = tuple(Address(owner) for owner in stage.owners.values())
    undone = stage.node_kind == ANVIL
    read = partial(
        read_portfolio, config, accounts, opener=connect if undone else _patient,
        cache=folder / "cache",
    )  # fmt: skip
    say("reading every position")
    before = read()
    with stage.world.node.rollback() if undone else nullcontext():
        say("crashing a price")
        shock = crash(stage)
        bottom = price_of(stage, CRASHED)
        say("reading again")
        after = read()
        if undone:
            say("liquidating for real, and undoing it")
        changes = _changes(stage, before, after)
    return Story(stage, config, before, shock, after, changes, bottom)


def _patient(spec: ChainSpec) -> Client:
    """Connect to the in-process EVM: it takes seconds for what a node does in milliseconds."""
    return connect(replace(spec, timeout_s=SLOW_S))


def _changes(stage: Stage, before: Portfolio, after: Portfolio) -> tuple[Changed, ...]:
    was = {a.position.id: a for a in before.assessments}
    changes: list[Changed] = []
    (chain,) = after.chains
    valuation = chain.valuation
    for now in chain.positions:
        then = was.get(now.position.id)
        if then is None or not _differs(then, now):
            continue
        taken = seizure(now.position)
        gain, proof = None, None
        if taken is not None and valuation is not None:
            gain = profit(now.position, taken, valuation)
            proof = prove(stage, now.position, taken)
        changes.append(Changed(then, now, taken, gain, proof))
    return tuple(changes)


def _differs(then: Assessment, now: Assessment) -> bool:
    a, b = then.liquidation, now.liquidation
    if (a.status, a.health_raw) != (b.status, b.health_raw):
        return True
    if then.equity_usd is None or now.equity_usd is None:
        return then.equity_usd is not now.equity_usd
    return abs(then.equity_usd - now.equity_usd) >= LEAST_CHANGE_USD  # not a second's interest


def _rescue(told: Rescue, now: float) -> DemoRescue:
    return DemoRescue(
        warning=told.warning,
        saved=[
            DemoSaved(
                id=one.after.id,
                form=cast(Literal["delegate", "module"], one.guarded.form),
                guard=one.guarded.guard,
                plan=one.plan.hash,
                what=one.plan.what,
                transaction=one.hash,
                health_before=_health(one.before),
                health_after=_health(one.after),
                health_end=None if one.end is None else health_part(one.end.liquidation),
                cost_usd=one.plan.cost.total_usd,
            )
            for one in told.saved
        ],
        crash=told.crash,
        end=risk_document(told.end, now),
    )


def _health(view: PositionView) -> str | None:
    if view.health_raw is None:
        return None
    return str(Decimal(view.health_raw) / view.health_scale)


def _change(changed: Changed) -> Change:
    return Change(
        id=changed.after.position.id,
        before=health_part(changed.before.liquidation),
        after=health_part(changed.after.liquidation),
        becomes_liquidatable=changed.becomes_liquidatable,
        equity_before_usd=changed.before.equity_usd,
        equity_after_usd=changed.after.equity_usd,
        liquidator=liquidator_part(changed.seizure, changed.profit_usd),
        proof=changed.proof,
    )


def _entry(entry: Entry) -> DemoEntry:
    return DemoEntry(
        t=entry.t,
        kind=entry.kind,
        text=entry.text,
        block=None if entry.block is None else str(entry.block),
        severity=entry.severity or None,
        alert=entry.alert or None,
        transaction=entry.transaction,
    )
