"""What is to be planned: a row of the config, or a kind by its name, with what was asked for."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from chain.types import Address
from underkeel.accounts import accounts_of
from underkeel.config.load import Config
from underkeel.config.plans import PlanTable
from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError
from underkeel.plans.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says besides the name."""

    wallet: str | None = None
    account: str | None = None
    position: str | None = None
    target_health: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One plan to make."""

    row: PlanTable
    account: Address
    wallet: Address
    forced: bool
    """A target was asked for now: `fire_below` does not matter."""


def wanted(config: Config, name: str, asked: Asked) -> Wanted:
    """Return what to plan; raises `UsageError` with the nearest name."""
    rows = {row.name: row for row in config.settings.plan}
    if name in rows:
        row = rows[name]
    elif name in KINDS:
        row = PlanTable(name=name, kind=name)
    else:
        hint = did_you_mean(name, [*rows, *KINDS])
        raise UsageError(f"{name!r} is no [[plan]] of the config, and no kind of plan; {hint}")
    if asked.position is not None:
        match = row.match.model_copy(update={"position": asked.position})
        row = row.model_copy(update={"match": match})
    forced = asked.target_health is not None
    if asked.target_health is not None:
        row = row.model_copy(update={"restore_to": _target(asked.target_health)})
    account, wallet = _who(config, row, asked)
    return Wanted(row, account, wallet, forced)


def _who(config: Config, row: PlanTable, asked: Asked) -> tuple[Address, Address]:
    account, wallet = asked.account or row.account, asked.wallet or row.wallet
    if account is None and wallet is None:
        names = list(config.settings.wallets)
        if len(names) != 1:
            raise UsageError(
                f"whose positions? the config has {len(names)} wallets; give --account or --wallet"
            )
        account = names[0]
    (owner,) = accounts_of([account or wallet or ""], config)
    (payer,) = accounts_of([wallet or account or ""], config)
    return owner, payer


def _target(text: str) -> Decimal:
    try:
        health = Decimal(text)
    except InvalidOperation:
        health = Decimal(0)
    if not (health.is_finite() and 1 <= health <= 1000):
        raise UsageError(
            f"--target-health {text!r} is no health to aim at; write a number such as 1.8, "
            "from 1 to 1,000"
        )
    return health


__all__ = ["Asked", "Wanted", "wanted"]
