"""Our rows against the tokens and pools that the npm package @bgd-labs/aave-address-book lists."""

import json
import subprocess
from pathlib import Path

from chain.types import checksum
from protocols.deployments import deployments

PERMIT2 = checksum("0x000000000022d473030f116ddee9f6b43ac78ba3")
ASK = """
const book = require('@bgd-labs/aave-address-book');
const test = /Sepolia|Fuji|Amoy|Goerli|Mumbai/;
const rows = Object.entries(book).filter(([name, page]) =>
  name.startsWith('AaveV3') && page.ASSETS && page.POOL && !test.test(name));
console.log(JSON.stringify(rows.map(([_, page]) =>
  [page.CHAIN_ID, page.POOL, Object.values(page.ASSETS).map((asset) => asset.UNDERLYING)])));
"""


def test_rows__every_main_network__hold_the_published_tokens_and_pools(published: Path) -> None:
    asked = subprocess.run(
        ["node", "-e", ASK], cwd=published.parent, capture_output=True, text=True, check=True
    )
    tokens: dict[int, set[str]] = {}
    pools: dict[int, set[str]] = {}
    for chain_id, pool, assets in json.loads(asked.stdout):
        tokens.setdefault(chain_id, set()).update(map(checksum, assets))
        pools.setdefault(chain_id, set()).add(checksum(pool))
    rows = {d.chain_id: d.market.params for d in deployments() if d.market.adapter == "wallet"}
    assert len(rows) >= 8
    assert {chain_id: set(row["tokens"]) for chain_id, row in rows.items()} == tokens
    assert {c: set(row["spenders"]) - {PERMIT2} for c, row in rows.items()} == pools
    assert not any(row["discover"] for row in rows.values())
