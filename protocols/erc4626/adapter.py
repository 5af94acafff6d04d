"""Shares of ERC-4626 vaults, counted in the assets that redeeming them really pays.

Reads: `asset`, `decimals`, `symbol`, `totalAssets`, `totalSupply`, the vault's own cash; per owner
`balanceOf`, `maxWithdraw`, `maxRedeem`, `convertToAssets`, `previewRedeem`, and `redeem` itself,
simulated by the owner for all shares and for as many as `maxRedeem` allows; and what makes a
MetaMorpho (`metamorpho`). Three rounds at most.
Scales: base units of shares and of assets; a share price is assets per whole share.
Rounds: the vault's own. Views are promises: where `redeem` answers, its answer is the amount.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from chain.abi import Function
from chain.calls import NoCode, Read, ReadFailed, Reads, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.erc4626 import metamorpho
from protocols.erc4626.state import MetaMorpho, VaultHolding
from protocols.prices import expr
from protocols.types import Leg, Position, Price, Reading, Side, Token, Unpriced, Unreadable

NAME: Final = "erc4626"

ASSET: Final = Function("asset()(address)")
TOTAL_ASSETS: Final = Function("totalAssets()(uint256)")
TOTAL_SUPPLY: Final = Function("totalSupply()(uint256)")
BALANCE_OF: Final = Function("balanceOf(address)(uint256)")
MAX_WITHDRAW: Final = Function("maxWithdraw(address)(uint256)")
MAX_REDEEM: Final = Function("maxRedeem(address)(uint256)")
CONVERT: Final = Function("convertToAssets(uint256)(uint256)")
PREVIEW_REDEEM: Final = Function("previewRedeem(uint256)(uint256)")
REDEEM: Final = Function("redeem(uint256,address,address)(uint256)")

MAX_SHARE_DECIMALS: Final = 77
DUST: Final = 10**6
"""Lost assets below this part of the total are roundings, of which a 1.1 vault gathers a few."""


@dataclass(frozen=True, slots=True)
class _Vault:
    """What a vault says whoever asks."""

    address: Address
    share: Token
    asset: Token
    total_assets: int | Unknown
    total_supply: int | Unknown
    cash: int | Unknown
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Holder:
    """One account with shares."""

    owner: Address
    shares: int
    max_withdraw: int | Unknown
    max_redeem: int | Unknown

    @property
    def part(self) -> int | None:
        """Return fewer shares than all, which the vault says it would redeem."""
        allowed = self.max_redeem
        return allowed if isinstance(allowed, int) and 0 < allowed < self.shares else None


@dataclass(frozen=True, slots=True)
class _Worth:
    """What the vault answered about a holder's shares."""

    claim: int | Unknown
    preview: int | Unknown
    full: Result
    part: Result | None


@dataclass(frozen=True, slots=True)
class Erc4626:
    """The `erc4626` adapter."""

    name: ClassVar[str] = NAME
    root_key: ClassVar[str | None] = "vault"
    keys: ClassVar[Mapping[str, str]] = {}

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Return one position per account with shares, and the share price for others to use.

        Raises `ReadFailed` where there is no vault.
        """
        vault_at = market.root
        if not accounts:
            return Reading()
        results = yield [
            *_vault_reads(vault_at),
            *metamorpho.reads(vault_at),
            *(read for account in accounts for read in _account_reads(vault_at, account)),
        ]
        answers = iter(results)
        vault = _vault(vault_at, [next(answers) for _ in range(_VAULT_READS)])
        found, lost = _detect([next(answers) for _ in range(metamorpho.READS)])
        holders, failures = _holders(market, accounts, answers, at)
        if not holders:
            return Reading(tuple(failures))

        unit = 10 ** (vault.share.decimals or 0)
        lent = metamorpho.market_reads(found, vault_at, vault.asset.address) if found else ()
        results = yield [
            CONVERT.at(vault_at, unit),
            *lent,
            *(read for holder in holders for read in _worth_reads(vault_at, holder)),
        ]
        answers = iter(results)
        share_price = CONVERT.known(next(answers))
        queue_answers = [next(answers) for _ in lent]
        worths = [_worth(holder, answers) for holder in holders]

        facts: MetaMorpho | None = None
        if found is not None:
            try:
                facts = yield from _complete(found, queue_answers, vault, at)
            except ReadFailed as failure:
                lost += (f"MetaMorpho: {failure.cause}",)
        context = _Context(market, vault, share_price, found, facts, lost, at)
        positions = [context.position(h, w) for h, w in zip(holders, worths, strict=True)]
        price = context.price(list(zip(holders, worths, strict=True)))
        return Reading((*positions, *failures), (price,))


def _vault_reads(vault: Address) -> tuple[Read, ...]:
    asset = ASSET.pointer(vault)
    return (
        ASSET.at(vault),
        *tokens.reads(vault),
        *tokens.reads(asset),
        TOTAL_ASSETS.at(vault),
        TOTAL_SUPPLY.at(vault),
        BALANCE_OF.at(asset, vault),
    )


_VAULT_READS: Final = 4 + 2 * tokens.READS


def _vault(address: Address, results: Sequence[Result]) -> _Vault:
    asset, *rest = results
    if isinstance(asset, NoCode):
        raise ReadFailed(f"no vault at {address}: no contract at that address")
    if isinstance(asset, Reverted):
        raise ReadFailed(f"{address} is no ERC-4626 vault: it has no asset()")
    underlying: Address = ASSET.decode(asset)
    if underlying == ZERO_ADDRESS:
        raise ReadFailed(f"{address} is no ERC-4626 vault: its asset is the zero address")
    share, unknown_share = tokens.describe(address, rest[: tokens.READS])
    token, unknown_asset = tokens.describe(underlying, rest[tokens.READS : 2 * tokens.READS])
    if share.decimals is not None and share.decimals > MAX_SHARE_DECIMALS:
        share = Token(share.address, share.symbol, None)
    assets, supply, cash = rest[2 * tokens.READS :]
    return _Vault(
        address=address,
        share=share,
        asset=token,
        total_assets=TOTAL_ASSETS.known(assets),
        total_supply=TOTAL_SUPPLY.known(supply),
        cash=BALANCE_OF.known(cash),
        unknown=(*unknown_share, *unknown_asset),
    )


def _detect(
    results: Sequence[Result],
) -> tuple[metamorpho.Detected | None, tuple[str, ...]]:
    try:
        return metamorpho.detect(results), ()
    except ReadFailed as failure:
        return None, (f"MetaMorpho: {failure.cause}",)


def _complete(
    found: metamorpho.Detected, answers: Sequence[Result], vault: _Vault, at: BlockRef
) -> Reads[MetaMorpho]:
    if isinstance(vault.total_supply, Unknown):
        raise ReadFailed(vault.total_supply.reason)
    queued = metamorpho.markets(found, answers, at)
    rates = metamorpho.rate_reads(queued)
    results = (yield rates) if rates else ()
    return metamorpho.complete(found, queued, results, vault.total_supply, at)


def _account_reads(vault: Address, account: Address) -> tuple[Read, ...]:
    return (
        BALANCE_OF.at(vault, account),
        MAX_WITHDRAW.at(vault, account),
        MAX_REDEEM.at(vault, account),
    )


def _holders(
    market: Market, accounts: Sequence[Address], answers: Iterator[Result], at: BlockRef
) -> tuple[list[_Holder], list[Unreadable]]:
    holders: list[_Holder] = []
    lost: list[Unreadable] = []
    for account in accounts:
        balance, withdraw, redeem = next(answers), next(answers), next(answers)
        shares = BALANCE_OF.known(balance)
        if isinstance(shares, Unknown):
            lost.append(Unreadable(NAME, market.name, market.root, account, shares.reason, at))
        elif shares:
            most = MAX_REDEEM.known(redeem)
            holders.append(_Holder(account, shares, MAX_WITHDRAW.known(withdraw), most))
    return holders, lost


def _worth_reads(vault: Address, holder: _Holder) -> Iterator[Read]:
    owner = holder.owner
    yield CONVERT.at(vault, holder.shares)
    yield PREVIEW_REDEEM.at(vault, holder.shares)
    yield REDEEM.at(vault, holder.shares, owner, owner, sender=owner)
    if holder.part is not None:
        yield REDEEM.at(vault, holder.part, owner, owner, sender=owner)


def _worth(holder: _Holder, answers: Iterator[Result]) -> _Worth:
    return _Worth(
        claim=CONVERT.known(next(answers)),
        preview=PREVIEW_REDEEM.known(next(answers)),
        full=next(answers),
        part=None if holder.part is None else next(answers),
    )


@dataclass(frozen=True, slots=True)
class _Exit:
    """What redeeming pays, and what was found out on the way."""

    amount: int | None
    """What all shares are worth; None where the vault answers nothing at all."""
    redeemable: int | None
    redeemable_shares: int
    verified: bool = True
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def _exit(holder: _Holder, worth: _Worth) -> _Exit:
    paid = REDEEM.known(worth.full)
    if not isinstance(paid, Unknown):
        return _whole_exit(holder, worth, paid)
    promised = worth.preview if isinstance(worth.preview, int) else worth.claim
    amount = promised if isinstance(promised, int) else None
    unknown: tuple[str, ...] = ()
    if isinstance(promised, Unknown):
        unknown = (f"worth of the shares: {promised.reason}; {paid.reason}",)
    if not isinstance(worth.full, Reverted):
        return _Exit(amount, None, 0, unknown=(*unknown, f"redeemable now: {paid.reason}"))
    if holder.max_redeem == 0:
        why = f"nothing can be redeemed now: {paid.reason}"
        return _Exit(amount, 0, 0, notes=(why,), unknown=unknown)
    if worth.part is not None and holder.part is not None:
        partly = REDEEM.known(worth.part)
        if not isinstance(partly, Unknown):
            note = f"only {holder.part} of {holder.shares} shares can be redeemed now"
            return _Exit(amount, partly, holder.part, notes=(note,), unknown=unknown)
        said = f"maxRedeem allows {holder.part} shares, but {partly.reason}"
    elif isinstance(holder.max_redeem, Unknown):
        said = f"{holder.max_redeem.reason}; {paid.reason}"
    else:
        said = f"maxRedeem allows all shares, but {paid.reason}"
    return _Exit(amount, None, 0, unknown=(*unknown, f"redeemable now: {said}"))


def _whole_exit(holder: _Holder, worth: _Worth, paid: int) -> _Exit:
    notes: tuple[str, ...] = ()
    verified = True
    if isinstance(worth.preview, int) and worth.preview > paid:
        verified = False
        notes += (f"previewRedeem promises {worth.preview}, but redeem pays {paid}",)
    if isinstance(worth.claim, int) and worth.claim > paid and worth.claim != worth.preview:
        notes += (f"the shares convert to {worth.claim}, but redeem pays {paid}",)
    return _Exit(paid, paid, holder.shares, verified, notes)


def _called(name: str, symbol: str) -> str:
    """Return a market's name and its share's symbol; once, where the name has it already."""
    return name if symbol in name.split() else f"{name} {symbol}"


@dataclass(frozen=True, slots=True)
class _Context:
    """Everything that all positions in one vault share."""

    market: Market
    vault: _Vault
    share_price: int | Unknown
    found: metamorpho.Detected | None
    facts: MetaMorpho | None
    lost: tuple[str, ...]
    at: BlockRef

    def position(self, holder: _Holder, worth: _Worth) -> Position:
        """Return one holder's position; its leg is the underlying asset."""
        vault, exit_ = self.vault, _exit(holder, worth)
        unknown = (*vault.unknown, *self.lost, *exit_.unknown)
        legs: tuple[Leg, ...] = ()
        if exit_.amount is not None:
            legs = (Leg(vault.asset, exit_.amount, Side.ASSET, None, "underlying"),)
        notes, agrees = self._checked(holder, worth)
        state = VaultHolding(
            vault=vault.address,
            share=vault.share,
            asset=vault.asset,
            shares=holder.shares,
            claim=_or_none(worth.claim),
            preview=_or_none(worth.preview),
            max_withdraw=_or_none(holder.max_withdraw),
            max_redeem=_or_none(holder.max_redeem),
            redeemable=exit_.redeemable,
            redeemable_shares=exit_.redeemable_shares,
            share_price=_or_none(self.share_price),
            total_assets=_or_none(vault.total_assets),
            total_supply=_or_none(vault.total_supply),
            cash=_or_none(vault.cash),
            metamorpho=self.facts,
        )
        return Position(
            id=f"{self.at.chain_id}:{NAME}:{vault.address}:{holder.owner}",
            protocol=NAME,
            version=f"MetaMorpho {self.facts.version}" if self.facts else "ERC-4626",
            market=_called(self.market.name, vault.share.symbol),
            root=vault.address,
            owner=holder.owner,
            kind="vault",
            legs=legs,
            at=self.at,
            state=state,
            verified=exit_.verified and agrees,
            notes=(*exit_.notes, *notes),
            unknown=unknown,
            receipts=(vault.address,),
        )

    def _checked(self, holder: _Holder, worth: _Worth) -> tuple[tuple[str, ...], bool]:
        """Compare a MetaMorpho's own views with what its markets give."""
        facts, found, supply = self.facts, self.found, self.vault.total_supply
        if facts is None or found is None or isinstance(supply, Unknown):
            return (), True
        notes: tuple[str, ...] = ()
        agrees = True
        ours = metamorpho.convert_to_assets(found, facts, holder.shares, supply)
        if isinstance(worth.claim, int) and worth.claim != ours:
            agrees = False
            notes += (f"convertToAssets answers {worth.claim}, but its markets give {ours}",)
        most = min(ours, facts.withdrawable)
        if isinstance(holder.max_withdraw, int) and holder.max_withdraw != most:
            agrees = False
            notes += (f"maxWithdraw answers {holder.max_withdraw}, but its markets let out {most}",)
        if (facts.lost_assets or 0) * DUST > facts.total_assets:
            notes += (
                f"the vault counts {facts.lost_assets} base units of bad debt as if it were there",
            )
        return notes, agrees

    def price(self, held: Sequence[tuple[_Holder, _Worth]]) -> Price | Unpriced:
        """Return the price of a whole share in the asset."""
        vault, source = self.vault, expr.Ratio(self.vault.address)
        if isinstance(self.share_price, Unknown):
            return Unpriced(vault.address, str(source), self.share_price.reason)
        if vault.share.decimals is None or vault.asset.decimals is None:
            cause = "the decimals of the shares or of the asset are unknown"
            return Unpriced(vault.address, str(source), cause)
        problems: tuple[str, ...] = ()
        for holder, worth in held:
            paid = REDEEM.known(worth.full)
            if isinstance(paid, int) and isinstance(worth.claim, int) and worth.claim > paid:
                problems = (f"redeem pays {paid} where the share price says {worth.claim}",)
            elif isinstance(worth.full, Reverted) and holder.max_redeem != 0:
                problems = problems or ("not all shares can be redeemed now",)
        return Price(
            token=vault.address,
            quote=vault.asset.address,
            raw=self.share_price,
            decimals=vault.asset.decimals,
            source=str(source),
            factor=expr.factor(source),
            updated_at=None,
            label=f"{vault.share.symbol} / {vault.asset.symbol}",
            problems=problems,
        )


def _or_none(value: int | Unknown) -> int | None:
    return None if isinstance(value, Unknown) else value
