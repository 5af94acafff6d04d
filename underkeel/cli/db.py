"""`db`: look after the database. Options here; the work is in `underkeel.cli.database`."""

from pathlib import Path
from typing import Annotated

import typer

from underkeel.cli.options import globals_of

db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@db_app.command("status")
def db_status(ctx: typer.Context) -> None:
    """Show which database it is, its size, and which service writes to it."""
    from underkeel.cli.database import show_status

    raise typer.Exit(show_status(globals_of(ctx)))


@db_app.command("upgrade")
def db_upgrade(ctx: typer.Context) -> None:
    """Make the tables, or bring older ones up to this version."""
    from underkeel.cli.database import upgrade

    raise typer.Exit(upgrade(globals_of(ctx)))


@db_app.command("prune")
def db_prune(ctx: typer.Context) -> None:
    """Roll up what is due, remove what is older than storage.retain, give the space back."""
    from underkeel.cli.database import prune_now

    raise typer.Exit(prune_now(globals_of(ctx)))


@db_app.command("backup")
def db_backup(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="The new file.")],
) -> None:
    """Copy the whole database to a new file, while it is in use."""
    from underkeel.cli.database import backup_to

    raise typer.Exit(backup_to(globals_of(ctx), path))


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(db_app, name="db")
