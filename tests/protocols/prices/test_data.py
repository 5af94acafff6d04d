"""Our feeds of native coins, against a published list of Chainlink's."""

import json
import subprocess
from pathlib import Path

import pytest

from chain.types import ZERO_ADDRESS, checksum
from protocols import deployments
from protocols.prices import expr

FEEDS = {
    1: ("Ethereum", "ETH__USD"),
    10: ("Optimism", "ETH__USD"),
    56: ("BNB", "BNB__USD"),
    100: ("Gnosis", "DAI__USD"),
    137: ("Polygon", "MATIC__USD"),  # since renamed to POL; the feed is the same
    146: ("Sonic", "S__USD"),
    324: ("ZkSync", "ETH__USD"),
    1868: ("Soneium", "ETH__USD"),
    5000: ("Mantle", "MNT__USD"),
    8453: ("Base", "ETH__USD"),
    42161: ("Arbitrum", "ETH__USD"),
    42220: ("Celo", "CELO__USD"),
    43114: ("Avalanche", "AVAX__USD"),
    59144: ("Linea", "ETH__USD"),
    534352: ("Scroll", "ETH__USD"),
}
SCRIPT = """
const [modules, wanted] = [process.argv[1], JSON.parse(process.argv[2])];
const list = (name) => require(modules + "/@bgd-labs/aave-address-book/dist/Chainlink" + name);
console.log(JSON.stringify(wanted.map(([name, feed]) => list(name)[feed])));
"""


@pytest.fixture(scope="module")
def theirs(published: Path) -> dict[int, str]:
    """Return the published feed of each chain's coin."""
    command = ["node", "-e", SCRIPT, str(published), json.dumps(list(FEEDS.values()))]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {chain: checksum(feed) for chain, feed in zip(FEEDS, found, strict=True)}


def test_prices__native_coins__are_the_published_feeds(theirs: dict[int, str]) -> None:
    ours = {
        chain: row.feed.address
        for chain in FEEDS
        for row in deployments.prices(chain)
        if row.token == ZERO_ADDRESS and isinstance(row.feed, expr.Feed)
    }
    assert ours == theirs
