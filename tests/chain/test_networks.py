"""The networks table against the chain definitions that npm `viem` publishes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chain.networks import FeeKind, all_networks, by_id, by_key

VIEM = {
    "ethereum": "mainnet",
    "bnb": "bsc",
}
SCRIPT = """
import * as chains from 'viem/chains';
const out = {};
for (const [key, c] of Object.entries(chains)) out[key] = {
  id: c.id, coin: c.nativeCurrency, multicall3: c.contracts?.multicall3,
  blockTime: c.blockTime, opStack: Boolean(c.contracts?.gasPriceOracle)};
console.log(JSON.stringify(out));
"""


@pytest.fixture(scope="session")
def viem(published: Path) -> dict[str, Any]:
    run = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        cwd=published.parent,
        capture_output=True,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("network", all_networks(), ids=lambda n: n.key)
def test_row__against_viem__is_the_same(network: Any, viem: dict[str, Any]) -> None:
    theirs = viem[VIEM.get(network.key, network.key)]
    assert network.chain_id == theirs["id"]
    assert network.native.symbol == theirs["coin"]["symbol"]
    assert network.native.decimals == theirs["coin"]["decimals"]
    assert network.multicall3.lower() == theirs["multicall3"]["address"].lower()
    assert network.multicall3_block == theirs["multicall3"]["blockCreated"]
    if theirs.get("blockTime") is not None:
        assert 0.2 <= network.block_time_s * 1000 / theirs["blockTime"] <= 5
    if theirs["opStack"]:
        assert network.fees is FeeKind.OP_STACK


def test_rows__are_unique_and_found() -> None:
    rows = all_networks()
    assert len({n.chain_id for n in rows}) == len({n.key for n in rows}) == len(rows) >= 16
    for row in rows:
        assert by_id(row.chain_id) is row
        assert by_key(row.key) is row
    assert by_id(31337) is None
    assert by_key("nowhere") is None


def test_rows__flags__fit_together() -> None:
    for row in all_networks():
        assert not (row.l1_block_number and row.blockhash), row.key
        assert set(row.finality_tags) <= {"safe", "finalized"}
        assert row.finality_s >= row.block_time_s
