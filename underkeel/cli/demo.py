"""`demo`: tell the story, as tables or as one JSON document."""

import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from executor.plan.types import PositionView
from risk.types import Status
from underkeel.cli import format as fmt
from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document
from underkeel.cli.tables import name_of, risk_report, take_text, verdict
from underkeel.demo.rescue import Rescue
from underkeel.demo.stage import ANVIL, open_stage
from underkeel.demo.story import Story, tell
from underkeel.errors import Exit


def run_demo(options: Globals, *, port: int | None, keep: bool, once: bool) -> Exit:
    """Run the demo; without `once` the chain stays up until Enter or Ctrl-C."""
    err = console(options, stderr=True)

    def say(what: str) -> None:
        if not options.quiet:
            err.print(Text(f"demo: {what}", style="dim"))

    with _terminable(), _folder(keep) as folder:
        say("starting a local chain with the real protocols")
        with open_stage(port) as stage:
            if stage.node_kind != ANVIL:
                say("there is no anvil for this machine: running in the in-process EVM instead")
            say(f"{stage.node_kind} at {stage.url}, chain id {stage.chain_id}")
            story = tell(stage, folder, say)
            if options.json:
                print_document(story.document())
            else:
                console(options).print(story_report(story))
            if keep and stage.node_kind == ANVIL:
                pid = stage.detach()
                _invite(err, story)
                err.print(Text(f"The chain stays up as process {pid}; end it with: kill {pid}"))
            elif not once:
                _wait(options, lambda: _invite(err, story))
    return Exit.OK


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
        *(_rescue_part(story.rescue) if story.rescue is not None else ()),
    )


def _rescue_part(told: Rescue) -> Iterator[RenderableType]:
    yield Text("")
    yield Text("Once more, with guards", style="bold underline")
    yield Text(f"First {told.warning}: the guarded positions are steered away. Then {told.crash}.")
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


def _invite(screen: Console, story: Story) -> None:
    """Print a command that asks the chain: on one line, however narrow, to be copied as it is."""
    command = [program(), "risk", "--shock", "ETH=-10%", "--config", str(story.config.path)]
    screen.print("Ask it yourself:")
    screen.print(Text(f"  {shlex.join(command)}", style="bold"), soft_wrap=True)


def program() -> str:
    """Return what to type for this program: its name, or its path where that finds another."""
    called = Path(sys.argv[0]).absolute()
    found = shutil.which("underkeel")
    if called.name != "underkeel" or (found and Path(found).samefile(called)):
        return "underkeel"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)


def _wait(options: Globals, invite: Callable[[], None]) -> None:
    """Wait for Enter on a terminal, for Ctrl-C or a termination without one."""
    try:
        invite()
        if options.may_ask:
            print("Enter ends the chain. ", end="", file=sys.stderr, flush=True)
            sys.stdin.readline()
        else:
            print("The chain stays up; Ctrl-C, or a termination, ends it.", file=sys.stderr)
            signal.pause()
    except KeyboardInterrupt:
        print(file=sys.stderr)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a termination end the chain as Ctrl-C does, instead of leaving it behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    """Yield a folder for the demo's config; one that stays if the chain does."""
    if keep:
        yield Path(tempfile.mkdtemp(prefix="underkeel-demo-"))
        return
    with tempfile.TemporaryDirectory(prefix="underkeel-demo-") as folder:
        yield Path(folder)
