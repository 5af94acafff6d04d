"""The store's tables. Migrations make them; a test holds the two together.

Times are seconds since 1970 UTC (`Utc`); text that came from a chain is `Words`; series ids,
events and receipts count up from 1.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from underkeel.store.types import Exact, Json, Utc, Words

NAMING: Final = {"ix": "ix_%(table_name)s_%(column_0_N_name)s"}
metadata: Final = MetaData(naming_convention=NAMING)
Id: Final = BigInteger().with_variant(Integer, "sqlite")
"""What counts itself up."""


def _block() -> tuple[Column[int], Column[str]]:
    return Column("block_number", BigInteger), Column("block_hash", Text)


stamp: Final = Table(
    "stamp",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""mode, instance, made_at, chain:<name>, genesis:<chain id>."""

service_lock: Final = Table(
    "service_lock",
    metadata,
    Column("name", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("taken_at", Utc, nullable=False),
    Column("beat_at", Utc, nullable=False),
)
"""Who may write. `beat` counts renewals; an empty holder is nobody."""

chain_states: Final = Table(
    "chain_states",
    metadata,
    Column("chain", Words, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("cause", Words, nullable=False),
    *_block(),
    Column("block_timestamp", BigInteger),
    Column("head_number", BigInteger),
    Column("head_at", Utc),
    Column("read_at", Utc),
    Column("success_at", Utc),
    Column("requests", BigInteger, nullable=False),
    Column("body", Json, nullable=False),
    Column("version", BigInteger, nullable=False),
)

documents: Final = Table(
    "documents",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("chain", Words, primary_key=True),
    Column("at", Utc, nullable=False),
    *_block(),
    Column("body", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
)
"""The newest of each kind: JSON, deflated where that is much shorter."""

series: Final = Table(
    "series",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", Words, nullable=False, unique=True),
    Column("metric", Text, nullable=False),
    Column("labels", Json, nullable=False),
    Column("unit", Text, nullable=False),
    Column("chain", Words, nullable=False),
    Column("position", Words, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Index(None, "metric", "chain"),
    Index(None, "position"),
    sqlite_autoincrement=True,
)


def _grain(name: str, *columns: Column[Any]) -> Table:
    """Return a table of values over time.

    Rows lie by bucket of time, then by series: what is written together lies together, a bucket is
    rolled up and pruned in one sweep, and one series is read by one seek per bucket.
    """
    return Table(
        name,
        metadata,
        Column("bucket", Integer, primary_key=True, autoincrement=False),
        Column("series", BigInteger, primary_key=True, autoincrement=False),
        Column("at", Utc, primary_key=True),
        *columns,
        sqlite_with_rowid=False,  # rows lie in the order of the key
    )


def _bounds(name: str) -> Table:
    return _grain(
        name,
        Column("least", Double),
        Column("most", Double),
        Column("last", Double),
        Column("known", Integer, nullable=False),
        Column("unknown", Integer, nullable=False),
    )


samples: Final = _grain(
    "samples",
    Column("value", Double),
    Column("raw", Exact),
    Column("cause", Words),
    Column("block_number", BigInteger),
)
"""`value` is null where unknown, with the cause; `raw` is there where a double would round."""

hourly: Final = _bounds("hourly")
daily: Final = _bounds("daily")
"""Per series and hour or day: bounds and last of what was known, and how many samples were not."""

grains: Final = Table(
    "grains",
    metadata,
    Column("grain", Text, primary_key=True),
    Column("done", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
)
"""By bucket: those before `done` are rolled up into the next grain, those before `kept` pruned."""

latest: Final = Table(
    "latest",
    metadata,
    Column("chain", Words, primary_key=True),
    Column("at", Utc, nullable=False),
    *_block(),
    Column("body", LargeBinary, nullable=False),
)
"""The newest value of every series of a chain, in one row: samples are thinned, this is not."""

position_history: Final = Table(
    "position_history",
    metadata,
    Column("position", Words, primary_key=True),
    Column("at", Utc, primary_key=True),
    Column("chain", Words, nullable=False),
    *_block(),
    Column("body", LargeBinary, nullable=False),
    Index(None, "at"),
    sqlite_with_rowid=False,  # rows lie in the order of the key
)

events: Final = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("chain", Words, nullable=False),
    Column("wallet", Words, nullable=False),
    Column("position", Words, nullable=False),
    Column("alert", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("body", Json, nullable=False),
    Index(None, "at"),
    Index(None, "alert"),
    sqlite_autoincrement=True,
)
"""What happened, in the order it was committed; ids are never used twice."""

alerts: Final = Table(
    "alerts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("rule", Words, nullable=False),
    Column("chain", Words, nullable=False),
    Column("metric", Text, nullable=False),
    Column("labels", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Words, nullable=False),
    Column("value", Exact),
    Column("cause", Words, nullable=False),
    Column("note", Words, nullable=False),
    Column("since", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("acked_at", Utc),
    Column("acked_by", Words, nullable=False),
    Column("silenced", Words, nullable=False),
    Column("inhibited", Words, nullable=False),
    Column("block_number", BigInteger),
    Column("body", Text, nullable=False),
    Index(None, "chain"),
    Index(None, "state"),
)
"""Every state of every rule and label set, `ok` too; `body` is the engine's own."""

silences: Final = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("matchers", Json, nullable=False),
    Column("until", Utc, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("by", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("ended_at", Utc),
    sqlite_autoincrement=True,
)

notifications: Final = Table(
    "notifications",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("channel", Words, nullable=False),
    Column("alert", Words, nullable=False),
    Column("rule", Words, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Words, nullable=False),
    Column("body", Words, nullable=False),
    Column("payload", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Utc),
    Column("waited", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("held_until", Utc),
    Column("maybe", Boolean(create_constraint=False), nullable=False),
    Column("cause", Words, nullable=False),
    Column("settled_at", Utc),
    Index(None, "channel", "status", "seq"),
    sqlite_autoincrement=True,
)
"""The outbox; `waited` is microseconds. status: waiting, sending, delivered, failed."""

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column(
        "notification",
        BigInteger,
        ForeignKey("notifications.seq", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("channel", Words, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("began_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("outcome", Text, nullable=False),
    Column("code", Integer),
    Column("cause", Words, nullable=False),
    Column("repeated", Boolean(create_constraint=False), nullable=False),
    Column("digest", Text),
    Index(None, "notification"),
    sqlite_autoincrement=True,
)
"""One row per attempt to deliver, written before it is made."""

proposals: Final = Table(
    "proposals",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("plan", Text),
    Column("name", Words, nullable=False),
    Column("at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("alert", Words, nullable=False),
    Column("rule", Words, nullable=False),
    Column("chain", Words),
    Column("wallet", Words, nullable=False),
    Column("account", Words, nullable=False),
    Column("position", Words),
    Column("mode", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("cause", Words, nullable=False),
    Column("document", Json),
    Column("verdicts", Json),
    Column("ended", Json),
    Column("command", Words, nullable=False),
    Column("child", Words),
    Column("value", Double),
    Index(None, "status"),
    Index(None, "alert"),
    sqlite_autoincrement=True,
)
