"""Make the parts of the JSON documents that describe a shock."""

from risk.liquidation.engine import Seizure
from risk.types import Liquidation
from underkeel.documents import models
from underkeel.documents.build import integer
from underkeel.shock import Scenario


def shock_part(scenario: Scenario) -> models.Shock:
    """Return what was moved and what it does."""
    return models.Shock(
        factors=[
            models.Shocked(
                shock=moved.shock.text,
                chain=moved.chain,
                factor=moved.factor.name,
                label=moved.factor.label,
                change_frac=float(moved.shock.change),
                from_raw=str(moved.factor.raw),
                to_raw=str(moved.to_raw),
                decimals=str(moved.factor.decimals),
            )
            for moved in scenario.moved
        ],
        positions=[
            models.ShockedPosition(
                id=outcome.position.id,
                before=health_part(outcome.before),
                after=health_part(outcome.after),
                health_scale=str(outcome.before.health_scale),
                becomes_liquidatable=outcome.becomes_liquidatable,
                liquidator=liquidator_part(outcome.seizure, outcome.profit_usd),
            )
            for outcome in scenario.outcomes
        ],
    )


def health_part(found: Liquidation) -> models.Health:
    """Return a status and the health behind it."""
    return models.Health(status=found.status.value, health_raw=integer(found.health_raw))


def liquidator_part(seizure: Seizure | None, profit_usd: float | None) -> models.Liquidator | None:
    """Return what a liquidator would take."""
    if seizure is None:
        return None
    return models.Liquidator(
        debt_asset=seizure.debt,
        repaid_raw=str(seizure.repaid),
        collateral_asset=seizure.collateral,
        seized_raw=str(seizure.seized),
        protocol_fee_raw=str(seizure.protocol_fee),
        profit_usd=profit_usd,
    )
