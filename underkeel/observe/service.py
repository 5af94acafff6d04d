"""What is measured of the service itself, from what it stored."""

import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from underkeel.config.load import Config
from underkeel.config.secrets import Secrets
from underkeel.config.signing import SignerTable
from underkeel.observe.types import Observation, Observed, Scope, labels
from underkeel.state import keys_folder
from underkeel.store import chains, events
from underkeel.store.tables import notifications

REORG_S: Final = 3_600
"""How long a reorganisation is told of."""
OVERALL: Final = frozenset({"delivery_failing", "service_degraded", "signer_locked"})


def observe_service(
    db: Connection,
    config: Config,
    now: float,
    degraded: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Observed, ...]:
    """Return what is measured of the service: one reading of the whole, and one per chain.

    `degraded` is what does not run or was left out, and why.
    """
    environ = os.environ if environ is None else environ
    overall = [*_deliveries(db, config, now), *_degraded(db, degraded or {}, now)]
    overall += _signers(config, environ, now)
    found = [Observed(Scope("", OVERALL), tuple(overall))]
    for chain in config.settings.chains:
        depth = Decimal(_deepest(db, chain, now))
        of = labels(chain=chain)
        one = Observation("reorg_depth", of, depth, "", now, None, "within the last hour")
        found.append(Observed(Scope(chain, frozenset({"reorg_depth"})), (one,)))
    return tuple(found)


def _deepest(db: Connection, chain: str, now: float) -> int:
    seen = events.before(db, None, 50, kind="reorg", chain=chain)
    return max((int(e.body.get("depth", 0)) for e in seen if now - e.at < REORG_S), default=0)


def _deliveries(db: Connection, config: Config, now: float) -> Iterable[Observation]:
    query = (
        select(notifications.c.channel, func.max(notifications.c.attempts))
        .where(notifications.c.status.in_(("waiting", "sending")))
        .group_by(notifications.c.channel)
    )
    failed = {row[0]: row[1] for row in db.execute(query)}
    for channel in config.settings.channels:
        value = Decimal(failed.get(channel) or 0)
        yield Observation("delivery_failing", labels(channel=channel), value, "", now, None)


def _degraded(db: Connection, given: Mapping[str, str], now: float) -> Iterable[Observation]:
    why = dict(given)
    for state in chains.all(db):
        factor = state.body.get("shedding", 1)
        if isinstance(factor, int | float) and factor > 1:
            why[f"shedding:{state.chain}"] = (
                f"{state.chain} is read {factor:g} times less often than it should be"
            )
    for what, text in sorted(why.items()):
        of = labels(what=what)
        yield Observation("service_degraded", of, Decimal(1), "", now, None, text)


def _signers(config: Config, environ: Mapping[str, str], now: float) -> Iterable[Observation]:
    """Yield whether signers could be opened, where alerts may have something executed by them."""
    settings = config.settings
    acting = any(row.action and row.action.mode == "execute" for row in settings.alert)
    if settings.mode != "live" or not acting:
        return
    secrets = Secrets.beside(config.path.parent, environ)
    keys = keys_folder(config.path, environ)
    for name, wallet in settings.wallets.items():
        if wallet.signer is not None:
            why = _locked(wallet.signer, secrets, keys)
            of = labels(wallet=name)
            yield Observation("signer_locked", of, Decimal(bool(why)), "", now, None, why)


def _locked(signer: SignerTable, secrets: Secrets, keys: Path) -> str:
    """Say why nobody but a person could open a signer; its secret itself is never read."""
    if signer.kind == "env":
        there = signer.name in secrets.environment
        return "" if there else f"the environment has no {signer.name}"
    if signer.kind != "keystore":
        return ""  # a device or a service: only signing would tell
    path = Path(signer.path or "")
    if not (keys / path).is_file():
        return f"there is no keystore {path.name}"
    if signer.password is None:
        return "its password is asked for on a terminal, and nobody sits there"
    kind, _, name = signer.password.partition(":")
    if kind == "env":
        there = name in secrets.environment or bool(
            secrets.directory and (secrets.directory / name).is_file()
        )
        return "" if there else f"the environment has no {name}"
    places = [p / name for p in (secrets.directory, secrets.base) if p is not None]
    readable = any(p.is_file() and os.access(p, os.R_OK) for p in places)
    return "" if readable else f"there is no readable file {Path(name).name}"
