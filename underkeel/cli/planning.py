"""The command `plan`: its options only."""

from pathlib import Path
from typing import Annotated

import typer

from underkeel.cli.completion import plans, wallets
from underkeel.cli.options import globals_of


def plan(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="A [[plan]] of the config, or a kind: docs/plans.md.", autocompletion=plans
        ),
    ],
    wallet: Annotated[
        str | None,
        typer.Option(help="Who signs and pays.", show_default=False, autocompletion=wallets),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            help="Whose positions; the wallet's if none.",
            show_default=False,
            autocompletion=wallets,
        ),
    ] = None,
    position: Annotated[
        str | None, typer.Option(help="A position's id, or its last part.", show_default=False)
    ] = None,
    target_health: Annotated[
        str | None,
        typer.Option(metavar="HEALTH", help="The health to reach, e.g. 1.8.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan there.", show_default=False)
    ] = None,
) -> None:
    """Say what to do about a position, simulated. Exit code 3 if there is anything to do."""
    from underkeel.cli.plan import show_plan
    from underkeel.plans.wanted import Asked

    asked = Asked(wallet, account, position, target_health)
    raise typer.Exit(show_plan(globals_of(ctx), name, asked, out))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)
