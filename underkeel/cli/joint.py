"""Joint distances, chances and remedies, in words: what `risk` adds with its further options."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from risk.remedy import Kind
from risk.types import Assessment, Status
from underkeel.cli import format as fmt
from underkeel.cli.tables import grid_table, name_of
from underkeel.distance.remedies import Feasible, Way, Ways
from underkeel.portfolio import Portfolio

if TYPE_CHECKING:  # brings arrays and histories along
    from risk.distance.economic import Apart
    from risk.distance.probability import Probability
    from underkeel.distance.study import Found, Study

Row = tuple[str, Text | str]

LEAST_SHOWN: Final = 0.0005
"""Moves below are not told in the short table."""
CAN: Final = {Feasible.YES: "yes", Feasible.UNKNOWN: "?", Feasible.NO: "no"}


@dataclass(frozen=True, slots=True)
class Extras:
    """What was computed besides the plain distances."""

    study: "Study | None" = None
    ways: Mapping[str, Ways] = field(default_factory=dict)
    apart: "Mapping[str, Apart]" = field(default_factory=dict)


NONE: Final = Extras()


def joint_report(study: "Study", portfolio: Portfolio) -> RenderableType:
    """Return β, the likeliest joint move and the chances of each position, first to fall first."""
    by_id = {a.position.id: a for a in portfolio.assessments}
    parts: list[RenderableType] = [Text(""), _first(study, by_id, portfolio)]
    if study.wallet.order:
        parts.append(_order(study, by_id, portfolio))
    for name, cause in study.unmeasured.items():
        parts.append(Text(f"? {_name(by_id, name, portfolio)}: not measured: {cause}", "yellow"))
    if study.labels:
        parts.append(Text(f"Covariance: {study.covariance.method}.", style="dim"))
    for key, cause in study.covariance.assumed.items():
        parts.append(Text(f"! {study.labels[key]}: {cause}", style="yellow"))
    return Group(*parts)


def _first(study: "Study", by_id: Mapping[str, Assessment], portfolio: Portfolio) -> Text:
    wallet, span = study.wallet, fmt.duration(study.horizon_s)
    head = Text(f"Joint move, {span}", style="bold")
    if not wallet.order or wallet.order[0].joint is None:
        return head.append(": none within reach liquidates anything", style="not bold")
    first = wallet.order[0]
    name = _name(by_id, first.name, portfolio)
    if wallet.beta == 0:
        return head.append(f": {name} is liquidatable now", style="not bold")
    labels = [study.labels[key] for key in wallet.factors]
    moves = _moves(labels, [float(m) for m in wallet.shock])
    return head.append(f": {_sigma(wallet.beta)} away, {name} falls first\n{moves}", "not bold")


def _order(study: "Study", by_id: Mapping[str, Assessment], portfolio: Portfolio) -> Table:
    table = grid_table()
    table.add_column("Position", ratio=4, min_width=12, overflow="fold")  # an id is told whole
    table.add_column("β", justify="right", no_wrap=True)
    table.add_column("Likeliest joint move", ratio=5, overflow="fold")
    table.add_column("× first", justify="right", no_wrap=True)
    horizons = _horizons(study)
    for horizon in horizons:
        table.add_column(fmt.duration(horizon), justify="right", no_wrap=True)
    for fall in study.wallet.order:
        found = study.found.get(fall.name)
        if found is None:
            continue
        beta = "–" if fall.joint is None else _sigma(fall.joint.beta)
        mark = "" if fall.joint is None or fall.joint.certified else "\nnot proven"
        moves = "none within reach" if fall.joint is None else _own(found)
        multiple = "–" if fall.multiple is None else f"{fall.multiple:.2f}"
        chances = (_chance(found.chances, horizon) for horizon in horizons)
        assessed = by_id[fall.name]
        if assessed.liquidation.status is Status.UNKNOWN:
            mark += "\nin doubt"
        name = name_of(assessed.position, portfolio)
        table.add_row(name, Text(beta, "bold").append(mark, "dim"), moves, multiple, *chances)
    return table


def _horizons(study: "Study") -> list[int]:
    seen = {c.horizon_s for found in study.found.values() for c in found.chances}
    return sorted(seen)


def _chance(chances: "Sequence[Probability]", horizon_s: int) -> str:
    simulated = (c for c in chances if c.horizon_s == horizon_s and c.ci_lo is not None)
    found = next(simulated, None)
    return "?" if found is None else _likely(found)


def _likely(chance: "Probability") -> str:
    if chance.p is None:
        return "?"
    if chance.p == 0 and chance.ci_hi is not None:
        return f"< {_share(chance.ci_hi)}"  # none of the paths: not impossible
    return _share(chance.p)


def _share(p: float) -> str:
    """Return a chance to two digits, rounded up: never less than it is."""
    if p >= 1:
        return "100 %"
    percent = p * 100
    places = 0 if percent >= 10 else 1 if percent >= 1 else 2 if percent >= 0.1 else 3
    return f"{ceil(percent * 10**places) / 10**places:.{places}f} %"


def _sigma(beta: float | None) -> str:
    """Return a distance rounded down."""
    return "–" if beta is None else f"{floor(beta * 100) / 100:.2f} σ"


def _own(found: "Found") -> str:
    if found.joint is None:
        return "none within reach"
    labels = [factor.label or fmt.short(factor.name) for factor in found.factors]
    return _moves(labels, [float(m) for m in found.joint.shock])


def _moves(labels: Sequence[str], moves: Sequence[float]) -> str:
    ranked = sorted(zip(moves, labels, strict=True), key=lambda one: -abs(one[0]))
    told = [f"{label} {move:+.1%}" for move, label in ranked if abs(move) >= LEAST_SHOWN]
    return ", ".join(told) or "nothing moves"


def _name(by_id: Mapping[str, Assessment], name: str, portfolio: Portfolio) -> str:
    found = by_id.get(name)
    return name if found is None else " ".join(name_of(found.position, portfolio).plain.split())


def remedies_report(ways: Mapping[str, Ways], portfolio: Portfolio) -> RenderableType:
    """Return what to do about each position, feasible and cheap ways first."""
    table = grid_table()
    table.add_column("Position", ratio=5)
    table.add_column("Each alone", ratio=6)
    table.add_column("USD", justify="right", ratio=3)
    table.add_column("Now?", ratio=5)
    target = next(iter(ways.values()), None)
    for assessed in portfolio.assessments:
        some = ways.get(assessed.position.id)
        if some is None:
            continue
        name: Text | str = name_of(assessed.position, portfolio)
        for words, usd, can in _told(some, assessed):
            table.add_row(name, words, usd, can)
            name = ""
        table.add_section()
    if target is None:
        return Text("\nNo position has a debt: there is no health to raise.")
    health = target.target_raw / 10**18
    return Group(Text(f"\nTo a health of {health:g}, each alone", style="bold"), table)


def _told(ways: Ways, assessed: Assessment) -> Iterator[tuple[str, str, str]]:
    if assessed.liquidation.status is Status.UNKNOWN:
        yield "in doubt", "", fmt.lines(assessed.liquidation.causes)
    if ways.found is None:
        yield "not computed", "", ways.cause
        return
    if ways.found.already:
        yield "nothing to do", "", ""
    for way in ways.each:
        yield _do(way), fmt.usd(way.usd) if way.remedy.amount else "", _can(way)
    for text in ways.found.unknown:
        yield text, "", "not computed"


def _do(way: Way) -> str:
    remedy = way.remedy
    verb = "repay" if remedy.kind is Kind.REPAY else "add"
    debt = f" {remedy.name}" if remedy.name not in ("debt", "collateral") else ""
    if remedy.amount is None:
        return f"{verb} {remedy.symbol}{debt}"
    whole = ", all of it" if remedy.whole else ""
    return f"{verb} {_up(remedy.amount, remedy.decimals)} {remedy.symbol}{debt}{whole}"


def _up(raw: int, decimals: int | None) -> str:
    """Return an amount that is enough: rounded up to six digits after the point."""
    if decimals is None or decimals <= 6:
        return fmt.amount(raw, decimals)
    unit = 10 ** (decimals - 6)
    return fmt.amount(-(-raw // unit) * unit, decimals)


def _can(way: Way) -> str:
    reasons = fmt.lines(way.reasons)
    return CAN[way.feasible] + (f": {reasons}" if reasons else "")


def rows(extras: Extras, assessed: Assessment) -> Iterator[Row]:
    """Yield what `--full` tells of one position besides."""
    name = assessed.position.id
    if (both := extras.apart.get(name)) is not None:
        yield "distance", f"{both.oracle_frac:+.2%} of all collateral, by the oracle: liquidation"
        if both.economic_frac is None:
            yield "", f"not known at market prices: {fmt.lines(both.causes)}"
        else:
            yield "", f"{both.economic_frac:+.2%} at market prices: worth no more than it bears"
    study = extras.study
    if study is not None and (found := study.found.get(name)) is not None:
        yield from _joint_rows(found, study)
    if study is not None and name in study.unmeasured:
        yield "joint", f"not measured: {study.unmeasured[name]}"
    if (some := extras.ways.get(name)) is not None:
        for words, usd, can in _told(some, assessed):
            text = Text(words, style="bold")
            worth = f" = {usd} USD; now? " if usd else ": " if can else ""
            yield "remedy", text.append(worth + can, "not bold")
        for way in some.each:
            if way.remedy.amount:
                yield "", Text(f"{_do(way)}: exactly {way.remedy.amount} base units", style="dim")


def _joint_rows(found: "Found", study: "Study") -> Iterator[Row]:
    span = fmt.duration(study.horizon_s)
    joint = found.joint
    if joint is None:
        yield "joint", "no joint move within reach liquidates it"
    else:
        proof = "certified" if joint.certified else "the best that was found, not certified"
        text = Text(f"{_sigma(joint.beta)} of {span}: {_own(found)}", style="bold")
        yield "joint", text.append(f"\n{joint.method}; {proof}", "not bold")
        if found.edge is not None:
            for factor in found.factors:
                there = found.edge.liquidatable.get(factor.name, factor.raw)
                label = factor.label or fmt.short(factor.name)
                yield "", Text(f"{label} raw {there}, now raw {factor.raw}", style="dim")
        elif joint.beta > 0:
            yield "", "the protocol's integers do not get there on that way"
    for chance in found.chances:
        yield "chance", _chance_text(chance)
    for text_ in found.assumed:
        yield "assumed", text_


def _chance_text(chance: "Probability") -> str:
    ahead = f"within {fmt.duration(chance.horizon_s)}, {chance.method}"
    if chance.p is None:
        return f"? {ahead}: {chance.cause}"
    if not chance.p or chance.ci_lo is None or chance.ci_hi is None:
        return f"{_likely(chance)} {ahead}"
    between = f"{_share(chance.ci_lo)} to {_share(chance.ci_hi)}"
    return f"{_share(chance.p)} {ahead}; 95 %: {between}"


__all__ = ["NONE", "Extras", "joint_report", "remedies_report", "rows"]
