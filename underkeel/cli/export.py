"""`export`: positions, events and transactions as CSV, Parquet or JSON."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from underkeel.cli.options import Globals, globals_of
from underkeel.errors import Exit, UsageError

SUFFIXES: Final = {".csv": "csv", ".parquet": "parquet", ".json": "json"}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def export(
        ctx: typer.Context,
        kind: Annotated[str, typer.Argument(help="positions, events or transactions.")],
        format: Annotated[
            str | None, typer.Option("--format", help="csv, parquet or json.", show_default=False)
        ] = None,
        tz: Annotated[
            str | None,
            typer.Option(help="Time zone; the config's if none.", show_default=False),
        ] = None,
        since: Annotated[
            str | None,
            typer.Option("--from", metavar="TIME", help="First moment.", show_default=False),
        ] = None,
        until: Annotated[
            str | None,
            typer.Option("--to", metavar="TIME", help="First moment after.", show_default=False),
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="The file; stdout if none.", show_default=False)
        ] = None,
    ) -> None:
        """Write what was seen or done as a file."""
        raise typer.Exit(_export(globals_of(ctx), kind, format, tz, (since, until), out))


def _export(
    options: Globals,
    kind: str,
    chosen: str | None,
    tz: str | None,
    times: tuple[str | None, str | None],
    out: Path | None,
) -> Exit:
    from underkeel.cli.output import progress
    from underkeel.config.load import load
    from underkeel.exports.run import KINDS, Wanted, expected, export, head, new_file
    from underkeel.exports.times import Span, parse, zone_of
    from underkeel.exports.write import require
    from underkeel.store.open import open_store

    if kind not in KINDS:
        raise UsageError(f"{kind!r} is none of {', '.join(KINDS)}")
    named = SUFFIXES.get(out.suffix) if out is not None else None
    form = chosen or named or ("json" if options.json else "csv")
    require(form)
    if form == "parquet" and out is None:
        raise UsageError("--format parquet is not for a terminal; say --out FILE")
    if options.json and out is None and form != "json":
        raise UsageError(f"--json and --format {form} both want stdout; say --out FILE")
    config = load(options.config)
    zone = zone_of(tz or config.settings.timezone)
    store = open_store(config, create=False)
    try:
        since = parse("--from", times[0], zone) if times[0] else 0.0
        until = parse("--to", times[1], zone) if times[1] else store.clock()
        if since >= until:
            raise UsageError("--from is not before --to")
        wanted = Wanted(kind, form, Span(since, until, zone))
        if out is None:
            export(store, wanted, sys.stdout.buffer)
            sys.stdout.flush()
            return Exit.OK
        with progress(options) as tell, new_file(out) as file:
            all_ = expected(store, wanted)
            count = export(store, wanted, file, lambda done: tell(kind, min(done, all_), all_))
        _say(options, head(wanted, store), form, out, count)
    finally:
        store.close()
    return Exit.OK


def _say(options: Globals, head: dict[str, Any], form: Any, out: Path, count: int) -> None:
    from underkeel.cli.output import print_document, say_written
    from underkeel.documents.export import ExportDocument

    if options.json:
        print_document(ExportDocument(**head, rows=str(count), format=form, file=str(out)))
    else:
        say_written(options, out)
