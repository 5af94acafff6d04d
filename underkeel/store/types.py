"""Column types that lose nothing, in SQLite as in Postgres.

- `Utc`: seconds since 1970 UTC as `float` in Python, whole microseconds in the database.
- `Exact`: a `Decimal` of any size as text.
- `Words`: text that any database takes: NUL and lone surrogates become U+FFFD.
- `Json`: a value as JSON text; sorted keys, `Decimal` as text.
"""

import math
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, String, Text, TypeDecorator

MICRO = 1_000_000


def to_micros(seconds: float) -> int:
    """Return whole microseconds, exact until the year 2242; raises `ValueError` for no time."""
    if not math.isfinite(seconds) or abs(seconds) >= 1 << 42:
        raise ValueError(f"{seconds} is no time")
    whole = math.floor(seconds)
    return whole * MICRO + round((seconds - whole) * MICRO)


def from_micros(micros: int) -> float:
    """Return seconds."""
    return micros / MICRO


class Utc(TypeDecorator[float]):
    """A moment: seconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        """Return microseconds."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:
        """Return seconds."""
        return None if value is None else from_micros(value)


class Exact(TypeDecorator[Decimal]):
    """A number of any size, as text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> str | None:
        """Refuse what is no number."""
        if value is None:
            return None
        if isinstance(value, Decimal) and not value.is_finite():
            raise ValueError(f"{value} is no number")
        return str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the number."""
        return None if value is None else Decimal(value)


def words(text: str) -> str:
    """Return text that every database takes."""
    return (
        text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


class Words(TypeDecorator[str]):
    """Text, whatever it came from."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what cannot be stored."""
        return None if value is None else words(value)


def dumps(value: Any) -> bytes:
    """Return JSON; raises `TypeError` for what is none."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a lone surrogate, or an integer beyond 64 bits
        return orjson.dumps(_clean(value), default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return words(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    if isinstance(value, int) and abs(value) >> 63:
        return str(value)
    return value


class Json(TypeDecorator[Any]):
    """Any JSON value, as text; SQL NULL is None."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return its text."""
        return None if value is None else dumps(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value."""
        return None if value is None else orjson.loads(value)
