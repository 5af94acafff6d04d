"""`oracles`: the feeds behind positions, and how far each is to be trusted."""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from risk.oracle.types import NextKind, Verdict
from underkeel.accounts import accounts_of, require_chains
from underkeel.cli import format as fmt
from underkeel.cli.options import Globals
from underkeel.cli.output import console, log_to_stderr, print_document, progress
from underkeel.cli.reports import exit_of
from underkeel.cli.tables import headline
from underkeel.config.load import load
from underkeel.errors import Exit
from underkeel.oracles.document import document
from underkeel.oracles.read import FeedReport, read_oracles
from underkeel.portfolio import Portfolio, read_portfolio

WORDS: Final = {
    Verdict.SOUND: ("✔ sound", "green"),
    Verdict.DOUBTFUL: ("! doubtful", "bold yellow"),
    Verdict.UNKNOWN: ("? UNKNOWN", "bold yellow"),
}
ORDER: Final = (Verdict.DOUBTFUL, Verdict.UNKNOWN, Verdict.SOUND)


def show_oracles(options: Globals, given: Sequence[str], *, every: bool = False) -> Exit:
    """Print every feed that positions hang on; with `every`, all that have a price."""
    log_to_stderr(options)
    config = load(options.config)
    require_chains(config)
    accounts = accounts_of(given, config)
    with progress(options) as tell:
        portfolio = read_portfolio(config, accounts, tell)
        feeds = read_oracles(config, portfolio, tell, every=every)
    if options.json:
        print_document(document(portfolio, feeds, time.time()))
    else:
        console(options).print(report(portfolio, feeds, config.settings.timezone))
    return exit_of(portfolio)


def report(portfolio: Portfolio, feeds: Sequence[FeedReport], zone: str) -> RenderableType:
    """Return each chain's feeds, the least trustworthy first, and what is to be said of them."""
    parts: list[RenderableType] = []
    for chain in portfolio.chains:
        here = [feed for feed in feeds if feed.chain == chain.name]
        here.sort(key=lambda feed: (ORDER.index(feed.trust.verdict), feed.trust.upkeep.label))
        parts.append(headline(chain, zone))
        if here:
            parts += [_table(here), *(line for feed in here for line in _notes(feed))]
        elif chain.fault is None:
            parts.append(Text("  no price here comes from a feed"))
    return Group(*parts)


def _table(feeds: Sequence[FeedReport]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), pad_edge=False)
    table.add_column("Feed", ratio=6)
    table.add_column("Trust", no_wrap=True)
    table.add_column("Price, age", ratio=5)
    table.add_column("Speaks", ratio=5)
    table.add_column("Market", ratio=4)
    table.add_column("Next", ratio=5)
    for feed in feeds:
        trust = feed.trust
        word, style = WORDS[trust.verdict]
        upkeep = trust.upkeep
        name = Text(upkeep.label or "feed", style="bold")
        name.append(f"\n{fmt.short(upkeep.feed)}", style="not bold dim")
        price = Text("none")
        if upkeep.answer is not None and upkeep.decimals is not None:
            price = Text(fmt.price(upkeep.answer, upkeep.decimals))
        price.append(f"\n{'age unknown' if trust.age_s is None else fmt.age(trust.age_s)}")
        table.add_row(name, Text(word, style=style), price, _rule(feed), _market(feed), _next(feed))
    return table


def _rule(feed: FeedReport) -> Text:
    rule = feed.trust.rule
    moved = "? move" if rule.deviation_bps is None else f"at ±{rule.deviation_bps / 100:.3g} %"
    beat = "? heartbeat" if rule.heartbeat_s is None else f"each {fmt.duration(rule.heartbeat_s)}"
    return Text(f"{moved}\n{beat}")


def _market(feed: FeedReport) -> Text:
    found = feed.trust.market
    if found is None:
        return Text("–")
    return Text(f"{found.mean_frac:+.2%}\nnow {found.spot_frac:+.2%}")


def _next(feed: FeedReport) -> Text:
    following = feed.trust.next
    match following.kind:
        case NextKind.UNKNOWN:
            return Text("?")
        case NextKind.HEARTBEAT:
            return Text(f"in {fmt.duration(following.in_s or 0)}")
        case NextKind.OVERDUE:
            return Text("overdue", style="bold")
    price, decimals = following.price_raw, feed.trust.upkeep.decimals
    text = Text("at once", style="bold")
    if price is not None and decimals is not None:
        text.append(f"\nto {fmt.price(price, decimals)}", style="not bold")
    return text


def _notes(feed: FeedReport) -> Iterable[Text]:
    trust, upkeep = feed.trust, feed.trust.upkeep
    name = upkeep.label or fmt.short(upkeep.feed)
    if trust.problems:
        yield Text(f"! {name}: {fmt.lines(trust.problems)}", style="yellow")
    if trust.unknown:
        style = "yellow" if trust.verdict is Verdict.UNKNOWN else "dim"
        yield Text(f"? {name}: {fmt.lines(trust.unknown)}", style=style)
    if upkeep.owner is not None:
        live = "" if upkeep.aggregator is None else f" (now {fmt.short(upkeep.aggregator)})"
        whose = f"· {name}: {fmt.short(upkeep.owner)} can replace its aggregator{live}"
        yield Text(whose, style="dim")
    if feed.tokens:
        yield Text(f"· {name}: prices {', '.join(feed.tokens)}", style="dim")
