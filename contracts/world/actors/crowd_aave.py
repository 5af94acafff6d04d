"""Random Aave accounts, on 3.0 and 3.6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from world.actors import aave
from world.actors.tokens import mint_txs
from world.anvil import Anvil
from world.node import Tx
from world.recipes import aave_3_0, aave_3_6
from world.world import World

ISOLATED = "AAVE"
LTV_ZERO = "LINK"
LTV_ZERO_ELSE = 5000
"""The LTV that the LTV-0 reserve has while the crowd supplies it."""
BPS = 10_000
DEPTH = 100_000
"""US dollars per account that the whale adds to every reserve, so that all can borrow."""
LARGEST = 400_000
"""US dollars of the largest single supply."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a market lets people do, from its recipe; `emodes` maps a category to its rules."""

    ltv: Mapping[str, int]
    emodes: Mapping[int, tuple[int, tuple[str, ...], tuple[str, ...]]]
    """LTV, collateral symbols, borrowable symbols."""
    in_isolation: tuple[str, ...]
    stable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Supply:
    symbol: str
    amount: int
    collateral: bool


@dataclass(frozen=True, slots=True)
class Debt:
    symbol: str
    amount: int
    mode: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one account will do."""

    user: str
    emode: int
    supplies: tuple[Supply, ...]
    debts: tuple[Debt, ...]


def rules_3_0() -> Rules:
    reserves = aave_3_0.RESERVES
    return Rules(
        ltv={r.symbol: r.ltv for r in reserves},
        emodes={
            number: (ltv, members, members)
            for number, ltv, *_ in aave_3_0.EMODES
            for members in [tuple(r.symbol for r in reserves if r.emode == number)]
        },
        in_isolation=tuple(r.symbol for r in reserves if r.in_isolation),
        stable=tuple(r.symbol for r in reserves if r.stable),
    )


def rules_3_6() -> Rules:
    reserves = aave_3_6.RESERVES
    return Rules(
        ltv={r.symbol: r.ltv for r in reserves},
        emodes={e.number: (e.ltv, e.collateral, e.borrowable) for e in aave_3_6.EMODES},
        in_isolation=tuple(r.symbol for r in reserves if r.in_isolation),
        stable=(),
    )


def open_all(
    world: World[Anvil], market: str, users: Sequence[str], dice: Sequence[Random]
) -> None:
    """Open every account's position, each kind of step for all accounts together."""
    rules = rules_3_0() if market == "aave-3.0" else rules_3_6()
    prices = {symbol: aave.oracle_price(world, market, symbol) for symbol in rules.ltv}
    share = 1 / max(len(users), 1)
    planner = Planner(world, rules, prices, share)
    plans = [planner.plan(user, die) for user, die in zip(users, dice, strict=True)]
    node = world.node
    with _doors_open(world, market):
        node.send_many(_deepen(world, market, prices, len(users)))
        node.send_many(
            tx
            for plan in plans
            for supply in plan.supplies
            for tx in mint_txs(world, supply.symbol, plan.user, supply.amount)
        )
        node.send_many(tx for plan in plans for tx in _supply_txs(world, market, plan))
        node.send_many(tx for plan in plans for tx in _mode_txs(world, market, rules, plan))
        node.send_many(
            aave.borrow_tx(world, market, plan.user, debt.symbol, debt.amount, debt.mode)
            for plan in plans
            for debt in plan.debts
        )


@dataclass(frozen=True)
class Planner:
    """Turns dice into a plan that the market accepts."""

    world: World[Anvil]
    rules: Rules
    prices: Mapping[str, int]
    share: float
    """Of the isolated debt ceiling that one account may use."""

    def plan(self, user: str, die: Random) -> Plan:
        kind = die.random()
        if kind < 0.08:
            return self._isolated(user, die)
        if kind < 0.4:
            return self._in_emode(user, die, die.choice(sorted(self.rules.emodes)))
        symbols = [symbol for symbol in self.rules.ltv if symbol != ISOLATED]
        supplies = self._supplies(die, die.sample(symbols, die.randint(1, 4)))
        return self._with_debts(user, die, 0, supplies, [*symbols, ISOLATED], 1.0)

    def _isolated(self, user: str, die: Random) -> Plan:
        supplies = self._supplies(die, [ISOLATED], never_off=True)
        return self._with_debts(user, die, 0, supplies, self.rules.in_isolation, self.share)

    def _in_emode(self, user: str, die: Random, emode: int) -> Plan:
        _, collateral, borrowable = self.rules.emodes[emode]
        symbols = die.sample(collateral, die.randint(1, len(collateral)))
        others = [s for s in self.rules.ltv if s not in {*symbols, ISOLATED}]
        if die.random() < 0.5:
            symbols = [*symbols, die.choice(others)]
        return self._with_debts(user, die, emode, self._supplies(die, symbols), borrowable, 1.0)

    def _supplies(
        self, die: Random, symbols: Sequence[str], never_off: bool = False
    ) -> tuple[Supply, ...]:
        supplies = []
        for position, symbol in enumerate(symbols):
            dollars = min(die.lognormvariate(9, 1.5), LARGEST)
            amount = self._units(symbol, dollars)
            if position and die.random() < 0.05:
                amount = die.randint(1, 1000)
            off = position > 0 and not never_off and die.random() < 0.15
            # What cannot be collateral at all is a plain supply.
            able = self.rules.ltv[symbol] > 0 or symbol == LTV_ZERO
            supplies.append(Supply(symbol, amount, able and not off))
        return tuple(supplies)

    def _with_debts(
        self,
        user: str,
        die: Random,
        emode: int,
        supplies: tuple[Supply, ...],
        borrowable: Sequence[str],
        share: float,
    ) -> Plan:
        room = min(self._capacity(emode, supplies), share * 4_000_000 if share < 1 else 1e12)
        count = die.choice((0, 1, 1, 1, 2, 2, 3))
        # Mostly anywhere in the range, sometimes right under what the pool allows.
        use = die.uniform(0.96, 0.995) if die.random() < 0.2 else die.uniform(0.05, 0.95)
        chosen = die.sample(list(borrowable), min(count, len(borrowable)))
        weights = [die.uniform(0.2, 1) for _ in chosen]
        debts = []
        for symbol, weight in zip(chosen, weights, strict=True):
            amount = self._units(symbol, room * use * weight / sum(weights))
            held = any(supply.symbol == symbol for supply in supplies)
            stable = symbol in self.rules.stable and not held and die.random() < 0.35
            if room > 1 and amount:
                debts.append(Debt(symbol, amount, aave.STABLE if stable else aave.VARIABLE))
        return Plan(user, emode, supplies, tuple(debts))

    def _capacity(self, emode: int, supplies: tuple[Supply, ...]) -> float:
        """US dollars that the collateral lets one borrow; LTV-0 assets count for nothing."""
        total = 0.0
        ltv, members, _ = self.rules.emodes.get(emode, (0, (), ()))
        for supply in supplies:
            if supply.collateral:
                weight = ltv if supply.symbol in members else self.rules.ltv[supply.symbol]
                total += self._dollars(supply.symbol, supply.amount) * weight / BPS
        return total

    def _units(self, symbol: str, dollars: float) -> int:
        token = self.world.book.tokens[symbol]
        return int(dollars * 10**8 / self.prices[symbol] * token.unit)

    def _dollars(self, symbol: str, amount: int) -> float:
        return amount / self.world.book.tokens[symbol].unit * self.prices[symbol] / 10**8


def _deepen(
    world: World[Anvil], market: str, prices: Mapping[str, int], accounts: int
) -> Iterator[Tx]:
    """Let the whale supply in proportion to the crowd."""
    whale = world.book.whale
    for symbol, price in prices.items():
        unit = world.book.tokens[symbol].unit
        amount = DEPTH * accounts * 10**8 * unit // price
        yield from mint_txs(world, symbol, whale, amount)
    for symbol, price in prices.items():
        unit = world.book.tokens[symbol].unit
        amount = DEPTH * accounts * 10**8 * unit // price
        yield from aave.supply_txs(world, market, whale, symbol, amount)


def _supply_txs(world: World[Anvil], market: str, plan: Plan) -> Iterator[Tx]:
    for supply in plan.supplies:
        if supply.amount:
            yield from aave.supply_txs(world, market, plan.user, supply.symbol, supply.amount)


def _mode_txs(world: World[Anvil], market: str, rules: Rules, plan: Plan) -> Iterator[Tx]:
    """Choose what is collateral, then the category."""
    for supply in plan.supplies:
        # The pool turns everything on by itself that may be collateral, but not the isolated.
        able = supply.symbol == LTV_ZERO or rules.ltv[supply.symbol] > 0
        automatic = able and supply.symbol != ISOLATED
        if supply.amount and supply.collateral != automatic:
            yield aave.collateral_tx(world, market, plan.user, supply.symbol, supply.collateral)
    if plan.emode:
        yield aave.emode_tx(world, market, plan.user, plan.emode)


@contextmanager
def _doors_open(world: World[Anvil], market: str) -> Iterator[None]:
    """Give LTV-0 collateral an LTV while people enter, as it had before it was wound down."""
    admin, change = world.book.admin, aave.configurator(world, market)
    recipe = aave_3_0 if market == "aave-3.0" else aave_3_6
    link = next(r for r in recipe.RESERVES if r.symbol == LTV_ZERO)
    asset = world.book.tokens[LTV_ZERO].address
    limits = (link.threshold, link.bonus)
    zeros = [(symbol, e.number) for e in aave_3_6.EMODES for symbol in e.ltvzero]
    if market == "aave-3.0":
        zeros = []

    def set_zeros(on: bool) -> None:
        for symbol, number in zeros:
            at = world.book.tokens[symbol].address
            change.send(admin, "setAssetLtvzeroInEMode", at, number, on)

    change.send(admin, "configureReserveAsCollateral", asset, LTV_ZERO_ELSE, *limits)
    set_zeros(False)
    try:
        yield
    finally:
        change.send(admin, "configureReserveAsCollateral", asset, 0, *limits)
        set_zeros(True)
