"""`mcp`: tools for language models, over stdio or over HTTP on this machine."""

import os
from typing import Annotated

import typer

from underkeel.cli.options import Globals, globals_of
from underkeel.errors import AppError, Exit


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mcp")(mcp)


def mcp(
    ctx: typer.Context,
    http: Annotated[
        bool, typer.Option("--http", help="Listen at `bind` of [mcp], with its token.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Leave propose_plan out.")] = False,
) -> None:
    """Give a language model tools that read, and ask for plans. It cannot act."""
    serve(globals_of(ctx), http=http, read_only=read_only)


def serve(options: Globals, *, http: bool, read_only: bool) -> None:
    """Serve until the other side ends it. Raises `AppError` where it cannot begin."""
    from underkeel.config.load import load

    config = load(options.config)
    try:
        from underkeel.agents.http import serve as serve_http
        from underkeel.agents.http import token_of
        from underkeel.agents.propose import Proposer
        from underkeel.agents.server import server
        from underkeel.agents.tools import Tools
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != "mcp":
            raise
        raise AppError("mcp is not installed: pip install 'underkeel[mcp]'", Exit.ERROR) from None
    from underkeel.steer.propose import Planner
    from underkeel.store.open import open_store
    from underkeel.web.data import Data

    table = config.settings.mcp
    token = token_of(config, os.environ) if http else ""
    store = open_store(config, create=False)
    try:
        data = Data(store, config)
        may = table.proposals_per_hour and not read_only
        proposer = Proposer(data, Planner(config), table.proposals_per_hour) if may else None
        made = server(Tools(data), proposer)
        if http:
            serve_http(made, token, *table.address)
        else:
            made.run()
    finally:
        store.close()
