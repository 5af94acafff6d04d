"""Read the markets that somebody is in: accrued, with their tokens and feeds, and the debts.

Reads: see `market`, `prices` and `account`.
"""

from collections.abc import Collection, Mapping, Sequence

from chain.calls import Code, Read, Reads, Result
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.compound_v2 import account, contracts, market, prices
from protocols.compound_v2.comptroller import Comptroller
from protocols.compound_v2.market import Broken, Listed
from protocols.compound_v2.position import Facts
from protocols.types import Token


def facts_of(
    where: Market,
    rules: Comptroller,
    listed: Mapping[Address, Listed | Broken],
    wanted: Collection[Address],
    owing: Sequence[tuple[Address, Address]],
    at: BlockRef,
    *,
    rewarded: bool = False,
) -> Reads[Facts]:
    """Read what markets are when accrued, and the debts in them, by cToken and owner."""
    used = [one for one in listed.values() if isinstance(one, Listed) and one.ctoken in wanted]
    named = dict.fromkeys(one.underlying for one in used if one.underlying != ZERO_ADDRESS)
    feeds = dict.fromkeys(f for one in used if (f := prices.feed_of(one)) is not None)
    reward_reads: tuple[Read, ...] = ()
    if rewarded:
        at_comp = contracts.COMP_ADDRESS.pointer(rules.address)
        reward_reads = (contracts.COMP_ADDRESS.at(rules.address), *tokens.reads(at_comp))
    every = (one for one in listed.values() if isinstance(one, Listed))
    coins = [Code(one.ctoken) for one in every if one.underlying == ZERO_ADDRESS]
    asked = [
        *(read for token in named for read in tokens.reads(token)),
        *(read for one in used for read in market.current_reads(rules, one.ctoken)),
        *(read for feed in feeds for read in prices.reads(feed)),
        *(account.debt_read(rules, ctoken, owner) for ctoken, owner in owing),
        *reward_reads,
        # an empty answer is believed only of a contract: with its code in the same batch, which a
        # warm run has, that takes no request of its own
        *coins,
    ]
    answers = iter((yield asked) if asked else ())
    described = {
        token: tokens.describe(token, [next(answers) for _ in range(tokens.READS)])
        for token in named
    }
    coin = tokens.native(str(where.params.get("native_symbol", "ETH")))
    described[ZERO_ADDRESS] = (coin, ())
    current = {one.ctoken: [next(answers) for _ in range(market.CURRENT_READS)] for one in used}
    said = {feed: [next(answers) for _ in prices.reads(feed)] for feed in feeds}
    debts = {pair: next(answers) for pair in owing}
    rewards = [next(answers) for _ in reward_reads]
    behind = {one.ctoken: prices.feed_of(one) for one in used}
    if rules.feeds_by_symbol:
        behind |= yield from _by_symbol(rules, used, described, said)
    sources = {}
    for one in used:
        feed, token = behind[one.ctoken], described[one.underlying][0]
        answered = () if feed is None else said[feed]
        sources[one.ctoken] = prices.sourced(rules.oracle, one, token, feed, answered, at)
    return Facts.of(rules, used, described, sources, current, debts, rewards)


def _by_symbol(
    rules: Comptroller,
    used: Sequence[Listed],
    described: Mapping[Address, tuple[Token, tuple[str, ...]]],
    said: dict[Address, list[Result]],
) -> Reads[dict[Address, Address | None]]:
    """Ask for the feeds of the tokens' symbols; add what they say to `said`."""
    oracle = rules.oracle
    asked: list[Read] = []
    for one in used:
        symbol = described[one.underlying][0].symbol
        at_feed = contracts.GET_FEED.pointer(oracle, symbol)
        asked += [contracts.GET_FEED.at(oracle, symbol), *prices.reads(at_feed)]
    results = iter((yield asked) if asked else ())
    found: dict[Address, Address | None] = {}
    for one in used:
        address = contracts.GET_FEED.known(next(results))
        answers = [next(results) for _ in range(prices.READS)]
        found[one.ctoken] = None
        if isinstance(address, str) and address != ZERO_ADDRESS:
            found[one.ctoken] = Address(address)
            said[Address(address)] = answers
    return found
