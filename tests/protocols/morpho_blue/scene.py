"""Morpho on the world: many accounts, and reading exactly the block that a transaction meets.

A transaction lands in a block of its own, later than the head that was read. To compare to the
wei, the state is read in an empty block with the timestamp T that the transaction's block will
have; that block is then undone and the transaction mined at T instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from world.actors import morpho as morpho_actor
from world.actors import tokens as token_actor
from world.anvil import Anvil
from world.node import Tx
from world.rpc import RpcError
from world.world import World, actor

from chain.types import Address, checksum
from protocols.adapter import Market
from protocols.morpho_blue import MorphoBlue
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Position, Reading
from tests.support import referee

DAY = 86_400
LENT = ("WETH/USDC", "WBTC/USDC", "wstETH/WETH", "WBTC/WETH", "LINK/EURS", "pvDAI/USDC")
"""Markets with borrowers; the last one's collateral are shares of a vault."""


def market(world: World[Anvil], names: Sequence[str] | None = None) -> Market:
    """Return the config row of the world's Morpho, with some or all of its markets."""
    page = world.book["morpho"]
    ids = tuple(
        record["id"] for name, record in page["markets"].items() if names is None or name in names
    )
    return Market("morpho-blue", "morpho", checksum(page["morpho"]), {"market_ids": ids})


def read(
    world: World[Anvil], accounts: Sequence[str], names: Sequence[str] | None = None
) -> Reading:
    """Read the head by single calls."""
    rpc = world.node.rpc
    at = referee.head(rpc)
    program = MorphoBlue().read(market(world, names), [Address(a) for a in accounts], at)
    return referee.run(program, rpc, at)


def read_at(
    world: World[Anvil], accounts: Sequence[str], time: int, names: Sequence[str] | None = None
) -> Reading:
    """Read the state as it will be in a block at `time`, and leave the head as it was."""
    with world.node.rollback():
        world.node.mine_at(time)
        return read(world, accounts, names)


def positions(reading: Reading) -> list[Position]:
    """Return the positions; fails if anything was unreadable."""
    found = [p for p in reading.positions if isinstance(p, Position)]
    assert len(found) == len(reading.positions), reading.positions
    return found


@contextmanager
def undone(world: World[Anvil]) -> Iterator[None]:
    """Roll back on exit, and forget the transactions too.

    The pool may still hold one that was just mined, and would mine it again in the next block.
    """
    try:
        with world.node.rollback():
            yield
    finally:
        world.node.rpc.request("anvil_dropAllTransactions")


def state_of(position: Position) -> MorphoPosition:
    assert isinstance(position.state, MorphoPosition)
    return position.state


def fix_price(world: World[Anvil], name: str, price: int) -> None:
    """Let a market's oracle answer any integer: its code becomes a constant."""
    oracle = morpho_actor.params(world, name)[2]
    world.node.set_code(oracle, f"0x7f{price:064x}60005260206000f3")


@dataclass(frozen=True, slots=True)
class Borrower:
    """An account that was opened, and where."""

    account: Address
    market: str


def open_many(world: World[Anvil], count: int, seed: int) -> list[Borrower]:
    """Open random borrowers over all markets, from dust to large and from safe to the edge."""
    random = Random(seed)
    admin = world.book.admin
    page = world.book["morpho"]["markets"]
    contract = morpho_actor.morpho(world)
    borrowers = [
        Borrower(checksum(actor(f"borrower {seed} {n}")), LENT[n % len(LENT)]) for n in range(count)
    ]
    world.node.fund([b.account for b in borrowers])
    prices = {name: morpho_actor.oracle_price(world, name) for name in LENT}
    collateral: dict[str, int] = {}
    debts: list[tuple[Borrower, int]] = []
    txs: list[Tx] = []
    for name in LENT:
        loan, held, _, _, lltv = morpho_actor.params(world, name)
        own = [b for b in borrowers if b.market == name]
        # Extra liquidity, so that utilizations differ and everybody can borrow.
        supply = round(world.amount(page[name]["loan"], 1) * random.uniform(1e3, 3e6))
        txs += token_actor.mint_txs(world, page[name]["loan"], admin, 2 * supply)
        txs += [morpho_actor.approve_tx(world, loan, admin)]
        txs += [contract.tx(admin, "supply", tuple(page[name]["params"]), supply, 0, admin, b"")]
        for borrower in own:
            dust = random.random() < 0.15
            top = supply // len(own)
            debt = random.randint(1, 50) if dust else round(top * random.uniform(1e-6, 1))
            needed = lowest_collateral(debt + 2, prices[name], lltv)
            # The vault's share price moves by a rounding while its shares are minted.
            amount = needed * random.choice((1000, 1001, random.randint(1010, 3000))) // 1000
            amount += 1 + needed // 10**15
            collateral[held] = collateral.get(held, 0) + amount
            txs.append(
                contract.tx(
                    admin,
                    "supplyCollateral",
                    tuple(page[name]["params"]),
                    amount,
                    borrower.account,
                    b"",
                )
            )
            debts.append((borrower, debt))
    give_collateral(world, collateral)
    world.node.send_many(txs)
    world.node.send_many(
        contract.tx(
            b.account, "borrow", tuple(page[b.market]["params"]), debt, 0, b.account, b.account
        )
        for b, debt in debts
    )
    return borrowers


def lowest_collateral(debt: int, price: int, lltv: int) -> int:
    """Return the least collateral that bears a debt."""
    value = -(-debt * 10**18 // lltv)
    return -(-value * 10**36 // price)


def give_collateral(world: World[Anvil], amounts: dict[str, int]) -> None:
    """Give the admin collateral of each token and let Morpho take it."""
    admin = world.book.admin
    symbols = {token.address: symbol for symbol, token in world.book.tokens.items()}
    vault = world.book["erc4626"]["pvDAI"]
    for token, amount in amounts.items():
        if token == vault:
            bound = world.contract("erc4626/PlainVault", vault)
            token_actor.mint(world, "DAI", admin, 2 * amount)
            token_actor.approve(world, "DAI", admin, vault)
            bound.send(admin, "mint", amount, admin)
        else:
            token_actor.mint(world, symbols[token], admin, amount)
        world.node.send(morpho_actor.approve_tx(world, token, admin))


def fund_liquidator(world: World[Anvil]) -> str:
    """Give one account plenty of every loan token, approved."""
    who = actor("liquidator")
    world.node.fund([who], 10**30)
    for symbol in ("USDC", "WETH", "EURS"):
        token_actor.mint(world, symbol, world.book.admin, 0)
        if symbol == "WETH":
            world.node.set_balance(world.book.admin, 10**30)
        token_actor.mint(world, symbol, who, world.amount(symbol, 10**8))
        world.node.send(morpho_actor.approve_tx(world, world.book.tokens[symbol].address, who))
    return who


@dataclass(frozen=True, slots=True)
class Liquidated:
    """What Morpho's own `Liquidate` event says."""

    repaid: int
    repaid_shares: int
    seized: int
    bad_debt: int
    bad_debt_shares: int


def liquidated(receipt: dict[str, Any]) -> Liquidated:
    """Return the `Liquidate` event of a receipt: the one with five words of data."""
    data = next(log["data"] for log in receipt["logs"] if len(log["data"]) == 2 + 5 * 64)
    words = [int(data[2 + 64 * n : 66 + 64 * n], 16) for n in range(5)]
    return Liquidated(*words)


HEALTHY = "position is healthy"


def outcome(world: World[Anvil], tx: Tx, at: int) -> str:
    """Return `done`, or why the contract refuses, as if mined at a time."""
    world.node.set_next_timestamp(at)
    try:
        world.node.rpc.request("eth_call", tx.params(), "pending")
    except RpcError as error:
        return error.reason
    return "done"


def outcome_at(
    world: World[Anvil], tx: Tx, block_hash: str, price: tuple[str, int] | None = None
) -> str | bytes:
    """Return what a call at a block answers, or why it is refused.

    `price` puts another price into a market's oracle for this call: (market, price).
    """
    overrides = {}
    if price is not None:
        oracle = morpho_actor.params(world, price[0])[2]
        overrides[oracle] = {"code": f"0x7f{price[1]:064x}60005260206000f3"}
    params = tx.params()
    try:
        said = world.node.rpc.request("eth_call", params, {"blockHash": block_hash}, overrides)
    except RpcError as error:
        return error.reason
    return bytes.fromhex(str(said)[2:])


def paid(world: World[Anvil], tx: Tx, block_hash: str) -> int:
    """Return the assets that a `withdraw` or `repay` at a block moves: its first word."""
    said = outcome_at(world, tx, block_hash)
    assert isinstance(said, bytes), said
    return int.from_bytes(said[:32], "big")


def assert_views(world: World[Anvil], name: str, position: Position, payer: str) -> None:
    """Assert that a position's amounts are what Morpho itself moves and holds, to the wei.

    Withdrawing all supply shares and repaying all borrow shares are asked of the contract at the
    very block, which has the block's own time; `payer` has loan tokens and has approved them.
    """
    contract, params = morpho_actor.morpho(world), morpho_actor.params(world, name)
    state, owner, block = state_of(position), position.owner, position.at.hash
    stored = morpho_actor.position(world, name, owner, block={"blockHash": block})
    legs = {leg.name: leg.amount for leg in position.legs}
    expected = {}
    if stored.collateral:
        expected["collateral"] = stored.collateral
    if state.supply_shares:
        tx = contract.tx(owner, "withdraw", params, 0, state.supply_shares, owner, owner)
        expected["supply"] = paid(world, tx, block)
    if stored.borrow_shares:
        tx = contract.tx(payer, "repay", params, 0, stored.borrow_shares, owner, b"")
        expected["debt"] = paid(world, tx, block)
    assert legs == expected


def liquidation(
    world: World[Anvil], liquidator: str, borrower: Borrower, state: MorphoPosition, seized: int
) -> Tx:
    """Return the largest liquidation: all shares, or all collateral where that is too little."""
    if seized < state.collateral:
        return morpho_actor.liquidation_tx(
            world, borrower.market, liquidator, borrower.account, shares=state.borrow_shares
        )
    return morpho_actor.liquidation_tx(
        world, borrower.market, liquidator, borrower.account, seized=state.collateral
    )
