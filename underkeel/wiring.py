"""Which markets are read on a chain: the owner's rows, then the known deployments."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chain.networks import by_id
from chain.types import ZERO_ADDRESS, Address
from protocols.adapter import Market
from protocols.prices.configured import PriceRow, parse_row
from underkeel.config.markets import adapters
from underkeel.config.model import ChainTable


def markets_of(table: ChainTable) -> tuple[Market, ...]:
    """Return the markets to read on a chain, each once; the owner's row wins over the known one.

    A wallet is always read where the known markets are, and every root is watched as a spender.
    """
    found: dict[tuple[str, Address], Market] = {}
    for row in table.markets:
        found[row.market.adapter, row.market.root] = row.market
    if table.defaults:
        for market in _known(table.chain_id):
            found.setdefault((market.adapter, market.root), market)
        found.setdefault(("wallet", ZERO_ADDRESS), Market("wallet", "wallet", ZERO_ADDRESS, {}))
    spenders = tuple(spenders_of(found.values()))
    symbol = native_symbol(table.chain_id)
    return tuple(_watching(m, spenders, symbol) for m in found.values())


def native_symbol(chain_id: int) -> str:
    """Return what the native coin of a chain is called."""
    network = by_id(chain_id)
    return network.native.symbol if network else "ETH"


def _known(chain_id: int) -> Sequence[Market]:
    from protocols.deployments import markets

    registered = adapters()
    return [market for market in markets(chain_id) if market.adapter in registered]


def spenders_of(markets: Iterable[Market]) -> dict[Address, str]:
    """Return the contracts of these markets that owners give allowances to, and their names."""
    found: dict[Address, str] = {}
    for market in markets:
        for spender in (market.root, market.params.get("pool")):
            if isinstance(spender, str) and spender != ZERO_ADDRESS:
                found.setdefault(Address(spender), market.name)
    return found


def _watching(market: Market, spenders: tuple[Address, ...], symbol: str) -> Market:
    if market.adapter == "compound-v2":
        return replace(market, params={"native_symbol": symbol, **market.params})
    if market.adapter != "wallet":
        return market
    given = tuple(market.params.get("spenders", ()))
    params = {
        "tokens": (),
        "native_symbol": symbol,
        **market.params,
        "spenders": tuple(dict.fromkeys((*given, *spenders))),
    }
    return replace(market, params=params)


def prices_of(table: ChainTable) -> tuple[PriceRow, ...]:
    """Return the prices to read on a chain: the owner's, and the known ones of other tokens."""
    from protocols.deployments import prices

    own = tuple(
        parse_row(
            {"token": row.token, "feed": row.feed, "quote": row.quote}
            | ({} if row.heartbeat is None else {"heartbeat": row.heartbeat})
        )
        for row in table.prices
    )
    taken = {row.token for row in own}
    known = prices(table.chain_id) if table.defaults else ()
    return (*own, *(row for row in known if row.token not in taken))
