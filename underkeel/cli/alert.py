"""`alert`: see alerts, look after them, keep them quiet; the work is in `alerting`."""

from collections.abc import Iterator
from typing import Annotated

import typer

from underkeel.cli import alert_test
from underkeel.cli.options import globals_of

alert_app = typer.Typer(help="See alerts, acknowledge and silence them.", no_args_is_help=True)


def _alert_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Complete the id of an alert that fires; nothing where the database cannot be read."""
    from underkeel.cli.alerting import alert_ids

    return alert_ids(incomplete)


def _silence_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Complete the id of a silence that holds."""
    from underkeel.cli.alerting import silence_ids

    return silence_ids(incomplete)


SilenceId = Annotated[int, typer.Argument(metavar="ID", autocompletion=_silence_ids)]


@alert_app.command("list")
def alert_list(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that are ok.")] = False,
    rule: Annotated[str | None, typer.Option(help="Only of this rule.", show_default=False)] = None,
    chain: Annotated[
        str | None, typer.Option(help="Only of this chain.", show_default=False)
    ] = None,
) -> None:
    """Show alerts, the worst first; exit code 3 while one fires, or is unknown."""
    from underkeel.cli.alerting import list_alerts

    raise typer.Exit(list_alerts(globals_of(ctx), every=every, rule=rule, chain=chain))


@alert_app.command("ack")
def alert_ack(
    ctx: typer.Context,
    which: Annotated[
        list[str],
        typer.Argument(
            metavar="ID…|LABEL=VALUE…",
            help="Alerts, or how their ids begin; or labels: all that fire and have them.",
            autocompletion=_alert_ids,
        ),
    ],
    by: Annotated[str | None, typer.Option(help="Who looks after it.", show_default=False)] = None,
) -> None:
    """Say that somebody looks after alerts: no more reminders, no escalation."""
    from underkeel.cli.alerting import ack_alerts

    raise typer.Exit(ack_alerts(globals_of(ctx), which, by))


@alert_app.command("silence")
def alert_silence(
    ctx: typer.Context,
    match: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LABEL=VALUE|ID…",
            help="What to keep quiet: rule, severity, chain, wallet, protocol … ; * is any text. "
            "Or an alert's id.",
            show_default=False,
            autocompletion=_alert_ids,
        ),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long: 30m, 2h, 1d.", show_default=False)
    ] = None,
    why: Annotated[str, typer.Option(help="Why, for whoever wonders.", show_default=False)] = "",
    by: Annotated[str | None, typer.Option(help="Who asks for it.", show_default=False)] = None,
) -> None:
    """Keep messages back for a time; what still fires at its end is told then."""
    from underkeel.cli.alerting import silence_alerts

    raise typer.Exit(silence_alerts(globals_of(ctx), match or [], for_, why, by))


@alert_app.command("unsilence")
def alert_unsilence(
    ctx: typer.Context,
    silence: SilenceId,
    by: Annotated[str | None, typer.Option(help="Who asks for it.", show_default=False)] = None,
) -> None:
    """End a silence before its time; what it kept back is told."""
    from underkeel.cli.alerting import end_silence

    raise typer.Exit(end_silence(globals_of(ctx), silence, by))


@alert_app.command("silences")
def alert_silences(ctx: typer.Context) -> None:
    """Show the silences that hold, and the newest that are over."""
    from underkeel.cli.alerting import list_silences

    raise typer.Exit(list_silences(globals_of(ctx)))


alert_test.register(alert_app)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(alert_app, name="alert")
