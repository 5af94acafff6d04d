"""What many accounts hold themselves, as arrays: what the adapter reads, by a lens where one runs.

Reads, Scales, Rounds: as the adapter. One round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chain import grid
from chain.bulk import Bulk
from chain.grid import U8, Grid
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.types import Position, Token
from protocols.wallet.adapter import ALLOWANCE, BALANCE_OF, Holding, Listed


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """P accounts, and their balances and allowances other than zero.

    `grid.question` is 0 for the native coin; then, token by token, the balance and the allowance
    of each spender: `place` finds them.
    """

    at: BlockRef
    market: Market
    native: Token
    tokens: tuple[Token, ...]
    spenders: tuple[Address, ...]
    about: tuple[tuple[str, ...], ...]
    """By token: what is unknown of the token itself."""
    grid: Grid

    def place(self, token: int, spender: int | None = None) -> int:
        """Return the question of a token's balance, or of what a spender may take of it."""
        return 1 + token * (1 + len(self.spenders)) + (0 if spender is None else 1 + spender)

    def position(self, row: int) -> Position | None:
        """Return one account as the adapter would; None where it holds and allows nothing."""
        results = iter(self.grid.results(row))
        holding = Holding()
        holding.native(self.native, next(results))
        for token, about in zip(self.tokens, self.about, strict=True):
            holding.balance(token, next(results), about)
            for spender in self.spenders:
                holding.allowance(token, spender, next(results), about)
        if not holding:
            return None
        return holding.position(self.market, self.grid.address(row), self.at)


def read_holdings(market: Market, accounts: Sequence[Address] | U8, at: BlockRef) -> Bulk[Holdings]:
    """Read accounts, given as addresses or as (P, 20) bytes, of a wallet market."""
    listed = Listed.of(market)
    questions = [grid.NATIVE]
    for token in listed.tokens:
        questions.append(grid.question(BALANCE_OF, token, grid.Hole.ACCOUNT))
        questions += [
            grid.question(ALLOWANCE, token, grid.Hole.ACCOUNT, spender)
            for spender in listed.spenders
        ]
    names = [read for token in listed.tokens for read in tokens.reads(token)]
    found, said = yield from grid.ask(accounts, questions, beside=names)
    described = [
        tokens.describe(token, said[i * tokens.READS : (i + 1) * tokens.READS])
        for i, token in enumerate(listed.tokens)
    ]
    return Holdings(
        at=at,
        market=market,
        native=listed.native,
        tokens=tuple(token for token, _ in described),
        spenders=listed.spenders,
        about=tuple(about for _, about in described),
        grid=found,
    )
