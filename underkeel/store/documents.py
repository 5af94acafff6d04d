"""The newest document of each kind and chain: exactly the JSON that `--json` prints."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import BaseModel
from sqlalchemy import Connection, Row, delete, select

from underkeel.store.tables import documents
from underkeel.store.types import dumps
from underkeel.store.upsert import upsert

LONG: Final = 4096
"""Bytes: what is longer is deflated, fast rather than well."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One document."""

    kind: str
    chain: str
    """Empty: it is of all chains."""
    at: float
    block_number: int | None
    block_hash: str | None
    version: int
    """Grows by one at every write."""
    packed: bytes

    @property
    def body(self) -> str:
        """The JSON text."""
        return unpack(self.packed).decode()

    @property
    def value(self) -> Any:
        """The JSON value."""
        return orjson.loads(unpack(self.packed))


def put(
    db: Connection,
    kind: str,
    chain: str,
    body: str | bytes | BaseModel | Mapping[str, Any],
    *,
    at: float,
    block_number: int | None = None,
    block_hash: str | None = None,
) -> None:
    """Replace the document of a kind and chain; ready JSON text is stored as it is."""
    row = {
        "kind": kind, "chain": chain, "at": at, "block_number": block_number,
        "block_hash": block_hash, "body": pack(as_json(body)), "version": 1,
    }  # fmt: skip
    upsert(db, documents, [row], count="version")


def get(db: Connection, kind: str, chain: str = "") -> Stored | None:
    """Return a document, if there is one."""
    query = select(documents).where(documents.c.kind == kind, documents.c.chain == chain)
    row = db.execute(query).first()
    return None if row is None else _stored(row)


def all(db: Connection, kind: str) -> tuple[Stored, ...]:
    """Return the documents of a kind, by chain."""
    query = select(documents).where(documents.c.kind == kind).order_by(documents.c.chain)
    return tuple(_stored(row) for row in db.execute(query))


def versions(db: Connection) -> dict[tuple[str, str], int]:
    """Return the version of every document, by kind and chain, without reading bodies."""
    query = select(documents.c.kind, documents.c.chain, documents.c.version)
    return {(row.kind, row.chain): row.version for row in db.execute(query)}


def drop(db: Connection, kind: str, chain: str = "") -> None:
    """Remove a document."""
    db.execute(delete(documents).where(documents.c.kind == kind, documents.c.chain == chain))


def as_json(body: str | bytes | BaseModel | Mapping[str, Any]) -> bytes:
    """Return a document's JSON; a model as `--json` prints it, without what was not computed."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, BaseModel):
        return body.model_dump_json(by_alias=True, exclude_unset=True).encode()
    return dumps(dict(body))


def pack(text: bytes, long: int = LONG) -> bytes:
    """Return JSON as it is stored: JSON never begins with the byte that deflated data does."""
    return zlib.compress(text, 1) if len(text) > long else text


def unpack(packed: bytes) -> bytes:
    """Return the JSON."""
    return zlib.decompress(packed) if packed[:1] == b"x" else bytes(packed)


def _stored(row: Row[Any]) -> Stored:
    return Stored(
        row.kind, row.chain, row.at, row.block_number, row.block_hash, row.version, row.body
    )
