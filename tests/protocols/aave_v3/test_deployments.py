"""Our rows against the address list that the npm package @bgd-labs/aave-address-book publishes.

SparkLend is in no such list; its rows are only checked to be there.
"""

import json
import subprocess
from pathlib import Path

from protocols.deployments import deployments

SPARK = {
    (1, "0x02C3eA4e34C0cBd694D2adFa2c690EECbC1793eE"),
    (100, "0xA98DaCB3fC964A6A0d2ce3B77294241585EAbA6d"),
}
ASK = """
const book = require('@bgd-labs/aave-address-book');
const rows = Object.entries(book).filter(([name, page]) =>
  name.startsWith('AaveV3') && page.POOL_ADDRESSES_PROVIDER);
console.log(JSON.stringify(rows.map(([name, page]) =>
  [name, page.CHAIN_ID, page.POOL_ADDRESSES_PROVIDER])));
"""
TEST_NETWORKS = ("Sepolia", "SepoliaLido", "Fuji")


def test_rows__every_main_network__are_those_published(published: Path) -> None:
    asked = subprocess.run(
        ["node", "-e", ASK], cwd=published.parent, capture_output=True, text=True, check=True
    )
    listed = {
        (chain_id, provider)
        for name, chain_id, provider in json.loads(asked.stdout)
        if not name.endswith(TEST_NETWORKS)
    }
    ours = {
        (row.chain_id, str(row.market.root))
        for row in deployments()
        if row.market.adapter == "aave-v3"
    }
    assert len(listed) >= 20
    assert ours - SPARK == listed
    assert ours >= SPARK
