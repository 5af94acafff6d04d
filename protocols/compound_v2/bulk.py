"""What many accounts hold and owe under one Comptroller, as arrays, by a lens where one runs.

Reads: per account and cToken `balanceOf`, `borrowBalanceStored` and, of the Comptroller,
`checkMembership`; the Comptroller and its markets as the adapter. Scales: the contracts' own.
Rounds: debts are accrued by our own arithmetic, which must give each market's exchange rate; as
principals are not public they are the greatest that they can be, by a base unit or two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain import grid
from chain.abi import Function
from chain.bulk import Bulk, Step
from chain.calls import ReadFailed, Reads, Result, Unknown
from chain.grid import U8, Grid, Hole
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.compound_v2 import comptroller, contracts, market
from protocols.compound_v2.comptroller import Comptroller
from protocols.compound_v2.facts import facts_of
from protocols.compound_v2.market import Broken, Listed
from protocols.compound_v2.math import accrue, debt_bounds
from protocols.compound_v2.position import Facts
from protocols.compound_v2.state import CHolding, Clock, CompoundAccount

BALANCE_OF: Final = Function("balanceOf(address)(uint256)")
BORROW_STORED: Final = Function("borrowBalanceStored(address)(uint256)")
MEMBER: Final = Function("checkMembership(address,address)(uint256)")
"""Answers a boolean, which is a word of 0 or 1."""
KINDS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """P accounts: their answers other than zero, and what concerns all of them."""

    at: BlockRef
    rules: Comptroller
    listed: dict[Address, Listed | Broken]
    facts: Facts
    grid: Grid
    """Per cToken three questions: cTokens, stored debt, membership."""

    def __len__(self) -> int:
        return len(self.grid)

    def state(self, row: int, *, least: bool = False) -> CompoundAccount:
        """Return an account; its debts the greatest that they can be, or the `least`.

        Raises `ReadFailed` where something that health needs is not known.
        """
        results = self.grid.results(row)
        found = []
        for i, ctoken in enumerate(self.rules.ctokens):
            one = self._holding(ctoken, results[KINDS * i : KINDS * (i + 1)], least)
            if one is not None:
                found.append(one)
        rules = self.rules
        return CompoundAccount(
            rules.address,
            tuple(found),
            rules.close_factor,
            rules.incentive,
            rules.seize_paused,
            rules.clock,
            rules.now,
            self.at.timestamp,
            self.facts.block_s if rules.clock is Clock.BLOCKS else None,
            self.facts.dollars,
        )

    def _holding(self, ctoken: Address, results: Sequence[Result], least: bool) -> CHolding | None:
        balance, debt, member = (BALANCE_OF.known(result) for result in results)
        if isinstance(member, Unknown):
            raise ReadFailed(f"checkMembership: {member.reason}")
        lost = next((v for v in (balance, debt) if isinstance(v, Unknown)), None)
        one = self.listed[ctoken]
        if isinstance(one, Broken) and lost is None and (balance or debt or member):
            lost = Unknown(one.cause)
        if lost is not None:
            if member:
                raise ReadFailed(lost.reason)
            return None
        if not (balance or debt or member):
            return None
        known = self.facts.markets[ctoken]
        if isinstance(known, Unknown):
            raise ReadFailed(known.reason)
        if member and known.quote is None:
            raise ReadFailed(f"{known.symbol}: no price")
        if not debt:
            return CHolding(known, balance, 0, 0, bool(member))
        book = known.book
        if book is None:
            raise ReadFailed(f"{known.symbol}: unfamiliar interest")
        bounds = debt_bounds([(debt, book.index)], accrue(book, self.rules.now).index)
        return CHolding(known, balance, debt, bounds[0 if least else 1], bool(member))


def read_accounts(where: Market, accounts: Sequence[Address] | U8, at: BlockRef) -> Bulk[Accounts]:
    """Read accounts, given as addresses or as (P, 20) bytes, under one Comptroller."""
    root = where.root
    said = yield Step(comptroller.reads(root))
    rules = comptroller.decode(root, said.results, at)
    questions = [
        one
        for ctoken in rules.ctokens
        for one in (
            grid.question(BALANCE_OF, ctoken, Hole.ACCOUNT),
            grid.question(BORROW_STORED, ctoken, Hole.ACCOUNT),
            grid.question(MEMBER, root, Hole.ACCOUNT, ctoken),
        )
    ]
    beside = [read for ctoken in rules.ctokens for read in market.reads(rules, ctoken)]
    probes = [contracts.SNAPSHOT.at(ctoken, root) for ctoken in rules.ctokens]
    found, results = yield from grid.ask(accounts, questions, beside=[*beside, *probes])
    answers, listed = iter(results), dict[Address, Listed | Broken]()
    for ctoken in rules.ctokens:
        mine = [next(answers) for _ in market.reads(rules, ctoken)]
        listed[ctoken] = market.listed(rules, ctoken, mine)
    for ctoken, answer in zip(rules.ctokens, answers, strict=True):
        sane = contracts.SNAPSHOT.known(answer)
        if isinstance(sane, Unknown):  # whoever answers so says nothing to be believed
            listed[ctoken] = Broken(ctoken, f"{ctoken}: {sane.reason}")
    used = {rules.ctokens[place // KINDS] for place in set(found.question.tolist())}
    facts = yield from _plainly(facts_of(where, rules, listed, used, (), at))
    return Accounts(at, rules, listed, facts, found)


def _plainly(program: Reads[Facts]) -> Bulk[Facts]:
    """Run an adapter's program by ordinary reads."""
    try:
        batch = next(program)
        while True:
            batch = program.send((yield Step(batch)).results)
    except StopIteration as stop:
        found: Facts = stop.value
        return found
