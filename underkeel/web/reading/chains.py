"""How each chain is now: what was good when it was read may be old since."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from underkeel.config.load import Config
from underkeel.documents.paging import ChainNow
from underkeel.portfolio import spec_of
from underkeel.store import chains
from underkeel.store.chains import ChainState
from underkeel.web.reading.common import moment_or_none

LEAST_SILENCE_S: Final = 120
"""Nothing is called fresh that was last read longer ago than this and the calmest interval."""


def chains_now(db: Connection, config: Config, now: float) -> tuple[ChainNow, ...]:
    """Return every chain of the config."""
    known = {state.chain: state for state in chains.all(db)}
    return tuple(_chain(name, known.get(name), config, now) for name in config.settings.chains)


def by_name(found: Sequence[ChainNow]) -> Mapping[str, ChainNow]:
    """Return them by name."""
    return {one.name: one for one in found}


def _chain(name: str, state: ChainState | None, config: Config, now: float) -> ChainNow:
    table = config.settings.chains[name]
    most = spec_of(name, table, config).max_block_age_s
    status, cause = _status(state, most, config, now)
    timestamp = state.block_timestamp if state else None
    return ChainNow.model_validate(
        {
            "name": name,
            "chain_id": str(table.chain_id),
            "status": status,
            "cause": config.scrub(cause) or None,
            "block_number": _text(state.block_number if state else None),
            "block_hash": state.block_hash if state else None,
            "timestamp": _text(timestamp),
            "age_s": _text(None if timestamp is None else int(now) - timestamp),
            "stale_after_s": _text(most),
            "read_at": moment_or_none(state.read_at if state else None),
            "success_at": moment_or_none(state.success_at if state else None),
            "requests": _text(state.requests if state else None),
        }
    )


def _status(
    state: ChainState | None, most: int | None, config: Config, now: float
) -> tuple[str, str]:
    """Return the status that holds now, and why."""
    if state is None or state.success_at is None:
        return "down", (state.cause if state else "") or "nothing was read of it yet"
    if state.status != "ok":
        return state.status, state.cause
    silent = now - state.success_at
    allowed = _allowed_s(state, config)
    if silent > allowed:
        return "stale", f"nothing was read for {int(silent)} s: does the monitor run?"
    if most is not None and state.block_timestamp is not None:
        age = now - state.block_timestamp
        if age > most + allowed:
            return "stale", f"the newest block is {int(age)} s old"
    return "ok", ""


def _allowed_s(state: ChainState, config: Config) -> float:
    """Return how long a chain may go unread: as its monitor says, else by its intervals."""
    said = state.body.get("stale_after_s")
    if isinstance(said, int | float) and not isinstance(said, bool) and said > 0:
        return float(said)
    monitor = config.settings.monitor
    return LEAST_SILENCE_S + max(monitor.calm_every, monitor.every or 0)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
