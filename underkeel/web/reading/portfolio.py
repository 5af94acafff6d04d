"""Positions and risk of all chains, from the document of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from underkeel.config.load import Config
from underkeel.documents import models
from underkeel.documents.build import ENGINE_VERSION, MODEL_VERSION, utc
from underkeel.documents.paging import ChainNow
from underkeel.store.documents import Stored
from underkeel.web.reading.chains import chains_now
from underkeel.web.reading.common import Library, piece

KIND: Final = "risk"
MOST_KNOWN: Final = 10_000
GOOD: Final = ("safe", "not_liquidatable")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which positions; what is None lets all through."""

    chain: str | None = None
    wallet: str | None = None
    """Its name in the config, or its address in any case."""
    protocol: str | None = None
    market: str | None = None
    kind: str | None = None
    status: str | None = None
    id: str | None = None
    owed: bool = False
    """Only what has a health."""

    def lets(self, one: models.Position) -> bool:
        """Return whether a position passes."""
        wallet = (self.wallet or "").lower()
        return (
            self.chain in (None, one.chain)
            and (not wallet or wallet in (one.owner.lower(), (one.owner_name or "").lower()))
            and self.protocol in (None, one.protocol)
            and self.market in (None, one.market)
            and self.kind in (None, one.kind)
            and self.status in (None, one.liquidation.status)
            and self.id in (None, one.id)
            and (not self.owed or one.liquidation.health_raw is not None)
        )

    def query(self) -> dict[str, object]:
        """Return it as a query."""
        names = ("chain", "wallet", "protocol", "market", "kind", "status", "id")
        return {name: getattr(self, name) for name in names}


class Judgements:
    """Parses risk documents; a position that says the same as before is not parsed again.

    Of thousands of positions a block changes a few, and their models are most of the cost.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, models.Position]] = {}
        self._lock = Lock()

    def parse(self, text: str) -> models.RiskDocument:
        """Return the document."""
        data: dict[str, Any] = orjson.loads(text)
        found: list[models.Position] = []
        with self._lock:
            for raw in data["positions"]:
                written = orjson.dumps(raw)
                before = self._known.get(raw["id"])
                if before is None or before[0] != written:
                    before = (written, models.Position.model_validate(raw))
                    self._known[raw["id"]] = before
                found.append(before[1])
            if len(self._known) > 2 * len(found) + MOST_KNOWN:
                self._known.clear()  # of positions that are long gone
        whole = models.RiskDocument.model_validate({**data, "positions": []})
        return whole.model_copy(update={"positions": found})


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that is known of all chains' positions now."""

    chains: tuple[ChainNow, ...]
    parts: tuple[tuple[Stored, models.RiskDocument], ...]
    positions: tuple[models.Position, ...]
    """As they were read; where the chain is not known any more none is called safe."""
    unknown: tuple[models.Unknown, ...]
    totals: models.Totals


def held(db: Connection, config: Config, library: Library, judged: Judgements, now: float) -> Held:
    """Return what all chains' documents say, as far as it still holds."""
    current = chains_now(db, config, now)
    stored = {s.chain: (s, d) for s, d in library.all(db, KIND, judged.parse)}
    parts = [stored[one.name] for one in current if one.name in stored]
    positions: list[models.Position] = []
    for one in current:
        if one.name in stored:
            found = stored[one.name][1].positions
            positions += found if one.status == "ok" else _doubted(found, one)
    unknown = _unknown(current, [document for _, document in parts])
    sums = _totals([d for _, d in parts], positions, unknown, whole=len(parts) == len(current))
    return Held(current, tuple(parts), tuple(positions), unknown, sums)


def positions_document(
    all_: Held, config: Config, now: float, wanted: Filter, limit: int | None, offset: int
) -> models.PositionsDocument:
    """Return `underkeel.positions/1`, in the order they were read."""
    found = [one for one in all_.positions if wanted.lets(one)]
    rows, page = piece(found, limit, offset, **wanted.query())
    return models.PositionsDocument(
        schema="underkeel.positions/1", positions=rows, page=page, **_common(all_, config, now)
    )


def risk_document(
    all_: Held, config: Config, now: float, wanted: Filter, limit: int | None, offset: int
) -> models.RiskDocument:
    """Return `underkeel.risk/1`, the nearest to liquidation first."""
    found = sorted((one for one in all_.positions if wanted.lets(one)), key=nearness)
    rows, page = piece(found, limit, offset, **wanted.query())
    return models.RiskDocument(
        schema="underkeel.risk/1", positions=rows, page=page, **_common(all_, config, now)
    )


def nearness(one: models.Position) -> tuple[int, float]:
    """Return what sorts positions: those past the edge, unknown, by health, without a health."""
    found = one.liquidation
    if found.health_raw is None:
        return (1, 0.0) if found.status == "unknown" else (3, 0.0)
    health = int(found.health_raw) / int(found.health_scale)
    return (0 if found.status == "liquidatable" else 2, health)


def _doubted(found: Iterable[models.Position], chain: ChainNow) -> list[models.Position]:
    """Return positions of a chain that is not known any more: what was safe is unknown."""
    cause = f"{chain.name} is {chain.status}: {chain.cause}; as of block {chain.block_number}"
    doubted = []
    for one in found:
        judged = one.liquidation
        status = "unknown" if judged.status in GOOD else judged.status
        update = {"status": status, "causes": [cause, *judged.causes]}
        doubted.append(one.model_copy(update={"liquidation": judged.model_copy(update=update)}))
    return doubted


def _unknown(
    current: Sequence[ChainNow], parts: Sequence[models.RiskDocument]
) -> tuple[models.Unknown, ...]:
    whole = [
        models.Unknown(
            chain=one.name,
            protocol=None,
            market=None,
            root=None,
            owner=None,
            cause=one.cause or one.status,
        )
        for one in current
        if one.status != "ok"
    ]
    parted = [u for part in parts for u in part.unknown if u.protocol is not None]
    return (*whole, *parted)


def _totals(
    parts: Sequence[models.RiskDocument],
    positions: Sequence[models.Position],
    unknown: Sequence[models.Unknown],
    *,
    whole: bool,
) -> models.Totals:
    partial = not whole or bool(unknown) or any(part.totals.partial for part in parts)
    priced = sum(part.totals.priced_usd for part in parts)
    unsure = sum(1 for one in positions if one.liquidation.status == "unknown" or one.unknown)
    return models.Totals(
        equity_usd=None if partial else priced,
        priced_usd=priced,
        partial=partial,
        unpriced=sorted({name for part in parts for name in part.totals.unpriced}),
        positions=str(len(positions)),
        liquidatable=str(sum(1 for p in positions if p.liquidation.status == "liquidatable")),
        unknown=str(unsure + len(unknown)),
    )


def _common(all_: Held, config: Config, now: float) -> Mapping[str, Any]:
    read = {stored.chain: document for stored, document in all_.parts}
    accounts = dict.fromkeys(a for document in read.values() for a in document.accounts)
    if not accounts:
        accounts = dict.fromkeys(w.address for w in config.settings.wallets.values())
    return {
        "generated_at": utc(now),
        "chains": [_chain(one, read.get(one.name)) for one in all_.chains],
        "accounts": list(accounts),
        "unknown": list(all_.unknown),
        "totals": all_.totals,
    }


def _chain(now: ChainNow, read: models.RiskDocument | None) -> models.Chain:
    """Return a chain as it was read, with the status that holds now."""
    if read is not None and read.chains:
        return read.chains[0].model_copy(update={"status": now.status, "cause": now.cause})
    return models.Chain(
        name=now.name,
        chain_id=now.chain_id,
        status=now.status,
        cause=now.cause,
        block_number=None,
        block_hash=None,
        timestamp=None,
        age_s=None,
        engine_version=ENGINE_VERSION,
        model_version=MODEL_VERSION,
        inputs_hash=None,
        requests="0",
    )
