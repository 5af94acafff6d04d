"""Rebalance: plans, what they would change by simulation, and what the policy says to them."""

from decimal import Decimal
from typing import Any, Final

from underkeel.cli import format as fmt
from underkeel.documents.plan import PlanPart, PlanPosition
from underkeel.documents.proposals import Proposal, ProposalsDocument
from underkeel.web.pages import words
from underkeel.web.pages.cells import (
    Cell,
    Column,
    Row,
    Table,
    address,
    link,
    name,
    named,
    number,
    state,
)
from underkeel.web.pages.cells import words as plain

INTEREST: Final = 100_000
"""A change of less than one part of so many is the interest of some minutes, and not the plan's."""
STATUS: Final = {
    "proposed": ("◔", "waits for you", "warn"),
    "executing": ("▶", "being carried out", "warn"),
    "done": ("✔", "done", "good"),
    "refused": ("✖", "refused by policy", "bad"),
    "expired": ("–", "expired", ""),
    "failed": ("✖", "failed", "bad"),
    "unknown": ("?", "outcome unknown", "unknown"),
    "withdrawn": ("–", "withdrawn", ""),
}


def view(document: ProposalsDocument, zone: str) -> dict[str, Any]:
    """Return what the page shows."""
    return {
        "paused": document.paused,
        "plans": [proposal(found, zone) for found in document.proposals],
        "live": sum(1 for found in document.proposals if found.status == "proposed"),
    }


def proposal(found: Proposal, zone: str) -> dict[str, Any]:
    """Return one plan."""
    document = found.document
    plan = None if document is None else document.plan
    at, expires = words.epoch(found.at), words.epoch(found.expires_at)
    assert at is not None
    return {
        "id": found.id,
        "name": name(found.plan),
        "status": state(*STATUS.get(found.status, ("?", found.status, "unknown"))),
        "at": {"at": int(at), "text": words.clock(at, zone)},
        "expires": None
        if expires is None
        else {"at": int(expires), "text": words.clock(expires, zone)},
        "chain": name(found.chain or "–"),
        "wallet": name(found.wallet or "–"),
        "alert": found.alert,
        "said": list(
            dict.fromkeys(
                name(text, 300)
                for text in (document.reason if document else "", found.text)
                if text
            )
        ),
        "hash": found.hash,
        "command": name(found.command, 300) if found.status == "proposed" else "",
        "position": found.position,
        "what": "" if plan is None else name(plan.what, 300),
        "block": None if plan is None else f"{int(plan.block.number):,}",
        "block_at": None if plan is None else int(plan.block.timestamp),
        "verdicts": verdicts(found),
        "allowed": bool(found.verdicts) and all(v.ok for v in found.verdicts),
        "healths": [] if plan is None else healths(plan, found.id),
        "legs": None if plan is None else legs(plan, found.id),
        "steps": None if plan is None else steps(plan, found.id),
        "cost": None if plan is None else cost(plan),
        "lost": [] if document is None else lost(found),
        "unknown": [] if document is None else [name(text, 300) for text in document.unknown],
        "notes": [] if plan is None else [name(text, 300) for text in plan.notes],
    }


def verdicts(found: Proposal) -> Table:
    """Return what the policy says to each step."""
    return Table(
        f"verdicts-{found.id}",
        "What the policy says",
        (
            Column("step", "Step"),
            Column("ok", "Verdict"),
            Column("rule", "Rule"),
            Column("text", "Why", wide=True),
        ),
        [
            Row(
                (
                    plain("the whole plan")
                    if v.step is None
                    else number(str(int(v.step) + 1), int(v.step)),
                    state("✔", "allowed", "good") if v.ok else state("✖", "refused", "bad"),
                    plain(name(v.rule)),
                    plain(name(v.text, 300)),
                ),
                tone="" if v.ok else "bad",
            )
            for v in found.verdicts
        ],
        "The policy was not asked: this wallet only proposes.",
    )


def healths(plan: PlanPart, id: str) -> list[dict[str, Any]]:
    """Return each position's health before and after, where it has one."""
    after = {position.id: position for position in plan.after}
    found: list[dict[str, Any]] = []
    for before in plan.before:
        then = after.get(before.id)
        if before.health_raw is None and (then is None or then.health_raw is None):
            continue
        found.append(
            {
                "href": words.page_of(before.id),
                "title": name(before.market),
                "before": words.health(before.health_raw, before.health_scale, "not known"),
                "after": plain("closed")
                if then is None
                else plain("no debt")
                if then.health_raw is None
                else words.health(then.health_raw, then.health_scale),
            }
        )
    return [one for one in found if one["before"].text != one["after"].text] or found


def legs(plan: PlanPart, id: str) -> Table:
    """Return each amount before and after: the difference that the plan makes."""
    sides: list[dict[tuple[str, ...], Any]] = [{}, {}]
    titles: dict[str, PlanPosition] = {}
    for side, positions in zip(sides, (plan.before, plan.after), strict=True):
        for position in positions:
            titles.setdefault(position.id, position)
            for leg in position.legs:
                side[position.id, leg.side, leg.asset, leg.name] = leg
    rows = []
    for key in dict.fromkeys((*sides[0], *sides[1])):
        before, after = (side.get(key) for side in sides)
        held = after if before is None else before
        assert held is not None
        position = titles[key[0]]
        old = int(before.amount) if before else 0
        new = int(after.amount) if after else 0
        changed = new - old
        if abs(changed) <= (0 if position.protocol == "wallet" else max(old, new) // INTEREST):
            continue
        rows.append(
            Row(
                (
                    link(
                        name(position.market),
                        words.page_of(position.id),
                    ),
                    plain(key[1]),
                    address(held.asset, held.symbol),
                    words.amount(str(old), held.decimals),
                    words.amount(str(new), held.decimals),
                    _change(changed, held.decimals),
                )
            )
        )
    return Table(
        f"legs-{id}",
        "Before and after, by simulation of every step; what interest alone moves is left out",
        (
            Column("position", "Position", wide=True),
            Column("side", "Side"),
            Column("asset", "Asset"),
            Column("before", "Before", number=True),
            Column("after", "After", number=True),
            Column("change", "Change", number=True),
        ),
        rows,
        "It changes no position.",
    )


def _change(raw: int, decimals: str | None) -> Cell:
    text = fmt.amount(abs(raw), None if decimals is None else int(decimals))
    return Cell(
        f"{'+' if raw > 0 else '−'}{text}",
        "change",
        float(raw),
        {"up": raw > 0, "raw": f"{raw:,}"},
    )


def steps(plan: PlanPart, id: str) -> Table:
    """Return the transactions in their order."""
    return Table(
        f"steps-{id}",
        "Transactions, in their order",
        (
            Column("step", "Step"),
            Column("what", "What", wide=True),
            Column("to", "To"),
            Column("gas", "Gas, simulated", number=True),
        ),
        [
            Row(
                (
                    number(str(i + 1), i),
                    named(step.what),
                    address(step.call.to),
                    number(f"{int(step.gas_used):,}", int(step.gas_used)),
                )
            )
            for i, step in enumerate(plan.steps)
        ],
        "Nothing to sign.",
    )


def cost(plan: PlanPart) -> dict[str, Any]:
    """Return what it costs."""
    found = plan.cost
    total = None if found.total_usd is None else float(Decimal(found.total_usd))
    fee = None if found.fee_usd is None else float(Decimal(found.fee_usd))
    return {
        "total": words.dollars(total, "a part is not known in dollars"),
        "fee": words.dollars(fee, "the native coin has no price"),
        "gas": f"{int(found.gas_used):,}",
        "swaps": [
            f"{name(s.token_in)} to {name(s.token_out)}: "
            + ("cost unknown" if s.cost_bps is None else f"{s.cost_bps} bps against the oracle")
            for s in found.swaps
        ],
    }


def lost(found: Proposal) -> list[str]:
    """Return what else was tried, and why it was not taken."""
    document = found.document
    assert document is not None
    each = document.lost if document.plan is None else document.plan.lost
    return [name(f"{other.action}: {other.reason}", 300) for other in each]
