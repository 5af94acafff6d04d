"""Chainlink feeds: FluxAggregator behind EACAggregatorProxy, with phases and rounds.

Every feed has two phases, ETH three. An old phase answers by the median of three oracles, the
live one by a single oracle, so that one transaction sets a price.
"""

from __future__ import annotations

from world.book import Feed
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound

HOUR = 3600

# name, decimals, heartbeat in seconds, the answers of each phase in whole units
FEEDS: tuple[tuple[str, int, int, tuple[tuple[float, ...], ...]], ...] = (
    ("ETH / USD", 8, HOUR, ((2890, 2900.5), (2950, 2925.25, 2980), (2975, 3010, 2990, 3000))),
    ("BTC / USD", 8, HOUR, ((58000, 59000, 58500.5), (59500, 60500, 60000))),
    ("USDC / USD", 8, 24 * HOUR, ((1.0001, 0.9999), (1.0002, 1.0))),
    ("USDT / USD", 8, 24 * HOUR, ((0.9998, 1.0), (0.9995, 0.9999))),
    ("DAI / USD", 8, HOUR, ((0.9997, 1.0001), (1.0, 0.9998))),
    ("LINK / USD", 8, HOUR, ((14.2, 14.6, 14.9), (15.1, 14.75, 15.0))),
    ("wstETH / USD", 8, HOUR, ((3380, 3402), (3490, 3525, 3510.75))),
    ("AAVE / USD", 8, HOUR, ((148.2, 151), (149.5, 150.0))),
    ("EUR / USD", 8, 24 * HOUR, ((1.0785, 1.081), (1.0795, 1.08))),
    ("wstETH / ETH", 18, 24 * HOUR, ((1.1688, 1.1690), (1.1699, 1.17025))),
    # An up sequencer answers 0; the round's startedAt is when it last changed.
    ("L2 Sequencer Uptime Status", 0, 24 * HOUR, ((0, 1), (1, 0))),
)
ANY_ANSWER = 10**30
"""Bound of submissions on either side, so that tests can submit zero and negative answers."""


def deploy(site: Site) -> Addresses:
    for name, decimals, heartbeat, _ in FEEDS:
        live = _aggregator(site, name, decimals)
        proxy = site.deploy(site.packages.chainlink("EACAggregatorProxy"), live.address, ZERO)
        site.feeds[name] = Feed(name, proxy.address, (live.address,), decimals, heartbeat)
    # Round by round over all feeds, so that the world's clock moves once per round.
    for phase in range(max(len(phases) for *_, phases in FEEDS)):
        for name, decimals, _, phases in FEEDS:
            if 0 < phase < len(phases):
                _next_phase(site, name, decimals)
        for step in range(max(len(part) for *_, phases in FEEDS for part in phases)):
            for name, decimals, _, phases in FEEDS:
                if phase < len(phases) and step < len(phases[phase]):
                    last = phase + 1 == len(phases)
                    answer = round(phases[phase][step] * 10**decimals)
                    _submit(site, name, step + 1, answer, live=last)
            site.node.travel(HOUR // 2)
    return {feed.name: feed.proxy for feed in site.feeds.values()}


def _aggregator(site: Site, name: str, decimals: int) -> Bound:
    """An aggregator that pays nothing and lets its oracles open a round at any time.

    Rounds have no timeout: a round past it, with an oracle still owing its answer, would be
    overwritten with the previous answer when the next one opens.
    """
    flux = site.deploy(
        site.packages.chainlink("FluxAggregator"),
        site.tokens["LINK"].address,
        0,
        0,
        ZERO,
        -ANY_ANSWER,
        ANY_ANSWER,
        decimals,
        name,
    )
    oracles = _oracles(site)
    flux.send(site.admin, "changeOracles", [], oracles, oracles, 1, len(oracles), 0)
    return flux


def _oracles(site: Site) -> list[str]:
    return [site.oracle, *site.accounts[7:9]]


def _next_phase(site: Site, name: str, decimals: int) -> None:
    """Retire the live aggregator for a new one behind the same proxy."""
    feed = site.feeds[name]
    flux = _aggregator(site, name, decimals)
    proxy = site.at(feed.proxy, site.packages.chainlink("EACAggregatorProxy").interface)
    proxy.send(site.admin, "proposeAggregator", flux.address)
    proxy.send(site.admin, "confirmAggregator", flux.address)
    aggregators = (*feed.aggregators, flux.address)
    site.feeds[name] = Feed(name, feed.proxy, aggregators, decimals, feed.heartbeat)


def _submit(site: Site, name: str, round_id: int, answer: int, *, live: bool) -> None:
    """Answer a round: by one oracle in the live phase, by the median of three before."""
    flux = site.at(
        site.feeds[name].aggregators[-1], site.packages.chainlink("FluxAggregator").interface
    )
    spread = max(answer // 10_000, 0)
    answers = [answer] if live else [answer, answer - spread, answer + spread]
    for oracle, value in zip(_oracles(site), answers, strict=False):
        flux.send(oracle, "submit", round_id, value)


def refresh(site: Site) -> None:
    """Answer a new round of every feed with its present answer."""
    flux = site.packages.chainlink("FluxAggregator").interface
    for feed in site.feeds.values():
        live = site.at(feed.aggregators[-1], flux)
        round_id, answer, *_ = live.call("latestRoundData")
        live.send(site.oracle, "submit", round_id + 1, answer)


RECIPE = Recipe("chainlink", deploy)
