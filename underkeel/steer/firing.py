"""Which alerts fire whose rule has an action: read from the store, so that none is forgotten."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from chain.types import Address
from underkeel.config.load import Config
from underkeel.config.steer import ActionTable
from underkeel.steer.types import Firing
from underkeel.store.tables import alerts

ALIVE: Final = ("firing", "acked", "unknown")
"""An acknowledged danger is still one; nothing is done about one that cannot be read."""

Actions = Mapping[str, ActionTable]
"""By the id of the rule."""


def actions_of(config: Config) -> dict[str, ActionTable]:
    """Return what the config's rules do about what they warn of."""
    return {row.id: row.action for row in config.settings.alert if row.action is not None}


def firing(db: Connection, actions: Actions, signer: Callable[[Firing], str]) -> list[Firing]:
    """Return every alert that is alive and has an action; `signer` names who would sign."""
    if not actions:
        return []
    where = (alerts.c.rule.in_(list(actions)), alerts.c.state.in_(ALIVE))
    found = [_firing(row, actions[row.rule]) for row in db.execute(select(alerts).where(*where))]
    return [_signed_by(alert, signer(alert)) for alert in found]


def _firing(row: Row[Any], action: ActionTable) -> Firing:
    return Firing(
        key=row.key,
        rule=row.rule,
        severity=row.severity,
        labels=dict(row.labels),
        action=action,
        known=row.state != "unknown",
        wallet="",
        value=float(row.value) if row.value is not None else 0.0,
    )


def _signed_by(alert: Firing, wallet: str) -> Firing:
    return replace(alert, wallet=wallet)


def called(config: Config, address: Address) -> str:
    """Return the config's name of an account; the address where it has none."""
    wallets = config.settings.wallets
    return next((name for name, table in wallets.items() if table.address == address), address)


def obstacle(config: Config, wallet: str) -> str | None:
    """Say why a wallet may not have plans carried out by the service; None if it may."""
    if config.settings.mode != "live":
        return 'it is only proposed: mode = "dry-run"'
    table = config.settings.wallets.get(wallet)
    if table is None:
        return f"it is only proposed: {wallet} is no wallet of the config"
    if table.kind == "safe":
        return f"it is only proposed: {wallet} is a Safe, whose owners sign"
    if table.signer is None:
        return f"it is only proposed: wallets.{wallet} has no signer"
    if wallet not in config.settings.policy:
        return f"it is only proposed: there is no [policy.{wallet}]"
    return None
