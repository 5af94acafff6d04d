"""Random Compound v2 accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from world.actors import compound
from world.actors.tokens import approve_tx, mint_txs
from world.anvil import Anvil
from world.node import Tx
from world.rpc import WorldError
from world.world import World

WAD = 10**18
# Dollars of one whole token, near enough to choose amounts by.
DOLLARS = {"WETH": 3000.0, "USDC": 1.0, "DAI": 1.0}


@dataclass(slots=True)
class Account:
    """What one account does; base units by cToken."""

    user: str
    supplies: dict[str, int]
    entered: tuple[str, ...]
    debts: dict[str, int] = field(default_factory=dict)


def open_all(world: World[Anvil], _: str, users: Sequence[str], dice: Sequence[Random]) -> None:
    """Open every account's positions, each kind of step for all accounts together."""
    accounts = [_planned(world, user, die) for user, die in zip(users, dice, strict=True)]
    node = world.node
    node.send_many(tx for one in accounts for tx in _funded(world, one))
    node.send_many(tx for one in accounts for tx in _supplied(world, one))
    for one, die in zip(accounts, dice, strict=True):
        _decide(world, one, die)
    node.send_many(
        compound.ctoken(world, name).tx(one.user, "borrow", amount)
        for one in accounts
        for name, amount in one.debts.items()
    )
    for one in accounts:
        for name, amount in one.debts.items():
            owed = compound.ctoken(world, name).call("borrowBalanceStored", one.user)
            if owed < amount:
                raise WorldError(f"{one.user} could not borrow {amount} of {name}")


def _planned(world: World[Anvil], user: str, die: Random) -> Account:
    names = list(compound.CONTRACTS)
    chosen = die.sample(names, die.randint(1, 3))
    supplies = {}
    for name in chosen:
        dust = die.random() < 0.1
        dollars = min(die.lognormvariate(8.0, 1.3), 60_000)
        symbol = compound.underlying(world, name)
        supplies[name] = (
            die.randint(10**10, 10**13)
            if dust and name != "cUSDC"
            else die.randint(1, 5_000)
            if dust
            else world.amount(symbol, dollars / DOLLARS[symbol])
        )
    entered = tuple(name for name in chosen if die.random() < 0.85)
    return Account(user, supplies, entered)


def _funded(world: World[Anvil], one: Account) -> list[Tx]:
    return [
        tx
        for name, amount in one.supplies.items()
        if name != "cETH"
        for tx in mint_txs(world, compound.underlying(world, name), one.user, amount)
    ]


def _supplied(world: World[Anvil], one: Account) -> list[Tx]:
    txs = []
    for name, amount in one.supplies.items():
        bound = compound.ctoken(world, name)
        if name == "cETH":
            txs.append(bound.tx(one.user, "mint", value=amount))
        else:
            symbol = compound.underlying(world, name)
            txs.append(approve_tx(world, symbol, one.user, bound.address))
            txs.append(bound.tx(one.user, "mint", amount))
    if one.entered:
        addresses = [compound.ctoken(world, name).address for name in one.entered]
        txs.append(compound.comptroller(world).tx(one.user, "enterMarkets", addresses))
    return txs


def _decide(world: World[Anvil], one: Account, die: Random) -> None:
    """Choose debts within what the Comptroller now allows."""
    spare, _ = compound.liquidity(world, one.user)
    if not spare or die.random() < 0.1:
        return
    # Mostly anywhere in the range, sometimes right under what may be borrowed.
    use = die.uniform(0.97, 0.9999) if die.random() < 0.3 else die.uniform(0.1, 0.97)
    chosen = die.sample(list(compound.CONTRACTS), die.randint(1, 2))
    for name in chosen:
        price = compound.price(world, name)
        amount = int(spare * use / len(chosen)) * WAD // price
        if amount:
            one.debts[name] = amount
