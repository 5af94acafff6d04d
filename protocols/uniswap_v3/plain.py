"""Read NFTs by ordinary reads: all of an owner's, or some by their ids.

In rounds: balances and the first ids, asked for before it is known that they exist; the ids of
owners of more; `positions` of each; through `factory.getPool`, the pools.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from chain.calls import Call, Ok, ReadFailed, Reads, Result
from chain.types import Address
from protocols import tokens
from protocols.root import check_root
from protocols.uniswap_v3.contracts import BALANCE_OF, FACTORY, NAME, POSITIONS, TOKEN_OF_OWNER
from protocols.uniswap_v3.facts import Nft, Place, Pool, Range
from protocols.uniswap_v3.pools import PoolAnswers, Wanted

SPECULATIVE: Final = 64
"""Tokens asked for in the first round, before it is known that they exist."""
MOST: Final = 4096
"""Tokens of one owner read at most; more is a fault or an attack, and is said to be unread."""


class Book(Protocol):
    """Where is noted what is learned."""

    version: str

    @property
    def root(self) -> Address:
        """The position manager."""
        ...

    def address(self, n: int) -> Address:
        """Return the account at a place."""
        ...

    def take(self, place: Place, nft: Nft, pool: Pool, held: Range | ReadFailed) -> None:
        """Note an NFT."""
        ...

    def lost(self, place: Place, cause: str) -> None:
        """Note what could not be read."""
        ...


def read(book: Book, owners: Sequence[int], known: Sequence[tuple[Place, int]]) -> Reads[None]:
    """Read everything of the owners at some places among the accounts, and NFTs that are known.

    Raises `ReadFailed` where the position manager itself cannot be read.
    """
    root, per_owner = book.root, SPECULATIVE + 1
    results = yield [
        FACTORY.at(root),
        NAME.at(root),
        *(
            read
            for n in owners
            for read in (
                BALANCE_OF.at(root, book.address(n)),
                *_tokens_of(root, book.address(n), range(SPECULATIVE)),
            )
        ),
    ]
    check_root(root, "position manager", FACTORY, results[0])
    factory: Address = FACTORY.decode(results[0])
    book.version = tokens.text(results[1]) or ""
    owned, more = list(known), list[Place]()
    for i, n in enumerate(owners):
        first = results[2 + i * per_owner : 2 + (i + 1) * per_owner]
        more += _first(book, n, first, owned)
    if more:
        results = yield [read for n, i in more for read in _tokens_of(root, book.address(n), [i])]
        for place, result in zip(more, results, strict=True):
            _owned(book, place, result, owned)
    yield from _positions(book, factory, owned)


def _positions(book: Book, factory: Address, owned: Sequence[tuple[Place, int]]) -> Reads[None]:
    if not owned:
        return
    root = book.root
    live: list[tuple[Place, Nft]] = []
    results = yield [POSITIONS.at(root, token) for _, token in owned]
    for (place, token), result in zip(owned, results, strict=True):
        try:
            nft = Nft.of(book.address(place[0]), token, POSITIONS.decode(result))
        except ReadFailed as failure:
            book.lost(place, f"token {token}: {failure.cause}")
            continue
        if nft.live:
            live.append((place, nft))
    if not live:
        return
    wanted = Wanted(root, factory, [nft for _, nft in live])
    answers = PoolAnswers(wanted, (yield wanted.reads))
    for place, nft in live:
        try:
            pool = answers.pool(nft.pool)
        except ReadFailed as failure:
            book.lost(place, f"token {nft.token_id}: {failure.cause}")
            continue
        book.take(place, nft, pool, answers.range(nft))


def _tokens_of(manager: Address, owner: Address, indexes: Iterable[int]) -> Iterator[Call]:
    """Return `tokenOfOwnerByIndex` for many indexes, the owner encoded once."""
    start = TOKEN_OF_OWNER.encode(owner, 0)[:-32]
    return (Call(manager, start + i.to_bytes(32, "big")) for i in indexes)


def _first(
    book: Book, n: int, results: Sequence[Result], owned: list[tuple[Place, int]]
) -> list[Place]:
    """Take an owner's balance and first tokens; return where there are more to ask for."""
    try:
        balance: int = BALANCE_OF.decode(results[0])
    except ReadFailed as failure:
        book.lost((n, -1), failure.cause)
        return []
    if balance < SPECULATIVE and isinstance(results[1 + balance], Ok):
        book.lost((n, -1), f"balanceOf says {balance} tokens, but there is one more")
    for i in range(min(balance, SPECULATIVE)):
        _owned(book, (n, i), results[1 + i], owned)
    if balance > MOST:
        book.lost((n, -1), too_many(balance))
    return [(n, i) for i in range(SPECULATIVE, min(balance, MOST))]


def too_many(balance: int) -> str:
    """Say that not all is read."""
    return f"{balance} tokens, of which only {MOST} are read"


def _owned(book: Book, place: Place, result: Result, owned: list[tuple[Place, int]]) -> None:
    try:
        owned.append((place, TOKEN_OF_OWNER.decode(result)))
    except ReadFailed as failure:
        book.lost(place, f"token at index {place[1]}: {failure.cause}")
