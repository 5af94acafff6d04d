"""The `config` commands."""

from typing import Annotated

import typer

from underkeel.cli.options import globals_of


def register(root: typer.Typer) -> None:
    """Add them to the program."""
    app = typer.Typer(help="Check, show or describe the config.", no_args_is_help=True)
    root.add_typer(app, name="config")

    @app.command("check")
    def config_check(ctx: typer.Context) -> None:
        """Check the config without any network."""
        from underkeel.cli.configure import check_config

        raise typer.Exit(check_config(globals_of(ctx)))

    @app.command("show")
    def config_show(ctx: typer.Context) -> None:
        """Print the config as it is understood, without secrets."""
        from underkeel.cli.configure import show_config

        raise typer.Exit(show_config(globals_of(ctx)))

    @app.command("schema")
    def config_schema(
        document: Annotated[
            str | None,
            typer.Argument(
                help="A document's name, e.g. underkeel.risk/1; the config if none.",
                show_default=False,
            ),
        ] = None,
    ) -> None:
        """Print the JSON schema of the config, or of what --json prints."""
        from underkeel.cli.configure import print_schema

        raise typer.Exit(print_schema(document))
