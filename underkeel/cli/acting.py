"""The commands that can act: `wallet`, `execute`, `tx`, `pause`, `resume`. Their options only."""

from pathlib import Path
from typing import Annotated

import typer

from underkeel.cli.completion import wallets
from underkeel.cli.options import globals_of

wallet_app = typer.Typer(help="Make, import, list, watch and remove wallets.", no_args_is_help=True)
tx_app = typer.Typer(help="Show, hurry and cancel transactions.", no_args_is_help=True)

WalletName = Annotated[
    str, typer.Argument(help="The wallet's name in the config.", autocompletion=wallets)
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="Read the password there; it is asked for if none.", show_default=False),
]


@wallet_app.command("create")
def wallet_create(ctx: typer.Context, name: WalletName, password_file: PasswordFile = None) -> None:
    """Make a new key, encrypted."""
    from underkeel.cli.wallet import create_wallet

    raise typer.Exit(create_wallet(globals_of(ctx), name, password_file))


@wallet_app.command("import")
def wallet_import(
    ctx: typer.Context,
    name: WalletName,
    keystore: Annotated[
        Path | None, typer.Option(help="Take the key of this keystore.", show_default=False)
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the key from a pipe.")] = False,
    password_file: PasswordFile = None,
) -> None:
    """Take over an existing key; it is never an argument."""
    from underkeel.cli.wallet import import_wallet

    code = import_wallet(
        globals_of(ctx), name, file=keystore, stdin=stdin, password_file=password_file
    )
    raise typer.Exit(code)


@wallet_app.command("list")
def wallet_list(ctx: typer.Context) -> None:
    """Show wallets, what signs for them, and whether a policy lets it."""
    from underkeel.cli.wallet import list_wallets

    raise typer.Exit(list_wallets(globals_of(ctx)))


@wallet_app.command("watch")
def wallet_watch(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(help="The account.")],
    name: Annotated[str | None, typer.Option(help="Its name.", show_default=False)] = None,
) -> None:
    """Add an account to be watched."""
    from underkeel.cli.wallet import watch_wallet

    raise typer.Exit(watch_wallet(globals_of(ctx), address, name))


@wallet_app.command("remove")
def wallet_remove(
    ctx: typer.Context,
    name: WalletName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a wallet out of the config; its keystore is put aside."""
    from underkeel.cli.wallet import remove_wallet_

    raise typer.Exit(remove_wallet_(globals_of(ctx), name, yes=yes))


def execute(
    ctx: typer.Context,
    plan: Annotated[Path, typer.Argument(help="A file that `plan --out` wrote.")],
    execute: Annotated[
        bool, typer.Option("--execute", help="Sign and send; otherwise only show.")
    ] = False,
    max_usd: Annotated[
        str | None,
        typer.Option(metavar="N", help="Most that may leave, all steps.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the chain's name.")] = False,
    final: Annotated[
        bool, typer.Option("--final", help="Wait until every block is final.")
    ] = False,
    owner: Annotated[
        str | None,
        typer.Option(help="For a Safe: the wallet that signs the proposal.", show_default=False),
    ] = None,
) -> None:
    """Show what a plan would sign; with --execute, sign and send it."""
    from underkeel.cli.execute import Asked, run_execute

    asked = Asked(execute, max_usd, yes, final, owner)
    raise typer.Exit(run_execute(globals_of(ctx), plan, asked))


Execute = Annotated[
    bool, typer.Option("--execute", help="Do it here and now, instead of noting the wish.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the chain's name.")]
TxId = Annotated[str, typer.Argument(help="Its id, or how that begins.")]


@tx_app.command("list")
def tx_list(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
) -> None:
    """Show open transactions."""
    from underkeel.cli.tx import list_transactions

    raise typer.Exit(list_transactions(globals_of(ctx), every=every))


@tx_app.command("speedup")
def tx_speedup(ctx: typer.Context, id_: TxId, execute: Execute = False, yes: Yes = False) -> None:
    """Have it replaced at once, up to the policy's fee cap as it is now."""
    from underkeel.cli.tx import Act, wish

    raise typer.Exit(wish(globals_of(ctx), id_, "speed_up", Act(execute, yes)))


@tx_app.command("cancel")
def tx_cancel(ctx: typer.Context, id_: TxId, execute: Execute = False, yes: Yes = False) -> None:
    """Have its nonce spent by nothing."""
    from underkeel.cli.tx import Act, wish

    raise typer.Exit(wish(globals_of(ctx), id_, "cancel", Act(execute, yes)))


def pause(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Shown to who wonders.")] = "by hand",
) -> None:
    """Let nothing new be signed, by any process of this user."""
    from underkeel.cli.pause import pause_all

    raise typer.Exit(pause_all(globals_of(ctx), reason))


def resume(ctx: typer.Context) -> None:
    """Let things be signed again."""
    from underkeel.cli.pause import resume_all

    raise typer.Exit(resume_all(globals_of(ctx)))


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(wallet_app, name="wallet")
    app.add_typer(tx_app, name="tx")
    app.command()(execute)
    app.command()(pause)
    app.command()(resume)
