"""One position after another, with everything that is known about it: `risk --full`."""

from collections.abc import Iterator, Mapping
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from protocols.erc4626.state import VaultHolding
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Position, Price, Side, Unpriced
from protocols.uniswap_v3 import UniswapV3State
from risk.types import Assessment, Boundary, Direction, Liquidation, Status
from underkeel.cli import format as fmt
from underkeel.cli import joint
from underkeel.cli.tables import (
    SIDES,
    called,
    report,
    time_text,
    urgency,
    verdict,
)
from underkeel.documents.facts import bad_debt
from underkeel.documents.greeks import greek_parts
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.valuation import Valuation

Row = tuple[str, Text | str]


def full_report(
    portfolio: Portfolio, zone: str, extras: joint.Extras = joint.NONE
) -> RenderableType:
    """Return every position in full, the most urgent first."""
    return report(portfolio, zone, partial(_chain, extras=extras), notes=False)


def _chain(chain: ChainReport, portfolio: Portfolio, extras: joint.Extras) -> RenderableType:
    assert chain.valuation is not None  # a chain with positions was read
    parts: list[RenderableType] = []
    for assessed in sorted(chain.positions, key=urgency):
        grid = _grid(assessed, chain.valuation, portfolio, extras)
        parts += [Text(""), _title(assessed.position), grid]
    return Group(*parts, Text(""))


def _title(position: Position) -> Text:
    part = position.id.split(":")[4:]
    return Text(called(position) + (f" #{part[0]}" if part else ""), style="bold")


def _grid(
    assessed: Assessment, valuation: Valuation, portfolio: Portfolio, extras: joint.Extras
) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, value in _rows(assessed, valuation, portfolio, extras):
        table.add_row(f"  {label}", value)
    return table


def _rows(
    assessed: Assessment, valuation: Valuation, portfolio: Portfolio, extras: joint.Extras
) -> Iterator[Row]:
    position, found = assessed.position, assessed.liquidation
    name = portfolio.names.get(position.owner)
    yield "owner", position.owner + (f" ({name})" if name else "")
    if int(position.root, 16):
        yield "root", f"{position.root}, {position.version}"
    yield "status", verdict(assessed)
    if found.health_raw is not None:
        exact = f"{found.health_raw} / {found.health_scale}"
        yield "health", f"{fmt.health(found)}, exactly {exact}"
    if position.legs:
        worth = assessed.equity_usd
        yield "equity", "unknown" if worth is None else f"{fmt.usd(worth)} USD"
    symbols: dict[str, str] = {leg.token.address: leg.token.symbol for leg in position.legs}
    for leg in position.legs:
        yield from _leg(leg, valuation, symbols)
    for boundary in found.boundary:
        yield _boundary(boundary, found)
    if found.health_raw is not None and not found.boundary:
        yield "boundary", "no single price separates safe from liquidatable"
    yield from joint.rows(extras, assessed)
    yield from _terms(assessed)
    yield from _particulars(assessed, valuation)
    for label, texts in (
        ("blocked by", found.blocked_by),
        ("doubt", found.causes),
        ("unknown", tuple(u for u in position.unknown if u not in found.causes)),
        ("note", tuple(n for n in position.notes if n not in found.causes)),
    ):
        yield from ((label, text) for text in texts)
    for given in position.allowances:
        most = "unlimited" if given.unlimited else fmt.amount(given.amount, given.token.decimals)
        yield "allowance", f"{given.token.symbol} to {given.spender}: {most}"


def _leg(leg: Leg, valuation: Valuation, symbols: Mapping[str, str]) -> Iterator[Row]:
    sign = -1 if leg.side is Side.DEBT else 1
    value = valuation.usd(leg)
    worth = "unpriced" if value is None else f"{fmt.usd(value)} USD"
    what = " ".join(dict.fromkeys(part for part in (leg.name, SIDES[leg.side]) if part))
    amount = fmt.amount(leg.amount, leg.token.decimals, sign)
    text = Text(f"{amount} {leg.token.symbol}", style="bold")
    exact = f"; {leg.amount} base units" if leg.token.decimals is not None else ""
    yield what or "owned", text.append(f" = {worth}{exact}", style="not bold")
    price = leg.price if leg.price is not None else valuation.price(leg)
    yield "", Text(price_text(price, valuation, symbols), style="dim")


def price_text(price: Price | Unpriced, valuation: Valuation, symbols: Mapping[str, str]) -> str:
    """Return a price with every digit, its age at the block, where it is from, and its faults.

    `symbols` names the tokens that a price may count in.
    """
    if isinstance(price, Unpriced):
        return f"no price: {price.cause}" + (f"; {price.source}" if price.source else "")
    quote = symbols.get(price.quote, price.quote)
    said = [f"at {_exact(price.raw, price.decimals)} {quote}", _aged(price, valuation)]
    named = f"{price.label}, {price.source}" if price.label else price.source
    return "; ".join([", ".join(said), named, *price.problems])


def _aged(price: Price, valuation: Valuation) -> str:
    if price.updated_at is None:
        return "age not told"
    old = fmt.age(valuation.at.timestamp - price.updated_at)
    promised = price.heartbeat_s
    return old if promised is None else f"{old} (heartbeat {fmt.duration(promised)})"


def _boundary(found: Boundary, judged: Liquidation) -> Row:
    """Return one factor's edge: the first liquidatable price, its safe neighbour, and now."""
    down = found.direction is Direction.DOWN
    bad, good = ("≤", "≥") if down else ("≥", "≤")
    edge = _exact(found.price_raw, found.decimals)
    safe = _exact(found.safe_price_raw, found.decimals)
    text = Text(f"{found.label or 'factor'} ", style="bold").append(found.factor, style="not bold")
    text.append(f"\nliquidatable {bad} {edge}, raw {found.price_raw}", style="bold")
    text.append(
        f"\nsafe         {good} {safe}, raw {found.safe_price_raw}"
        f"\nnow            {_exact(found.current_raw, found.decimals)}, raw {found.current_raw}",
        style="not bold",
    )
    about = "" if found.exact else "about "
    if judged.status is Status.LIQUIDATABLE:
        away = fmt.percent(found.safe_price_raw - found.current_raw, found.current_raw)
        text.append(f"\n{about}{away} to safety", style="bold")
    else:
        text.append(f"\n{about}{fmt.distance(found)} away", style="bold")
    return ("boundary", text)


def _terms(assessed: Assessment) -> Iterator[Row]:
    found = assessed.liquidation
    if found.health_raw is None:
        return
    yield "by interest", time_text(assessed)
    if found.oracle is not None:
        age, beat = found.oracle.age_s, found.oracle.heartbeat_s
        told = "age not told" if age is None else f"oldest price {fmt.age(age)}"
        yield "oracle", told + (f", heartbeat {fmt.duration(beat)}" if beat is not None else "")
    if found.close_factor_frac is not None:
        yield "close factor", f"{found.close_factor_frac * 100:.4g} % of the debt in one call"
    if found.penalty_frac is not None:
        yield "penalty", f"{found.penalty_frac * 100:.6g} %, the liquidator's bonus at worst"
    if found.expected_loss_usd is not None:
        yield "loss", f"{fmt.usd(found.expected_loss_usd)} USD {_when(found)}"


def _when(found: Liquidation) -> str:
    now = found.status is Status.LIQUIDATABLE or not found.boundary
    return "if liquidated now" if now else "if liquidated at the nearest boundary"


def _particulars(assessed: Assessment, valuation: Valuation) -> Iterator[Row]:
    """Yield what only one protocol's positions have."""
    state = assessed.position.state
    if isinstance(state, MorphoPosition):
        lost = bad_debt(assessed)
        if lost is not None:
            owed = f"{fmt.amount(lost, state.loan.decimals)} {state.loan.symbol}"
            yield "bad debt", f"{owed} for the suppliers {_when(assessed.liquidation)}"
        if state.supply_shares:
            out = fmt.amount(state.withdrawable, state.loan.decimals)
            yield "withdrawable", f"{out} {state.loan.symbol} of the supply now"
    elif isinstance(state, VaultHolding):
        paid = state.redeemable
        yield "redeemable", "not known" if paid is None else f"{_of(paid, state)} now"
        if state.metamorpho is not None:  # of a plain vault no more is known
            yield "exit liquidity", f"{_of(state.metamorpho.withdrawable, state)} for all holders"
            lost = state.metamorpho.lost_assets
            if lost is not None:
                yield "lost assets", f"{_of(lost, state)} counted as if there"
    elif isinstance(state, UniswapV3State):
        where = "in range" if state.in_range else "out of range"
        yield "range", f"{where}: tick {state.tick} in {state.tick_lower} … {state.tick_upper}"
        yield from _greeks(assessed.position, valuation)


def _of(amount: int, state: VaultHolding) -> str:
    return f"{fmt.amount(amount, state.asset.decimals)} {state.asset.symbol}"


def _greeks(position: Position, valuation: Valuation) -> Iterator[Row]:
    found = greek_parts(position, valuation)
    if not found:
        yield "greeks", "not known without a dollar price and decimals"
    for greek in found:
        name = greek.label or greek.factor
        yield "delta", f"{fmt.usd(greek.delta_usd)} USD as {name} doubles, at this slope"
        yield "gamma", f"{fmt.usd(greek.gamma_usd_per_1pct)} USD of delta per 1 %"
        yield "LVR", f"{fmt.usd(greek.lvr_usd_per_variance)} USD a year per unit of σ² a year"


def _exact(raw: int, decimals: int) -> str:
    """Return a price with all its digits."""
    return f"{fmt.scaled(raw, decimals):f}"


__all__ = ["full_report", "price_text"]
