"""What a scan looks like in every format, and which options do not go together."""

import csv
import io
import json
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console

from bench.synthetic import market
from chain.types import Address
from protocols.aave_v3.columns import Kind, Way
from protocols.aave_v3.rules import Rules
from protocols.adapter import Market
from risk.bulk import Curve, CurvePoint, Exposure, Verdict, screen
from underkeel.cli.options import Globals
from underkeel.cli.scan import report, run_scan
from underkeel.documents.scan import ScanDocument
from underkeel.errors import AppError, UsageError
from underkeel.scan.export import csv_text, require, scan_document, write_parquet
from underkeel.scan.picture import short, svg
from underkeel.scan.report import FIELDS, Scan, judge
from underkeel.scan.run import Request

COLUMNS = replace(market(60, 12, 10), unknown={5: "LINK: no answer"}, incomplete={6: "a part"})
ROOT = Address("0x" + "11" * 20)


def a_scan(below: float | None = None, top: int | None = None, dollars: bool = True) -> Scan:
    columns = COLUMNS if dollars else replace(COLUMNS, base_decimals=None)
    counts, rows, unit = judge(Exposure.of(columns), below, top)
    points = (
        CurvePoint(Fraction(0), 1, 5e11, 4e11, 0.0, 0),
        CurvePoint(Fraction(-1, 5), 1234, 5e14, 4.5e14, 1e12, 3),
    )
    curve = Curve(("feed",), points, 1)
    there = Market("aave-v3", "A & <B>", ROOT, {})
    return Scan("local", there, columns.at, counts, rows, curve, "ETH", unit)


def test_judge__no_filter__unknown_first_then_worst_and_all_there() -> None:
    found = a_scan()
    assert len(found.rows) == 60
    assert found.rows[0].status == "unknown"
    assert (found.rows[0].cause, found.rows[0].health) == ("LINK: no answer", None)
    healths = [row.health for row in found.rows[1:] if row.health is not None]
    assert healths == sorted(healths)
    verdicts = screen(Exposure.of(COLUMNS))
    assert found.counts.liquidatable == int(verdicts.liquidatable.sum())
    assert found.counts.unknown == 1
    owing = {Verdict.SAFE, Verdict.LIQUIDATABLE}
    assert found.counts.borrowers == sum(v in owing for v in verdicts.verdict.tolist())
    assert any(row.cause == "a part" for row in found.rows)


def test_judge__filters__keep_the_unknown_and_the_worst() -> None:
    found = a_scan(below=1.0)
    assert [row.status for row in found.rows[:1]] == ["unknown"]
    assert {row.status for row in found.rows[1:]} == {"liquidatable"}
    assert len(found.rows) == found.counts.liquidatable + 1
    assert a_scan(top=3).rows == a_scan().rows[:3]


def test_judge__price_or_release_in_doubt__is_unknown_instead_of_safe_only() -> None:
    before = {row.account: row for row in a_scan().rows}
    first = COLUMNS.reserves[0]
    assert first.quote is not None
    stale = replace(first, quote=replace(first.quote, problems=("older than its heartbeat",)))
    columns = replace(COLUMNS, reserves=(stale, *COLUMNS.reserves[1:]))
    _, rows, _ = judge(Exposure.of(columns))
    changed = {row.account for row in rows if row.status != before[row.account].status}
    assert changed
    for row in rows:
        was = before[row.account]
        assert row.health == was.health
        if row.account in changed:
            assert (was.status, row.status) == ("safe", "unknown")
            assert row.cause == "F0 / USD: older than its heartbeat"
    counts, rows, _ = judge(Exposure.of(replace(COLUMNS, rules=Rules(12))))
    assert "safe" not in {row.status for row in rows}
    assert "liquidatable" in {row.status for row in rows}
    assert counts.borrowers == a_scan().counts.borrowers
    assert (counts.unread, a_scan().counts.unread) == (1, 1)


def test_csv__rows__read_back_with_nothing_invented() -> None:
    found = a_scan()
    read = list(csv.DictReader(io.StringIO(csv_text(found.rows))))
    assert tuple(read[0]) == FIELDS
    assert [r["account"] for r in read] == [row.account for row in found.rows]
    assert read[0]["health"] == read[0]["debt_usd"] == ""
    assert [float(r["debt_usd"]) for r in read[1:]] == [row.debt_usd for row in found.rows[1:]]


def test_parquet__rows__read_back_with_their_block(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    found = a_scan()
    write_parquet(found, tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.to_pylist() == [{n: getattr(row, n) for n in FIELDS} for row in found.rows]
    assert table.schema.metadata[b"block_hash"].decode() == found.at.hash
    empty = replace(found, rows=())
    write_parquet(empty, tmp_path / "y.parquet")
    assert parquet.read_table(tmp_path / "y.parquet").schema.names == list(FIELDS)


def test_document__scan__is_what_the_schema_says() -> None:
    found = a_scan()
    text = scan_document(found, 0).model_dump_json(by_alias=True, exclude_unset=True)
    ScanDocument.model_validate_json(text)
    doc = json.loads(text)
    assert doc["schema"] == "underkeel.scan/1"
    assert doc["counts"]["accounts"] == "60"
    assert doc["curve"]["points"][1]["debt_usd"] == 4.5e6
    bare = scan_document(replace(found, curve=None), 0)
    assert "curve" not in bare.model_dump(exclude_unset=True)


def test_document__storage__counts_tokens_and_names_those_read_by_function() -> None:
    ways = [Way(ROOT, Kind.SUPPLY), Way(ROOT, Kind.DEBT, "it reverts"), Way(ROOT, Kind.WALLET)]
    found = replace(a_scan(), ways=tuple(ways))
    storage = scan_document(found, 0).storage
    assert storage is not None
    assert storage.by_storage == "2"
    assert [(one.contract, one.cause) for one in storage.by_function] == [(ROOT, "it reverts")]
    assert "read from storage: 2 of 3 tokens (others: it reverts)" in shown(found)
    many = replace(found, ways=tuple(Way(ROOT, Kind.DEBT, f"cause {i}") for i in range(4)))
    assert "0 of 4 tokens (others: cause 0; cause 1; and 2 other causes)" in shown(many)


def shown(found: Scan) -> str:
    screen = Console(width=200, record=True, file=io.StringIO())
    screen.print(report(found))
    return screen.export_text()


def test_document__base_currency_is_no_dollar__says_null_not_zero() -> None:
    doc = scan_document(a_scan(dollars=False), 0)
    assert doc.counts.debt_usd is None
    assert doc.curve is not None
    assert doc.curve.points[0].debt_usd is None
    assert all(row.debt_usd is None for row in doc.rows)


def test_picture__curve__is_wellformed_and_says_its_numbers() -> None:
    root = ET.fromstring(svg(a_scan()))
    words = "".join(root.itertext())
    assert "A & <B>: if ETH moves" in words
    assert "1,234" in words
    assert "-20%" in words
    assert "without 1 unknown accounts" in words
    heights = [float(r.attrib["height"]) for r in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert heights[2] > heights[1] > 0
    assert "base units" in svg(a_scan(dollars=False))
    with pytest.raises(ValueError, match="no curve"):
        svg(replace(a_scan(), curve=None))


def test_short__numbers__in_three_digits() -> None:
    assert [short(v) for v in (0, 12.34, 1234, 5.6e6, 7.891e9, 2e12)] == [
        *("0", "12.3", "1.23k", "5.6M", "7.89B", "2T"),
    ]


def test_report__80_columns__cuts_nothing_and_never_rounds_up_to_safety() -> None:
    found = a_scan()
    almost = replace(found.rows[1], health=0.99999999, distance_frac=0.0)
    rich = replace(found.rows[2], health=2e6, distance_frac=-0.25, factor="Capped stETH / ETH")
    found = replace(found, rows=(found.rows[0], almost, rich, *found.rows[-2:]))
    screen_ = Console(width=80, file=io.StringIO(), force_terminal=False)
    screen_.print(report(found))
    text = screen_.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert all(row.account in text for row in found.rows)
    assert "✖ 0.9999 " in text
    assert "> 10^6" in text
    assert "-25.0% stETH" in text
    assert "? LINK: no answer" in text
    assert "1 unknown" in text
    assert "-20%" in text
    assert "if ETH moves, without 1 unknown accounts" in text
    screen_.print(report(a_scan(dollars=False)))


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"kind": "xml"}, "'xml' is none of table, csv, parquet, json"),
        ({"kind": "parquet"}, "say --output FILE"),
        ({"target": Path("x.txt")}, "--output needs --format"),
        ({"picture": Path("x.svg")}, "say --curve NAME"),
        ({"engine": "ray"}, "'ray' is none of"),
        ({"cluster": "tcp://x:1"}, "--cluster is for --engine dask"),
    ],
)
def test_run_scan__options_that_do_not_fit__are_refused(
    given: dict[str, object], cause: str
) -> None:
    options: dict[str, object] = {
        "kind": None,
        "target": None,
        "picture": None,
        "accounts": None,
        "engine": "local",
        "workers": 2,
        "cluster": None,
    }
    with pytest.raises(UsageError, match=cause):
        run_scan(Globals(), Request("x"), **{**options, **given})  # type: ignore[arg-type]


def test_require__pyarrow_not_installed__names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'underkeel\[parquet\]'"):
        require("parquet")


def test_write__folder_that_is_not_there__is_an_error_of_ours(tmp_path: Path) -> None:
    from underkeel.cli.scan import Output, _show

    for kind in ("csv", "json", "parquet"):
        with pytest.raises(AppError, match="cannot write"):
            _show(Globals(), Output(kind, tmp_path / "no" / f"x.{kind}", None), a_scan())


@pytest.mark.parametrize("text", ["0x12\n", "\xff"], ids=["no address", "no text"])
def test_run_scan__accounts_file_with_something_else__is_a_usage_error(
    text: str, tmp_path: Path
) -> None:
    from underkeel.cli.scan import _accounts

    path = tmp_path / "accounts.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="--accounts"):
        _accounts(path)


def test_show__every_kind__goes_where_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from underkeel.cli.scan import Output, _output, _show

    found = a_scan()
    for suffix in ("csv", "json", "parquet"):
        target = tmp_path / f"rows.{suffix}"
        _show(Globals(), _output(Globals(), None, target, None, Request("x")), found)
        assert target.stat().st_size > 100
    assert capsys.readouterr().out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.csv", "rows.json", "rows.parquet"]
    _show(Globals(), Output("csv", None, None), found)
    assert capsys.readouterr().out == (tmp_path / "rows.csv").read_text()
    _show(Globals(), _output(Globals(json=True), None, None, None, Request("x")), found)
    assert json.loads(capsys.readouterr().out)["schema"] == "underkeel.scan/1"
    _show(Globals(), _output(Globals(), None, None, None, Request("x")), found)
    assert "with debt" in capsys.readouterr().out
