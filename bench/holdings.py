"""Time wallets of many accounts: the lens of questions against ordinary reads, on a local node.

    python -m bench.holdings [--accounts 1 10 100 1000] [--tokens 30 100] [--runs 5]

7 % of the balances are not zero. Printed: wall and CPU time of the reader (medians) and POSTs. The
node shares the machine: trust the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from eth_utils.crypto import keccak

from bench.read import CONTRACTS, _address, _balance_slot
from chain.client import ChainSpec, connect
from chain.endpoint import Path
from chain.snapshot import Snapshot
from chain.types import ZERO_ADDRESS, Address, checksum
from protocols.adapter import Market
from protocols.wallet import Wallet
from protocols.wallet.bulk import read_holdings

if TYPE_CHECKING:
    from world.anvil import Anvil
    from world.world import World

READERS = {"lens": None, "relay": None, "multicall3": Path.MULTICALL3}
MOST = {"multicall3": 30_000}
"""Reads above which a reader is left out."""
BATCH = 2_000


def prepare(world: World[Anvil], tokens: list[Address], accounts: list[Address]) -> None:
    """Put copies of a token on the chain and set 7 % of the balances."""
    node, usdc = world.node, world.book.tokens["USDC"].address
    slot = _balance_slot(world, usdc, world.book.whale)
    code = node.rpc.request("eth_getCode", usdc, "latest")
    calls: list[tuple[str, list[str]]] = [("anvil_setCode", [token, code]) for token in tokens]
    for i, account in enumerate(accounts):
        key = keccak(bytes(12) + bytes.fromhex(account[2:]) + slot.to_bytes(32, "big")).hex()
        calls += [
            ("anvil_setStorageAt", [token, "0x" + key, f"0x{10**18 + i:064x}"])
            for j, token in enumerate(tokens)
            if (i * 31 + j * 17) % 100 < 7
        ]
    node.rpc.batch(calls, BATCH)
    node.mine()


def once(snapshot: Snapshot, how: str, market: Market, accounts: list[Address]) -> Any:
    """Read all wallets one way."""
    if how == "lens":
        return snapshot.bulk(read_holdings(market, accounts, snapshot.at))
    return snapshot.run(Wallet().read(market, accounts, snapshot.at))


def measure(
    world: World[Anvil], how: str, market: Market, accounts: list[Address], runs: int
) -> str:
    """Return one row of the table."""
    multicall3 = checksum(world.book["multicall3"]["address"])
    spec = ChainSpec("bench", world.node.chain_id, (world.node.url,), multicall3=multicall3,
                     timeout_s=120)  # fmt: skip
    walls, cpus = [], []
    with connect(spec, path=READERS[how]) as client:
        at = client.head()
        once(client.snapshot(at), how, market, accounts)  # learns the limits, warms the node
        for _ in range(runs):
            snapshot = client.snapshot(at)
            wall, cpu = time.perf_counter(), time.process_time()
            once(snapshot, how, market, accounts)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    return (
        f"{how:<12}{snapshot.stats.posts:>6}{1e3 * statistics.median(walls):>10.1f}"
        f"{1e3 * statistics.median(cpus):>10.1f}"
    )


def main() -> None:
    """Print the table."""
    sys.path.insert(0, str(CONTRACTS))  # the test world is no part of the distribution
    from world.world import start

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--accounts", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--tokens", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    accounts = [_address(f"bench account {i}") for i in range(max(args.accounts))]
    tokens = [_address(f"bench token {i}") for i in range(max(args.tokens))]
    with start() as world:
        prepare(world, tokens, accounts)
        print("accounts  tokens  reader       POSTs   wall ms    CPU ms")
        for many in args.tokens:
            market = Market("wallet", "bench", ZERO_ADDRESS, {"tokens": tuple(tokens[:many])})
            for count in args.accounts:
                for how in READERS:
                    if count * many > MOST.get(how, sys.maxsize):
                        continue
                    row = measure(world, how, market, accounts[:count], args.runs)
                    print(f"{count:>8,}{many:>8}  {row}", flush=True)


if __name__ == "__main__":
    main()
