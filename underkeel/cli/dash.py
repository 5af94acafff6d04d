"""`dash`: the pages alone, over the database that `run` writes."""

import signal
import sys
import threading
import webbrowser
from types import FrameType
from typing import Annotated, Final

import typer

from underkeel.cli.options import Globals, globals_of

CHECK_S: Final = 0.5


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def dash(
        ctx: typer.Context,
        port: Annotated[
            int | None,
            typer.Option(min=0, max=65_535, help="Instead of the config's; 0: any free one."),
        ] = None,
        open_: Annotated[bool, typer.Option("--open", help="Open a browser.")] = False,
    ) -> None:
        """Serve the pages over what `run` has stored. It watches nothing itself."""
        raise typer.Exit(serve_pages(globals_of(ctx), port, browser=open_))


def serve_pages(options: Globals, port: int | None, *, browser: bool) -> int:
    """Serve until a signal; print the address on stdout."""
    from underkeel.cli.output import log_to_stderr, print_document
    from underkeel.config.load import load
    from underkeel.documents.paging import ServingDocument
    from underkeel.errors import AppError, Exit
    from underkeel.store.open import open_store
    from underkeel.web.app import create_app
    from underkeel.web.serve import serve

    log_to_stderr(options)
    config = load(options.config)
    stop = threading.Event()
    _stop_on_signals(stop)
    store = open_store(config, create=False)
    try:
        server = serve(create_app(config, store, alone=True), config, port=port)
        try:
            if options.json:
                url, at = server.url, str(server.port)
                said = ServingDocument(schema="underkeel.serving/1", url=url, port=at)
                print_document(said)
                sys.stdout.flush()
            else:
                print(f"{server.url} (Ctrl-C ends it)", flush=True)
            if browser:
                webbrowser.open(server.url)
            while not stop.wait(CHECK_S):
                if not server.alive:
                    raise AppError("the web server ended by itself; the log says more")
        finally:
            server.stop()
    finally:
        store.close()
    return int(Exit.OK)


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
