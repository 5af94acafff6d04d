"""What an export holds: exact, in any zone, harmless in a spreadsheet."""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from executor.journal import tables as journal_tables
from executor.journal.journal import Journal
from executor.journal.rows import write_attempts, write_receipt
from executor.types import Receipt
from tests.executor.samples import attempt, intent
from tests.fixtures_store import BEGIN, CHAINS
from tests.underkeel.store.past import document, leg, position
from underkeel.documents.export import ExportDocument
from underkeel.errors import AppError, UsageError
from underkeel.exports import rows, times, write
from underkeel.exports.run import Wanted, expected, export, new_file
from underkeel.exports.times import Span
from underkeel.store import documents, events
from underkeel.store.events import Event
from underkeel.store.history import Keeper
from underkeel.store.store import Store

BERLIN = times.zone_of("Europe/Berlin")
SPAN = Span(0, BEGIN * 2, BERLIN)


def exported(store: Store, kind: str, form: str = "json", span: Span = SPAN) -> bytes:
    out = io.BytesIO()
    export(store, Wanted(kind, form, span), out)
    return out.getvalue()


def data(store: Store, kind: str, span: Span = SPAN) -> list[dict[str, Any]]:
    made = orjson.loads(exported(store, kind, "json", span))
    ExportDocument.model_validate(made)
    assert made["rows"] == str(len(made["data"]))
    for row in made["data"]:
        assert list(row) == made["columns"]
    return list(made["data"])


def keep(store: Store, *positions: dict[str, Any], keeper: Keeper | None = None) -> None:
    with store.writing() as db:
        documents.put(db, "risk", "ethereum", document(*positions), at=BEGIN)
        keeper = keeper or Keeper()
        keeper.keep(db, keeper.due(db, BEGIN))


def test_positions__legs__raw_integers_and_prices_with_source_and_block(store: Store) -> None:
    keep(store, position(5, leg("collateral", 2**256 - 1), leg("debt", price_raw=None)))
    first, second = data(store, "positions")
    assert first["amount_raw"] == str(2**256 - 1)
    assert first["amount"].replace(".", "") == str(2**256 - 1)
    assert first["price_source"] == "chainlink(0xabc)"
    assert (first["block_number"], first["block_hash"]) == ("5", f"0x{5:064x}")
    assert (first["chain"], first["chain_id"]) == ("ethereum", "1")
    assert second["price_raw"] is None
    assert second["side"] == "debt"


def test_positions__gone__one_row_that_says_so(store: Store) -> None:
    keeper = Keeper()
    keep(store, position(), keeper=keeper)
    keep(store, keeper=keeper)
    *_, last = data(store, "positions")
    assert last["present"] is False
    assert last["amount_raw"] is None


def test_positions__without_legs__still_there(store: Store) -> None:
    keep(store, position() | {"legs": []})
    (row,) = data(store, "positions")
    assert (row["position"], row["side"]) == ("1:aave-v3:root:owner", None)


def test_events__span__first_inclusive_last_exclusive(store: Store) -> None:
    with store.writing() as db:
        for n in range(4):
            events.add(db, Event(BEGIN + n, "alert", f"event {n}", body={"n": n}))
    span = Span(BEGIN + 1, BEGIN + 3, BERLIN)
    assert [row["text"] for row in data(store, "events", span)] == ["event 1", "event 2"]
    assert data(store, "events")[0]["details"] == '{"n":0}'
    assert expected(store, Wanted("events", "csv", span)) == 2


def test_transactions__without_a_journal__none(store: Store) -> None:
    assert data(store, "transactions") == []
    assert expected(store, Wanted("transactions", "csv", SPAN)) == 0


@pytest.fixture
def live(store_url: str) -> Iterator[Store]:
    journal = Journal.open(store_url, mode="live", clock=lambda: BEGIN)
    opened = Store.open(store_url, mode="live", chains=CHAINS, clock=lambda: BEGIN)
    one, two = intent(1), intent(2, chain_id=5)
    journal.record(one)
    journal.record(two)
    with opened.writing() as db:
        write_attempts(db, (attempt(one), attempt(one, 1)), int(BEGIN))
        paid = Receipt(attempt(one).hash, f"0x{9:064x}", 9, True, 21_000 * 10**9, False)
        write_receipt(db, one.id, paid)
        db.execute(journal_tables.intents.update().values(state="done", nonce=3).where(
            journal_tables.intents.c.id == one.id
        ))  # fmt: skip
        db.execute(insert(journal_tables.strays).values(
            hash="0xstray", chain_id=1, wallet=one.wallet, at=int(BEGIN), wei=2**255
        ))  # fmt: skip
    yield opened
    opened.close()
    journal.close()


def test_transactions__gas_effect_and_hash(live: Store) -> None:
    done, open_, stray = data(live, "transactions")
    assert done["gas_paid_wei"] == str(21_000 * 10**9)
    assert done["gas_paid"] == "0.000021000000000000"
    assert (done["effect"], done["hash"]) == ("took place, final", attempt(intent(1)).hash)
    assert (done["nonce"], done["attempts"], done["success"]) == ("3", "2", True)
    assert (done["to"], done["data"], done["value_wei"]) == (intent(1).call.to, "0x0102", "7")
    assert (open_["chain"], open_["chain_id"], open_["effect"]) == (None, "5", "open")
    assert open_["hash"] is None
    assert stray["gas_paid_wei"] == str(2**255)
    assert "records are lost" in stray["effect"]


@pytest.mark.parametrize(
    ("state", "success", "words"),
    [
        ("mined", True, "took place, not final"), ("mined", False, "failed, not final"),
        ("reverted", False, "failed, final"), ("cancelled", None, "did not take place"),
        ("broadcast", None, "open"),
    ],
)  # fmt: skip
def test_effect__every_end__in_words(state: str, success: bool | None, words: str) -> None:
    receipt = None if success is None else Receipt("0x", "0x", 1, success, 0, False)
    assert rows._effect(state, receipt) == words


@pytest.mark.parametrize(
    "evil",
    ["=1+1", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "|calc", "＝1", " =HYPERLINK(…)", "%0A=1"],
)
def test_csv__a_formula__is_text(store: Store, evil: str) -> None:
    keep(store, position(0, leg(symbol=evil)))
    (row,) = csv.DictReader(io.StringIO(exported(store, "positions", "csv").decode()))
    assert row["symbol"].startswith("'") or not row["symbol"].lstrip().startswith(("=", "+", "@"))
    assert row["value_usd"] == "-2.0"  # a number stays one


@given(st.text())
def test_cell__any_text__one_line_and_no_formula(text: str) -> None:
    found = write.cell(text)
    assert found.isprintable()
    assert not write.FORMULA.match(found) or write.NUMBER.fullmatch(found)


def test_cell__what_is_not_known__is_empty_and_never_zero() -> None:
    assert [write.cell(v) for v in (None, True, False, 0.1, "-5", "-x")] == [
        "", "true", "false", "0.1", "-5", "'-x",
    ]  # fmt: skip


@given(st.integers(-(2**256), 2**256), st.integers(0, 40))
def test_shifted__any_amount__exact(raw: int, decimals: int) -> None:
    text = rows.shifted(str(raw), str(decimals))
    assert text is not None
    assert "E" not in text
    assert len(text.partition(".")[2]) == decimals
    assert int(text.replace(".", "")) == raw


def test_parquet__same_rows_and_types(store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    keep(store, position(5))
    with new_file(tmp_path / "x.parquet") as file:
        assert export(store, Wanted("positions", "parquet", SPAN), file) == 2
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.to_pylist() == data(store, "positions")
    assert str(table.schema.field("amount_raw").type) == "string"
    assert str(table.schema.field("value_usd").type) == "double"
    assert table.schema.metadata[b"schema"] == b'"underkeel.export/1"'


def test_require__no_pyarrow__says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'underkeel\[parquet\]'"):
        write.require("parquet")
    with pytest.raises(UsageError, match="is none of csv"):
        write.require("xlsx")


def test_progress__every_piece__is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "PIECE", 1)
    keep(store, position())
    for form in write.FORMATS:
        told: list[int] = []
        export(store, Wanted("positions", form, SPAN), io.BytesIO(), told.append)
        assert told == [1, 2]


def test_times__summer_and_winter__offset_and_utc() -> None:
    assert SPAN.local(1_790_000_000.25).endswith(".250000+02:00")
    assert SPAN.local(1_767_225_600) == "2026-01-01T01:00:00+01:00"
    assert times.iso(1_767_225_600) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected_at"),
    [
        ("2026-01-01", 1_767_222_000),
        ("2026-01-01T01:00", 1_767_225_600),
        ("2026-01-01T00:00Z", 1_767_225_600),
        ("2026-01-01T00:00:00.5+00:00", 1_767_225_600.5),
        ("0001-01-01", 0.0),
        ("1815-12-10", 0.0),
        ("9999-12-31T23:59:59-12:00", times.LAST),
    ],
)
def test_parse__a_time__of_the_zone_unless_it_says(text: str, expected_at: float) -> None:
    assert times.parse("--from", text, BERLIN) == expected_at


def test_parse__nonsense__is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--from 'yesterday' is not a time; write 2026-01-31"):
        times.parse("--from", "yesterday", BERLIN)
    with pytest.raises(UsageError, match=r"is not a time zone.*Europe/Berlin"):
        times.zone_of("Europe/Berlni")


def test_new_file__an_error__leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_text("before")

    def fail() -> None:
        with new_file(target) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(AppError, match="cannot be written"), new_file(tmp_path / "no" / "x"):
        pass
