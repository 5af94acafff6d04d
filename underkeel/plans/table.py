"""Plans as people read them: what, why, each step, before and after, the cost, and what lost."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from executor.plan.types import Blocked, Infeasible, LegView, Lost, Nothing, Plan, PositionView
from underkeel.cli import format as fmt
from underkeel.cli.tables import grid_table
from underkeel.plans.make import Made

GONE = "–"


def plan_report(made: Made, zone: str) -> RenderableType:
    """Return everything that is known of what came of planning."""
    planned = made.planned
    match planned:
        case Plan():
            return _plan(planned, made.chain or "", zone)
        case Nothing(name, reason):
            return Text(f"✔ {name}: nothing to do: {reason}", style="green")
        case Infeasible(name, reason, lost):
            head = Text(f"✖ {name}: {reason}", style="bold red")
            return Group(head, *_lost(lost))
        case Blocked(name, unknown):
            head = Text(f"? {name}: nothing is planned on what is UNKNOWN", style="bold yellow")
            return Group(head, *(Text(f"  {cause}", style="yellow") for cause in unknown))


def _plan(plan: Plan, chain: str, zone: str) -> RenderableType:
    head = Text(f"{plan.name}: {plan.what}", style="bold")
    head.append(f"\nwhy      {plan.why}", style="not bold")
    head.append(f"\nwho      {plan.wallet}", style="not bold")
    if plan.account != plan.wallet:
        head.append(f" for {plan.account}", style="not bold")
    at = f"{chain} (chain {plan.chain_id}) block {plan.block.number:,}"
    head.append(f"\nat       {at}, simulated by {plan.simulated_by}", style="not bold")
    head.append(f"\nuntil    {fmt.local_time(plan.expires_at, zone)}", style="not bold")
    head.append(f"\nhash     {plan.hash}", style="not bold dim")
    notes = (Text(f"· {note}", style="dim") for note in plan.notes)
    return Group(
        head, Text(""), _steps(plan), _changes(plan), *_costs(plan), *notes, *_lost(plan.lost)
    )


def _steps(plan: Plan) -> Table:
    table = grid_table()
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("Step", ratio=1, overflow="fold")
    table.add_column("To", no_wrap=True)
    table.add_column("Gas", justify="right", no_wrap=True)
    for number, step in enumerate(plan.steps, 1):
        table.add_row(str(number), step.what, fmt.short(step.call.to), f"{step.gas_used:,}")
    return table


def _changes(plan: Plan) -> Table:
    table = grid_table()
    table.add_column("Position", ratio=6, overflow="fold")
    table.add_column("", ratio=4, overflow="fold")
    table.add_column("Before", justify="right", ratio=4, overflow="fold")
    table.add_column("After", justify="right", ratio=4, overflow="fold")
    before = {view.id: view for view in plan.before}
    after = {view.id: view for view in plan.after}
    for position_id in {**before, **after}:
        old, new = before.get(position_id), after.get(position_id)
        view = old or new
        assert view is not None
        title = Text(f"{view.protocol} {view.market}", style="bold")
        if plan.account != plan.wallet:
            owner = position_id.split(":")[3]
            title.append(f"\n{fmt.short(owner)}", style="not bold dim")
        for label, was, now in _rows(old, new):
            style = "bold" if was != now else "dim"
            table.add_row(title, label, Text(was, style=style), Text(now, style=style))
            title = Text("")
        table.add_section()
    return table


def _rows(old: PositionView | None, new: PositionView | None) -> Iterator[tuple[str, str, str]]:
    if _health(old) != GONE or _health(new) != GONE:
        yield "health", _health(old), _health(new)
    legs = {_key(leg): leg for view in (old, new) if view for leg in view.legs}
    for key, leg in legs.items():
        what = " ".join(dict.fromkeys(part for part in (leg.name, leg.side) if part))
        yield f"{leg.symbol} {what}", _amount(old, key, leg), _amount(new, key, leg)
    yield "equity USD", _equity(old), _equity(new)


def _key(leg: LegView) -> tuple[str, str, str]:
    return leg.asset, leg.side, leg.name


def _amount(view: PositionView | None, key: tuple[str, str, str], leg: LegView) -> str:
    found = [one.amount for one in view.legs if _key(one) == key] if view else []
    return fmt.amount(sum(found), leg.decimals) if found else GONE


def _health(view: PositionView | None) -> str:
    if view is None or view.health_raw is None:
        return GONE
    units = view.health_raw * 10_000 // view.health_scale
    return f"{units // 10_000:,}.{units % 10_000:04d}"


def _equity(view: PositionView | None) -> str:
    if view is None:
        return GONE
    return "unpriced" if view.equity_usd is None else fmt.usd(float(view.equity_usd))


def _costs(plan: Plan) -> Iterator[Text]:
    cost = plan.cost
    gas = f"{cost.gas_used:,} gas at {cost.gas_price / 10**9:.4g} gwei"
    data = f", {cost.l1_fee_wei} wei for data" if cost.l1_fee_wei else ""
    worth = "unpriced" if cost.fee_usd is None else f"{cost.fee_usd} USD"
    yield Text(f"cost     {gas}{data}: {worth}")
    for swap in cost.swaps:
        away = "not known" if swap.cost_bps is None else f"{swap.cost_bps} bps"
        lost = "unpriced" if swap.cost_usd is None else f"{swap.cost_usd} USD"
        yield Text(f"swap     {swap.route}: {away} from the oracle, {lost}")
    whole = "not known" if cost.total_usd is None else f"{cost.total_usd} USD"
    yield Text(f"in all   {whole}", style="bold")


def _lost(lost: tuple[Lost, ...]) -> Iterator[Text]:
    for one in lost:
        yield Text(f"not {one.action}: {one.reason}", style="dim")
