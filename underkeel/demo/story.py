"""The demo's story: read, crash, read again, tell what changed, and prove it."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, Literal, cast

from chain.types import Address
from executor.plan.types import PositionView
from risk.liquidation import seizure
from risk.liquidation.engine import Seizure
from risk.types import Assessment, Status
from underkeel.config.load import Config, load
from underkeel.demo.rescue import Rescue, rescue
from underkeel.demo.stage import ANVIL, CRASHED, Stage, config_text, crash, price_of, prove
from underkeel.documents import models
from underkeel.documents.build import risk_document
from underkeel.documents.scenario import health_part, liquidator_part
from underkeel.portfolio import Portfolio, read_portfolio
from underkeel.valuation import profit

CONFIG_NAME: Final = "underkeel.toml"
LEAST_CHANGE_USD: Final = 0.01


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
    rescue: Rescue | None
    """None on a node that can neither simulate nor delegate."""

    def document(self) -> models.DemoDocument:
        """Return `underkeel.demo/1`."""
        now = time.time()
        return models.DemoDocument(
            schema="underkeel.demo/1",
            node=cast(Literal["anvil", "eth-tester"], self.stage.node_kind),
            shock=self.shock,
            before=risk_document(self.before, now),
            after=risk_document(self.after, now),
            changes=[_change(change) for change in self.changes],
            rescue=None if self.rescue is None else _rescue(self.rescue, now),
        )


def tell(stage: Stage, folder: Path, say: Callable[[str], None], *, guards: bool = True) -> Story:
    """Run the story on a stage, through a config in `folder` and the ordinary reading path.

    With `guards` the fall is undone and played again, and the chain is left after that.
    """
    path = folder / CONFIG_NAME
    path.write_text(config_text(stage), encoding="utf-8")
    config = load(path, environ={})
    accounts = tuple(Address(owner) for owner in stage.owners.values())
    say("reading every position")
    before = read_portfolio(config, accounts, cache=folder)
    node = stage.world.node
    again = guards and stage.node_kind == ANVIL
    with node.rollback() if again else nullcontext():
        say("crashing a price")
        shock = crash(stage)
        bottom = price_of(stage, CRASHED)
        say("reading again")
        after = read_portfolio(config, accounts, cache=folder)
        if stage.node_kind == ANVIL:
            say("liquidating for real, and undoing it")
        changes = _changes(stage, before, after)
    saved = None
    if again:
        say("once more, with guards")
        saved = rescue(stage, folder, CONFIG_NAME, partial(crash, stage), bottom, say)
    return Story(stage, config, before, shock, after, changes, saved)


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


def _rescue(told: Rescue, now: float) -> models.DemoRescue:
    return models.DemoRescue(
        warning=told.warning,
        saved=[
            models.DemoSaved(
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


def _change(changed: Changed) -> models.Change:
    return models.Change(
        id=changed.after.position.id,
        before=health_part(changed.before.liquidation),
        after=health_part(changed.after.liquidation),
        becomes_liquidatable=changed.becomes_liquidatable,
        equity_before_usd=changed.before.equity_usd,
        equity_after_usd=changed.after.equity_usd,
        liquidator=liquidator_part(changed.seizure, changed.profit_usd),
        proof=changed.proof,
    )
