"""Compound v2 on the world: reading, and calls as a liquidator would make them.

Calls run at the very block that was read, by `eth_call`: a liquidation is one transaction through
Multicall3 that may accrue markets first, so that what a liquidator can bring about is tried, not
argued. Prices are moved for one call by putting other code in a feed's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from world.actors import compound
from world.actors import tokens as token_actor
from world.anvil import Anvil
from world.node import Node
from world.world import World

from chain.client import ChainSpec, connect
from chain.types import ZERO_ADDRESS, Address, checksum
from protocols.adapter import Market
from protocols.compound_v2 import CompoundV2
from protocols.compound_v2.state import CompoundAccount
from protocols.types import Position, Reading
from risk.liquidation.compound_v2_lines import lines, pairs
from risk.liquidation.compound_v2_seizure import Call, prices_of, worst_way
from risk.types import Boundary
from tests.support import referee

CALLS = "(address,bool,uint256,bytes)[]"
AGGREGATE = keccak(text=f"aggregate3Value({CALLS})")[:4]
SHORT = 3
"""`COMPTROLLER_REJECTION`: what `liquidateBorrow` answers where there is no shortfall."""


def market(world: World[Anvil]) -> Market:
    """Return the config row of the world's Compound."""
    return Market("compound-v2", "Compound", checksum(world.book["compound-v2"]["comptroller"]), {})


def read(world: World[Anvil], accounts: Sequence[str]) -> Reading:
    """Read the head by single calls."""
    rpc = world.node.rpc
    at = referee.head(rpc)
    program = CompoundV2().read(market(world), [Address(a) for a in accounts], at)
    return referee.run(program, rpc, at)


def read_many(world: World[Anvil], accounts: Sequence[str]) -> Reading:
    """Read the head as the application does: for many accounts much faster, and the same."""
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    with connect(spec) as client:
        snapshot = client.snapshot(client.head())
        owners = [Address(a) for a in accounts]
        return snapshot.run(CompoundV2().read(market(world), owners, snapshot.at))


def positions(reading: Reading) -> list[Position]:
    """Return the positions; fails if anything was unreadable."""
    found = [p for p in reading.positions if isinstance(p, Position)]
    assert len(found) == len(reading.positions), reading.positions
    return found


def state_of(position: Position) -> CompoundAccount:
    assert isinstance(position.state, CompoundAccount)
    return position.state


def name_of(world: World[Anvil], ctoken: str) -> str:
    """Return the book's name of a cToken."""
    listed = world.book["compound-v2"]["ctokens"]
    return next(str(name) for name, address in listed.items() if address == ctoken)


def feed_name(world: World[Anvil], proxy: str) -> str:
    """Return the book's name of a feed."""
    return next(name for name, feed in world.book.feeds.items() if feed.proxy == proxy)


def liquidator(world: World[Anvil]) -> str:
    """Return Multicall3, given plenty of everything and every approval it needs."""
    who: str = world.book["multicall3"]["address"]
    admin = world.book.admin
    world.node.set_balance(admin, 10**30)
    world.node.set_balance(who, 10**28)
    for name in compound.CONTRACTS:
        if name == "cETH":
            continue
        symbol = compound.underlying(world, name)
        token_actor.mint(world, symbol, who, world.amount(symbol, 10**9))
        token_actor.approve(world, symbol, who, compound.ctoken(world, name).address)
    return who


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A liquidation to try, after accruing some markets."""

    borrower: str
    debt: str
    collateral: str
    """Names of cTokens."""
    repaid: int
    first: tuple[str, ...] = ()
    """Names of cTokens accrued before."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    code: int | str
    """0 if it went through, Compound's error code, or the reason of a revert."""
    tokens: int = 0
    """cTokens that left the borrower."""
    received: int = 0
    """cTokens that the liquidator got."""

    @property
    def short(self) -> bool:
        """Tell whether there was no shortfall."""
        return self.code != 0 and (self.code == SHORT or "LIQUIDATE" in str(self.code) or
                                   "liquidateBorrow" in str(self.code))  # fmt: skip


ACCRUED_AT = 9
"""The slot of `accrualBlockNumber` in the world's cTokens."""


def renumber(world: World[Node]) -> None:
    """Let every market have been accrued in the first block."""
    for name in compound.CONTRACTS:
        address = compound.ctoken(world, name).address
        params = (address, f"0x{ACCRUED_AT:064x}", f"0x{0:064x}")
        world.node.rpc.request("anvil_setStorageAt", *params)
        assert compound.ctoken(world, name).call("accrualBlockNumber") == 0


def overrides(answers: Mapping[str, int], at: int) -> dict[str, dict[str, str]]:
    """Return state overrides under which feeds, by proxy, answer otherwise.

    The code answers everything with five words of which the first, 8, is the feed's decimals too.
    """
    found = {}
    for proxy, answer in answers.items():
        words = (8, answer, at, at, 8)
        code = "".join(f"7f{word % 2**256:064x}60{32 * i:02x}52" for i, word in enumerate(words))
        found[proxy] = {"code": f"0x{code}60a06000f3"}
    return found


def tried(
    world: World[Anvil],
    one: Liquidation,
    block: str | int,
    answers: Mapping[str, int] | None = None,
    block_number: int | None = None,
) -> Outcome:
    """Try a liquidation at a block, by hash, and say what came of it."""
    seized, repaying = (compound.ctoken(world, n) for n in (one.collateral, one.debt))
    who = world.book["multicall3"]["address"]
    coins = one.repaid if one.debt == "cETH" else 0
    if one.debt == "cETH":
        data = repaying.interface["liquidateBorrow"].encode(one.borrower, seized.address)
    else:
        data = repaying.interface["liquidateBorrow"].encode(
            one.borrower, one.repaid, seized.address
        )
    held = seized.interface["balanceOf"]
    balances = [
        (seized.address, True, 0, bytes.fromhex(held.encode(owner)[2:]))
        for owner in (one.borrower, who)
    ]
    accruals = [
        (bound.address, True, 0, bytes.fromhex(bound.interface["accrueInterest"].encode()[2:]))
        for bound in (compound.ctoken(world, name) for name in one.first)
    ]
    call = (repaying.address, True, coins, bytes.fromhex(data[2:]))
    packed = [*balances, *accruals, call, *balances]
    answered = _multicall(world, packed, coins, block, answers, block_number)
    success, said = answered[-3]
    if not success:
        return Outcome(_reason(said))
    words = [int.from_bytes(said, "big") for _, said in (*answered[:2], *answered[-2:])]
    code = int.from_bytes(said[:32], "big") if said else 0
    return Outcome(code, words[0] - words[2], words[3] - words[1])


def _multicall(
    world: World[Anvil],
    packed: Sequence[tuple[str, bool, int, bytes]],
    coins: int,
    block: str | int,
    answers: Mapping[str, int] | None,
    block_number: int | None,
) -> list[tuple[bool, bytes]]:
    who = world.book["multicall3"]["address"]
    data = AGGREGATE + encode([CALLS], [list(packed)])
    message = {
        "from": world.book.whale,
        "to": who,
        "data": "0x" + data.hex(),
        "value": hex(coins),
        "gas": hex(20_000_000),
    }
    where: Any = {"blockHash": block} if isinstance(block, str) else hex(block)
    extra: list[Any] = [overrides(answers or {}, world.node.timestamp())]
    if block_number is not None:
        extra.append({"number": hex(block_number)})
    said = world.node.rpc.request("eth_call", message, where, *extra)
    found: list[tuple[bool, bytes]] = list(decode(["(bool,bytes)[]"], bytes.fromhex(said[2:]))[0])
    return found


def _reason(data: bytes) -> str:
    if data[:4] == keccak(text="Error(string)")[:4]:
        return str(decode(["string"], data[4:])[0])
    return data.hex() or "reverted"


def asked(world: World[Anvil], name: str, function: str, *args: Any, block: str) -> int:
    """Return what a cToken answers at a block, in a call that may write."""
    bound = compound.ctoken(world, name)
    message = {"from": world.book.whale, "to": bound.address,
               "data": bound.interface[function].encode(*args)}  # fmt: skip
    said = world.node.rpc.request("eth_call", message, {"blockHash": block})
    return int(said, 16)


def assert_views(world: World[Anvil], position: Position) -> None:
    """Assert that amounts are what the contracts hold, accrued, and health what they reckon."""
    block, owner = position.at.hash, position.owner
    legs = {(leg.token.address, leg.name): leg.amount for leg in position.legs}
    expected: dict[tuple[str, str], int] = {}
    for name in compound.CONTRACTS:
        symbol = compound.underlying(world, name)
        token = ZERO_ADDRESS if name == "cETH" else checksum(world.book.tokens[symbol].address)
        amounts = {
            "supply": asked(world, name, "balanceOfUnderlying", owner, block=block),
            "debt": asked(world, name, "borrowBalanceCurrent", owner, block=block),
        }
        expected |= {(token, what): amount for what, amount in amounts.items() if amount}
    assert legs == expected
    assert position.verified
    assert position.unknown == ()


def liquidation(
    world: World[Anvil],
    state: CompoundAccount,
    owner: str,
    call: Call,
    answers: Mapping[str, int] | None = None,
) -> Liquidation:
    """Return a call with what is accrued before it so that a shortfall is greatest."""
    places = [one.market.ctoken for one in state.holdings]
    pair = tuple(places.index(line.holding.market.ctoken) for line in (call.debt, call.collateral))
    return _worst(world, state, owner, (pair[0], pair[1]), call.repaid, answers or {})


def _worst(
    world: World[Anvil],
    state: CompoundAccount,
    owner: str,
    pair: tuple[int, int],
    repaid: int,
    answers: Mapping[str, int],
) -> Liquidation:
    found = lines(state)
    _, way = worst_way(found, prices_of(found, answers), *pair)
    names = [name_of(world, one.market.ctoken) for one in state.holdings]
    first = (n for i, (n, accrued) in enumerate(zip(names, way, strict=True)) if accrued)
    others = tuple(n for n in first if n not in (names[pair[0]], names[pair[1]]))
    return Liquidation(owner, names[pair[0]], names[pair[1]], repaid, others)


def worst(
    world: World[Anvil], state: CompoundAccount, owner: str, answers: Mapping[str, int]
) -> list[Liquidation]:
    """Return every pair, after what is worst for the borrower is accrued."""
    found = pairs(lines(state))
    return [_worst(world, state, owner, pair, 1, answers) for pair in found]


def every(world: World[Anvil], state: CompoundAccount, owner: str) -> Iterator[Liquidation]:
    """Yield every pair, alone and after each set of other markets is accrued."""
    names = [name_of(world, one.market.ctoken) for one in state.holdings if one.entered]
    owing = [name_of(world, one.market.ctoken) for one in state.holdings if one.debt]
    held = [name_of(world, one.market.ctoken) for one in state.holdings if one.tokens]
    for debt, collateral in product(owing, held):
        others = [name for name in names if name not in (debt, collateral)]
        for size in range(len(others) + 1):
            for first in combinations(others, size):
                yield Liquidation(owner, debt, collateral, 1, first)


def assert_edge(
    world: World[Anvil], position: Position, edge: Boundary, *, all_ways: bool = True
) -> None:
    """Prove a boundary by real liquidations at the block that was read, one unit either side.

    On the safe side every pair is refused after every way of accruing the other markets, or
    without `all_ways` after none and after the worst.
    """
    state, block, owner = state_of(position), position.at.hash, position.owner
    prices = {edge.factor: edge.price_raw}
    ways = set(every(world, state, owner))
    if not all_ways:
        ways = {one for one in ways if not one.first} | set(worst(world, state, owner, prices))
    for one in sorted(ways, key=str):
        safe = tried(world, one, block, {edge.factor: edge.safe_price_raw})
        assert safe.short, (one, edge, safe)
    done = (tried(world, one, block, prices).code for one in worst(world, state, owner, prices))
    assert 0 in done, edge
