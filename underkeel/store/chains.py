"""How each chain is, as the monitor last saw it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from underkeel.store.tables import chain_states
from underkeel.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class ChainState:
    """One chain."""

    chain: str
    chain_id: int
    status: str
    """ok, down or stale."""
    cause: str = ""
    block_number: int | None = None
    """What was read last, and not only seen as the head."""
    block_hash: str | None = None
    block_timestamp: int | None = None
    head_number: int | None = None
    head_at: float | None = None
    """When that head was first seen."""
    read_at: float | None = None
    """When reading was last tried."""
    success_at: float | None = None
    """When it last went well."""
    requests: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    """What else the monitor says of it: endpoints, intervals, shedding."""
    version: int = 0
    """Grows by one at every write."""


def put(db: Connection, state: ChainState) -> None:
    """Replace a chain's state; its version grows."""
    upsert(db, chain_states, [asdict(state) | {"version": 1}], count="version")


def all(db: Connection) -> tuple[ChainState, ...]:
    """Return every chain there ever was, by name."""
    query = select(chain_states).order_by(chain_states.c.chain)
    return tuple(_state(row) for row in db.execute(query))


def get(db: Connection, chain: str) -> ChainState | None:
    """Return one chain's state."""
    row = db.execute(select(chain_states).where(chain_states.c.chain == chain)).first()
    return None if row is None else _state(row)


def versions(db: Connection) -> dict[str, int]:
    """Return the version of each chain's state."""
    query = select(chain_states.c.chain, chain_states.c.version)
    return {row.chain: row.version for row in db.execute(query)}


def _state(row: Row[Any]) -> ChainState:
    return ChainState(**row._mapping)
