"""Read a plan's file, and decide whether it may still be looked at."""

from pathlib import Path

from executor.plan.codec import MAX_BYTES, PlanUnreadable, load
from executor.plan.types import Plan
from underkeel.config.load import Config
from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError


def read_plan(path: Path) -> Plan:
    """Return the plan of a file; raises `UsageError` for anything but a whole, unchanged one."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise UsageError(f"{path}: {what}; write one with `underkeel plan NAME --out`") from None
    try:
        return load(raw)
    except PlanUnreadable as error:
        raise UsageError(f"{path}: {error}") from None


def chain_of(config: Config, plan: Plan) -> str:
    """Return the config's name of the plan's chain; raises `UsageError`."""
    chains = config.settings.chains
    found = next((n for n, table in chains.items() if table.chain_id == plan.chain_id), None)
    if found is None:
        raise UsageError(
            f"the plan is for chain {plan.chain_id}, which the config does not have; "
            f"{did_you_mean('', chains)}"
        )
    return found
