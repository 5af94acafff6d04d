"""What steering itself has to be warned of: outcomes that nobody knows."""

from decimal import Decimal

from sqlalchemy import Connection

from underkeel.observe.types import Observation, labels
from underkeel.steer import rows
from underkeel.steer.types import Proposal, Status


def observations(db: Connection, chain: str, now: float) -> list[Observation]:
    """Return how many plans of each wallet ended in a way that is not known.

    A wallet is named while one of its plans was made within a day, so that an alert ends by a zero.
    """
    by_wallet: dict[str, list[Proposal]] = {}
    for one in rows.current(db, now - 86_400):
        if one.chain == chain:
            by_wallet.setdefault(one.wallet, []).append(one)
    found: list[Observation] = []
    for wallet, own in by_wallet.items():
        unknown = [one for one in own if one.status is Status.UNKNOWN]
        note = f"look with `underkeel tx list`; {unknown[0].name}" if unknown else ""
        found.append(
            Observation(
                "plans_outcome_unknown", labels(chain=chain, wallet=wallet),
                Decimal(len(unknown)), "", now, None, note,
            )
        )  # fmt: skip
    return found
