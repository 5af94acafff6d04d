"""Histories from files, and what is wrong with them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from risk.market.types import DAY_S
from underkeel.history.files import BadHistory, file_for, listed, read_file

T = 1_700_000_000


def write(folder: Path, text: str, name: str = "eth.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (f"timestamp,price\n{T},2000.5\n{T + 60},2001\n", [T, T + 60]),
        (f"timestamp,USD_price\n{T}001,2000.5\n{T + 60}000,2001\n", [T + 1, T + 60]),
        ("Date,Close\n2023-11-14,2000.5\n2023-11-15,2001\n", [1_700_006_400, 1_700_092_800]),
        ("time,eth\n2023-11-14T22:13:20Z,2000.5\n2023-11-15T00:14:20+02:00,2001\n", [T, T + 60]),
        (f"updatedAt,roundId,answer\n{T},9,2000.5\n{T + 60},10,2001\n", [T, T + 60]),
        (f"ts,value\n{T + 60},2001\n{T},2000.5\n{T},3\n{T},2000.5\n", [T, T + 60]),
    ],
    ids=["seconds", "ms", "dates", "iso", "rounds", "unsorted and double"],
)
def test_read_file__every_form__is_the_same_history(
    tmp_path: Path, text: str, times: list[int]
) -> None:
    found = read_file(write(tmp_path, text), "0xf", "ETH / USD")
    assert found.times.tolist() == times
    assert found.prices.tolist() == [2000.5, 2001]
    assert (found.factor, found.label, found.source) == ("0xf", "ETH / USD", "eth.csv")


def test_read_file__a_date__is_not_known_before_its_day_is_over(tmp_path: Path) -> None:
    found = read_file(write(tmp_path, "date,price\n1970-01-02,5\n"), "A")
    assert found.times.tolist() == [2 * DAY_S]


def test_read_file__compressed_and_parquet__too(tmp_path: Path) -> None:
    text = f"timestamp,price\n{T},2000.5\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_file(tmp_path / "a.csv.gz", "A").prices.tolist() == [2000.5]
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"price": [1.5, 2.5]}, index=pd.to_datetime([T, T + 1], unit="s"))
    frame.index.name = "time"
    frame.to_parquet(tmp_path / "a.parquet")
    found = read_file(tmp_path / "a.parquet", "A")
    assert (found.times.tolist(), found.prices.tolist()) == ([T, T + 1], [1.5, 2.5])


def test_read_file__wide_table__takes_the_named_column(tmp_path: Path) -> None:
    path = write(tmp_path, "date,ETH,BTC\n2020-01-01,130,7000\n")
    assert read_file(path, "A", "", "btc").prices.tolist() == [7000]


def test_read_file__rows_without_a_price__are_left_out_and_counted(tmp_path: Path) -> None:
    text = f"timestamp,price\n{T},0\n{T + 1},5\n{T + 2},\n{T + 3},-1\n"
    found = read_file(write(tmp_path, text), "A")
    assert found.prices.tolist() == [5]
    assert found.source == "eth.csv (3 rows without a price)"
    assert np.all(found.prices > 0)


@pytest.mark.parametrize(
    ("text", "column", "cause"),
    [
        ("a,b\n1,2\n", "", "no column of times among 'a', 'b'"),
        ("time,a,b\n1,2,3\n", "", "which of 'time', 'a', 'b' is the price? write eth.csv:COLUMN"),
        ("time,price\n1,2\n", "close", "no column 'close'"),
        ("time,price\nyesterday,2\n", "", "row 1: 'yesterday' is not a time"),
        (f"time,price\n{T},2\n,3\n", "", "row 2: 'nan' is not a time"),
        (f"time,price\n{T},2\n{T},many\n", "", "row 2: 'many' is not a price"),
        (f"time,price\n{T},0\n", "", "has no positive price"),
        ("time,price\n1e300,2\n", "", "row 1: '1e+300' is not a time"),
        (f"time,price\n{T}000,2\n{T}000000,2\n", "", f"row 2: '{T}000000' is not a time"),
        (f"time,price\n{T}000000000,2\n", "", "is not a time"),
        ("time,price\n9999-12-31,2\n", "", "row 1: '9999-12-31' is not a time"),
        ("time,price\n2024-01-01,2\n1960-01-01,2\n", "", "row 2: '1960-01-01' is not a time"),
        ("", "", "is not a table"),
    ],
)
def test_read_file__at_fault__says_where_and_what(
    tmp_path: Path, text: str, column: str, cause: str
) -> None:
    with pytest.raises(BadHistory) as caught:
        read_file(write(tmp_path, text), "A", "", column)
    assert cause in str(caught.value)
    assert "eth.csv" in str(caught.value)


def test_read_file__absent_or_damaged__is_said(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match="No such file"):
        read_file(tmp_path / "none.csv", "A")
    pytest.importorskip("pyarrow")
    with pytest.raises(BadHistory, match="is not a table"):
        read_file(write(tmp_path, "junk", "x.parquet"), "A")
    with pytest.raises(BadHistory):
        read_file(write(tmp_path, "junk", "x.csv.gz"), "A")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv.gz", bytes.fromhex("1f8b08000000000000ff") + b"no deflate at all"),
        ("x.csv.gz", gzip.compress(b"time,price\n1,2\n" * 1_000)[:-9]),
        ("x.csv.xz", b"\xfd7zXZ\0" + b"no blocks at all"),
    ],
)
def test_read_file__a_damaged_archive__is_no_table(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadHistory, match="is not a table"):
        read_file(tmp_path / name, "A")


def test_read_file__columns_of_other_types__are_refused(tmp_path: Path) -> None:
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    for i, (time, price) in enumerate(
        [
            ([T, T + 1], pd.to_datetime([1, 2], unit="s")),
            ([T, T + 1], pd.to_timedelta([1, 2], unit="s")),
            ([T, T + 1], [[1.0], [2.0]]),
            ([b"\xff", b"a"], [1, 2]),
            ([True, False], [1, 2]),
        ]
    ):
        path = tmp_path / f"{i}.parquet"
        pd.DataFrame({"time": time, "price": price}).to_parquet(path)
        with pytest.raises(BadHistory, match=r"is not a (time|price)|holds times"):
            read_file(path, "A")


FILES = {"ETH": "eth.csv", "0xAb": "/data/ab.csv:close", "wstETH / ETH": "r.parquet"}


@pytest.mark.parametrize(
    ("factor", "label", "expected"),
    [
        ("0xF", "ETH / USD", ("beside/eth.csv", "")),
        ("0xF", "WETH / USD", ("beside/eth.csv", "")),
        ("0xab", "", ("/data/ab.csv", "close")),
        ("0xF", "wsteth / eth", ("beside/r.parquet", "")),
        ("0xF", "ETH / BTC", None),
        ("0xF", "stETH / USD", None),
        ("0xF", "", None),
    ],
)
def test_file_for__keys__are_factor_label_or_base(
    factor: str, label: str, expected: tuple[str, str] | None
) -> None:
    found = file_for(factor, label, FILES, Path("beside"))
    assert (found and (str(found[0]), found[1])) == expected


def test_listed__folder__names_files_by_their_beginning(tmp_path: Path) -> None:
    for name in ("WETH_usd_hourly.csv.gz", "BTC.csv", "notes.txt"):
        write(tmp_path, "", name)
    assert listed(tmp_path) == {
        "WETH": str(tmp_path / "WETH_usd_hourly.csv.gz"),
        "BTC": str(tmp_path / "BTC.csv"),
    }
    assert listed(tmp_path / "BTC.csv") == {"BTC": str(tmp_path / "BTC.csv")}


def test_listed__nothing_there__is_said(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match="no file ends in"):
        listed(tmp_path)
    with pytest.raises(BadHistory, match="No such file"):
        listed(tmp_path / "none")
