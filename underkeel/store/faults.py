"""What a database refused, as one of our errors: never with a statement, a value or a URL."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from underkeel.store.errors import Damaged, Locked, NotWritten, StoreError


def fault(error: SQLAlchemyError) -> StoreError:
    """Return the error of ours for one of the database's."""
    said = words_of(error)
    low = said.lower()
    if "locked" in low or "lock timeout" in low:
        return Locked(said, "another process holds it; trying again later is right")
    if "malformed" in low or "not a database" in low:
        return Damaged(said)
    return NotWritten(said)


def words_of(error: SQLAlchemyError) -> str:
    """Return the driver's own words in one line."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    lines = str(cause if cause is not None else type(error).__name__).splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
