"""Read every Uniswap v3 position of an owner.

Reads, round 1: `factory`, `name`, and per owner `balanceOf` with the first tokens by index,
asked for before it is known that they exist (a further round only for owners of more).
Round 2: `positions` of each token. Round 3, through `factory.getPool`: the pool's price, fee
growth, ticks, the manager's own account in the range, the mean tick, and the tokens' metadata.
Scales: base units; square-root prices Q64.96; fee growth Q128.128.
Rounds: amounts as `decreaseLiquidity` of everything pays them (down, twice for token0), fees as
`collect` pays them after it. The manager holds all its owners' liquidity of a range in one
account of the pool, whose fees are rounded down at each touch; what it has not got, it cannot
pay, so the fees are capped by that account.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from chain.calls import Call, Ok, ReadFailed, Reads, Result
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.root import check_root
from protocols.types import Position, Reading, Unreadable
from protocols.uniswap_v3.contracts import (
    BALANCE_OF,
    FACTORY,
    NAME,
    POSITIONS,
    TOKEN_OF_OWNER,
)
from protocols.uniswap_v3.pools import Nft, PoolAnswers, Wanted
from protocols.uniswap_v3.position import build

SPECULATIVE: Final = 64
"""Tokens asked for in the first round, before it is known that they exist."""
MOST: Final = 4096
"""Tokens of one owner read at most; more is a fault or an attack, and is said to be unread."""


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """Liquidity positions held as NFTs of a `NonfungiblePositionManager`."""

    name: ClassVar[str] = "uniswap-v3"
    root_key: ClassVar[str | None] = "position_manager"
    keys: ClassVar[Mapping[str, str]] = {}

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Yield the reads, return every position that holds liquidity or owes fees."""
        per_owner = SPECULATIVE + 1
        results = yield [
            FACTORY.at(market.root),
            NAME.at(market.root),
            *(
                read
                for owner in accounts
                for read in (
                    BALANCE_OF.at(market.root, owner),
                    *_tokens_of(market.root, owner, range(SPECULATIVE)),
                )
            ),
        ]
        check_root(market.root, "position manager", FACTORY, results[0])
        factory: Address = FACTORY.decode(results[0])
        version = tokens.text(results[1]) or ""

        owned = Owned(market, at)
        for n, owner in enumerate(accounts):
            owned.first(owner, results[2 + n * per_owner : 2 + (n + 1) * per_owner])
        if owned.more:
            results = yield [
                read for owner, i in owned.more for read in _tokens_of(market.root, owner, [i])
            ]
            for (owner, i), result in zip(owned.more, results, strict=True):
                owned.token(owner, i, result)
        if not owned.tokens:
            return Reading(tuple(owned.unreadable))

        results = yield [POSITIONS.at(market.root, token) for _, token in owned.tokens]
        live: list[Nft] = []
        for (owner, token), result in zip(owned.tokens, results, strict=True):
            try:
                nft = Nft.of(owner, token, POSITIONS.decode(result))
            except ReadFailed as failure:
                owned.lost(owner, f"token {token}: {failure.cause}")
                continue
            if nft.liquidity or nft.owed0 or nft.owed1:
                live.append(nft)
        if not live:
            return Reading(tuple(owned.unreadable))

        wanted = Wanted(market.root, factory, live)
        results = yield wanted.reads
        answers = PoolAnswers(wanted, results)
        positions: list[Position | Unreadable] = []
        for nft in live:
            try:
                positions.append(build(market, version, nft, answers, at))
            except ReadFailed as failure:
                owned.lost(nft.owner, f"token {nft.token_id}: {failure.cause}")
        return Reading((*positions, *owned.unreadable))


def _tokens_of(manager: Address, owner: Address, indexes: Iterable[int]) -> Iterator[Call]:
    """Return `tokenOfOwnerByIndex` for many indexes, the owner encoded once."""
    start = TOKEN_OF_OWNER.encode(owner, 0)[:-32]
    return (Call(manager, start + i.to_bytes(32, "big")) for i in indexes)


class Owned:
    """Who owns which tokens, and what could not be learned about it."""

    def __init__(self, market: Market, at: BlockRef) -> None:
        self.market, self.at = market, at
        self.tokens: list[tuple[Address, int]] = []
        self.more: list[tuple[Address, int]] = []
        self.unreadable: list[Unreadable] = []

    def first(self, owner: Address, results: Sequence[Result]) -> None:
        """Take an owner's balance and first tokens."""
        try:
            balance: int = BALANCE_OF.decode(results[0])
        except ReadFailed as failure:
            self.lost(owner, failure.cause)
            return
        if balance < SPECULATIVE and isinstance(results[1 + balance], Ok):
            self.lost(owner, f"balanceOf says {balance} tokens, but there is one more")
        for i in range(min(balance, SPECULATIVE)):
            self.token(owner, i, results[1 + i])
        if balance > MOST:
            self.lost(owner, f"{balance} tokens, of which only {MOST} are read")
        self.more += [(owner, i) for i in range(SPECULATIVE, min(balance, MOST))]

    def token(self, owner: Address, index: int, result: Result) -> None:
        """Take the token at one index."""
        try:
            self.tokens.append((owner, TOKEN_OF_OWNER.decode(result)))
        except ReadFailed as failure:
            self.lost(owner, f"token at index {index}: {failure.cause}")

    def lost(self, owner: Address, cause: str) -> None:
        """Note what could not be read."""
        name = UniswapV3.name
        root, market = self.market.root, self.market.name
        self.unreadable.append(Unreadable(name, market, root, owner, cause, self.at))
