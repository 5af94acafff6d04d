"""The demo's tables: before, the crash, after, and what was steered away."""

from collections.abc import Iterator
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from executor.plan.types import PositionView
from risk.types import Status
from underkeel.cli import format as fmt
from underkeel.cli.tables import name_of, risk_report, take_text, verdict
from underkeel.demo.rescue import Rescue
from underkeel.demo.story import Story
from underkeel.demo.timeline import MARKS, Entry

STYLES: Final = {"critical": "bold red", "warning": "yellow"}
OVER: Final = ("over", "RESOLVED", "carried out", "mined", "done")
"""Good news, whatever the severity of what they end."""


def entry_line(entry: Entry) -> RenderableType:
    """Return one entry of the timeline: when, what kind, block, words."""
    line = Table.grid(padding=(0, 1))
    line.add_column(width=7, justify="right")
    line.add_column(width=13, no_wrap=True)
    line.add_column(ratio=1, overflow="fold")
    good = any(word in entry.text for word in OVER) or entry.kind == "transaction"
    style = "green" if good else STYLES.get(entry.severity, "")
    block = "" if entry.block is None else f"block {entry.block:,}: "
    mark = MARKS.get(entry.kind, "·")
    line.add_row(
        Text(f"{entry.t:.1f} s" if entry.t < 999 else f"{entry.t:.0f} s", style="dim"),
        Text(f"{mark} {entry.kind}", style=style),
        Text().append(block, style="dim").append(entry.text, style=style),
    )
    return line


def story_report(story: Story) -> RenderableType:
    """Return the positions before, the crash, and what it did."""
    zone = story.config.settings.timezone
    return Group(
        Text("Before", style="bold underline"),
        risk_report(story.before, zone),
        Text(""),
        Text("The crash", style="bold underline").append(
            f"  {story.shock}", style="not bold not underline"
        ),
        changes_table(story),
        Text("After", style="bold underline"),
        risk_report(story.after, zone),
    )


def rescue_report(told: Rescue) -> RenderableType:
    """Return what the service did, and how all in danger end."""
    return Group(*_rescue_part(told))


def _rescue_part(told: Rescue) -> Iterator[RenderableType]:
    yield Text("")
    yield Text("What was steered away", style="bold underline")
    yield Text(f"At {told.warning} the guarded positions were rescued. Then {told.crash}.")
    yield rescue_table(told)


def rescue_table(told: Rescue) -> Table:
    """Return what was done about each position, and how all in danger stand at the bottom."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), pad_edge=False)
    table.add_column("Position", ratio=5)
    table.add_column("Done, in one transaction", ratio=10)
    table.add_column("Health", ratio=7)
    table.add_column("At the bottom", ratio=5)
    for saved in told.saved:
        cost = saved.plan.cost.total_usd
        done = Text(f"{saved.plan.what}, by the guard as a {saved.guarded.form}")
        done.append(f"\n{saved.hash}\ncosts {cost or '?'} USD, gas and swap", style="dim")
        before, after = (_health(view) for view in (saved.before, saved.after))
        end = verdict(saved.end) if saved.end is not None else Text("unknown")
        table.add_row(saved.after.market, done, f"{before} → {after}", end)
    saved_ids = {saved.after.id for saved in told.saved}
    for left in told.end.assessments:
        if left.liquidation.status is Status.LIQUIDATABLE and left.position.id not in saved_ids:
            nothing = Text("nothing: it has no guard", style="dim")
            health = fmt.health(left.liquidation)
            table.add_row(left.position.market, nothing, health, verdict(left))
    return table


def _health(view: PositionView) -> str:
    if view.health_raw is None:
        return "–"
    units = view.health_raw * 10_000 // view.health_scale
    return f"{units // 10_000:,}.{units % 10_000:04d}"


def changes_table(story: Story) -> Table:
    """Return what the crash changed, and what a liquidator would take."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), pad_edge=False)
    table.add_column("Position", ratio=6)
    table.add_column("Before → after", ratio=6)
    table.add_column("Now", ratio=5)
    table.add_column("A liquidator would take", ratio=9)
    for changed in story.changes:
        before, after = changed.before.liquidation, changed.after.liquidation
        if after.health_raw is None:
            move = f"{fmt.usd(changed.before.equity_usd)} → {fmt.usd(changed.after.equity_usd)} USD"
        else:
            move = f"health {fmt.health(before)} → {fmt.health(after)}"
        taken = Text(take_text(changed.after.position, changed.seizure, changed.profit_usd))
        if changed.proof:
            taken.append(f"\n{changed.proof}", style="dim")
        name = name_of(changed.after.position, story.after)
        table.add_row(name, move, verdict(changed.after), taken)
    return table
