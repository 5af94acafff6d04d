"""Measured lines: a table of times and values, which the browser draws."""

from collections.abc import Mapping
from typing import Final

from underkeel.documents.history import HistoryDocument, Point, Series
from underkeel.web.pages import words
from underkeel.web.pages.cells import Cell, Column, Row, Table, block, moment, name, number, unknown

DRAWN: Final = 6
"""Lines in one drawing; more cannot be told apart."""


def lines_table(
    document: HistoryDocument,
    zone: str,
    *,
    id: str,
    caption: str,
    empty: str,
    names: Mapping[str, str],
) -> Table:
    """Return the newest first: a row for each time, a column for each series."""
    shown = document.series[:DRAWN]
    known = [{point.at: point for point in series.points} for series in shown]
    times = sorted({at for points in known for at in points}, reverse=True)
    rows = []
    for at in times:
        epoch = words.epoch(at)
        cells = [_cell(points.get(at), s.unit) for points, s in zip(known, shown, strict=True)]
        assert epoch is not None
        height = next((points[at].block_number for points in known if at in points), None)
        rows.append(
            Row(
                (
                    _when(epoch, height, zone),
                    *cells,
                )
            )
        )
    unit = shown[0].unit if shown else ""
    return Table(
        id,
        caption,
        (
            Column("at", "Time"),
            *(Column(f"v{i}", label(series, names), number=True) for i, series in enumerate(shown)),
        ),
        rows,
        empty,
        draw="lines",
        unit=unit,
        title=f"{caption}, {document.resolution} values{', in ' + unit if unit else ''}",
    )


def _when(at: float, height: str | None, zone: str) -> Cell:
    text = words.clock(at, zone)
    return moment(at, text) if height is None else block(height, int(at), text)


def label(series: Series, names: Mapping[str, str]) -> str:
    """Return what a series is called."""
    position = series.labels.get("position", "")
    if position in names:
        return names[position]
    return name(", ".join(v for k, v in sorted(series.labels.items()) if k != "position") or "all")


def _cell(point: Point | None, unit: str) -> Cell:
    if point is None:
        return number("–", None)
    if point.value is None:
        return unknown(point.cause or "not known")
    return number(value_text(point.value, unit), point.value)


def value_text(value: float | None, unit: str | None) -> str:
    """Return a measured value in its unit; health and other ratios are cut off, never up."""
    if value is None:
        return "unknown"
    if unit == "usd":
        return f"{words.dollars(value).text} USD"
    if unit == "seconds":
        return words.seconds(int(value)).text
    if unit == "ratio":
        return words.ratio(value)
    if unit == "bool":
        return "yes" if value else "no"
    text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{text} {unit}" if unit and unit != "count" else text
