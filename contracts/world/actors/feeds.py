"""Chainlink prices: submit real rounds, let feeds go stale, start phases."""

from __future__ import annotations

from world.book import Feed
from world.node import Bound, Node
from world.world import World


def feed_of(world: World[Node], name: str) -> Feed:
    """A feed by its name, or by the symbol of a token priced by it."""
    if name in world.book.feeds:
        return world.book.feeds[name]
    return world.book.feeds[str(world.book.tokens[name].feed)]


def proxy(world: World[Node], name: str) -> Bound:
    return world.contract("chainlink/EACAggregatorProxy", feed_of(world, name).proxy)


def aggregator(world: World[Node], name: str) -> Bound:
    """The live phase's aggregator, asked of the proxy."""
    live: str = proxy(world, name).call("aggregator")
    return world.contract("chainlink/FluxAggregator", live)


def price(world: World[Node], name: str) -> int:
    """The present answer in the feed's own decimals."""
    answer: int = proxy(world, name).call("latestRoundData")[1]
    return answer


def set_price_raw(world: World[Node], name: str, answer: int) -> int:
    """Submit a real round with this answer; return the proxy's id of it.

    Zero and negative answers are taken: the world's aggregators allow them.
    """
    live = aggregator(world, name)
    round_id = live.call("latestRound") + 1
    live.send(world.book.oracle, "submit", round_id, answer)
    latest: int = proxy(world, name).call("latestRoundData")[0]
    return latest


def set_price(world: World[Node], name: str, whole: float) -> int:
    """Submit a round in whole units of the quote; return the raw answer."""
    answer: int = round(whole * 10 ** feed_of(world, name).decimals)
    set_price_raw(world, name, answer)
    return answer


def crash(world: World[Node], name: str, fraction: float) -> int:
    """Move the answer by a fraction (-0.25 is a fall of a quarter); return the new raw answer."""
    answer = round(price(world, name) * (1 + fraction))
    set_price_raw(world, name, answer)
    return answer


def refresh_feeds(world: World[Node]) -> None:
    """Submit a round with the present answer of every feed."""
    for name in world.book.feeds:
        set_price_raw(world, name, price(world, name))


def make_stale(world: World[Node], name: str) -> int:
    """Let time pass until the feed's heartbeat is broken; return its age in seconds."""
    feed = feed_of(world, name)
    updated: int = proxy(world, name).call("latestRoundData")[3]
    age = world.node.timestamp() - updated
    world.node.travel(max(feed.heartbeat + 1 - age, 1))
    return world.node.timestamp() - updated
