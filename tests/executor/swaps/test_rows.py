"""Venues as rows: the shipped ones against a published list, and what is no row."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chain.types import checksum
from executor.swaps.balancer_v2 import BalancerV2
from executor.swaps.rows import BadVenue, parse, shipped, venues
from executor.swaps.uniswap_v2 import UniswapV2
from executor.swaps.uniswap_v3 import UniswapV3
from executor.swaps.uniswap_v4 import UniswapV4

SCRIPT = """
const list = require(process.argv[1] + "/@uniswap/sdk-core/dist/cjs/src/addresses.js");
const rows = process.argv.slice(2).map(Number).map((id) => {
  const row = list.CHAIN_TO_ADDRESSES_MAP[id];
  return [id, {
    "v2.factory": list.V2_FACTORY_ADDRESSES[id], "v2.router": list.V2_ROUTER_ADDRESSES[id],
    "v3.factory": row.v3CoreFactoryAddress, "v3.router": list.SWAP_ROUTER_02_ADDRESSES(id),
    "v4.pool_manager": row.v4PoolManagerAddress, "v4.quoter": row.v4QuoterAddress,
  }];
});
console.log(JSON.stringify(rows));
"""
CHAINS = (1, 10, 137, 8453, 42161)
ONE, OTHER = "0x" + "11" * 20, "0x" + "22" * 20


def test_shipped__are_those_of_uniswaps_own_list(published: Path) -> None:
    command = ["node", "-e", SCRIPT, str(published), *map(str, CHAINS)]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    ours: dict[int, dict[str, str]] = {chain: {} for chain in CHAINS}
    for chain, venue in shipped():
        match venue:
            case UniswapV2():
                ours[chain] |= {"v2.factory": venue.factory, "v2.router": venue.router}
            case UniswapV3():
                ours[chain] |= {"v3.factory": venue.factory, "v3.router": venue.router}
                assert venue.router_02
            case UniswapV4():
                ours[chain] |= {"v4.pool_manager": venue.pool_manager, "v4.quoter": venue.quoter}
    theirs = {chain: {key: checksum(value) for key, value in row.items()} for chain, row in rows}
    assert ours == theirs


def test_shipped__each_chain__has_each_uniswap_once() -> None:
    for chain in CHAINS:
        assert [v.name for v in venues(chain)] == ["Uniswap v2", "Uniswap v3", "Uniswap v4"]
    assert venues(31_337) == ()


def test_parse__a_configs_rows__are_venues() -> None:
    root = {"factory": ONE, "router": OTHER}
    assert parse({"kind": "uniswap-v2", "name": "fork", **root}) == UniswapV2(
        "fork", checksum(ONE), checksum(OTHER)
    )
    found = parse({"kind": "uniswap-v3", "name": "fork", **root, "quoter": ONE,
                   "router_02": False, "fees": [100, 2500]})  # fmt: skip
    assert isinstance(found, UniswapV3)
    assert (found.router_02, found.fees) == (False, (100, 2500))
    found = parse({"kind": "uniswap-v4", "name": "v4", "pool_manager": ONE, "quoter": ONE,
                   "router": ONE, "permit2": OTHER, "keys": [[500, 10, OTHER]]})  # fmt: skip
    assert isinstance(found, UniswapV4)
    assert found.keys == ((500, 10, checksum(OTHER)),)
    pool = "0x" + "AB" * 32
    found = parse({"kind": "balancer-v2", "name": "b", "vault": ONE, "pool_ids": [pool]})
    assert found == BalancerV2("b", checksum(ONE), (pool.lower(),))


V3 = {"kind": "uniswap-v3", "name": "f", "factory": ONE, "quoter": ONE, "router": ONE}
V4 = {"kind": "uniswap-v4", "name": "f", "pool_manager": ONE, "quoter": ONE, "router": ONE,
      "permit2": ONE}  # fmt: skip
BALANCER = {"kind": "balancer-v2", "name": "b", "vault": ONE}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"kind": "curve", "name": "c"}, "its kind is none of"),
        ({"kind": "uniswap-v2", "factory": ONE, "router": ONE}, "name is missing"),
        ({"kind": "uniswap-v2", "name": "f", "factory": ONE}, "router is missing"),
        (V3 | {"factory": "0x12"}, "factory: .*not an address"),
        (V3 | {"factory": 12}, "factory: 12 is not an address"),
        (V3 | {"pool_ids": []}, "no key 'pool_ids'"),
        (V3 | {"router_02": 1}, "router_02: 1 is not true or false"),
        (V3 | {"fees": []}, "not a list of fees"),
        (V3 | {"fees": [True]}, "True is not a fee"),
        (V3 | {"fees": [2**24]}, "is not a fee"),
        (V4 | {"keys": []}, "not a list of"),
        (V4 | {"keys": [[500, 10]]}, r"is not \[fee, tick spacing, hooks\]"),
        (BALANCER | {"pool_ids": []}, "not a list of pool ids"),
        (BALANCER | {"pool_ids": ["0x12"]}, "64 hex digits"),
        (BALANCER | {"pool_ids": ["0x" + "zz" * 32]}, "64 hex digits"),
    ],
    ids=range(15),
)
def test_parse__what_is_no_venue__is_refused_by_key(row: dict[str, Any], said: str) -> None:
    with pytest.raises(BadVenue, match=said):
        parse(row)
