"""What a position stands on directly: its protocol's contracts, tokens, prices and accounts.

Per adapter one function; what a contract behind it names is the survey's to find. `share` is the
part of the position's value that a link can take: a collateral token's is its part of what is
owned, a pool's or an oracle's is all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from chain.calls import ReadFailed, Reads
from chain.types import ZERO_ADDRESS, Address
from protocols.erc4626.state import VaultHolding
from protocols.exposure.aave import aave_v3
from protocols.exposure.compound import compound_v2
from protocols.exposure.state import Dependencies, Exit, Link, LinkKind
from protocols.morpho import ID_TO_MARKET_PARAMS, decode_params
from protocols.morpho_blue.state import MorphoPosition
from protocols.prices import expr
from protocols.types import Leg, Position, Price, Side
from protocols.uniswap_v3.state import UniswapV3State

OWNED: Final = (Side.ASSET, Side.COLLATERAL, Side.FEE)
_LEAVES: Final = {expr.Feed: LinkKind.FEED, expr.Ratio: LinkKind.WRAPPER}


@dataclass(frozen=True, slots=True)
class Values:
    """What a position's legs are worth in dollars, as the application values them."""

    legs: tuple[Fraction | None, ...]

    def share(self, legs: Sequence[Leg], leg: Leg) -> float:
        """Return a leg's part of all that is owned; 1 where any part of that is not known."""
        owned = [v for v, one in zip(self.legs, legs, strict=True) if one.side in OWNED]
        mine = next(v for v, one in zip(self.legs, legs, strict=True) if one is leg)
        if mine is None or any(v is None for v in owned):
            return 1.0
        total = sum((v for v in owned if v is not None), Fraction(0))
        return float(mine / total) if total else 1.0


def dependencies(position: Position, values: Values) -> Reads[Dependencies]:
    """Return what a position stands on; what could not be read is in `unknown`."""
    common = (*_common(position), *_tokens(position, values), *_prices(position))
    found = Dependencies(position.id, _once(common))
    if position.protocol in _PLAIN:
        more = _PLAIN[position.protocol](position, values)
    elif position.protocol in _READING:
        more = yield from _READING[position.protocol](position)
    else:
        return replace(found, unknown=(f"what {position.protocol} stands on is not known",))
    return replace(
        more,
        position=position.id,
        links=_once((*common, *more.links)),
    )


def _once(links: Sequence[Link]) -> tuple[Link, ...]:
    """Return the links with each target and kind once; parts of one add up, to all at most."""
    found: dict[tuple[str, LinkKind], Link] = {}
    for link in links:
        key = (link.target, link.kind)
        share = link.share + (found[key].share if key in found else 0.0)
        found[key] = replace(found.get(key, link), share=min(1.0, share))
    return tuple(found.values())


def _common(position: Position) -> Iterator[Link]:
    chain = f"chain:{position.at.chain_id}"
    yield Link(position.id, chain, LinkKind.CHAIN, "eth_chainId")
    yield Link(position.id, position.owner, LinkKind.ACCOUNT, "owner of the position")


def _tokens(position: Position, values: Values) -> Iterator[Link]:
    """Yield the tokens owned: what is owed does not hurt who owes it by failing.

    Of a pool's two tokens each counts whole: when one fails, the pool is left with nothing else.
    """
    for leg in position.legs:
        if leg.side not in OWNED or leg.token.address == ZERO_ADDRESS:
            continue
        whole = position.kind == "liquidity"
        share = 1.0 if whole else values.share(position.legs, leg)
        yield Link(position.id, leg.token.address, LinkKind.TOKEN, f"{leg.side.value} leg", share)


def _prices(position: Position) -> Iterator[Link]:
    """Yield the primitives of the prices that the protocol itself uses."""
    for leg in position.legs:
        if not isinstance(leg.price, Price):
            continue
        try:
            leaves = expr.primitives(expr.parse(leg.price.source))
        except expr.NotAnExpression:
            yield Link(position.id, leg.price.source, LinkKind.ORACLE, "the protocol's price")
            continue
        for leaf in leaves:
            kind = _LEAVES.get(type(leaf), LinkKind.ORACLE)
            target = _leaf_address(leaf)
            yield Link(
                position.id, target, kind, f"price of {leg.token.symbol}: {leg.price.source}"
            )


def _leaf_address(leaf: expr.Primitive) -> Address:
    match leaf:
        case expr.Ratio(vault):
            return vault
        case expr.Twap(pool, _):
            return pool
        case expr.Feed(address) | expr.Opaque(address):
            return address


def _lent(position: Position, values: Values) -> float:
    """Return the part of what is owned that is lent out to the market."""
    lent = [leg for leg in position.legs if leg.name == "supply"]
    return values.share(position.legs, lent[0]) if lent else 1.0


def _morpho(position: Position, values: Values) -> Dependencies:
    """Stand on Morpho, the market's oracle and its rate model."""
    state = position.state
    links = [Link(position.id, position.root, LinkKind.PROTOCOL, "root of the market")]
    if not isinstance(state, MorphoPosition):
        return Dependencies(position.id, tuple(links), unknown=position.unknown)
    params = state.params
    links += _morpho_links(position.id, params.oracle, params.irm, 1.0)
    exits: list[Exit] = []
    if state.supply_shares:
        totals = state.accrued.totals
        if params.collateral_token != ZERO_ADDRESS:  # if it fails, what was lent is not repaid
            evidence, token = "what the market lends against", params.collateral_token
            links.append(
                Link(position.id, token, LinkKind.MARKET, evidence, _lent(position, values))
            )
        exits.append(
            Exit(
                params.loan_token,
                state.supplied,
                state.withdrawable,
                max(0, totals.borrow_assets),
                "market()",
            )
        )
    if state.collateral and state.collateral_token is not None:
        token = state.collateral_token.address
        exits.append(Exit(token, state.collateral, state.collateral, 0, "collateral is not lent"))
    rows = (("fee", str(state.stored.fee)), ("lltv", str(params.lltv)))
    return Dependencies(position.id, tuple(links), exits=tuple(exits), parameters=rows)


def _morpho_links(source: str, oracle: Address, irm: Address, share: float) -> Iterator[Link]:
    for target, kind in ((oracle, LinkKind.ORACLE), (irm, LinkKind.RATE_MODEL)):
        if target != ZERO_ADDRESS:
            yield Link(source, target, kind, "idToMarketParams()", share)


def _vault(position: Position) -> Reads[Dependencies]:
    """Stand on the vault and, of a MetaMorpho, on every market of its withdraw queue."""
    links = [Link(position.id, position.root, LinkKind.PROTOCOL, "the vault")]
    state = position.state
    if not isinstance(state, VaultHolding):
        return Dependencies(position.id, tuple(links), unknown=position.unknown)
    exits: tuple[Exit, ...] = ()
    unknown: list[str] = []
    if state.claim is None:
        unknown.append("what can leave: the vault does not tell what the shares are worth")
    else:
        exits = (Exit(state.asset.address, state.claim, state.redeemable, None, "redeem()"),)
    meta = state.metamorpho
    if meta is None:
        return Dependencies(position.id, tuple(links), exits=exits, unknown=tuple(unknown))
    links.append(Link(position.id, meta.morpho, LinkKind.PROTOCOL, "MORPHO()"))
    ids = [bytes.fromhex(market.market_id[2:]) for market in meta.queue]
    answers = (yield [ID_TO_MARKET_PARAMS.at(meta.morpho, i) for i in ids]) if ids else ()
    rows: list[tuple[str, str]] = [
        ("timelock", str(meta.timelock_s)),
        ("fee", str(meta.fee)),
        ("curator", meta.curator),
        ("guardian", meta.guardian),
    ]
    for market, i, answer in zip(meta.queue, ids, answers, strict=True):
        share = market.supplied / meta.real_assets if meta.real_assets else 0.0
        try:
            params = decode_params(i, answer)
            links += _morpho_links(position.id, params.oracle, params.irm, share)
        except ReadFailed as failure:
            unknown.append(f"market {market.market_id[:10]}…: {failure.cause}")
        if market.collateral_token != ZERO_ADDRESS:
            evidence = f"withdraw queue, market {market.market_id[:10]}…"
            token = market.collateral_token
            links.append(Link(position.id, token, LinkKind.MARKET, evidence, share))
        rows.append((f"cap of {market.market_id[:10]}…", str(market.cap)))
    lent = max(0, meta.real_assets - meta.withdrawable)
    exits = tuple(replace(one, lent=lent, evidence="withdraw queue") for one in exits)
    return Dependencies(
        position.id, tuple(links), exits=exits, parameters=tuple(rows), unknown=tuple(unknown)
    )


def _uniswap(position: Position, _: Values) -> Dependencies:
    """Stand on the position manager and the pool; neither has an owner who could take anything."""
    links = [Link(position.id, position.root, LinkKind.PROTOCOL, "the position manager")]
    if isinstance(position.state, UniswapV3State):
        links.append(Link(position.id, position.state.pool, LinkKind.PROTOCOL, "getPool()"))
    exits = tuple(
        Exit(leg.token.address, leg.amount, leg.amount, 0, "decreaseLiquidity()")
        for leg in position.legs
        if leg.side in OWNED
    )
    return Dependencies(position.id, tuple(links), exits=exits)


def _wallet(position: Position, _: Values) -> Dependencies:
    """Stand on the tokens, and on whoever may take them."""
    exits = tuple(
        Exit(leg.token.address, leg.amount, leg.amount, 0, "balanceOf()") for leg in position.legs
    )
    return Dependencies(position.id, exits=exits)


_READING: Final[Mapping[str, Callable[[Position], Reads[Dependencies]]]] = {
    "aave-v3": aave_v3,
    "compound-v2": compound_v2,
    "erc4626": _vault,
}
_PLAIN: Final[Mapping[str, Callable[[Position, Values], Dependencies]]] = {
    "morpho-blue": _morpho,
    "uniswap-v3": _uniswap,
    "wallet": _wallet,
}
