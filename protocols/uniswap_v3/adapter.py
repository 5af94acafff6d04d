"""Read every Uniswap v3 position of an owner.

Reads: `factory`, `name`; per owner `balanceOf` and `tokenOfOwnerByIndex`; `positions` of each
token; through `factory.getPool` the pool's price, fee growth, ticks, the manager's own account in
the range, the mean tick, and the tokens' metadata. One run of contracts/src/UniswapLens.sol reads
all of it; what it does not answer, or where no lens runs, everything, takes ordinary reads.
Scales: base units; square-root prices Q64.96; fee growth Q128.128.
Rounds: amounts as `decreaseLiquidity` of everything pays them (down, twice for token0), fees as
`collect` pays them after it. The manager holds all its owners' liquidity of a range in one
account of the pool, whose fees are rounded down at each touch; what it has not got, it cannot
pay, so the fees are capped by that account.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from chain.calls import Ok, ReadFailed, Reads, Result, Run
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.types import Reading
from protocols.uniswap_v3 import lens, plain
from protocols.uniswap_v3.facts import Place
from protocols.uniswap_v3.ledger import Ledger
from protocols.uniswap_v3.position import PROTOCOL

ITEMS: Final = 8
"""Full pages of one run: half of what a node mostly gives a call."""
OWNERS: Final = 100
"""Owners of one run, of whom most have few NFTs."""
Item = tuple[int, bytes]
"""The place of an owner among the accounts, and what of it is asked for."""


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """Liquidity positions held as NFTs of a `NonfungiblePositionManager`."""

    name: ClassVar[str] = PROTOCOL
    root_key: ClassVar[str | None] = "position_manager"
    keys: ClassVar[Mapping[str, str]] = {}

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Yield the reads, return every position that holds liquidity or owes fees."""
        owners = [bytes.fromhex(account[2:]) for account in accounts]
        ledger, taking = Ledger(market, accounts, at), Taking(set(), [])
        todo = [(n, lens.item(owner)) for n, owner in enumerate(owners)]
        size = OWNERS
        while todo:
            parts = [todo[i : i + size] for i in range(0, len(todo), size)]
            head = lens.head(market.root)
            results = yield [
                Run(lens.PROGRAM, head + b"".join(item for _, item in part)) for part in parts
            ]
            todo, size = [], ITEMS
            for part, result in zip(parts, results, strict=True):
                todo += taking.run(ledger, part, result)
        if taking.owners or taking.nfts or not accounts:
            left = [(p, token) for p, token in taking.nfts if p[0] not in taking.owners]
            ledger.drop(taking.owners)
            yield from plain.read(ledger, sorted(taking.owners), left)
        return ledger.reading()


@dataclass(slots=True)
class Taking:
    """What runs of the lens leave to ordinary reads."""

    owners: set[int]
    nfts: list[tuple[Place, int]]

    def run(self, ledger: Ledger, part: Sequence[Item], result: Result) -> Iterator[Item]:
        """Take one run; yield what is to be asked for next."""
        answer = _answer(result, len(part))
        if answer is None:
            self.owners.update(n for n, _ in part)
            return
        ledger.version = tokens.text(answer.version) or ""
        for (n, item), (status, more, balance) in zip(
            part[: answer.done], answer.items, strict=False
        ):
            owner, first, count = lens.ITEM.unpack(item)
            if status or more:
                self.owners.add(n)
            elif first == 0 and balance > count:
                if balance > plain.MOST:
                    ledger.lost((n, -1), plain.too_many(balance))
                last = min(balance, plain.MOST)
                yield from ((n, page) for page in lens.pages(owner, count, last))
        for row in lens.rows(answer.nfts):
            n = part[row[0]][0]
            place = (n, row[1])
            found = answer.pools[row[4]] if row[4] != lens.NO_POOL else None
            if row[2]:
                self.owners.add(n)
            elif found is None or not lens.answered(row):
                self.nfts.append((place, row[3]))
            else:
                ledger.take(place, *lens.nft(row, ledger.accounts[n], found))
        yield from part[answer.done :]


def _answer(result: Result, asked: int) -> lens.Answer | None:
    """Return a run's answer; None where it says nothing that can be used."""
    if not isinstance(result, Ok) or len(result.data) < 4:
        return None
    done = int.from_bytes(result.data[:4], "big")
    try:
        answer = lens.decode(result.data[4:], asked, done)
    except ReadFailed:
        return None
    return answer if done and answer.factory else None
