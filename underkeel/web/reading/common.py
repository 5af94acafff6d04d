"""What every reader of the store needs: times, pieces of lists, documents kept parsed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from sqlalchemy import Connection

from underkeel.documents.build import moment
from underkeel.documents.paging import Paging
from underkeel.store import documents
from underkeel.store.documents import Stored

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


def moment_or_none(at: float | None) -> str | None:
    """Return a time, if there is one."""
    return None if at is None else moment(at)


def piece(
    rows: Sequence[T], limit: int | None, offset: int, **query: object
) -> tuple[list[T], Paging]:
    """Return a piece of a list, and what to ask for the next one."""
    end = len(rows) if limit is None else offset + limit
    found = list(rows[offset:end])
    following = None
    if end < len(rows):
        given = {name: value for name, value in query.items() if value is not None}
        following = urlencode({**given, "limit": limit, "offset": end})
    return found, Paging(
        total=str(len(rows)),
        limit=str(len(found) if limit is None else limit),
        offset=str(offset),
        next=following,
    )


@dataclass(slots=True)
class Library:
    """The stored documents, parsed once for each version."""

    _kept: dict[tuple[str, str], tuple[int, Stored, BaseModel]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def all(
        self, db: Connection, kind: str, parse: Callable[[str], Model]
    ) -> list[tuple[Stored, Model]]:
        """Return the documents of a kind, by chain."""
        found: list[tuple[Stored, Model]] = []
        for (name, chain), version in sorted(documents.versions(db).items()):
            if name == kind and (one := self._one(db, kind, chain, version, parse)) is not None:
                found.append(one)
        return found

    def _one(
        self, db: Connection, kind: str, chain: str, version: int, parse: Callable[[str], Model]
    ) -> tuple[Stored, Model] | None:
        with self._lock:
            kept = self._kept.get((kind, chain))
        if kept is not None and kept[0] == version:
            return kept[1], kept[2]  # type: ignore[return-value]  # one model for each kind
        stored = documents.get(db, kind, chain)
        if stored is None:
            return None
        model = parse(stored.body)
        with self._lock:
            self._kept[kind, chain] = (stored.version, stored, model)
        return stored, model


__all__ = ["Library", "Model", "moment", "moment_or_none", "piece"]
