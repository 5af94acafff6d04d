"""Time snapshots of many accounts on a local node, along every read path.

    python -m bench.read [--accounts 1 100 1000] [--runs 3]

One asset of one account is three balances (wallet, collateral, debt), as in a lending market; 30
assets, so 90 reads per account, 7 % of them non-zero. Printed per path: POSTs, bytes both ways,
wall and CPU time of the reader (medians), and the peak of the memory it allocated (a run of its
own, because measuring slows it). The node shares the machine: trust the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc
from pathlib import Path as File
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from chain.abi import Function
from chain.calls import Ok, Read
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.types import Address, checksum

if TYPE_CHECKING:
    from world.anvil import Anvil
    from world.world import World

CONTRACTS = File(__file__).resolve().parents[1] / "contracts"
ASSETS = 30
BALANCES = 3
BALANCE = Function("balanceOf(address)(uint256)")


def _address(label: str) -> Address:
    return checksum("0x" + keccak(text=label)[-20:].hex())


def _balance_slot(world: World[Anvil], token: str, holder: str) -> int:
    """Return the slot of the token's mapping of balances."""
    balance = int(world.token("USDC").call("balanceOf", holder))
    for slot in range(256):
        key = keccak(bytes(12) + bytes.fromhex(holder[2:]) + slot.to_bytes(32, "big"))
        if (
            int(world.node.rpc.request("eth_getStorageAt", token, "0x" + key.hex(), "latest"), 16)
            == balance
        ):
            return slot
    raise SystemExit("the token's balances were not found")


def prepare(world: World[Anvil], accounts: list[Address]) -> list[Address]:
    """Put 90 copies of a token on the chain, with 7 % of the balances set; return them."""
    usdc = world.book.tokens["USDC"].address
    code = world.node.rpc.request("eth_getCode", usdc, "latest")
    slot = _balance_slot(world, usdc, world.book.whale)
    tokens = [_address(f"bench token {i}") for i in range(ASSETS * BALANCES)]
    for token in tokens:
        world.node.set_code(token, code)
    cells = [(a, t) for i, a in enumerate(accounts) for j, t in enumerate(tokens)
             if (i * 31 + j * 17) % 100 < 7]  # fmt: skip
    for account, token in cells:
        key = keccak(bytes(12) + bytes.fromhex(account[2:]) + slot.to_bytes(32, "big"))
        world.node.set_storage(token, int.from_bytes(key, "big"), 10**18 + len(account))
    world.node.mine()
    return tokens


def _client(world: World[Anvil], path: Path) -> Client:
    multicall3 = checksum(world.book["multicall3"]["address"])
    spec = ChainSpec("bench", world.node.chain_id, (world.node.url,), multicall3=multicall3,
                     timeout_s=120)  # fmt: skip
    return connect(spec, path=path)


def measure(world: World[Anvil], path: Path, reads: list[Read], runs: int) -> str:
    """Return one row of the table."""
    walls: list[float] = []
    cpus: list[float] = []
    with _client(world, path) as client:
        at = client.head()
        client.snapshot(at).read(reads)  # learns the limits, warms the node
        for _ in range(runs):
            snapshot = client.snapshot(at)
            wall, cpu = time.perf_counter(), time.process_time()
            results = snapshot.read(reads)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            assert all(isinstance(result, Ok) for result in results)
        del results
        tracemalloc.start()
        held = client.snapshot(at).read(reads)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(held) == len(reads)
        stats = snapshot.stats
    return (
        f"{len(reads):>7,} {path.name.lower():<11}{stats.posts:>6}{stats.bytes_up / 1e6:>9.2f}"
        f"{stats.bytes_down / 1e6:>9.2f}{1e3 * statistics.median(walls):>10.1f}"
        f"{1e3 * statistics.median(cpus):>10.1f}{peak / 1e6:>9.1f}"
    )


def main() -> None:
    """Print the table."""
    sys.path.insert(0, str(CONTRACTS))  # the test world is no part of the distribution
    from world.world import start

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--accounts", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    accounts = [_address(f"bench account {i}") for i in range(max(args.accounts))]
    with start() as world:
        print(f"preparing {len(accounts):,} accounts × {ASSETS} assets …", file=sys.stderr)
        tokens = prepare(world, accounts)
        print("accounts   reads path        POSTs    MB up  MB down   wall ms    CPU ms  peak MB")
        for count in args.accounts:
            reads: list[Read] = [BALANCE.at(t, a) for a in accounts[:count] for t in tokens]
            for path in Path:
                if path is Path.SINGLE and count > 100:
                    continue  # twice 90,000 calls: minutes, and nothing to learn from
                print(f"{count:>8,} {measure(world, path, reads, args.runs)}", flush=True)


if __name__ == "__main__":
    main()
