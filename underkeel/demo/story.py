"""The demo's story: read, crash, read again, tell what changed, and prove it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from chain.types import Address
from risk.liquidation import seizure
from risk.liquidation.engine import Seizure
from risk.types import Assessment, Status
from underkeel.config.load import Config, load
from underkeel.demo.stage import ANVIL, Stage, config_text, crash, prove
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
        )


def tell(stage: Stage, folder: Path, say: Callable[[str], None]) -> Story:
    """Run the story on a stage, through a config in `folder` and the ordinary reading path."""
    path = folder / CONFIG_NAME
    path.write_text(config_text(stage), encoding="utf-8")
    config = load(path, environ={})
    accounts = tuple(Address(owner) for owner in stage.owners.values())
    say("reading every position")
    before = read_portfolio(config, accounts, cache=folder)
    say("crashing a price")
    shock = crash(stage)
    say("reading again")
    after = read_portfolio(config, accounts, cache=folder)
    if stage.node_kind == ANVIL:
        say("liquidating for real, and undoing it")
    return Story(stage, config, before, shock, after, _changes(stage, before, after))


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
