"""The `[[plan]]` rows: what to do about which positions, when, and within which limits."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from underkeel.config.problems import did_you_mean
from underkeel.config.table import Table
from underkeel.config.values import AddressText, Duration, Name, Whole, refuse

RESTORE: Final = "restore-health"
"""The kind that tries every action that can restore a health, and takes the cheapest."""
LEAST_TARGET: Final = 1


def ratio(value: object) -> Decimal:
    """Return a number such as 1.5 or "1.5", exactly as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise refuse("is not a number", "write for example 1.5")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise refuse("is not a number", "write for example 1.5") from None
    if not number.is_finite():
        raise refuse("is not a number", "write for example 1.5")
    return number


def _action(value: object) -> str:
    from underkeel.plans.kinds import ACTIONS

    names = [action.value for action in ACTIONS]
    if value not in names:
        text = value if isinstance(value, str) else ""
        raise refuse("is not an action", did_you_mean(text, names))
    return str(value)


def _kind(value: object) -> str:
    from underkeel.plans.kinds import KINDS

    if value not in KINDS:
        text = value if isinstance(value, str) else ""
        raise refuse("is not a kind of plan", did_you_mean(text, KINDS))
    return str(value)


Ratio = Annotated[Decimal, BeforeValidator(ratio), WithJsonSchema({"type": "number"})]
ActionName = Annotated[str, BeforeValidator(_action), WithJsonSchema({"type": "string"})]
KindName = Annotated[str, BeforeValidator(_kind), WithJsonSchema({"type": "string"})]


class MatchTable(Table):
    """Which positions a plan is about; what is left out matches all."""

    chain: str | None = Field(default=None, description="A name of [chains].")
    protocol: str | None = Field(default=None, description='An adapter, e.g. "aave-v3".')
    market: str | None = Field(default=None, description="The market's name, or part of it.")
    position: str | None = Field(default=None, description="A position's id, or its last part.")


class PlanTable(Table):
    """One plan that `underkeel plan NAME` makes."""

    name: Name = Field(description="What `underkeel plan` is asked for.")
    kind: KindName = Field(
        default=RESTORE, description='"restore-health", or one action: docs/plans.md.'
    )
    wallet: Name | None = Field(
        default=None, description="Who signs and pays: a name of [wallets]; the account if none."
    )
    account: Name | None = Field(
        default=None, description="Whose positions: a name of [wallets]; the wallet if none."
    )
    match: MatchTable = Field(default_factory=MatchTable)
    actions: tuple[ActionName, ...] = Field(
        default=(), description='What "restore-health" may do; everything if empty.'
    )
    fire_below: Ratio | None = Field(
        default=None, description="Plan only where health is below this."
    )
    restore_to: Ratio | None = Field(default=None, description="The health to reach.")
    valid_for: Duration = Field(default=600, description="How long a plan may be carried out.")
    max_slippage_bps: Annotated[Whole, Field(ge=0, le=1_000)] = Field(
        default=50, description="How much worse than quoted a swap may be."
    )
    max_cost_bps: Annotated[Whole, Field(ge=0, le=2_000)] = Field(
        default=100, description="How much worse than the oracle a swap may be."
    )
    volatility: Ratio | None = Field(
        default=None, description="Yearly, of collateral against debt: what acting is worth by it."
    )
    guard: AddressText | None = Field(
        default=None, description="The guard contract that flash loans go through."
    )
    to_market: str | None = Field(default=None, description="Where `move` moves to.")
    asset: str | None = Field(
        default=None, description="Symbol or address of what is swapped to, or moved."
    )
    weights: dict[str, Ratio] = Field(
        default_factory=dict, description="Symbol or address, and its share of what is rebalanced."
    )
    band: Ratio = Field(
        default=Decimal("0.05"), description="How far a share may be off before it is traded."
    )

    @field_validator("valid_for")
    @classmethod
    def _some_time(cls, value: int) -> int:
        if not 30 <= value <= 86_400:
            raise refuse("is not a time that a plan is good for", "write 30s to 1d")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> "PlanTable":
        fire, target = self.fire_below, self.restore_to
        if self.volatility is not None and not 0 < self.volatility <= 10:
            raise refuse(f"volatility = {self.volatility} is none", "write 0.8 for 80 % a year")
        if target is not None and target < LEAST_TARGET:
            raise refuse(f"restore_to = {target} is below 1", "write a health such as 1.5")
        if fire is not None and target is not None and target <= fire:
            raise refuse(
                f"restore_to = {target} is not above fire_below = {fire}", "restore to more"
            )
        if self.weights:
            total = sum(self.weights.values())
            if total != 1 or min(self.weights.values()) < 0:
                raise refuse(f"the weights add up to {total}", "write shares that add up to 1")
        return self


def plan_problems(
    plans: Iterable[PlanTable], wallets: Mapping[str, Any], chains: Mapping[str, Any]
) -> None:
    """Refuse two plans of one name, and names of wallets and chains that are not there."""
    seen: set[str] = set()
    for plan in plans:
        if plan.name in seen:
            raise refuse(f"two plans are called {plan.name!r}", "rename one")
        seen.add(plan.name)
        for key, name, known in (
            ("wallet", plan.wallet, wallets),
            ("account", plan.account, wallets),
            ("match.chain", plan.match.chain, chains),
        ):
            if name is not None and name not in known:
                raise refuse(
                    f"plan {plan.name!r}: {key} = {name!r} is not in the config",
                    did_you_mean(name, known),
                )
