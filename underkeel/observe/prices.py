"""What is measured of prices: each source's, its age, and how far sources of one token differ."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from chain.types import Address, BlockRef
from protocols.types import Leg, Price, Side, Token, Unpriced
from underkeel.observe.types import Labels, Observation
from underkeel.portfolio import ChainReport
from underkeel.valuation import Valuation

METRICS: Final = frozenset(
    {"asset_price_usd", "oracle_age", "oracle_overdue", "price_divergence_bps"}
)
BPS: Final = 10_000


def of_prices(report: ChainReport, at: float) -> Iterator[Observation]:
    """Yield what is measured of the prices of every token that a position holds or owes."""
    block, valuation = report.at, report.valuation
    if block is None or valuation is None:
        return
    symbols = {
        leg.token.address: leg.token.symbol for a in report.positions for leg in a.position.legs
    }
    sources: dict[Address, list[Price | Unpriced]] = {}
    for price in report.prices:
        if price.token in symbols and price not in sources.setdefault(price.token, []):
            sources[price.token].append(price)
    for token, found in sources.items():
        yield from _of_token(report.name, token, symbols[token], found, valuation, at)


def _of_token(
    chain: str,
    token: Address,
    symbol: str,
    found: Sequence[Price | Unpriced],
    valuation: Valuation,
    at: float,
) -> Iterator[Observation]:
    block = valuation.at
    worths: dict[str, Decimal] = {}
    causes: list[str] = []
    named: set[str] = set()
    for price in found:
        if price.source in named:
            continue  # two markets with one oracle say one thing
        named.add(price.source)
        of: Labels = (("asset", token), ("chain", chain), ("source", price.source or "unknown"))
        note = (price.label if isinstance(price, Price) else "") or symbol
        usd, cause = _usd(token, price, valuation)
        yield Observation("asset_price_usd", of, usd, cause, at, block, note)
        if usd is None:
            causes.append(f"{price.source or 'a source'}: {cause}")
        else:
            worths[price.source] = usd
        if isinstance(price, Price):
            yield from _age(price, of, note, block, at)
    if len(named) < 2:
        return
    of = (("asset", token), ("chain", chain))
    gap = None
    if len(worths) == len(named) and min(worths.values()) > 0:
        gap = (max(worths.values()) / min(worths.values()) - 1) * BPS
    cause = "" if gap is not None else "; ".join(causes) or "a source says zero"
    yield Observation("price_divergence_bps", of, gap, cause, at, block, symbol)


def _usd(
    token: Address, price: Price | Unpriced, valuation: Valuation
) -> tuple[Decimal | None, str]:
    leg = Leg(Token(token, "", None), 0, Side.ASSET, price)
    dollars = valuation.book.leg_usd(leg)
    if isinstance(dollars, Unpriced):
        return None, dollars.cause
    return Decimal(dollars.raw).scaleb(-dollars.decimals), ""


def _age(price: Price, of: Labels, note: str, block: BlockRef, at: float) -> Iterator[Observation]:
    if price.updated_at is None:
        return
    age = max(0, block.timestamp - price.updated_at)
    yield Observation("oracle_age", of, Decimal(age), "", at, block, note)
    if price.heartbeat_s is not None:
        late = Decimal(max(0, age - price.heartbeat_s))
        yield Observation("oracle_overdue", of, late, "", at, block, note)
