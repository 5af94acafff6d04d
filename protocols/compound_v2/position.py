"""Put one account's position together and hold it against the Comptroller's own view."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chain.calls import ReadFailed, Result, Unknown
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.compound_v2 import account, contracts, market, prices
from protocols.compound_v2.account import Held, User
from protocols.compound_v2.comptroller import Comptroller
from protocols.compound_v2.market import Broken, Listed
from protocols.compound_v2.math import accrue, debt_bounds
from protocols.compound_v2.prices import Sourced
from protocols.compound_v2.state import CHolding, Clock, CMarket, CompoundAccount
from protocols.types import Leg, Position, Price, Side, Token, Unpriced

PROTOCOL = "compound-v2"
VERSIONS = {Clock.BLOCKS: "interest by block", Clock.SECONDS: "interest by second"}


@dataclass(frozen=True, slots=True)
class Found:
    """All that was learned of one account."""

    user: User
    held: Sequence[Held]
    failed: Mapping[Address, str]
    """Causes by cToken where what is held could not be read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was learned of the markets that somebody is in, by cToken."""

    markets: Mapping[Address, CMarket | Unknown]
    unknown: Mapping[Address, tuple[str, ...]]
    prices: Mapping[Address, Price | Unpriced]
    debts: Mapping[tuple[Address, Address], Result]
    """By cToken and owner, accrued."""
    now: int
    dollars: bool
    block_s: float | None
    reward: tuple[Token, tuple[str, ...]] | Unknown | None

    @property
    def shared(self) -> tuple[Price, ...]:
        """Return the prices that may value other positions: those with a feed behind them."""
        told = (price for price in self.prices.values() if isinstance(price, Price))
        return tuple(dict.fromkeys(p for p in told if p.source.startswith("feed(")))

    @classmethod
    def of(
        cls,
        rules: Comptroller,
        used: Sequence[Listed],
        described: Mapping[Address, tuple[Token, tuple[str, ...]]],
        sources: Mapping[Address, Sourced],
        current: Mapping[Address, Sequence[Result]],
        debts: Mapping[tuple[Address, Address], Result],
        rewards: Sequence[Result],
    ) -> "Facts":
        """Return the facts as three rounds of reads told them."""
        dollars = prices.in_dollars([source.quote for source in sources.values()])
        markets, unknown = dict[Address, CMarket | Unknown](), dict[Address, tuple[str, ...]]()
        told = dict[Address, Price | Unpriced]()
        for one in used:
            ctoken, source = one.ctoken, sources[one.ctoken]
            token, unknown[ctoken] = described[one.underlying]
            told[ctoken] = prices.price(token, one, source, dollars=dollars)
            try:
                markets[ctoken], more = market.market(
                    rules, one, token, source.quote, current[ctoken]
                )
                unknown[ctoken] += more
            except ReadFailed as failure:
                markets[ctoken] = Unknown(f"{one.symbol}: {failure.cause}")
        paces = [one.block_s for one in used if one.block_s is not None]
        reward: tuple[Token, tuple[str, ...]] | Unknown | None = None
        if rewards:
            address = contracts.COMP_ADDRESS.known(rewards[0])
            reward = (
                address if isinstance(address, Unknown) else tokens.describe(address, rewards[1:])
            )
        return cls(
            markets, unknown, told, debts, rules.now, dollars, paces[0] if paces else None, reward
        )


def assemble(
    where: Market,
    at: BlockRef,
    rules: Comptroller,
    listed: Mapping[Address, Listed | Broken],
    facts: Facts,
    found: Found,
) -> Position | None:
    """Return the position; None where there is nothing and nothing is unknown."""
    user = found.user
    unknown, vital = list(found.failed.values()), bool(user.entered & found.failed.keys())
    holdings: list[CHolding] = []
    for held in found.held:
        one = _holding(held, user, facts)
        if isinstance(one, Unknown):
            unknown.append(one.reason)
            vital = True
            continue
        holdings.append(one)
        unknown += facts.unknown[held.ctoken]
        price = facts.prices[held.ctoken]
        if one.entered and one.market.quote is None and isinstance(price, Unpriced):
            unknown.append(f"{one.market.symbol}: no price: {price.cause}")
            vital = True
    state = CompoundAccount(
        rules.address,
        tuple(holdings),
        rules.close_factor,
        rules.incentive,
        rules.seize_paused,
        rules.clock,
        rules.now,
        at.timestamp,
        facts.block_s if rules.clock is Clock.BLOCKS else None,
        facts.dollars,
    )
    legs = [leg for one in holdings for leg in _legs(one, facts.prices[one.market.ctoken])]
    notes = list(_notes(state, rules))
    rewards, lost = _rewards(user, facts)
    legs += rewards
    unknown += lost
    unknown += user.unknown
    if not legs and not unknown and not user.entered:
        return None
    if holdings:
        unknown += rules.unknown
    disagreement: list[str] = []
    if not vital:
        disagreement, blind = account.compare(user, state)
        unknown += blind
    if not (legs or unknown or disagreement):
        return None
    return Position(
        id=f"{at.chain_id}:{PROTOCOL}:{where.root}:{user.owner}",
        protocol=PROTOCOL,
        version=VERSIONS[rules.clock] if rules.clock else "unfamiliar interest",
        market=where.name,
        root=where.root,
        owner=user.owner,
        kind="lending",
        legs=tuple(legs),
        at=at,
        state=None if vital else state,
        verified=not disagreement and not rules.foreign,
        notes=tuple(dict.fromkeys((*rules.foreign, *disagreement, *notes))),
        unknown=tuple(dict.fromkeys(unknown)),
        receipts=tuple(one.market.ctoken for one in holdings if one.tokens),
    )


def _holding(held: Held, user: User, facts: Facts) -> CHolding | Unknown:
    """Return what an account has in a market with its debt accrued, or why it is not known."""
    one, debt = facts.markets[held.ctoken], 0
    if isinstance(one, Unknown):
        return one
    if held.debt:
        said = contracts.BORROW_CURRENT.known(facts.debts[held.ctoken, user.owner])
        if isinstance(said, Unknown):
            return Unknown(f"{one.symbol}: {said.reason}")
        debt = said
        if debt < held.debt:
            return Unknown(f"{one.symbol}: owes {debt} when accrued, and {held.debt} as stored")
        one = _grown(one, held.debt, debt, facts.now)
    return CHolding(one, held.tokens, held.debt, debt, held.ctoken in user.entered)


def _grown(one: CMarket, stored: int, debt: int, now: int) -> CMarket:
    """Return the market; without its book where our index does not give the debt."""
    if one.book is None:
        return one
    least, most = debt_bounds([(stored, one.book.index)], accrue(one.book, now).index)
    return one if least <= debt <= most else replace(one, book=None)


def _legs(holding: CHolding, price: Price | Unpriced) -> Iterable[Leg]:
    token = holding.market.underlying
    if holding.tokens:
        side = Side.COLLATERAL if holding.counts else Side.ASSET
        yield Leg(token, holding.supplied, side, price, "supply")
    if holding.debt:
        yield Leg(token, holding.debt, Side.DEBT, price, "debt")


def _rewards(user: User, facts: Facts) -> tuple[list[Leg], list[str]]:
    if not user.rewards or facts.reward is None:
        return [], []
    if isinstance(facts.reward, Unknown):
        return [], [f"rewards: {facts.reward.reason}"]
    token, unknown = facts.reward
    return [Leg(token, user.rewards, Side.REWARD, None, "accrued")], list(unknown)


def _notes(state: CompoundAccount, rules: Comptroller) -> Iterable[str]:
    """Say what of the configuration the owner should know."""
    owes = any(one.debt for one in state.holdings)
    if owes and rules.seize_paused:
        yield "seizing is paused: no liquidation goes through"
    for one in state.holdings:
        market = one.market
        if one.debt and market.deprecated:
            yield f"{market.symbol} is deprecated: its debts may be liquidated without a shortfall"
        if one.tokens and owes and not one.entered:
            yield f"{market.symbol} is not entered: it carries no debt, and may be seized"
        if one.tokens and one.entered and not market.collateral_factor:
            yield f"{market.symbol} has a collateral factor of 0: it carries no debt"
        if one.tokens and market.mint_paused:
            yield f"{market.symbol}: supplying is paused"
        if not market.listed:
            yield f"{market.symbol} is not listed: nothing in it can be liquidated"
        book = market.book
        if book is None:
            yield f"{market.symbol}: unfamiliar interest: when it liquidates is not known exactly"
        elif one.tokens and book.cash < one.supplied:
            yield (
                f"{market.symbol}: only {book.cash} of {one.supplied} supplied base units can "
                "leave now: the rest is lent out"
            )
    if owes and state.clock is Clock.BLOCKS and state.block_s is None:
        yield "its rate models do not say how long a block takes: times are not known"
