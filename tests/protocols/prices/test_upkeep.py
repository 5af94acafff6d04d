"""Who stands behind a feed."""

import pytest
from world.actors import feeds
from world.anvil import Anvil
from world.world import World

from chain.calls import NoCode, Ok, Read, Result, Unknown
from chain.types import ZERO_ADDRESS, checksum
from protocols.prices import upkeep
from protocols.prices.feed import DECIMALS, DESCRIPTION, LATEST
from protocols.prices.rounds import AGGREGATOR, PHASE
from protocols.prices.state import Upkeep
from protocols.prices.upkeep import read_upkeep
from tests.protocols.prices.build import NO, address, latest, text, words
from tests.support import referee

FEED, LIVE = address(0xF), address(0xA)


def word(value: str) -> Ok:
    """Return an answer that is an address."""
    return words(int(value, 16))


def ask(answers: dict[Read, Result], default: Result = NO) -> Upkeep:
    """Run the program on a dictionary."""
    return referee.drive(
        read_upkeep(FEED), lambda batch: [answers.get(read, default) for read in batch]
    )


def offchain() -> dict[Read, Result]:
    """Return the answers of a proxy with an OffchainAggregator in its second phase."""
    live = upkeep.LIVE.pointer(FEED)
    return {
        LATEST.at(FEED): latest(5),
        DECIMALS.at(FEED): words(8),
        DESCRIPTION.at(FEED): text("ETH / USD"),
        PHASE.at(FEED): words(2),
        upkeep.LIVE.at(FEED): word(LIVE),
        upkeep.OWNER.at(FEED): word(address(1)),
        upkeep.PROPOSED.at(FEED): word(ZERO_ADDRESS),
        upkeep.ACCESS.at(FEED): word(address(3)),
        upkeep.KIND.at(live): text("AccessControlledOffchainAggregator 4.0.0"),
        upkeep.OWNER.at(live): word(address(2)),
        upkeep.MINIMA[0].at(live): words(1),
        upkeep.MAXIMA[0].at(live): words(10**20),
        AGGREGATOR.at(FEED, 1): word(address(9)),
    }


def test_read_upkeep__offchain_aggregator__is_told_whole() -> None:
    found = ask(offchain())
    assert (found.label, found.decimals, found.answer, found.phase) == ("ETH / USD", 8, 5, 2)
    assert (found.owner, found.aggregator, found.aggregator_owner) == (address(1), LIVE, address(2))
    assert (found.proposed, found.access) == (None, address(3))
    assert (found.minimum, found.maximum) == (1, 10**20)
    assert found.aggregator_kind.startswith("AccessControlledOffchainAggregator")
    assert found.phases == ((1, address(9)),)
    assert found.unknown == ()


def test_read_upkeep__proposed_aggregator__is_named() -> None:
    assert ask(offchain() | {upkeep.PROPOSED.at(FEED): word(address(7))}).proposed == address(7)


def test_read_upkeep__a_bare_source__has_nobody_and_nothing_unknown() -> None:
    found = ask({LATEST.at(FEED): latest(5, updated=0)})
    assert (found.owner, found.aggregator, found.minimum, found.phase) == (None,) * 4
    assert (found.updated_at, found.unknown) == (None, ())


def test_read_upkeep__not_learned__is_unknown_and_not_nobody() -> None:
    found = ask(offchain() | {upkeep.OWNER.at(FEED): Unknown("down")})
    assert found.owner is None
    assert found.unknown == ("owner: down",)


@pytest.mark.parametrize("bad", [NoCode(), NO, Unknown("x"), Ok(b""), Ok(b"\x01")])
def test_read_upkeep__whatever_is_answered__never_raises(bad: Result) -> None:
    found = ask({}, bad)
    assert found.answer is None
    assert bool(found.unknown) == (bad in (Unknown("x"), Ok(b"\x01")))


def test_read_upkeep__real_proxy__names_its_aggregators_and_owner(world: World[Anvil]) -> None:
    feed = world.book.feeds["ETH / USD"]
    rpc = world.node.rpc
    found = referee.run(read_upkeep(checksum(feed.proxy)), rpc, referee.head(rpc))
    assert found.label == "ETH / USD"
    assert found.owner == found.aggregator_owner == checksum(world.book.admin)
    assert [found.aggregator, *(a for _, a in found.phases)] == [
        checksum(a) for a in reversed(feed.aggregators)
    ]
    assert (found.minimum, found.maximum) == (-(10**30), 10**30)
    assert found.answer == feeds.price(world, "ETH / USD")
    assert found.proposed is None


def test_read_upkeep__owner_proposes_another__is_seen(world: World[Anvil]) -> None:
    feed = world.book.feeds["ETH / USD"]
    feeds.proxy(world, "ETH / USD").send(world.book.admin, "proposeAggregator", feed.aggregators[0])
    rpc = world.node.rpc
    found = referee.run(read_upkeep(checksum(feed.proxy)), rpc, referee.head(rpc))
    assert found.proposed == checksum(feed.aggregators[0])
