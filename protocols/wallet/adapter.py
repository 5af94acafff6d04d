"""Read what accounts hold themselves: the native coin, listed tokens, and allowances given.

Reads, one round: the native balance; per token `symbol`, `decimals`, and per account `balanceOf`
and `allowance` for each listed spender.
Scales: base units. Rounds: nothing is computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from chain.abi import Function, explain
from chain.calls import NativeBalance, Ok, Read, ReadFailed, Reads, Result
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.types import AllowanceGiven, Leg, Position, Reading, Side, Token

BALANCE_OF: Final = Function("balanceOf(address)(uint256)")
ALLOWANCE: Final = Function("allowance(address,address)(uint256)")

UINT96_MAX: Final = 2**96 - 1
"""What tokens that keep 96-bit amounts (UNI, COMP) turn an unlimited approval into."""
UNLIMITED: Final = 2**255
"""From here on it was meant as unlimited, however much of it a token has counted down."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """The account's own balances, and allowances; `tokens` and `spenders` are configured."""

    name: ClassVar[str] = "wallet"
    root_key: ClassVar[str | None] = None
    keys: ClassVar[Mapping[str, str]] = {"tokens": "addresses", "spenders": "addresses"}

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Yield the reads, return one position per account that holds or allows anything.

        Takes, beside the configured keys, `native_symbol`: what the chain calls its coin.
        """
        listed = Listed.of(market)
        spenders = listed.spenders
        asked: list[Read] = [NativeBalance(account) for account in accounts]
        for coin in listed.tokens:
            asked += tokens.reads(coin)
            for account in accounts:
                asked.append(BALANCE_OF.at(coin, account))
                asked += [ALLOWANCE.at(coin, account, spender) for spender in spenders]
        results = iter((yield asked))

        holdings = [Holding() for _ in accounts]
        for holding in holdings:
            holding.native(listed.native, next(results))
        for coin in listed.tokens:
            token, unknown = tokens.describe(coin, [next(results) for _ in range(tokens.READS)])
            for holding in holdings:
                holding.balance(token, next(results), unknown)
                for spender in spenders:
                    holding.allowance(token, spender, next(results), unknown)
        return Reading(
            tuple(
                holding.position(market, account, at)
                for account, holding in zip(accounts, holdings, strict=True)
                if holding
            )
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """What a wallet market names, each once."""

    native: Token
    tokens: tuple[Address, ...]
    spenders: tuple[Address, ...]

    @classmethod
    def of(cls, market: Market) -> Self:
        """Return it from the market's params."""
        params = market.params
        return cls(
            tokens.native(params.get("native_symbol", "ETH")),
            tuple(dict.fromkeys(params.get("tokens", ()))),
            tuple(dict.fromkeys(params.get("spenders", ()))),
        )


class Holding:
    """What one account turns out to hold."""

    def __init__(self) -> None:
        self.legs: list[Leg] = []
        self.allowances: list[AllowanceGiven] = []
        self.unknown: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.legs or self.allowances or self.unknown)

    def native(self, token: Token, result: Result) -> None:
        """Take the native balance."""
        if not (isinstance(result, Ok) and len(result.data) == 32):
            cause = "not one word" if isinstance(result, Ok) else explain(result)
            self.unknown.append(f"native balance: {cause}")
        elif amount := int.from_bytes(result.data, "big"):
            self.legs.append(Leg(token, amount, Side.ASSET))

    def balance(self, token: Token, result: Result, about: tuple[str, ...]) -> None:
        """Take a token's balance; `about` is what is unknown of the token itself."""
        try:
            amount: int = BALANCE_OF.decode(result)
        except ReadFailed as failure:
            self.unknown.append(f"{_called(token)}: {failure.cause}")
            return
        if amount:
            self.legs.append(Leg(token, amount, Side.ASSET))
            self._note(about)

    def allowance(
        self, token: Token, spender: Address, result: Result, about: tuple[str, ...]
    ) -> None:
        """Take what `spender` may take."""
        try:
            amount: int = ALLOWANCE.decode(result)
        except ReadFailed as failure:
            who = tokens.short(spender)
            self.unknown.append(f"{_called(token)} allowance of {who}: {failure.cause}")
            return
        if amount:
            unlimited = amount >= UNLIMITED or amount == UINT96_MAX
            self.allowances.append(AllowanceGiven(token, spender, amount, unlimited))
            self._note(about)

    def _note(self, about: tuple[str, ...]) -> None:
        self.unknown += [cause for cause in about if cause not in self.unknown]

    def position(self, market: Market, owner: Address, at: BlockRef) -> Position:
        """Return it all as a position."""
        return Position(
            id=f"{at.chain_id}:{Wallet.name}:{market.root}:{owner}",
            protocol=Wallet.name,
            version="",
            market=market.name,
            root=market.root,
            owner=owner,
            kind="wallet",
            legs=tuple(self.legs),
            at=at,
            unknown=tuple(self.unknown),
            allowances=tuple(self.allowances),
        )


def _called(token: Token) -> str:
    return f"{token.symbol} ({tokens.short(token.address)})"
