"""The market that is read: Aave 3.0.2 of many reserves on a local node, its accounts injected.

7 % of all (account, reserve, balance) cells are not zero. Amounts go straight into the tokens'
storage, at slots that are found by looking for a balance that is known; a flag is set in the
account's configuration for every supply and debt.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_utils.crypto import keccak

from chain.types import Address, checksum

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contracts"))

if TYPE_CHECKING:
    from world.actors.market30 import Market30
    from world.anvil import Anvil
    from world.world import World

SHARE = 0.07
BATCH = 2_000
NFTS = 20
EACH = 3
"""NFTs of each account, where it has any."""
POOLS = (("WETH", "USDC", 500, 10), ("WETH", "USDC", 3000, 60), ("WBTC", "WETH", 3000, 60))
CHAIN_ID = 8453
"""Peers look Multicall3 up by chain id, and one wants it deployed at a block we do not reach on
chain 1. The node is local all the same."""


@dataclass(frozen=True)
class Scene:
    """A running node and what every reader is told about it."""

    url: str
    about: dict[str, Any]
    accounts: list[Address]


@contextmanager
def staged(reserves: int, accounts: int, owners: int = 0) -> Iterator[Scene]:
    """Run a node with so many reserves and accounts, the first of which own NFTs."""
    from world.actors import market30
    from world.anvil import Anvil
    from world.book import read_book
    from world.builder import build
    from world.world import World

    built = build()
    book = read_book(built.folder)
    # Peers send requests of several megabytes, which anvil refuses unless it is told not to.
    options = ("--no-request-size-limit",)
    with Anvil(
        built.anvil, state=built.state, chain_id=CHAIN_ID, timestamp=book.timestamp, options=options
    ) as node:
        world = World(node, book)
        market = market30.extend(world, reserves)
        listed = market.reserves[:reserves]
        people = [_address(f"bench account {i}") for i in range(accounts)]
        _inject(world, market, people, reserves)
        owner = _provide(world, people[:owners])
        head = world.node.mine()
        rows = [
            {"asset": r.asset, "a_token": r.a_token, "variable_debt": r.variable_debt}
            for r in listed
        ]
        about = {
            "chain_id": CHAIN_ID,
            "block_number": int(head["number"], 16),
            "block_hash": head["hash"],
            "multicall3": checksum(world.book["multicall3"]["address"]),
            "provider": market.provider,
            "pool": market.pool,
            "oracle": market.oracle,
            "reserves": rows,
            "uniswap": {
                "manager": checksum(world.book["uniswap-v3"]["position_manager"]),
                "owner": owner,
            },
        }
        yield Scene(world.node.url, about, people)


def _provide(world: World[Anvil], people: list[Address]) -> Address:
    """Give one owner NFTs of every width in three pools, and people some each."""
    from world.actors import uniswap

    owner = _address("bench provider")
    world.node.fund([owner])
    txs, amount = [], 10**15
    manager = uniswap.manager(world)
    for place, (a, b, fee, spacing) in enumerate(POOLS):
        pair = uniswap.in_order(world, a, b)
        tick = uniswap.sqrt_price_and_tick(world, *pair, fee)[1] // spacing * spacing
        given = EACH * amount * (NFTS + len(people))
        txs += uniswap.mint_position_txs(
            world, owner, *pair, fee, tick - spacing, tick + spacing, given, given
        )[:-1]  # the tokens and their approvals alone
        tokens = [world.book.tokens[symbol].address for symbol in pair]
        mine = [(owner, number) for number in range(NFTS) if number % len(POOLS) == place]
        theirs = [(who, number) for number, who in enumerate(people)]
        for who, number in mine + theirs:
            width = spacing * (number % 100 + 1)
            ends = (tick - width, tick + width)
            params = (*tokens, fee, *ends, amount, amount, 0, 0, who, uniswap.FAR)
            txs.append(manager.tx(owner, "mint", params, gas=uniswap.MINT_GAS))
    for sender in (world.book.admin, owner):
        world.node.send_many(tx for tx in txs if tx.sender == sender)
    return owner


def _address(label: str) -> Address:
    return checksum("0x" + keccak(text=label)[-20:].hex())


def _key(holder: str, slot: int) -> str:
    return (
        "0x" + keccak(bytes.fromhex(holder[2:]).rjust(32, b"\0") + slot.to_bytes(32, "big")).hex()
    )


def _slot(world: World[Anvil], contract: str, holder: str, value: int, bits: int) -> int:
    """Return the slot of a mapping by a value it is known to hold in its low bits."""
    keys = [_key(holder, slot) for slot in range(300)]
    words = world.node.rpc.batch(("eth_getStorageAt", [contract, k, "latest"]) for k in keys)
    for slot, word in enumerate(words):
        if value and int(word, 16) % (1 << bits) == value:
            return slot
    raise LookupError(f"no mapping of {contract} holds {value} for {holder}")


def _inject(world: World[Anvil], market: Market30, people: list[Address], reserves: int) -> None:
    whale, node = world.book.whale, world.node
    last = market.reserves[0]

    def scaled(token: str) -> int:
        kind = "AToken" if token == last.a_token else "VariableDebtToken"
        found: int = world.contract(f"aave-3.0/{kind}", token).call("scaledBalanceOf", whale)
        return found

    pool = world.contract("aave-3.0/Pool", market.pool)
    flags: int = pool.call("getUserConfiguration", whale)[0]
    usdc = world.book.tokens["USDC"].address
    supply_slot = _slot(world, last.a_token, whale, scaled(last.a_token), 128)
    debt_slot = _slot(world, last.variable_debt, whale, scaled(last.variable_debt), 128)
    flag_slot = _slot(world, market.pool, whale, flags, 256)
    held = int(world.token("USDC").call("balanceOf", whale))
    if not held:
        raise LookupError("the whale holds no USDC to find its slot by")
    wallet_slot = _slot(world, usdc, whale, held, 256)
    wallets = {world.book.tokens["WETH"].address: 3}
    calls: list[tuple[str, list[str]]] = []
    for number, who in enumerate(people):
        dice = random.Random(number)
        bits = 0
        for place, reserve in enumerate(market.reserves[:reserves]):
            unit = 10**reserve.decimals
            amounts = [dice.randrange(1, 100 * unit) if dice.random() < SHARE else 0
                       for _ in range(3)]  # fmt: skip
            supply, debt, wallet = amounts
            bits |= (2 * bool(supply) | bool(debt)) << 2 * place
            slots = (
                (reserve.a_token, supply_slot, supply),
                (reserve.variable_debt, debt_slot, debt // 4 or bool(debt)),
                (reserve.asset, wallets.get(reserve.asset, wallet_slot), wallet),
            )
            for contract, slot, amount in slots:
                if amount:
                    calls.append(_store(contract, who, slot, amount))
        calls.append(_store(market.pool, who, flag_slot, bits))
    node.rpc.batch(calls, BATCH)


def _store(contract: str, who: str, slot: int, value: int) -> tuple[str, list[str]]:
    return "anvil_setStorageAt", [contract, _key(who, slot), f"0x{value:064x}"]
