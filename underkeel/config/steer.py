"""The `action` of an alert rule: the plan that is made while it fires, and who carries it out."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from underkeel.config.plans import PlanTable, Ratio
from underkeel.config.problems import did_you_mean
from underkeel.config.table import Table
from underkeel.config.values import Duration, Name, Whole, refuse

MOST_HEALTH: Final = 1_000


class ActionTable(Table):
    """What is planned while an alert fires."""

    plan: Name = Field(description="A [[plan]] by its name, or a kind of plan: docs/plans.md.")
    restore_to: Ratio | None = Field(
        default=None, description="The health to reach; the [[plan]]'s own if none."
    )
    mode: Literal["propose", "execute"] = Field(
        default="propose", description="Tell what could be done, or have it done under the policy."
    )
    max_per_hour: Annotated[Whole, Field(ge=1, le=60)] = Field(
        default=12, description="Plans that are made for one alert in an hour, at most."
    )
    cool_down: Duration = Field(
        default=120, description="How long nothing is planned after a plan has come to its end."
    )

    @field_validator("restore_to")
    @classmethod
    def _a_health(cls, value: Any) -> Any:
        if value is not None and not 1 <= value <= MOST_HEALTH:
            raise refuse(f"restore_to = {value} is no health", "write a number such as 1.8")
        return value

    @field_validator("cool_down")
    @classmethod
    def _some_time(cls, value: int) -> int:
        if value > 86_400:
            raise refuse("is longer than a day", "write 0s to 1d")
        return value


def action_problems(
    actions: Iterable[tuple[str, str, ActionTable]], plans: Iterable[PlanTable], wallets: int
) -> None:
    """Refuse an action whose plan is neither a row nor a kind, or is of nobody's position.

    `actions` have their rule's id and metric; with one wallet alone it is clear whose they are.
    """
    from underkeel.observe.metrics import METRICS
    from underkeel.plans.kinds import ACTIONS, KINDS, RESTORE

    rows, restoring = {row.name: row for row in plans}, (RESTORE, *ACTIONS)
    names = (*rows, *KINDS)
    for rule, metric, action in actions:
        if action.plan not in names:
            what = f"the action of alert {rule!r} names the plan {action.plan!r}"
            raise refuse(what, did_you_mean(action.plan, names))
        if action.plan in restoring and action.plan not in rows and action.restore_to is None:
            what = f"the action of alert {rule!r} does not say to which health"
            raise refuse(what, "write restore_to, such as 1.8, or name a [[plan]] that says it")
        row = rows.get(action.plan)
        named = row is not None and (row.wallet or row.account)
        if wallets != 1 and not named and "wallet" not in METRICS[metric].labels:
            what = (
                f"the action of alert {rule!r} does not say whose position: {metric} has no wallet"
            )
            raise refuse(what, "name a [[plan]] that has an account")
