"""What is measured of the executor's journal: transactions that wait, and for how long."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, inspect, select

from executor.journal.tables import attempts, intents
from executor.types import State
from underkeel.config.model import Settings
from underkeel.observe.metrics import Source, of_source
from underkeel.observe.types import Observation, Observed, Scope, labels

LIVE: Final = (State.SIGNED.value, State.BROADCAST.value, State.CANCELLING.value)
"""States in which a signed transaction may be mined."""
_METRICS: Final = of_source(Source.TRANSACTIONS)


def observe_transactions(
    db: Connection,
    settings: Settings,
    now: float,
    more: Mapping[str, Iterable[Observation]] | None = None,
) -> tuple[Observed, ...]:
    """Return, per chain, what waits of every wallet with a signer; zero where nothing does.

    `more` are further observations of these metrics, by chain.
    """
    waiting = _waiting(db)
    found = []
    for chain, table in settings.chains.items():
        own: list[Observation] = list((more or {}).get(chain, ()))
        for name, wallet in settings.wallets.items():
            if wallet.signer is None:
                continue
            of = labels(chain=chain, wallet=name)
            count, oldest = waiting.get((table.chain_id, wallet.address), (0, None))
            age = 0 if oldest is None else max(0, int(now - oldest))
            note = f"{count} unmined" if count else ""
            own.append(
                Observation("transaction_pending_age", of, Decimal(age), "", now, None, note)
            )
            own.append(Observation("nonce_gap", of, Decimal(count), "", now, None))
        found.append(Observed(Scope(chain, _METRICS), tuple(own)))
    return tuple(found)


def _waiting(db: Connection) -> dict[tuple[int, str], tuple[int, float | None]]:
    """Return, by chain and wallet, how many are unmined, and when the first was signed."""
    if not inspect(db).has_table(intents.name):
        return {}  # nothing was ever executed
    found: dict[tuple[int, str], dict[str, float]] = {}
    query = (
        select(intents.c.chain_id, intents.c.wallet, intents.c.id, attempts.c.signed_at)
        .join(attempts, attempts.c.intent == intents.c.id)
        .where(intents.c.state.in_(LIVE))
    )
    for chain_id, wallet, intent, signed_at in db.execute(query):
        firsts = found.setdefault((chain_id, wallet), {})
        firsts[intent] = min(firsts.get(intent, float(signed_at)), float(signed_at))
    return {key: (len(firsts), min(firsts.values())) for key, firsts in found.items()}
