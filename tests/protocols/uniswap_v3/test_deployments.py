"""Our position managers, against the list that Uniswap publishes."""

import json
import subprocess
from pathlib import Path

from chain.types import checksum
from protocols.deployments import deployments

SCRIPT = """
const path = process.argv[1] + "/@uniswap/sdk-core/dist/cjs/src/addresses.js";
const chains = Object.entries(require(path).CHAIN_TO_ADDRESSES_MAP);
console.log(JSON.stringify(chains.map(([id, row]) => [id, row.nonfungiblePositionManagerAddress])));
"""


def test_deployments__uniswap_rows__are_those_of_uniswaps_own_list(published: Path) -> None:
    command = ["node", "-e", SCRIPT, str(published)]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    theirs = {int(chain): checksum(manager) for chain, manager in rows}
    ours = {
        d.chain_id: d.market.root
        for d in deployments()
        if d.market.adapter == "uniswap-v3" and d.market.name == "Uniswap v3"
    }
    assert ours == {chain: theirs[chain] for chain in ours}
    assert {1, 10, 56, 137, 8453, 42161, 42220, 43114} <= set(ours)
