"""What people are told of a plan: before and after, what it costs, and how to carry it out."""

from collections.abc import Iterator
from typing import Final

from executor.plan.types import LegView, Plan, PositionView
from underkeel.cli import format as fmt
from underkeel.steer.types import Proposal, Status

DID: Final = {
    Status.PROPOSED: "proposed",
    Status.EXECUTING: "is being carried out",
    Status.DONE: "carried out",
    Status.REFUSED: "refused by the policy",
    Status.EXPIRED: "has expired",
    Status.FAILED: "failed",
    Status.UNKNOWN: "OUTCOME UNKNOWN",
    Status.WITHDRAWN: "withdrawn",
}

INTEREST: Final = 100_000
"""A change of less than one part of so many is the interest of some minutes, and not the plan's."""


def title(proposal: Proposal) -> str:
    """Return one line: `repay proposed: demo careful`."""
    whose = " ".join(part for part in (proposal.chain, proposal.account) if part)
    return f"{proposal.name} {DID[proposal.status]}: {whose}"


def body(proposal: Proposal, plan: Plan | None, zone: str) -> str:
    """Return the message of a proposal as it is now, in lines."""
    lines: list[str] = []
    if proposal.cause:
        lines.append(proposal.cause)
    if plan is not None:
        cost = plan.cost.total_usd
        lines += [
            plan.what,
            f"why: {plan.why}",
            *changed(plan),
            f"cost: {'not known' if cost is None else cost + ' USD'}",
        ]
    if proposal.status is Status.PROPOSED:
        lines += [f"policy: {line}" for line in policy(proposal)]
        if proposal.expires_at is not None:
            lines.append(f"good until {fmt.local_time(int(proposal.expires_at), zone)}")
        lines.append(f"carry it out: {proposal.command}")
    for one in (proposal.ended or {}).get("ended") or ():
        lines.append(f"{one['end']}: {one['hash'] or one['id']}")
    return "\n".join(lines)


def changed(plan: Plan) -> list[str]:
    """Return what becomes of every position that changes, a line each."""
    before = {view.id: view for view in plan.before}
    return [
        line
        for view in plan.after
        if view != (old := before.get(view.id))
        for line in _changed(old, view)
    ]


def _changed(old: PositionView | None, new: PositionView) -> Iterator[str]:
    name = " ".join(dict.fromkeys((new.protocol, new.market)))
    if (was := _health(old)) != (now := _health(new)):
        yield f"{name}: health {was} → {now}"
    legs = {_key(leg): leg for view in (old, new) if view is not None for leg in view.legs}
    for key, leg in legs.items():
        a, b = (_sum(view, key) for view in (old, new))
        if leg.amount and _moved(new, a, b):
            yield (
                f"{name}: {_leg(leg)} {fmt.amount(a, leg.decimals)} → {fmt.amount(b, leg.decimals)}"
            )


def _moved(view: PositionView, before: int, after: int) -> bool:
    """Tell whether an amount changed by more than minutes of interest do."""
    least = 0 if view.protocol == "wallet" else max(before, after) // INTEREST
    return abs(after - before) > least


def _leg(leg: LegView) -> str:
    """Name a leg: `USDC variable debt`; a plain asset is its token alone."""
    side = "" if leg.side == "asset" or leg.side in leg.name.split() else leg.side
    return " ".join(part for part in (leg.symbol, leg.name, side) if part)


def summary(plan: Plan) -> str:
    """Return the worst health before and after, in short; empty where there is none."""
    subject = plan.trigger.subject if plan.trigger else None
    pairs = [
        (_health(old), _health(new))
        for new in plan.after
        for old in plan.before
        if old.id == new.id and (subject is None or subject == new.id) and old != new
    ]
    pairs = [(old, new) for old, new in pairs if old != new]
    return f"health {pairs[0][0]} → {pairs[0][1]}" if pairs else ""


def policy(proposal: Proposal) -> list[str]:
    """Return what the policy says, and what to change."""
    said = [str(verdict["text"]) for verdict in proposal.verdicts if not verdict["ok"]]
    return list(dict.fromkeys(said)) or ["allows it"]


def _key(leg: LegView) -> tuple[str, str, str]:
    return leg.asset, leg.side, leg.name


def _sum(view: PositionView | None, key: tuple[str, str, str]) -> int:
    return sum(leg.amount for leg in view.legs if _key(leg) == key) if view is not None else 0


def _health(view: PositionView | None) -> str:
    if view is None or view.health_raw is None:
        return "–"
    units = view.health_raw * 10_000 // view.health_scale
    return f"{units // 10_000:,}.{units % 10_000:04d}"
