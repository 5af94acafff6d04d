"""Look at a plan again before anything of it is signed: does it still do what it promised?"""

from dataclasses import replace

from chain.client import connect
from chain.errors import ChainError
from executor.plan.build import breach
from executor.plan.lab import Draft, Failed, Lab
from executor.plan.types import Plan, PositionView
from executor.plan.view import view
from protocols.effects import Effect
from underkeel.config.load import Config
from underkeel.portfolio import Open, read_portfolio, spec_of

SOON_S = 12
"""A plan is tried in a block so long after the newest one, or at its own time if that is later."""


def resimulate(
    config: Config, plan: Plan, done: int = 0, opener: Open = connect
) -> tuple[PositionView, ...] | str:
    """Return every position after the steps that are left, run on the newest block.

    `done` steps were carried out already. Text says why the plan is not to be carried out: it has
    expired, a step fails, a condition does not hold afterwards, or something is not known.
    """
    name = next((n for n, t in config.settings.chains.items() if t.chain_id == plan.chain_id), None)
    if name is None:
        return f"the config has no chain {plan.chain_id}"
    chains = {name: config.settings.chains[name]}
    narrowed = replace(config, settings=config.settings.model_copy(update={"chains": chains}))
    accounts = tuple(dict.fromkeys((plan.account, plan.wallet)))
    (report,) = read_portfolio(narrowed, accounts, opener=opener).chains
    if report.at is None or report.fault is not None or report.valuation is None:
        return f"{name} could not be read: {report.cause}"
    if report.unreadable:
        return "; ".join(f"{u.market}: {u.cause}" for u in report.unreadable)
    if plan.expired(report.at.timestamp):
        return f"it expired at {plan.expires_at}, and the newest block is of {report.at.timestamp}"
    try:
        with opener(spec_of(name, chains[name], config)) as client:
            lab = Lab(
                client=client,
                at=report.at,
                time=max(plan.time, report.at.timestamp + SOON_S),
                account=plan.account,
                wallet=plan.wallet,
                markets=report.markets,
                positions=tuple(a.position for a in report.positions),
                book=report.valuation.book,
            )
            after = lab.try_all(
                [
                    Draft(s.what, Effect(s.call.to, s.call.data, s.call.value, s.zero), s.sender)
                    for s in plan.steps[done:]
                ]
            )
    except ChainError as error:
        return config.scrub(str(error))
    if isinstance(after, Failed):
        return after.reason
    if after.unknown:
        return "afterwards unknown: " + "; ".join(after.unknown)
    views = tuple(view(p, lab.book) for p in after.positions)
    broken = [text for condition in plan.conditions if (text := breach(condition, views))]
    return "; ".join(broken) if broken else views
