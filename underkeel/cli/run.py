"""`run`: the monitor. Its options here; what it does is in `underkeel.monitor`."""

from typing import TYPE_CHECKING, Annotated

import typer

from underkeel.cli.options import Globals, globals_of
from underkeel.errors import Exit

if TYPE_CHECKING:
    from underkeel.config.load import Config
    from underkeel.monitor.service import Wishes
    from underkeel.store.store import Store


def run(
    ctx: typer.Context,
    once: Annotated[
        bool,
        typer.Option("--once", help="One complete round of all chains, with delivery, and end."),
    ] = False,
) -> None:
    """Watch every chain, tell by rules, show it on a page. It runs until it is stopped."""
    raise typer.Exit(_once(globals_of(ctx)) if once else _serve(globals_of(ctx)))


def _serve(options: Globals) -> Exit:
    from underkeel.accounts import require_chains
    from underkeel.config.load import load
    from underkeel.monitor.logs import to_stderr
    from underkeel.monitor.service import Host, Wishes

    config = load(options.config)
    require_chains(config)
    to_stderr(as_json=options.json, scrub=config.scrub, quiet=options.quiet)
    wishes = Wishes()
    wishes.listen()
    store = _opened(config, wishes)
    if store is None:
        return Exit.OK
    try:
        return Host(config, store, lambda: load(options.config), wishes).run()
    finally:
        store.close()


def _opened(config: "Config", wishes: "Wishes") -> "Store | None":
    """Open the store, waiting for who holds it; None if the end came first."""
    import logging

    from underkeel.store.errors import Locked
    from underkeel.store.open import open_store

    while not wishes.stop.is_set():
        try:
            return open_store(config)
        except Locked as error:
            logging.getLogger(__name__).warning("%s", error)
            wishes.stop.wait(1.0)
    return None


def _once(options: Globals) -> Exit:
    import time

    from underkeel.accounts import require_chains
    from underkeel.cli.output import console, log_to_stderr, print_document
    from underkeel.config.load import load
    from underkeel.documents.round import round_document
    from underkeel.monitor.once import run_once
    from underkeel.store.open import open_store

    log_to_stderr(options)
    config = load(options.config)
    require_chains(config)
    store = open_store(config)
    try:
        done = run_once(config, store)
    finally:
        store.close()
    if options.json:
        print_document(
            round_document(done.reports, done.firing, done.waiting, done.fault, time.time())
        )
    else:
        screen = console(options)
        for report in done.reports:
            state = f"block {report.at.number}" if report.at else "not read"
            cause = f": {report.cause}" if report.cause else ""
            screen.print(f"{report.name}: {state}, {len(report.positions)} positions{cause}")
        screen.print(f"alarms that fire: {done.firing}; messages that wait: {done.waiting}")
        if done.fault:
            screen.print(f"nothing was written: {done.fault}")
    return done.code


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(run)
