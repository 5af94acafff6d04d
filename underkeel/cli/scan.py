"""`scan`: read the options, scan, write where it was asked for."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chain.types import InvalidAddress, parse_address
from underkeel.accounts import require_chains
from underkeel.cli import format as fmt
from underkeel.cli.options import Globals
from underkeel.cli.output import (
    console,
    log_to_stderr,
    print_document,
    progress,
    say_written,
)
from underkeel.config.load import load
from underkeel.errors import AppError, Exit, UsageError
from underkeel.scan.engines import engine_of
from underkeel.scan.export import FORMATS, csv_text, require, scan_document, write_parquet
from underkeel.scan.picture import percent, short, svg
from underkeel.scan.report import Row, Scan
from underkeel.scan.run import Request, scan

ICONS: Final = {
    "safe": ("✔", "green"),
    "liquidatable": ("✖", "bold red"),
    "not_liquidatable": ("–", "dim"),
    "unknown": ("?", "bold yellow"),
}
TABLE_ROWS: Final = 20
"""Rows of a table when `--top` does not say."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where what goes."""

    kind: str
    target: Path | None
    picture: Path | None


def run_scan(
    options: Globals,
    request: Request,
    *,
    kind: str | None,
    target: Path | None,
    picture: Path | None,
    accounts: Path | None,
    engine: str,
    workers: int,
    cluster: str | None,
) -> Exit:
    """Scan a market and write the rows; 5 where nothing could be read."""
    output = _output(options, kind, target, picture, request)
    chosen = engine_of(engine, workers, cluster)
    log_to_stderr(options)
    config = load(options.config)
    require_chains(config)
    if accounts is not None:
        request = replace(request, accounts=_accounts(accounts))
    if output.kind == "table" and request.top is None:
        request = replace(request, top=TABLE_ROWS)
    with progress(options) as tell:
        found = scan(config, request, chosen, tell)
    if picture is not None:
        _write(picture, svg(found))
        say_written(options, picture)
    _show(options, output, found)
    if output.target is not None:
        say_written(options, output.target)
    counts = found.counts
    return Exit.CHAIN if counts.unread and counts.unread == counts.accounts else Exit.OK


def _output(
    options: Globals, kind: str | None, target: Path | None, picture: Path | None, request: Request
) -> Output:
    suffix = target.suffix[1:].lower() if target is not None else ""
    guess = suffix if suffix in FORMATS else "table"
    chosen = kind or ("json" if options.json else guess)
    require(chosen)
    if target is None and chosen == "parquet":
        raise UsageError("--format parquet is not for a terminal; say --output FILE")
    if target is not None and chosen == "table":
        raise UsageError("--output needs --format csv, parquet or json, or such a suffix")
    if picture is not None and request.curve is None:
        raise UsageError("--picture draws a curve; say --curve NAME, for example --curve ETH")
    return Output(chosen, target, picture)


def _accounts(path: Path) -> bytes:
    """Return the addresses of a file, one to a line, each once."""
    try:
        lines = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--accounts {path} cannot be read: {error}") from None
    found: dict[bytes, None] = {}
    for text in lines:
        try:
            found[bytes.fromhex(parse_address(text)[2:])] = None
        except InvalidAddress as error:
            raise UsageError(f"--accounts {path}: {error}") from None
    return b"".join(found)


def _show(options: Globals, output: Output, found: Scan) -> None:
    target = output.target
    if output.kind == "table":
        console(options).print(report(found))
    elif output.kind == "parquet" and target is not None:
        half = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        try:
            write_parquet(found, half)
            half.replace(target)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise AppError(f"cannot write {target}: {error.strerror}") from None
    elif target is not None:
        text = csv_text(found.rows)
        if output.kind == "json":
            document = scan_document(found, time.time())
            text = document.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
        _write(target, text)
    elif output.kind == "csv":
        sys.stdout.write(csv_text(found.rows))
    else:
        print_document(scan_document(found, time.time()))


def _write(target: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    half = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise AppError(f"cannot write {target}: {error.strerror}") from None


def report(found: Scan) -> RenderableType:
    """Return the rows and the curve for people."""
    at, counts = found.at, found.counts
    parts: list[RenderableType] = [
        Text(f"{found.market.name} on {found.chain} (chain {at.chain_id})", style="bold"),
        Text(f"block {at.number:,} {at.hash[:10]} · {fmt.age(int(time.time()) - at.timestamp)}"),
        _rows(found.rows),
        Text(
            f"{counts.accounts:,} accounts, {counts.borrowers:,} with debt, "
            f"{counts.liquidatable:,} liquidatable, {counts.unknown:,} unknown"
        ),
    ]
    if counts.debt_usd is not None and counts.collateral_usd is not None:
        parts.append(
            Text(f"collateral {counts.collateral_usd:,.0f} USD, debt {counts.debt_usd:,.0f} USD")
        )
    if found.ways:
        parts.append(Text(_ways(found)))
    causes = dict.fromkeys(row.cause for row in found.rows if row.cause)
    parts += (Text(f"? {cause}") for cause in list(causes)[:5])
    if found.curve is not None:
        parts += [Text(""), _curve(found)]
    return Group(*parts)


def _ways(found: Scan) -> str:
    """Say how many contracts were read from storage, and why the others were not."""
    by_function = [way for way in found.ways if way.cause]
    text = f"read from storage: {len(found.ways) - len(by_function)} of {len(found.ways)} tokens"
    causes = list(dict.fromkeys(way.cause for way in by_function))
    more = "" if len(causes) < 3 else f"; and {len(causes) - 2} other causes"
    return text + (f" (others: {'; '.join(causes[:2])}{more})" if causes else "")


def _rows(rows: Sequence[Row]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("account", no_wrap=True)
    for name in ("health", "nearest move", "collat.", "debt"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        icon, style = ICONS[row.status]
        table.add_row(
            row.account,
            Text(f"{icon} {_health(row)}", style=style),
            _move(row),
            _usd(row.collateral_usd),
            _usd(row.debt_usd),
        )
    return table


def _health(row: Row) -> str:
    """Return health rounded down, so that what is shown as 1.0000 is never below 1."""
    if row.health is None:
        return "unknown" if row.status == "unknown" else "–"
    if row.health >= 1_000_000:
        return "> 10^6"
    return f"{int(row.health * 10_000) / 10_000:.4f}"


def _move(row: Row) -> str:
    if row.distance_frac is None:
        return "–"
    if row.distance_frac == 0:
        return "now"
    base = (row.factor or "").split("/")[0].split()
    return f"{row.distance_frac:+.1%} {base[-1][:6] if base else ''}"


def _usd(value: float | None) -> str:
    return "?" if value is None else short(value)


def _title(found: Scan) -> str:
    unknown = found.curve.unknown if found.curve else 0
    without = f", without {unknown:,} unknown accounts" if unknown else ""
    return f"if {found.curve_name} moves{without}"


def _curve(found: Scan) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), title=_title(found))
    for name in ("move", "accounts", "collateral", "debt", "shortfall"):
        table.add_column(name, justify="right")
    table.add_column("")
    points = found.curve.points if found.curve else ()
    unit = 1.0 if found.unit_usd is None else found.unit_usd
    top = max((p.debt for p in points), default=0.0) or 1.0
    for p in points:
        table.add_row(
            percent(p.move),
            f"{p.liquidatable:,}",
            short(p.collateral * unit),
            short(p.debt * unit),
            short(p.shortfall * unit),
            "█" * round(30 * p.debt / top),
        )
    return table
