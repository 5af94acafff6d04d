"""What a database belongs to: a mode, chain ids by name, and the genesis of each chain."""

import uuid
from collections.abc import Mapping

from sqlalchemy import Connection, insert, inspect, select

from executor.journal.engine import connect, reading
from underkeel.store.errors import WrongStamp
from underkeel.store.tables import stamp


def read(db: Connection) -> dict[str, str]:
    """Return the whole stamp."""
    return {row.key: row.value for row in db.execute(select(stamp))}


def missing(db: Connection, mode: str, chains: Mapping[str, int], now: float) -> dict[str, str]:
    """Return what the stamp lacks: all of it in a new database, else chains that are new.

    Raises `WrongStamp` for another mode, or another id of a chain's name.
    """
    has = read(db)
    new: dict[str, str] = {}
    if not has:
        new = {"mode": mode, "instance": uuid.uuid4().hex, "made_at": str(int(now))}
    elif has.get("mode") != mode:
        raise WrongStamp("mode", has.get("mode", "unknown"), mode)
    for name, chain_id in sorted(chains.items()):
        key = f"chain:{name}"
        if key not in has:
            new[key] = str(chain_id)
        elif has[key] != str(chain_id):
            raise WrongStamp(f"chain id of {name!r}", has[key], str(chain_id))
    return new


def add(db: Connection, new: Mapping[str, str]) -> None:
    """Write what was missing."""
    if new:
        db.execute(insert(stamp), [{"key": key, "value": value} for key, value in new.items()])


def stamped_mode(url: str) -> str | None:
    """Return the mode of a database that a monitor has stamped; None where none has.

    Raises the `JournalError` of a database that cannot be opened.
    """
    engine = connect(url, (stamp.name,))
    try:
        with reading(engine) as db:
            return read(db).get("mode") if inspect(db).has_table(stamp.name) else None
    finally:
        engine.dispose()


def check_genesis(db: Connection, chain_id: int, genesis: str) -> None:
    """Bind a chain id to the chain with this genesis hash; raises `WrongStamp` for another one."""
    key = f"genesis:{chain_id}"
    has = db.execute(select(stamp.c.value).where(stamp.c.key == key)).scalar()
    if has is None:
        db.execute(insert(stamp).values(key=key, value=genesis))
    elif has != genesis:
        raise WrongStamp(f"genesis of chain {chain_id}", has, genesis)
