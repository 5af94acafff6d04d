"""`demo`: tell the story, live, as tables or as one JSON document."""

import contextlib
import select
import shlex
import shutil
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console
from rich.text import Text

from underkeel.cli.demo_tables import entry_line, rescue_report, story_report
from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document
from underkeel.demo.live import Live, open_live, play
from underkeel.demo.stage import ANVIL, Stage, open_stage
from underkeel.demo.story import Story, Told, tell
from underkeel.demo.timeline import Entry, Timeline
from underkeel.errors import Exit

STEP_S: Final = 3.0
"""Between two moves of the price while people look."""
LEFT_OUT: Final = (
    "left out there: real liquidations, guards, alerts and the dashboard; they need anvil"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    port: int | None = None
    """Of the dashboard."""
    chain_port: int | None = None
    keep: bool = False
    once: bool = False
    open: bool = False


@dataclass(slots=True)
class Signals:
    """Lets the first Ctrl-C or termination end the demo, and none disturb that."""

    over: bool = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt once."""
        if not self.over:
            self.over = True
            raise KeyboardInterrupt


def run_demo(options: Globals, asked: Asked) -> Exit:
    """Run the demo; without `once` it stays up until Enter or Ctrl-C."""
    err = console(options, stderr=True)
    told_all = False
    try:
        with _terminable() as signals, _folder(asked.keep) as folder, ExitStack() as stack:
            try:
                show = _Show(options, asked, err, stack, folder)
                show.run()
                told_all = True
                show.stay()
            finally:
                signals.over = True  # what was started ends undisturbed
    except KeyboardInterrupt:
        if told_all:
            return Exit.OK
        err.print(Text("demo: stopped; all that it started has ended"))
        return Exit.ERROR
    return Exit.OK


class _Show:
    """One run."""

    def __init__(
        self, options: Globals, asked: Asked, err: Console, stack: ExitStack, folder: Path
    ) -> None:
        self._options = options
        self._asked = asked
        self._err = err
        self._stack = stack
        self._folder = folder
        self._stage: Stage | None = None
        self._story: Story | None = None
        self._live: Live | None = None

    def run(self) -> None:
        """Tell it all."""
        timeline = Timeline(self._hear)
        self._say("starting a local chain with the real protocols")
        stage = self._stage = self._stack.enter_context(open_stage(self._asked.chain_port))
        watched = stage.node_kind == ANVIL
        if not watched:
            self._say("there is no anvil for this machine: running in the in-process EVM instead")
            self._say(LEFT_OUT)
        self._say(f"{stage.node_kind} at {stage.url}, chain id {stage.chain_id}")
        story = self._story = tell(stage, self._folder, self._say)
        screen = console(self._options)
        if not self._options.json:
            screen.print(story_report(story))
        told = self._watched(stage, story, timeline) if watched else None
        if self._options.json:
            print_document(story.document(told))
        elif told is not None:
            screen.print(rescue_report(told.rescue))

    def _watched(self, stage: Stage, story: Story, timeline: Timeline) -> Told:
        """Play the fall once more, with the service watching."""
        if not self._options.json:
            title = Text("\nOnce more, watched", style="bold underline")
            console(self._options).print(title)
        self._say("starting the service, and a receiver for its webhooks")
        seen = self._err.is_terminal and not self._asked.once
        pause = time.sleep if seen else (lambda _s: None)
        opened = open_live(stage, self._folder, timeline, self._asked.port or 0, pause)
        live = self._live = self._stack.enter_context(opened)
        if self._asked.open:
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(live.service.url)
        rescue = play(live, story.bottom)
        received = len(live.receiver.messages)
        return Told(rescue, live.service.url, received, tuple(timeline.entries))

    def stay(self) -> None:
        """Leave things up, for as long as was asked for."""
        assert self._story is not None
        if self._asked.keep and self._live is not None:
            self._keep(self._live)
        elif not self._asked.once:
            self._invite()
            if self._live is not None:
                self._err.print(Text(f"The dashboard stays at {self._live.service.url}"))
            what = "the demo" if self._live is not None else "the chain"
            if self._options.may_ask:
                print(f"Enter ends {what}.", file=sys.stderr, flush=True)
            else:
                print("It stays up; Ctrl-C, or a termination, ends it.", file=sys.stderr)
            self._wait()

    def _keep(self, live: Live) -> None:
        assert self._stage is not None
        pids = (live.service.detach(), self._stage.detach())
        self._invite()
        self._err.print(Text(f"The dashboard stays at {live.service.url}"))
        pair = " ".join(map(str, pids))
        self._err.print(Text(f"Service and chain stay up; end them with: kill {pair}"))

    def _wait(self) -> None:
        """Let the price go on, until Enter, or a signal."""
        while True:
            if self._options.may_ask:
                if select.select([sys.stdin], [], [], STEP_S)[0]:
                    return
            else:
                time.sleep(STEP_S)
            if self._live is not None:
                self._live.drift()

    def _say(self, what: str) -> None:
        if not self._options.quiet:
            self._err.print(Text(f"demo: {what}", style="dim"))

    def _hear(self, entry: Entry) -> None:
        """Show what happens as it happens."""
        if not self._options.json:
            console(self._options).print(entry_line(entry))
        elif not self._options.quiet:
            self._err.print(entry_line(entry))

    def _invite(self) -> None:
        """Print a command that asks the chain: on one line, to be copied as it is."""
        assert self._story is not None
        path = str(self._story.config.path)
        command = [program(), "risk", "--shock", "ETH=-10%", "--config", path]
        self._err.print("Ask it yourself:")
        self._err.print(Text(f"  {shlex.join(command)}", style="bold"), soft_wrap=True)


def program() -> str:
    """Return what to type for this program: its name, or its path where that finds another."""
    called = Path(sys.argv[0]).absolute()
    found = shutil.which("underkeel")
    if called.name != "underkeel" or (found and Path(found).samefile(called)):
        return "underkeel"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)


@contextmanager
def _terminable() -> Iterator[Signals]:
    """Let Ctrl-C and a termination end all that was started, and leave nothing behind."""
    signals = Signals()
    before = {number: signal.signal(number, signals) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    """Yield a folder for the demo's files; one that stays if the chain does."""
    if keep:
        yield Path(tempfile.mkdtemp(prefix="underkeel-demo-"))
        return
    with tempfile.TemporaryDirectory(
        prefix="underkeel-demo-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
