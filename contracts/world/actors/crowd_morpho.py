"""Random Morpho Blue accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from world.actors import morpho
from world.actors.tokens import mint_txs
from world.anvil import Anvil
from world.node import Tx
from world.world import World

WAD = 10**18
ORACLE_SCALE = 10**36
# Loan tokens of one account, in dollars, per loan token.
DOLLARS = {"USDC": 1.0, "WETH": 3000.0, "EURS": 1.08}
DEPTH = 100_000
"""US dollars per account that the whale adds to every market."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one account does in one market; base units."""

    user: str
    market: str
    lend: int
    collateral: int
    debt: int


def open_all(world: World[Anvil], _: str, users: Sequence[str], dice: Sequence[Random]) -> None:
    """Open every account's positions, each kind of step for all accounts together."""
    # Vault shares cannot be minted to a crowd, and an idle market lends nothing.
    markets = [
        name
        for name, record in world.book["morpho"]["markets"].items()
        if record["loan"] in DOLLARS and record["collateral"] in world.book.tokens
    ]
    prices = {name: morpho.oracle_price(world, name) for name in markets}
    steps = [
        _step(world, user, name, prices[name], die)
        for user, die in zip(users, dice, strict=True)
        for name in die.sample(markets, die.randint(1, 3))
    ]
    whale = world.book.whale
    deep = [Step(whale, name, _units(world, name, DEPTH * len(users)), 0, 0) for name in markets]
    node = world.node
    for part in (deep, steps):
        node.send_many(tx for step in part for tx in _mint(world, step))
        node.send_many(tx for step in part for tx in _enter(world, step))
    node.send_many(
        morpho.borrow_tx(world, step.market, step.user, step.debt) for step in steps if step.debt
    )


def _step(world: World[Anvil], user: str, market: str, price: int, die: Random) -> Step:
    role = die.random()
    lend = _units(world, market, _dollars(die)) if role < 0.4 else 0
    if role < 0.2:
        return Step(user, market, lend, 0, 0)
    debt = _units(world, market, _dollars(die))
    lltv = morpho.params(world, market)[4]
    # Mostly anywhere in the range, sometimes right under what Morpho allows.
    use = die.uniform(0.97, 0.9999) if die.random() < 0.2 else die.uniform(0.05, 0.97)
    collateral = int(debt * ORACLE_SCALE // price * WAD // lltv / use) + 1
    return Step(user, market, lend, collateral, 0 if die.random() < 0.1 else debt)


def _dollars(die: Random) -> float:
    return min(die.lognormvariate(8.5, 1.5), 400_000)


def _units(world: World[Anvil], market: str, dollars: float) -> int:
    loan = morpho.page(world, market)["loan"]
    return world.amount(loan, dollars / DOLLARS[loan])


def _mint(world: World[Anvil], step: Step) -> list[Tx]:
    record = morpho.page(world, step.market)
    wanted = ((record["loan"], step.lend), (record["collateral"], step.collateral))
    return [
        tx
        for symbol, amount in wanted
        if amount
        for tx in mint_txs(world, symbol, step.user, amount)
    ]


def _enter(world: World[Anvil], step: Step) -> list[Tx]:
    loan, collateral, *_ = morpho.params(world, step.market)
    txs = []
    if step.lend:
        txs.append(morpho.approve_tx(world, loan, step.user))
        txs.append(morpho.supply_tx(world, step.market, step.user, step.lend))
    if step.collateral:
        txs.append(morpho.approve_tx(world, collateral, step.user))
        txs.append(morpho.supply_collateral_tx(world, step.market, step.user, step.collateral))
    return txs
