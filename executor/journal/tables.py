"""The journal's tables. Amounts in wei are decimal text: SQLite's integers end at 64 bits."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

VERSION: Final = "1"
"""Of the tables; another one is refused."""


class Uint(TypeDecorator[int]):
    """An unsigned integer of any size, as text."""

    impl = String(78)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Refuse what is negative."""
        if value is not None and value < 0:
            raise ValueError(f"{value} is negative")
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Return the integer."""
        return None if value is None else int(value)


metadata: Final = MetaData()

meta: Final = Table(
    "journal",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("value", Text, nullable=False),
)
"""version, instance, mode, sequence, and the genesis hash of each chain."""

wallets: Final = Table(
    "wallets",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("address", String(42), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("seen_nonce", BigInteger),
    Column("seen_block", BigInteger),
    Column("burn", BigInteger),
    Column("probe_nonce", BigInteger),
    Column("probe_block", BigInteger),
    Column("probe_hash", String(66)),
    Column("commits", BigInteger, nullable=False),
)

intents: Final = Table(
    "intents",
    metadata,
    Column("id", String(66), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("wallet", String(42), nullable=False),
    Column("account", String(42), nullable=False),
    Column("plan", String(80), nullable=False),
    Column("step", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("fee_cap_abs", Uint, nullable=False),
    Column("state", String(16), nullable=False),
    Column("nonce", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index("intents_by_wallet", "chain_id", "wallet", "state"),
)

_BOUND: Final = text("state IN ('nonced','signed','broadcast','cancelling')")
Index(
    "one_intent_per_nonce",
    intents.c.chain_id,
    intents.c.wallet,
    intents.c.nonce,
    unique=True,
    sqlite_where=_BOUND,
    postgresql_where=_BOUND,
)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("intent", String(66), ForeignKey("intents.id"), primary_key=True),
    Column("k", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("hash", String(66), nullable=False, unique=True),
    Column("tip", Uint, nullable=False),
    Column("cap", Uint, nullable=False),
    Column("gas", Uint, nullable=False),
    Column("channels", String(40), nullable=False),
    Column("reply", Text, nullable=False),
    Column("first_block", BigInteger),
    Column("last_block", BigInteger),
    Column("signed_at", BigInteger, nullable=False),
)

receipts: Final = Table(
    "receipts",
    metadata,
    Column("intent", String(66), ForeignKey("intents.id"), primary_key=True),
    Column("hash", String(66), nullable=False),
    Column("block_hash", String(66), nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("cost_wei", Uint, nullable=False),
    Column("guard_event", Boolean, nullable=False),
)

reservations: Final = Table(
    "reservations",
    metadata,
    Column("intent", String(66), ForeignKey("intents.id"), primary_key=True),
    Column("wei", Uint, nullable=False),
    Column("usd_e6", Uint),
    Column("at", BigInteger, nullable=False),
    Column("live", Boolean, nullable=False),
)

strays: Final = Table(
    "strays",
    metadata,
    Column("hash", String(66), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("wallet", String(42), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("wei", Uint, nullable=False),
    Column("usd_e6", Uint),
)
"""Transactions of a wallet that no intent accounts for, found after records were lost."""

wishes: Final = Table(
    "wishes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("intent", String(66), ForeignKey("intents.id"), nullable=False),
    Column("wish", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
)
