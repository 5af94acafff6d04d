"""The commands. Everything heavy is imported inside the command that needs it."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from underkeel import __version__
from underkeel.cli import alert, configuring, db, export, mcp, planning
from underkeel.cli import dash as dashboard
from underkeel.cli import run as running
from underkeel.cli.acting import register
from underkeel.cli.completion import wallets
from underkeel.cli.group import RootGroup
from underkeel.cli.options import FLAGS, VALUED, Globals, globals_of
from underkeel.errors import Exit

EPILOG: Final = (
    "Before or after any command: --config PATH, --json, --no-input, --quiet, --no-color. "
    "Exit codes: 0 ok, 1 error, 2 usage, 3 there is something to do (status, plan), "
    "4 config or secret, 5 RPC down or stale, 6 policy refusal, 7 reverted, 8 outcome unknown."
)

app = typer.Typer(
    name="underkeel",
    cls=RootGroup,
    help="See every DeFi position truly, with its exact distance from liquidation.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: drawing it would take longer than all the rest
    context_settings={"help_option_names": ["-h", "--help"]},
)
configuring.register(app)
register(app)
planning.register(app)
dashboard.register(app)
running.register(app)
mcp.register(app)
db.register(app)
export.register(app)
alert.register(app)

Addresses = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ADDRESS|ENS|NAME]…",
        help="Accounts to read: addresses, ENS names, or wallets of the config. All if none.",
        show_default=False,
        autocompletion=wallets,
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"underkeel {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="The config to read.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the global options."""
    ctx.obj = Globals(config, json, no_input, quiet, no_color or "NO_COLOR" in os.environ)
    if not ctx.resilient_parsing:
        from underkeel.ownership import check_rooms

        check_rooms()


@app.command()
def positions(ctx: typer.Context, accounts: Addresses = None) -> None:
    """Show everything the accounts hold, at one block per chain."""
    from underkeel.cli.reports import show_positions

    raise typer.Exit(show_positions(globals_of(ctx), accounts or []))


@app.command()
def risk(
    ctx: typer.Context,
    accounts: Addresses = None,
    shock: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=CHANGE%", help="Move a price, e.g. ETH=-20%. Repeatable."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show all that is known of each position.")
    ] = False,
    horizon: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Add joint distances over a time, e.g. 7d, and chances."),
    ] = None,
    target_health: Annotated[
        str | None,
        typer.Option(metavar="HEALTH", help="Say what to repay or add to reach it, e.g. 1.8."),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Prices that win over the chain's: docs/history.md."),
    ] = None,
) -> None:
    """Show how far every position is from liquidation."""
    from underkeel.cli.reports import Asked, show_risk

    asked = Asked(shock or [], full, horizon, target_health, history)
    raise typer.Exit(show_risk(globals_of(ctx), accounts or [], asked))


@app.command()
def status(ctx: typer.Context, accounts: Addresses = None) -> None:
    """Say whether all is well; exit code 3 if not."""
    from underkeel.cli.reports import show_status

    raise typer.Exit(show_status(globals_of(ctx), accounts or []))


@app.command()
def scan(
    ctx: typer.Context,
    market: Annotated[
        str, typer.Argument(help="An Aave v3 market: its name, or its root address.")
    ],
    chain: Annotated[
        str | None, typer.Option(help="The chain, where it is not clear.", show_default=False)
    ] = None,
    below: Annotated[
        float | None, typer.Option(min=0, help="Only health below this.", show_default=False)
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Only so many, the worst.", show_default=False)
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Add the liquidation curve, e.g. ETH."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the curve as SVG.")] = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="table, csv, parquet or json.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the rows there.")] = None,
    borrowers: Annotated[
        bool, typer.Option("--borrowers", help="Only who ever borrowed: fewer logs.")
    ] = False,
    accounts: Annotated[
        Path | None, typer.Option(help="Take the accounts of this file, one to a line.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, processes or dask.")] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Processes at once.")] = 2,
    cluster: Annotated[
        str | None, typer.Option(metavar="TCP", help="A Dask scheduler, e.g. tcp://host:8786.")
    ] = None,
    shard: Annotated[int, typer.Option(min=1, help="Accounts read at a time.")] = 10_000,
    storage: Annotated[
        bool, typer.Option("--storage", help="Read balances from storage where that is proven.")
    ] = False,
) -> None:
    """Judge every account of a market."""
    from underkeel.cli.scan import run_scan
    from underkeel.scan.run import Request

    request = Request(market, chain, below, top, curve, shard, borrowers, storage=storage)
    code = run_scan(
        globals_of(ctx),
        request,
        kind=kind,
        target=output,
        picture=picture,
        accounts=accounts,
        engine=engine,
        workers=workers,
        cluster=cluster,
    )
    raise typer.Exit(code)


@app.command()
def exposure(
    ctx: typer.Context,
    accounts: Addresses = None,
    graph: Annotated[
        str | None,
        typer.Option(
            metavar="FORM", help="Print the graph alone: dot or json.", show_default=False
        ),
    ] = None,
    diff: Annotated[
        int | None,
        typer.Option(min=0, metavar="BLOCK", help="Compare with that block.", show_default=False),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the graph, .svg or .png.")] = None,
    priors: Annotated[Path | None, typer.Option(help="Priors of your own, TOML.")] = None,
    facts: Annotated[Path | None, typer.Option(help="Audits, incidents, cover, TOML.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Ask the past for each contract's age (archive node).")
    ] = False,
) -> None:
    """Show what positions stand on, who can change it, at what cost."""
    from underkeel.cli.exposure import show_exposure

    code = show_exposure(
        globals_of(ctx),
        accounts or [],
        graph=graph,
        diff=diff,
        plot=plot,
        files=(priors, facts),
        history=history,
    )
    raise typer.Exit(code)


@app.command()
def oracles(
    ctx: typer.Context,
    accounts: Addresses = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every known price's feed, not only those of positions.")
    ] = False,
) -> None:
    """Show the feeds behind positions, and how far to trust each."""
    from underkeel.cli.oracles import show_oracles

    raise typer.Exit(show_oracles(globals_of(ctx), accounts or [], every=every))


@app.command()
def stress(
    ctx: typer.Context,
    accounts: Addresses = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one, e.g. march-2020. Repeatable."),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Move two prices against each other, e.g. ETH,BTC."),
    ] = None,
    paths: Annotated[
        int | None, typer.Option(help="Simulate so many: value at risk.", show_default=False)
    ] = None,
    days: Annotated[float, typer.Option(help="How far --paths goes.")] = 7.0,
    vol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=%", help="A yearly volatility without history, e.g. ETH=70%."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--scenarios", help="A TOML file with more scenarios.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps between two points of a path.")] = 8,
    gas_usd: Annotated[
        float | None,
        typer.Option(help="What a liquidation costs its caller, USD.", show_default=False),
    ] = None,
    failures: Annotated[
        bool,
        typer.Option("--failures", help="Let each shared contract, oracle, key, bridge fail."),
    ] = False,
    borrowers: Annotated[
        bool, typer.Option("--borrowers", help="Let vaults lose what their borrowers cannot repay.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the grid, or without one the ladder: FILE.png or FILE.svg."),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Prices that win over the chain's: docs/history.md."),
    ] = None,
) -> None:
    """Show what shocks would cost, liquidations on the way included."""
    from underkeel.cli.stress import asked, show_stress

    wanted = asked(
        scenario=scenario or [],
        grid_=grid,
        paths=paths,
        days=days,
        steps=steps,
        gas_usd=gas_usd,
        file=file,
        vol=vol or [],
        plot=plot,
        history=history,
        failures=failures,
        borrowers=borrowers,
    )
    raise typer.Exit(show_stress(globals_of(ctx), accounts or [], wanted))


@app.command()
def demo(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the dashboard; free if none.")
    ] = None,
    chain_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the local chain; free if none.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave chain and dashboard running.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Do it and end.")] = False,
    browser: Annotated[
        bool, typer.Option("--open", help="Open the dashboard in a browser.")
    ] = False,
) -> None:
    """Run it all on a local chain; needs no config."""
    from underkeel.cli.demo import Asked, run_demo

    asked = Asked(port=port, chain_port=chain_port, keep=keep, once=once, open=browser)
    raise typer.Exit(run_demo(globals_of(ctx), asked))


@app.command()
def init(
    ctx: typer.Context,
    chain: Annotated[
        str | None,
        typer.Option(help="The network, e.g. ethereum; or your name for it.", show_default=False),
    ] = None,
    chain_id: Annotated[
        int | None,
        typer.Option(min=1, help="Its id, for a network that is not known.", show_default=False),
    ] = None,
    rpc: Annotated[
        list[str] | None,
        typer.Option(help="URL, env:NAME or file:PATH. Repeatable.", show_default=False),
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="An account to watch. Repeatable.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented config."""
    from underkeel.cli.configure import write_config

    options = globals_of(ctx)
    code = write_config(options, chain, rpc or [], address or [], force=force, chain_id=chain_id)
    raise typer.Exit(code)


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check the installation, the config and every endpoint."""
    from underkeel.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(globals_of(ctx)))


def run() -> None:
    """Run the command line; the entry point of the `underkeel` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs gets "?"
    if sys.stdout is None:  # `>&-`: what was asked for could go nowhere
        sys.exit(Exit.ERROR)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our stdout has gone; say nothing more to it
        _mute()
        sys.exit(Exit.ERROR)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        _mute()
        print(f"error: the output could not be written: {error.strerror}", file=sys.stderr)
        sys.exit(Exit.ERROR)


def _mute() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


__all__ = ["FLAGS", "VALUED", "app", "run"]
