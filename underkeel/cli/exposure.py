"""`exposure`: what positions stand on, who can change it, and what that may cost."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from risk.exposure.priors import BadFile, priors, user_facts
from underkeel.accounts import accounts_of, require_chains
from underkeel.cli.options import Globals
from underkeel.cli.output import (
    console,
    log_to_stderr,
    print_document,
    progress,
    say_written,
)
from underkeel.cli.tables import headline
from underkeel.config.load import load
from underkeel.errors import AppError, Exit, UsageError
from underkeel.exposure.document import document
from underkeel.exposure.picture import dot, svg
from underkeel.exposure.run import Asked, Found, find
from underkeel.exposure.table import report

GRAPHS = ("dot", "json")


def show_exposure(
    options: Globals,
    given: Sequence[str],
    *,
    graph: str | None,
    diff: int | None,
    plot: Path | None,
    files: tuple[Path | None, Path | None],
    history: bool,
) -> Exit:
    """Print what everything stands on; `files` are the user's priors and facts."""
    if graph is not None and graph not in GRAPHS:
        raise UsageError(f"--graph {graph!r} is none of {', '.join(GRAPHS)}")
    if plot is not None and plot.suffix not in (".svg", ".png"):
        raise UsageError(f"--plot {plot}: the name must end in .svg or .png")
    asked = _asked(files, diff, history)
    log_to_stderr(options)
    config = load(options.config)
    require_chains(config)
    accounts = accounts_of(given, config)
    with progress(options) as tell:
        found = find(config, accounts, asked, tell)
    if plot is not None:
        draw(found, plot)
        say_written(options, plot)
    if graph == "dot":
        sys.stdout.write(dot(found.exposure.chains))
    elif graph == "json":
        sys.stdout.write(json.dumps(_graph(found), indent=2) + "\n")
    elif options.json:
        print_document(document(found, time.time()))
    else:
        screen = console(options)
        for chain in found.portfolio.chains:
            screen.print(headline(chain, config.settings.timezone))
        screen.print(report(found))
    down = any(chain.fault for chain in found.portfolio.chains) or found.failed
    return Exit.CHAIN if down else Exit.OK


def _asked(files: tuple[Path | None, Path | None], diff: int | None, history: bool) -> Asked:
    texts: list[str | None] = []
    for path in files:
        try:
            texts.append(None if path is None else path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from None
    try:
        return Asked(priors(texts[0]), user_facts(texts[1]), diff, history)
    except BadFile as error:
        raise UsageError(str(error)) from None


def _graph(found: Found) -> dict[str, object]:
    """Return nodes and edges alone, as the document has them."""
    whole = document(found, time.time()).model_dump(mode="json", by_alias=True)
    return {key: whole[key] for key in ("chains", "nodes", "edges")}


def draw(found: Found, path: Path) -> None:
    """Write the graph as a picture; PNG needs Graphviz."""
    if path.suffix == ".svg":
        path.write_text(svg(found.exposure.chains), encoding="utf-8")
        return
    program = shutil.which("dot")
    if program is None:
        raise AppError("a PNG needs Graphviz's `dot`; install graphviz, or write an .svg")
    drawn = subprocess.run(
        [program, "-Tpng", "-o", str(path)],
        input=dot(found.exposure.chains),
        text=True,
        capture_output=True,
        check=False,
    )
    if drawn.returncode:
        raise AppError(f"dot failed: {drawn.stderr.strip()[:200]}")
