"""Alerts in plain words: what is the matter, where, since when, and what to do about it.

Numbers are cut off so that they never look safer than they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Final

from underkeel.alerts.rules import Level, Rule
from underkeel.observe.metrics import METRICS, Better

SECOND_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
PLACES: Final[Mapping[str, int]] = {"ratio": 4, "usd": 2, "bps": 1, "coin": 6, "count": 0}
UNITS: Final[Mapping[str, str]] = {"usd": " USD", "bps": " bps"}


@dataclass(frozen=True, slots=True)
class Text:
    """How a metric is spoken of."""

    says: str
    """A sentence without its end; {value}, {limit}, {side} and labels may be in it."""
    unread: str
    """The same when the value is not known."""
    do: str
    """What to do, in a line."""
    where: tuple[str, ...] = ("wallet", "protocol", "market", "chain")


def _is(what: str, do: str, unread: str = "") -> Text:
    return Text(f"{what} {{value}} is {{side}} {{limit}}", unread or f"{what} is unknown", do)


_RPC: Final = "Run `underkeel doctor`; check the endpoints of [chains] and the provider's status."
_POSITION: Final = (
    "Repay debt or add collateral; `underkeel plan` shows what is cheapest. "
    "Check the position on the protocol's own page."
)
TEXTS: Final[Mapping[str, Text]] = {
    "health_factor": _is("health", _POSITION, "health cannot be read"),
    "liquidation_distance": _is("distance to liquidation", _POSITION),
    "time_to_liquidation": _is("time to liquidation by interest", _POSITION),
    "liquidatable": Text(
        "it can be liquidated NOW",
        "whether it can be liquidated cannot be read",
        "Repay debt or add collateral at once: `underkeel plan`. Anyone may liquidate it.",
    ),
    "position_unknown": Text(
        "the position cannot be judged",
        "the position cannot be read",
        "Look at it on the protocol's own page; `underkeel positions` says what is unknown.",
    ),
    "market_unread": Text(
        "the market cannot be read",
        "whether the market can be read is unknown",
        "Nothing of it is watched meanwhile. `underkeel positions` says why; then the RPC.",
        ("protocol", "market", "chain"),
    ),
    "collateral_usd": _is("collateral", "Look at the position."),
    "debt_usd": _is("debt", "Look at the position."),
    "equity_usd": _is("equity", "Look at the position."),
    "asset_price_usd": _is("price", "Compare with other sources: `underkeel oracles`."),
    "oracle_age": _is("age of the price", "Compare with other sources: `underkeel oracles`."),
    "oracle_overdue": Text(
        "its price is {value} overdue",
        "whether its price is on time is unknown",
        "Health that rests on this price may be false. `underkeel oracles` shows the feed.",
        ("asset", "source", "chain"),
    ),
    "price_divergence_bps": _is(
        "difference between price sources",
        "One of the sources is wrong or late. `underkeel oracles` compares them.",
    ),
    "wallet_native_balance": _is("native balance", "Send the wallet some native coin."),
    "gas_reserve_ratio": Text(
        "native balance is {value} times what the policy keeps back",
        "the native balance is unknown",
        "Send the wallet native coin: below 1 the policy lets it send nothing.",
        ("wallet", "chain"),
    ),
    "allowance_unlimited": Text(
        "{spender} may take all of {asset}",
        "the allowance cannot be read",
        "If you no longer use it, revoke it with the wallet.",
        ("wallet", "chain"),
    ),
    "parameter_change_age": Text(
        "a rule was changed",
        "whether rules were changed is unknown",
        "See what it does to your health: `underkeel exposure --diff`.",
        ("subject", "protocol", "market", "chain"),
    ),
    "implementation_change_age": Text(
        "code was replaced",
        "whether code was replaced is unknown",
        "Read the governance's announcement. If there is none, think of leaving.",
        ("subject", "chain"),
    ),
    "oracle_change_age": Text(
        "a price comes from elsewhere",
        "whether prices come from elsewhere is unknown",
        "Compare old and new source: `underkeel oracles`, `underkeel exposure --diff`.",
        ("subject", "protocol", "market", "chain"),
    ),
    "feed_change_age": Text(
        "a feed answers from elsewhere",
        "whether feeds answer from elsewhere is unknown",
        "Compare it with other sources: `underkeel oracles`.",
        ("subject", "chain"),
    ),
    "chain_equity_usd": _is("equity of the chain", "Look at its positions."),
    "chain_worst_health": _is("the worst health of the chain", _POSITION),
    "chain_up": Text("the chain cannot be read", "the chain is not watched", _RPC, ("chain",)),
    "data_age": Text(
        "the last whole reading is {value} old", "nothing reads the chain whole", _RPC, ("chain",)
    ),
    "reorg_depth": Text(
        "{value} blocks were taken back",
        "how deep it reorganised is unknown",
        "Wait for finality before you trust a transaction of the last minutes.",
        ("chain",),
    ),
    "transaction_pending_age": Text(
        "a transaction has been waiting for {value}",
        "whether transactions wait is unknown",
        "`underkeel tx list`, then `underkeel tx speedup` or `cancel`.",
        ("wallet", "chain"),
    ),
    "nonce_gap": _is("number of unmined transactions", "`underkeel tx list`."),
    "plans_outcome_unknown": Text(
        "what became of {value} execution(s) is unknown",
        "what became of executions is unknown",
        "`underkeel tx list`; look at the chain. Nothing is tried again by itself.",
        ("wallet", "chain"),
    ),
    "signer_locked": Text(
        "its signer's secret cannot be found",
        "whether its signer can be opened is unknown",
        "Put the password file or variable back; `underkeel doctor` says which.",
        ("wallet",),
    ),
    "delivery_failing": Text(
        "{value} deliveries in a row failed",
        "whether messages arrive is unknown",
        "`underkeel alert test {channel}`; check the service and its secret.",
        ("channel",),
    ),
    "service_degraded": Text(
        "the monitor cannot keep up",
        "how the monitor fares is unknown",
        "See the System page: fewer positions, longer intervals, or a faster endpoint.",
        ("what",),
    ),
}
"""By metric: every one has its words."""


def shown(metric: str, value: Decimal | None) -> str:
    """Return a value with its unit, never rounded towards safety."""
    if value is None:
        return "unknown"
    about = METRICS[metric]
    if about.unit == "seconds":
        return duration(int(value))
    if about.unit == "bool":
        return "yes" if value else "no"
    places = PLACES[about.unit]
    rounding = ROUND_CEILING if about.better is Better.DOWN else ROUND_FLOOR
    with localcontext() as exact:
        exact.prec = 120
        cut = value.quantize(Decimal(1).scaleb(-places), rounding=rounding)
    if cut == 0 and value != 0:
        cut = value.normalize()
    return f"{cut:,f}{UNITS.get(about.unit, '')}"


def limit(metric: str, value: Decimal) -> str:
    """Return a threshold as the config has it, with its unit."""
    unit = METRICS[metric].unit
    if unit == "seconds":
        return duration(int(value))
    return f"{value.normalize():,f}{UNITS.get(unit, '')}"


def duration(seconds: int) -> str:
    """Return a time in its two largest units, rounded down."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    parts: list[str] = []
    for size, unit in SECOND_STEPS:
        if seconds >= size and len(parts) < 2:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
        elif parts:
            break
    return " ".join(parts) or "0 s"


def moment(seconds: float) -> str:
    """Return a time as UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def where(metric: str, labels: Mapping[str, str]) -> str:
    """Return what it is about, from the near to the far."""
    names = TEXTS[metric].where if metric in TEXTS else sorted(labels)
    return " · ".join(short(labels[name]) for name in names if labels.get(name))


def sentence(
    rule: Rule, labels: Mapping[str, str], value: Decimal | None, level: Level, *, over: bool
) -> str:
    """Say what is the matter, or that it is over; None: that it is not known."""
    text, now = TEXTS[rule.metric], shown(rule.metric, value)
    name = rule.metric.replace("_", " ")
    if over:
        return f"over; {name}: {now}"
    if value is None:
        return text.unread
    if value >= level.clear if rule.below else value <= level.clear:
        return f"{name}: {now}; over if it stays so"
    if value >= level.fire if rule.below else value <= level.fire:
        ends = limit(rule.metric, level.clear)
        return f"{name}: {now}; over at {ends} or {'more' if rule.below else 'less'}"
    given = {name: short(label) for name, label in labels.items()}
    given |= {"value": now, "limit": limit(rule.metric, level.fire)}
    given["side"] = "below" if rule.below else "above"
    return text.says.format_map(given)


def short(text: str) -> str:
    """Return an address in short, anything else as it is."""
    is_address = text.startswith("0x") and len(text) == 42
    return f"{text[:8]}…{text[-4:]}" if is_address else text
