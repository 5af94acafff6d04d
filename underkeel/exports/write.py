"""Rows into CSV, Parquet or JSON, piece by piece, however many there are."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO, Any, Final

import orjson

from underkeel.config.problems import one_line
from underkeel.errors import UsageError
from underkeel.exports.rows import NUMBERS, Row

FORMATS: Final = ("csv", "parquet", "json")
PIECE: Final = 5_000
FORMULA: Final = re.compile(r"\s*[=+\-@|%＝＋－＠]")
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
TRUTHS: Final = frozenset({"present", "verified", "success"})


def require(kind: str) -> None:
    """Raise `UsageError` where a format is unknown or its library is not installed."""
    if kind not in FORMATS:
        raise UsageError(f"--format {kind!r} is none of {', '.join(FORMATS)}")
    if kind == "parquet":
        _pyarrow()


def write_csv(
    out: IO[bytes], columns: Sequence[str], rows: Iterator[Row], tell: Callable[[int], None]
) -> int:
    """Write CSV (RFC 4180, UTF-8) and return how many rows; what is not known is empty.

    Text that a spreadsheet would run as a formula is preceded by an apostrophe: names of tokens
    are made up by strangers.
    """
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])
        count += 1
        if count % PIECE == 0:
            tell(count)
    text.detach()
    return count


def cell(value: Any) -> str:
    """Return what stands in a CSV for a value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    text = one_line(str(value))
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def write_json(
    out: IO[bytes], head: dict[str, Any], rows: Iterator[Row], tell: Callable[[int], None]
) -> int:
    """Write `underkeel.export/1`: the head, the rows as `data`, and how many as `rows`."""
    out.write(orjson.dumps(head)[:-1] + b',"data":[')
    count = 0
    for row in rows:
        out.write((b",\n" if count else b"\n") + orjson.dumps(row))
        count += 1
        if count % PIECE == 0:
            tell(count)
    out.write(b'\n],"rows":"%d"}\n' % count)
    return count


def write_parquet(
    out: IO[bytes], head: dict[str, Any], rows: Iterator[Row], tell: Callable[[int], None]
) -> int:
    """Write Parquet: text, but truths and dollars; the head is in the file's metadata."""
    arrow, parquet = _pyarrow()

    def kind(name: str) -> Any:
        return (
            arrow.float64() if name in NUMBERS
            else arrow.bool_() if name in TRUTHS
            else arrow.string()
        )  # fmt: skip

    metadata = {name: orjson.dumps(value).decode() for name, value in head.items()}
    fields = [(name, kind(name)) for name in head["columns"]]
    schema = arrow.schema(fields, metadata=metadata)
    count = 0
    with parquet.ParquetWriter(out, schema) as writer:
        while piece := list(islice(rows, PIECE)):
            columns = {name: [row[name] for row in piece] for name in head["columns"]}
            writer.write_table(arrow.table(columns, schema=schema))
            count += len(piece)
            tell(count)
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        todo = "pip install 'underkeel[parquet]'"
        raise UsageError(f"--format parquet needs an extra: {todo}") from None
    return pyarrow, pyarrow.parquet
