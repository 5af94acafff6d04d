"""Histories from CSV and Parquet files, for what the chain does not remember.

A file has a column of times and one of prices, found by their names. Times are seconds or
milliseconds since 1970, or ISO 8601; a date without a time is the end of that day in UTC, so that
a closing price is not known before the close.
"""

import lzma
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from risk.market.types import DAY_S, PriceSeries
from underkeel.config.load import Config
from underkeel.errors import AppError, Exit
from underkeel.shock import bases_of, same_name

if TYPE_CHECKING:
    import pandas as pd

TIMES: Final = ("timestamp", "time", "date", "datetime", "updatedat", "updated_at", "ts")
PRICES: Final = ("price", "usd_price", "price_usd", "close", "answer", "value", "usd")
SUFFIXES: Final = (".csv", ".csv.gz", ".csv.xz", ".parquet")
MILLISECONDS_FROM: Final = 1e11
"""A larger number is in milliseconds: in seconds it would be the year 5138."""
LATEST: Final = 1e14
"""A larger number is in something smaller than milliseconds, or no time."""


class BadHistory(AppError):
    """A history file cannot be used; the message says where and what to do."""

    code = Exit.CONFIG


def read_file(path: Path, factor: str, label: str = "", column: str = "") -> PriceSeries:
    """Return the history in a file; raises `BadHistory`.

    `column` names the prices where there are several. Rows without a positive price are left out
    and counted in `source`; of two rows of one time the last counts.
    """
    table = _table(path)
    names = {str(name).strip().lower(): name for name in table.columns}
    time = next((names[n] for n in TIMES if n in names), None)
    if time is None:
        raise BadHistory(
            f"{path}: no column of times among {_listed(table)}; name one {TIMES[0]!r}"
        )
    others = [name for name in table.columns if name != time]
    if column:
        price = names.get(column.strip().lower())
        if price is None or price == time:
            raise BadHistory(f"{path}: no column {column!r} among {_listed(table)}")
    else:
        price = next((names[n] for n in PRICES if n in names), None)
        price = others[0] if price is None and len(others) == 1 else price
        if price is None:
            raise BadHistory(
                f"{path}: which of {_listed(table)} is the price? write {path.name}:COLUMN"
            )
    prices = _numbers(path, table[price])
    times = _seconds(path, table[time])
    good = np.isfinite(prices) & (prices > 0)
    if not good.any():
        raise BadHistory(f"{path}: column {price!r} has no positive price")
    left_out = int((~good).sum())
    order = np.argsort(times[good], kind="stable")
    times, prices = times[good][order], prices[good][order]
    last = np.append(np.diff(times) > 0, [True])
    note = f" ({left_out} rows without a price)" if left_out else ""
    return PriceSeries(factor, label, times[last], prices[last], f"{path.name}{note}")


def _table(path: Path) -> "pd.DataFrame":
    try:
        import pandas as pd

        if path.suffix == ".parquet":
            table: pd.DataFrame = pd.read_parquet(path)
        else:
            table = pd.read_csv(path)
    except ImportError:
        raise BadHistory(
            f"{path}: reading Parquet needs more: pip install 'underkeel[parquet]'"
        ) from None
    except OSError as error:
        raise BadHistory(f"{path}: {error.strerror or error}") from None
    except (ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
        # What pandas, pyarrow and the decompressors raise for a damaged file.
        cause = str(error).partition("\n")[0]
        raise BadHistory(f"{path} is not a table: {cause}") from None
    if isinstance(table.index, pd.DatetimeIndex):
        table = table.reset_index()
    return table


def _listed(table: "pd.DataFrame") -> str:
    return ", ".join(map(repr, map(str, table.columns[:12]))) or "none"


def _numbers(path: Path, column: "pd.Series[Any]") -> NDArray[np.float64]:
    import pandas as pd

    dates = pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype
    if any(is_one(column) for is_one in dates):
        raise BadHistory(f"{path}: column {column.name!r} holds times, not prices")
    found = pd.to_numeric(column, errors="coerce")
    bad = found.isna() & column.notna()
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        raise BadHistory(f"{path}: row {row + 1}: {str(column.iloc[row])[:40]!r} is not a price")
    return found.to_numpy(np.float64, na_value=np.nan)


def _seconds(path: Path, column: "pd.Series[Any]") -> NDArray[np.int64]:
    """Return times as whole seconds, rounded up: a fraction of a second early would look ahead."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        parsed = pd.to_datetime(column, utc=True)
    elif pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        _times_good(path, column, ~((numbers > 0) & (numbers < LATEST)))
        scale = np.where(numbers > MILLISECONDS_FROM, 1000.0, 1.0)
        whole: NDArray[np.int64] = np.ceil(numbers / scale).astype(np.int64)
        return whole
    else:
        texts = column.map(str)
        parsed = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    _times_good(path, column, parsed.isna().to_numpy())
    whole_s = parsed.dt.ceil("s").dt.as_unit("s").astype("int64").to_numpy()
    _times_good(path, column, (whole_s < 0) | (whole_s > MILLISECONDS_FROM))
    seconds: NDArray[np.int64] = whole_s.astype(np.int64)
    if not pd.api.types.is_datetime64_any_dtype(column):
        dates = column.map(str).str.fullmatch(r"\d{4}-\d\d-\d\d").to_numpy(bool)
        seconds = seconds + DAY_S * dates
    return seconds


def _times_good(path: Path, column: "pd.Series[Any]", bad: NDArray[np.bool_]) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise BadHistory(
            f"{path}: row {row + 1}: {str(column.iloc[row])[:40]!r} is not a time: write "
            "seconds or milliseconds since 1970, or 2024-05-01T12:00:00Z"
        )


def listed(where: Path) -> dict[str, str]:
    """Return the files of a folder, or the one file, by the name that each begins with.

    `ETH.csv` and `WETH_usd_hourly.csv.gz` are histories of ETH. Raises `BadHistory`.
    """
    where = where.expanduser().resolve()
    if where.is_file():
        return {_stem(where): str(where)}
    try:
        paths = sorted(p for p in where.iterdir() if p.name.lower().endswith(SUFFIXES))
    except OSError as error:
        raise BadHistory(f"{where}: {error.strerror or error}") from None
    if not paths:
        raise BadHistory(f"{where}: no file ends in {', '.join(SUFFIXES)}")
    return {_stem(path): str(path) for path in reversed(paths)}


def _stem(path: Path) -> str:
    return path.name.split(".", 1)[0].split("_", 1)[0]


def with_files(config: Config, where: Path | None) -> Config:
    """Return the config with the files of `--history` beside its own; raises `BadHistory`."""
    if where is None:
        return config
    history = config.settings.history
    files = {**history.files, **listed(where)}
    found = history.model_copy(update={"files": files})
    return replace(config, settings=config.settings.model_copy(update={"history": found}))


def file_for(
    factor: str, label: str, files: Mapping[str, str], beside: Path
) -> tuple[Path, str] | None:
    """Return the file and the column that hold a factor's history; None where none is named.

    A key is the factor itself (an address or an expression), its label (`ETH / USD`), or the base
    of a label in dollars (`ETH`, and `WETH` means the same). A relative path is beside the config.
    """
    exact = {key.lower(): value for key, value in files.items()}
    named = exact.get(factor.lower()) or exact.get(label.lower())
    if named is None and label.upper().endswith("USD"):
        bases = bases_of(label)
        named = next(
            (v for k, v in files.items() if any(same_name(k, base) for base in bases)), None
        )
    if named is None:
        return None
    text, colon, column = named.rpartition(":")
    if not colon or not text.lower().endswith(SUFFIXES):
        text, column = named, ""
    return (beside / Path(text).expanduser()), column
