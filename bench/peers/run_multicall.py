"""multicall.py: `Multicall` over `Call` objects, as its README shows it."""

from importlib.metadata import version
from typing import Any

from common import Call as Wanted
from common import Work, run
from multicall import Call, Multicall, multicall
from web3 import HTTPProvider, Web3

STEP = 3_000
"""Calls at a time. It starts from 10,000, which takes more gas than the 50 M it asks for, and it
does not know this node's words for that; of 1,000, 3,000 and 9,000 this was the fastest."""
HEALTH_STEP = 150
"""The same for account data, of which one takes about as much gas as thirty balances."""
NFT_STEP = 500
"""The same for NFTs, whose answers are long."""
clients: dict[str, Web3] = {}


def read(work: Work) -> list[Any]:
    if work.options.get("how") == "fresh":
        clients.clear()
    w3 = clients.setdefault(work.url, Web3(HTTPProvider(work.url)))
    wanted: list[Wanted] = list(work.calls())
    step = multicall.batcher.step = HEALTH_STEP if work.task == "health" else STEP
    if len(wanted) % step == 1:
        wanted.append(wanted[0])  # it drops the last call of such a length
    calls = [
        Call(target, [f"{name}({given})({told})", argument],
             [(f"{i}.{j}", None) for j in range(_outputs(told))])
        for i, (target, (name, given, told), argument) in enumerate(wanted)
    ]  # fmt: skip
    found = Multicall(calls, block_id=work.block_number, _w3=w3)()
    return [
        [found[f"{i}.{j}"] for j in range(_outputs(told))]
        for i, (_, (_, _, told), _) in enumerate(wanted)
    ]


def uniswap(work: Work) -> list[Any]:
    """Five dependent rounds: count, ids, positions, pools, and what the pools say."""
    w3 = clients.setdefault(work.url, Web3(HTTPProvider(work.url)))

    def ask(calls: list[tuple[str, list[Any]]]) -> list[list[Any]]:
        made = [
            Call(target, signature, [(f"{i}.{j}", None) for j in range(_parts(signature[0]))])
            for i, (target, signature) in enumerate(calls)
        ]
        if len(made) % NFT_STEP == 1:
            made.append(made[0])  # it drops the last call of such a length
        found = Multicall(made, block_id=work.block_number, _w3=w3)()
        return [
            [found[f"{i}.{j}"] for j in range(_parts(signature[0]))]
            for i, (_, signature) in enumerate(calls)
        ]

    multicall.batcher.step = NFT_STEP
    manager = work.uniswap["manager"]
    owners = work.accounts if work.task == "owners" else [work.uniswap["owner"]]
    first: list[tuple[str, list[Any]]] = [(manager, ["factory()(address)"])]
    first += [(manager, ["balanceOf(address)(uint256)", owner]) for owner in owners]
    (factory,), *counts = ask(first)
    index = "tokenOfOwnerByIndex(address,uint256)(uint256)"
    ids = [
        row[0]
        for row in ask(
            [
                (manager, [index, owner, i])
                for owner, (count,) in zip(owners, counts, strict=True)
                for i in range(count)
            ]
        )
    ]
    facts = (
        "positions(uint256)(uint96,address,address,address,uint24,int24,int24,uint128,"
        "uint256,uint256,uint128,uint128)"
    )
    positions = ask([(manager, [facts, number]) for number in ids])
    keys = list(dict.fromkeys(tuple(p[2:5]) for p in positions))
    get = "getPool(address,address,uint24)(address)"
    pools = dict(zip(keys, (r[0] for r in ask([(factory, [get, *k]) for k in keys])), strict=True))
    slot = "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)"
    tick = "ticks(int24)(uint128,int128,uint256,uint256,int56,uint160,uint32,bool)"
    last: list[tuple[str, list[Any]]] = []
    for pool in pools.values():
        last += [(pool, [slot]), (pool, ["feeGrowthGlobal0X128()(uint256)"]),
                 (pool, ["feeGrowthGlobal1X128()(uint256)"])]  # fmt: skip
    ends = {(pools[tuple(p[2:5])], end) for p in positions for end in p[5:7]}
    last += [(pool, [tick, end]) for pool, end in sorted(ends)]
    told = ask(last)
    prices = {key: told[3 * i][0] for i, key in enumerate(pools)}
    return [
        [number, p[7], p[5], p[6], prices[tuple(p[2:5])]]
        for number, p in sorted(zip(ids, positions, strict=True))
    ]


def _parts(signature: str) -> int:
    return signature.rpartition("(")[2].count(",") + 1


def _outputs(types: str) -> int:
    return 1 if types.startswith("(") else types.count(",") + 1


if __name__ == "__main__":
    by_task = {"uniswap": uniswap, "owners": uniswap}
    run(lambda work: by_task.get(work.task, read)(work), version("multicall"))
