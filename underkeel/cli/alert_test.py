"""`alert test`: send a real message through a channel, and say what came of it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from underkeel.cli.completion import channels
from underkeel.cli.options import Globals, globals_of
from underkeel.errors import Exit, UsageError

if TYPE_CHECKING:
    from underkeel.documents.channels import ChannelTest


def register(app: typer.Typer) -> None:
    """Add `test` to the group `alert`."""
    app.command("test")(send)


def send(
    ctx: typer.Context,
    channels: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHANNEL]…",
            help="Channels of the config.",
            show_default=False,
            autocompletion=channels,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Send a real test message; exit code 1 if it does not arrive."""
    raise typer.Exit(send_tests(globals_of(ctx), channels or [], every=every))


def send_tests(options: Globals, wanted: Sequence[str], *, every: bool) -> Exit:
    """Send to each and print the receipts."""
    from underkeel.cli.output import console, print_document
    from underkeel.config.load import load
    from underkeel.config.problems import did_you_mean
    from underkeel.documents.build import integer, moment
    from underkeel.documents.channels import AlertTestDocument, ChannelTest
    from underkeel.notify.channels import open_channels
    from underkeel.notify.trial import try_channel
    from underkeel.notify.types import Verdict
    from underkeel.store.open import open_store

    config = load(options.config)
    known = config.settings.channels
    if not known:
        raise UsageError("the config has no channel; add [channels.NAME]: docs/channels.md")
    if bool(wanted) == every:
        raise UsageError("name a channel, or give --all; " + did_you_mean("", known))
    for name in wanted:
        if name not in known:
            raise UsageError(f"{name!r} is no channel; {did_you_mean(name, known)}")
    channels = open_channels(config, only=None if every else wanted)
    store = open_store(config)
    try:
        trials = {name: try_channel(store, channel) for name, channel in channels.items()}
    finally:
        store.close()
    tests = [
        ChannelTest(
            channel=name,
            place=channels[name].place,
            id=trial.id,
            at=moment(trial.at),
            outcome=trial.outcome.verdict.value,
            code=integer(trial.outcome.code),
            cause=trial.outcome.cause or None,
            took_s=round(trial.took_s, 3),
        )
        for name, trial in trials.items()
    ]
    if options.json:
        document = AlertTestDocument(
            schema="underkeel.alert-test/1", generated_at=moment(time.time()), tests=tests
        )
        print_document(document)
    else:
        screen = console(options)
        for row in tests:
            screen.print(said(row), markup=False, soft_wrap=True)
    delivered = all(t.outcome.verdict is Verdict.DELIVERED for t in trials.values())
    return Exit.OK if delivered else Exit.ERROR


def said(row: "ChannelTest") -> str:
    """Return the line for a receipt."""
    code = f"HTTP {row.code}, " if row.code is not None else ""
    if row.outcome == "delivered":
        return f"✔ {row.channel}: delivered to {row.place} ({code}{row.took_s:.1f} s)"
    words = {
        "failed": "not delivered",
        "refused": "refused",
        "unknown": "not known whether it arrived",
    }
    return f"✖ {row.channel}: {words[row.outcome]}: {row.cause} ({row.took_s:.1f} s)"
