"""Read Compound v2 and its forks, from a Comptroller.

Reads, in three rounds whatever the number of accounts: the Comptroller with what it keeps of each
account (`comptroller`, `account`); every market with each account's snapshot (`market`); of the
markets that somebody is in what they are when accrued, their tokens and feeds (`market`, `prices`),
and each debt accrued. A fourth where the oracle names feeds by their tokens' symbols.
Scales: the contracts' own; prices 10^(36 − decimals of the underlying).
Rounds: see `protocols.compound_v2.math`. What is accrued is not reckoned here: the contracts
say it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chain.calls import ReadFailed, Reads, Result
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.compound_v2 import account, comptroller, contracts, market
from protocols.compound_v2.account import Held, User
from protocols.compound_v2.comptroller import Comptroller
from protocols.compound_v2.facts import facts_of
from protocols.compound_v2.market import Broken, Listed
from protocols.compound_v2.position import PROTOCOL, Found, assemble
from protocols.root import check_root
from protocols.types import Position, Reading, Unreadable


@dataclass(frozen=True, slots=True)
class _Owner:
    """One account after two rounds."""

    user: User
    held: tuple[Held, ...]
    failed: Mapping[Address, str]
    """Causes by cToken."""


@dataclass(frozen=True, slots=True)
class CompoundV2:
    """The adapter; see the module."""

    name: ClassVar[str] = PROTOCOL
    root_key: ClassVar[str | None] = "comptroller"
    keys: ClassVar[Mapping[str, str]] = {}

    def read(self, where: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Read the accounts' positions under one Comptroller; see `Adapter.read`.

        Takes, beside the configured keys, `native_symbol`: what the chain calls its coin.
        """
        if not accounts:
            return Reading()
        root = where.root
        results = yield [
            *comptroller.reads(root),
            *(read for owner in accounts for read in account.user_reads(root, owner)),
        ]
        check_root(root, "Comptroller", contracts.GET_ALL_MARKETS, results[0])
        rules = comptroller.decode(root, results[: comptroller.READS], at)
        users, positions = list[User](), list[Position | Unreadable]()
        answers = iter(results[comptroller.READS :])
        for owner in accounts:
            said = [next(answers) for _ in range(account.USER_READS)]
            try:
                users.append(account.user(owner, said))
            except ReadFailed as failure:
                positions.append(_unreadable(where, owner, failure, at))
        if not users:
            return Reading(tuple(positions))
        listed, owners = yield from _listed(rules, users)
        used = {held.ctoken for one in owners for held in one.held}
        owing = [(held.ctoken, one.user.owner) for one in owners for held in one.held if held.debt]
        rewarded = any(one.user.rewards for one in owners)
        facts = yield from facts_of(where, rules, listed, used, owing, at, rewarded=rewarded)
        for one in owners:
            found = Found(one.user, one.held, one.failed)
            position = assemble(where, at, rules, listed, facts, found)
            if position is not None:
                positions.append(position)
        return Reading(tuple(positions), facts.shared)


def _unreadable(where: Market, owner: Address, failure: ReadFailed, at: BlockRef) -> Unreadable:
    return Unreadable(PROTOCOL, where.name, where.root, owner, failure.cause, at)


def _listed(
    rules: Comptroller, users: Sequence[User]
) -> Reads[tuple[dict[Address, Listed | Broken], list[_Owner]]]:
    """Read every market, and what each account has in it as stored."""
    ctokens = rules.ctokens
    results = iter(
        (
            yield [
                *(read for ctoken in ctokens for read in market.reads(rules, ctoken)),
                *(contracts.SNAPSHOT.at(c, one.owner) for one in users for c in ctokens),
            ]
        )
        if ctokens
        else ()
    )
    listed = {
        ctoken: market.listed(rules, ctoken, [next(results) for _ in market.reads(rules, ctoken)])
        for ctoken in ctokens
    }
    return listed, [_owner(one, ctokens, listed, results) for one in users]


def _owner(
    user: User,
    ctokens: Sequence[Address],
    listed: Mapping[Address, Listed | Broken],
    results: Iterator[Result],
) -> _Owner:
    found, failed = list[Held](), dict[Address, str]()
    for ctoken in ctokens:
        one = listed[ctoken]
        try:
            held = account.held(ctoken, next(results))
        except ReadFailed as failure:
            failed[ctoken] = f"{account.named(listed, ctoken)}: {failure.cause}"
            continue
        if not (held.tokens or held.debt or ctoken in user.entered):
            continue
        if isinstance(one, Broken):
            failed[ctoken] = one.cause
        else:
            found.append(held)
    for ctoken in sorted(user.entered - set(ctokens)):
        failed[ctoken] = f"{ctoken}: entered, and not among the Comptroller's markets"
    return _Owner(user, tuple(found), failed)
