"""The world's Chainlink feeds behave as the real ones do."""

from __future__ import annotations

import pytest
from world.actors import feeds
from world.anvil import Anvil
from world.world import World

PHASE = 1 << 64


def test_feeds__every_one__has_two_phases_or_more(world: World[Anvil]) -> None:
    for name, feed in world.book.feeds.items():
        proxy = feeds.proxy(world, name)
        assert proxy.call("phaseId") == len(feed.aggregators) >= 2
        for phase, aggregator in enumerate(feed.aggregators, 1):
            assert proxy.call("phaseAggregators", phase) == aggregator.lower()
            first = proxy.call("getRoundData", phase * PHASE + 1)
            assert first[0] == phase * PHASE + 1
            assert first[3] > 0


def test_feeds__every_one__is_fresh_at_the_head(world: World[Anvil]) -> None:
    now = world.node.timestamp()
    for name, feed in world.book.feeds.items():
        assert now - feeds.proxy(world, name).call("latestRoundData")[3] <= feed.heartbeat


@pytest.mark.parametrize("answer", [-1, 0, 1, 312_345_678_901])
def test_set_price__any_answer__is_the_next_round(world: World[Anvil], answer: int) -> None:
    before = feeds.proxy(world, "WETH").call("latestRoundData")[0]
    assert feeds.set_price_raw(world, "WETH", answer) == before + 1
    assert feeds.price(world, "WETH") == answer


def test_make_stale__exceeds_the_heartbeat(world: World[Anvil]) -> None:
    assert feeds.make_stale(world, "ETH / USD") > world.book.feeds["ETH / USD"].heartbeat
