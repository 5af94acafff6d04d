"""Borrowers by the ten thousand: written into storage, not sent as transactions.

Each account gets scaled balances of aTokens and variable debt tokens, its configuration word and
perhaps an e-mode. Where a mapping lies is found by asking: a slot is right when the contract's own
function answers with what was put there. The pool's `Borrow` events are real logs of the pool's
address, emitted while other code stands there for some blocks. Total supplies stay as they were,
so an injected account can be read and judged; the market does not balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from world.anvil import Anvil
from world.node import Bound, Tx
from world.world import World

SLOTS = 120
"""How many slots of a contract are tried."""
PER_EMISSION = 3_000
"""Events in one transaction, so that it stays below the gas limit of one."""
BORROW = keccak(text="Borrow(address,address,address,uint256,uint8,uint256,uint16)")
# For each word of calldata after the first two: LOG4(128 zero bytes, word 0, word 1, word, 0).
EMITTER = "0x60405b80361115601f576000813560203560003560806000a46020016002565b00"
RAY = 10**27


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the mappings by account lie, and the market's reserves."""

    pool: str
    configuration: int
    emode: int
    reserves: tuple[Reserve, ...]


@dataclass(frozen=True, slots=True)
class Reserve:
    """One reserve with its tokens, and the slots of their balances."""

    id: int
    asset: str
    a_token: str
    debt_token: str
    supply_slot: int
    debt_slot: int
    unit: int
    price: int
    threshold: int
    income: int
    owed: int


def inject(world: World[Anvil], market: str, count: int, seed: int = 1) -> tuple[str, ...]:
    """Give `count` new accounts collateral and debt, healths around 1.3; return them.

    About one in five can be liquidated; one in six is in e-mode 1. Every tenth owes so that its
    health is within a few units of the last digit of 1.
    """
    layout = probe(world, market)
    dice = Random(f"{market}/{seed}")
    owners = tuple(
        to_checksum_address(keccak(text=f"{market} {seed} {i}")[-20:]) for i in range(count)
    )
    writes: list[tuple[str, str, int]] = []
    for i, owner in enumerate(owners):
        writes += _account(layout, owner, dice, edge=i % 10 == 0)
    calls = [
        ("anvil_setStorageAt", [contract, slot, f"0x{value:064x}"])
        for contract, slot, value in writes
    ]
    world.node.rpc.batch(calls, size=5_000)
    _emit(world, layout, owners)
    return owners


def probe(world: World[Anvil], market: str) -> Layout:
    """Find the market's mappings by asking its functions under overridden storage."""
    page = world.book[market]
    name = "Pool" if market == "aave-3.0" else "PoolInstance"
    pool = world.contract(f"{market}/{name}", page["pool"])
    token = "AToken" if market == "aave-3.0" else "ATokenInstance"
    reserves = []
    slots: dict[str, int] = {}
    oracle = world.contract(f"{market}/AaveOracle", page["oracle"])
    for asset in pool.call("getReservesList"):
        data = pool.call("getReserveData", asset)
        configuration = data[0][0] if isinstance(data[0], tuple) else data[0]
        number, a_token, debt_token = data[7], data[8], data[10]
        for kind, address in (("a", a_token), ("d", debt_token)):
            if kind not in slots:
                slots[kind] = _slot(
                    world.contract(f"{market}/{token}", address), "scaledBalanceOf", world
                )
        if not configuration >> 16 & 0xFFFF or not configuration >> 58 & 1:
            continue
        reserves.append(
            Reserve(
                id=number,
                asset=asset,
                a_token=a_token,
                debt_token=debt_token,
                supply_slot=slots["a"],
                debt_slot=slots["d"],
                unit=10 ** (configuration >> 48 & 0xFF),
                price=oracle.call("getAssetPrice", asset),
                threshold=configuration >> 16 & 0xFFFF,
                income=pool.call("getReserveNormalizedIncome", asset),
                owed=pool.call("getReserveNormalizedVariableDebt", asset),
            )
        )
    return Layout(
        pool.address,
        _slot(pool, "getUserConfiguration", world),
        _slot(pool, "getUserEMode", world),
        tuple(reserves),
    )


def _slot(contract: Bound, function: str, world: World[Anvil]) -> int:
    """Return the slot of the mapping by account that a function reads."""
    who = to_checksum_address(keccak(text="nobody yet")[-20:])
    data = contract.interface[function].encode(who)
    for slot in range(SLOTS):
        override = {contract.address: {"stateDiff": {_place(who, slot): f"0x{7:064x}"}}}
        message = {"to": contract.address, "data": data}
        answer = world.node.rpc.request("eth_call", message, "latest", override)
        if int(answer, 16) == 7:
            return slot
    raise LookupError(f"{function} of {contract.address} reads none of the first {SLOTS} slots")


def _place(owner: str, slot: int) -> str:
    return "0x" + keccak(encode(["address", "uint256"], [owner, slot])).hex()


def _account(layout: Layout, owner: str, dice: Random, *, edge: bool) -> list[tuple[str, str, int]]:
    """Return the writes of one account: (contract, slot, word)."""
    held = dice.sample(layout.reserves, dice.randint(1, min(3, len(layout.reserves))))
    owed = dice.choice(layout.reserves)
    word, weighted = 0, 0
    writes = []
    for one in held:
        dollars = 10 ** dice.uniform(2, 6)
        scaled = int(dollars * 1e8 * one.unit / one.price * RAY / one.income)
        writes.append((one.a_token, _place(owner, one.supply_slot), scaled))
        word |= 2 << 2 * one.id
        weighted += scaled * one.income // RAY * one.price // one.unit * one.threshold
    health = 1.0 if edge else dice.lognormvariate(0.3, 0.35)
    debt = int(weighted / 10_000 / health * owed.unit / owed.price * RAY / owed.owed)
    writes.append((owed.debt_token, _place(owner, owed.debt_slot), debt))
    word |= 1 << 2 * owed.id
    writes.append((layout.pool, _place(owner, layout.configuration), word))
    if dice.random() < 1 / 6:
        writes.append((layout.pool, _place(owner, layout.emode), 1))
    return writes


def _emit(world: World[Anvil], layout: Layout, owners: Sequence[str]) -> None:
    """Write one `Borrow` of the pool for each account, under the pool's address."""
    node, sender = world.node, world.book.admin
    code = node.rpc.request("eth_getCode", layout.pool, "latest")
    head = BORROW + bytes(12) + bytes.fromhex(layout.reserves[0].asset[2:])
    node.set_code(layout.pool, EMITTER)
    try:
        for i in range(0, len(owners), PER_EMISSION):
            words = (bytes(12) + bytes.fromhex(o[2:]) for o in owners[i : i + PER_EMISSION])
            data = "0x" + (head + b"".join(words)).hex()
            node.send(Tx(sender, layout.pool, data, label="emit borrows"))
    finally:
        node.set_code(layout.pool, code)


def healths(
    world: World[Anvil], market: str, owners: Sequence[str], block: Mapping[str, Any] | str
) -> dict[str, int]:
    """Return each account's health by the pool's own `getUserAccountData`."""
    name = "Pool" if market == "aave-3.0" else "PoolInstance"
    pool = world.contract(f"{market}/{name}", world.book[market]["pool"])
    function = pool.interface["getUserAccountData"]
    asked = [
        ("eth_call", [{"to": pool.address, "data": function.encode(owner)}, block])
        for owner in owners
    ]
    answers = world.node.rpc.batch(asked, size=500)
    return {o: function.decode(a)[5] for o, a in zip(owners, answers, strict=True)}
