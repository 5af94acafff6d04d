"""`plan`: make a plan, show it, write it to a file."""

import json
import time
from pathlib import Path

from executor.plan.types import Blocked, Infeasible, Nothing, Plan
from underkeel.accounts import require_chains
from underkeel.cache import write_whole
from underkeel.cli import format as fmt
from underkeel.cli.options import Globals
from underkeel.cli.output import (
    console,
    log_to_stderr,
    print_document,
    progress,
    say_written,
)
from underkeel.config.load import load
from underkeel.errors import AppError, Exit, UsageError
from underkeel.plans.document import plan_document
from underkeel.plans.make import make
from underkeel.plans.table import plan_report
from underkeel.plans.wanted import Asked, wanted


def show_plan(options: Globals, name: str, asked: Asked, target: Path | None) -> Exit:
    """Make a plan and print it; 3 where there is one, 1 where there should be and is none."""
    log_to_stderr(options)
    config = load(options.config)
    require_chains(config)
    wish = wanted(config, name, asked)
    with progress(options) as tell:
        made = make(config, wish, tell)
    if asked.position is not None and made.chain is None and isinstance(made.planned, Nothing):
        raise UsageError(
            f"{asked.position!r} is no position that {name!r} could be about; "
            "`underkeel positions --json` has their ids"
        )
    document = plan_document(made, time.time())
    if options.json:
        print_document(document)
    else:
        console(options).print(plan_report(made, config.settings.timezone))
    if isinstance(made.planned, Plan) and (over := told_over(made.planned, int(time.time()))):
        console(options, stderr=True).print(over, style="yellow")
    if target is not None and isinstance(made.planned, Plan):
        data = document.model_dump(mode="json", by_alias=True)
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        if not write_whole(target, text.encode()):
            raise AppError(f"{target} could not be written; is there room, and may you?")
        say_written(options, target)
    match made.planned:
        case Plan():
            return Exit.ATTENTION
        case Infeasible() | Blocked():
            return Exit.ERROR
    return Exit.OK


def told_over(plan: Plan, now: int) -> str | None:
    """Return a warning where a plan is over before it is made, since its block is old."""
    if not plan.expired(now):
        return None
    return f"! this plan is over already: its block is from {fmt.age(now - plan.time)}"
