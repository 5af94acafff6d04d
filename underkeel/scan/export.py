"""Write a scan's rows as CSV, Parquet or JSON."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from underkeel.documents.build import ENGINE_VERSION, integer, utc
from underkeel.documents.scan import (
    ScanByFunction,
    ScanCounts,
    ScanCurve,
    ScanDocument,
    ScanPoint,
    ScanRow,
    ScanStorage,
)
from underkeel.errors import UsageError
from underkeel.scan.report import FIELDS, Row, Scan, cells

FORMATS = ("table", "csv", "parquet", "json")


def csv_text(rows: Sequence[Row]) -> str:
    """Return the rows as CSV with a header; what is not known is empty, never 0."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows(cells(rows))
    return out.getvalue()


def write_parquet(scan: Scan, target: Path) -> None:
    """Write the rows as Parquet; where they come from is in the file's metadata."""
    arrow, parquet = _pyarrow()
    kinds = {name: arrow.float64() if name in _NUMBERS else arrow.string() for name in FIELDS}
    columns = {name: [getattr(row, name) for row in scan.rows] for name in FIELDS}
    schema = arrow.schema(
        list(kinds.items()),
        metadata={
            "schema": "underkeel.scan/1",
            "chain_id": str(scan.at.chain_id),
            "block_number": str(scan.at.number),
            "block_hash": scan.at.hash,
            "market": scan.market.root,
        },
    )
    parquet.write_table(arrow.table(columns, schema=schema), target)


_NUMBERS = frozenset({"health", "distance_frac", "collateral_usd", "debt_usd"})


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        todo = "pip install 'underkeel[parquet]'"
        raise UsageError(f"--format parquet needs an extra: {todo}") from None
    return pyarrow, pyarrow.parquet


def require(kind: str) -> None:
    """Raise `UsageError` where a format is unknown or its library is not installed."""
    if kind not in FORMATS:
        raise UsageError(f"--format {kind!r} is none of {', '.join(FORMATS)}")
    if kind == "parquet":
        _pyarrow()


def scan_document(scan: Scan, at: float) -> ScanDocument:
    """Return `underkeel.scan/1`."""
    counts, market, block = scan.counts, scan.market, scan.at
    given: dict[str, Any] = {}
    if scan.curve is not None:
        given["curve"] = ScanCurve(
            name=scan.curve_name,
            factors=list(scan.curve.factors),
            unknown=str(scan.curve.unknown),
            points=[
                ScanPoint(
                    move_frac=float(p.move),
                    liquidatable=str(p.liquidatable),
                    collateral_usd=_usd(scan, p.collateral),
                    debt_usd=_usd(scan, p.debt),
                    shortfall_usd=_usd(scan, p.shortfall),
                )
                for p in scan.curve.points
            ],
        )
    if scan.ways:
        refused = [way for way in scan.ways if way.cause]
        given["storage"] = ScanStorage(
            by_storage=str(len(scan.ways) - len(refused)),
            by_function=[ScanByFunction(contract=w.contract, cause=w.cause) for w in refused],
        )
    return ScanDocument(
        schema="underkeel.scan/1",
        generated_at=utc(at),
        engine_version=ENGINE_VERSION,
        chain=scan.chain,
        chain_id=str(block.chain_id),
        block_number=str(block.number),
        block_hash=block.hash,
        timestamp=str(block.timestamp),
        protocol=market.adapter,
        market=market.name,
        root=market.root,
        counts=ScanCounts(
            accounts=str(counts.accounts),
            borrowers=str(counts.borrowers),
            liquidatable=str(counts.liquidatable),
            unknown=str(counts.unknown),
            settled=integer(counts.settled) or "0",
            collateral_usd=counts.collateral_usd,
            debt_usd=counts.debt_usd,
        ),
        rows=[
            ScanRow.model_validate(dict(zip(FIELDS, row, strict=True))) for row in cells(scan.rows)
        ],
        **given,
    )


def _usd(scan: Scan, value: float) -> float | None:
    return None if scan.unit_usd is None else value * scan.unit_usd
