"""Positions in the isolated markets of a Morpho Blue contract.

Reads: Morpho `feeRecipient`, `idToMarketParams`, `market`, `position`; the IRM (`irm`); the oracle
and what is behind it (`oracle`); both tokens. Three rounds at most.
Scales: token base units; `lltv`, `fee` wads; the oracle's price 1e36 on base units.
Rounds: everything is accrued to the block first, as `Morpho._accrueInterest`; supply down, debt up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chain.calls import Read, ReadFailed, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols import tokens
from protocols.adapter import Market
from protocols.morpho import (
    FEE_RECIPIENT,
    ID_TO_MARKET_PARAMS,
    MARKET,
    POSITION,
    AccrualReverts,
    Accrued,
    MarketParams,
    Totals,
    accrue,
    decode_params,
    decode_totals,
)
from protocols.morpho_blue import irm, oracle
from protocols.morpho_blue.state import MorphoPosition
from protocols.root import check_root
from protocols.types import Leg, Position, Price, Reading, Side, Token, Unpriced, Unreadable

NAME = "morpho-blue"


@dataclass(frozen=True, slots=True)
class _Holding:
    """One account's stored position."""

    owner: Address
    supply_shares: int
    borrow_shares: int
    collateral: int


@dataclass(frozen=True, slots=True)
class _Held:
    """One market that a watched account is in."""

    id: bytes
    params: MarketParams
    totals: Totals
    holdings: tuple[_Holding, ...]
    trusted: bool
    """Whether the owner named the market, or borrows in it."""

    @property
    def needs_price(self) -> bool:
        # Anybody can make a market of any oracle, and give others collateral there unasked.
        priced = self.trusted and any(h.collateral or h.borrow_shares for h in self.holdings)
        return priced and self.params.oracle != ZERO_ADDRESS


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the second and third round told about a held market."""

    rate: irm.Rate | ReadFailed
    oracle: oracle.OracleAnswer | None
    tokens: Mapping[Address, tuple[Token, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class MorphoBlue:
    """The `morpho-blue` adapter."""

    name: ClassVar[str] = NAME
    root_key: ClassVar[str | None] = "morpho"
    keys: ClassVar[Mapping[str, str]] = {"market_ids": "ids"}

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Return one position per account and market held.

        A market that cannot be read is `Unreadable`. Raises `ReadFailed` where there is no Morpho.
        Takes, beside the configured keys, `discovered`: which ids the owner did not name. What is
        collateral there without a debt has no price of the market's own: its oracle may be
        anybody's, and must not say what an account is worth.
        """
        ids = tuple(dict.fromkeys(market_id(i) for i in market.params.get("market_ids", ())))
        if not ids or not accounts:
            return Reading()
        unasked = {market_id(i) for i in market.params.get("discovered", ())}
        results = yield [
            FEE_RECIPIENT.at(market.root),
            *(read for i in ids for read in _first_reads(market.root, i, accounts)),
        ]
        check_root(market.root, "Morpho", FEE_RECIPIENT, results[0])
        recipient = FEE_RECIPIENT.known(results[0])
        answers = iter(results[1:])
        held: list[_Held] = []
        lost: list[Position | Unreadable] = []
        for i in ids:
            named = i not in unasked
            found, failures = _held(market, i, accounts, answers, recipient, at, named)
            held += [found] if found else []
            lost += failures
        if not held:
            return Reading(tuple(lost))
        facts = yield from _facts(held, at)
        positions = [
            _position(market, one, fact, holding, recipient, at)
            for one, fact in zip(held, facts, strict=True)
            for holding in one.holdings
        ]
        return Reading((*(p for p in positions if p is not None), *lost))


def market_id(text: str | bytes) -> bytes:
    """Return the 32 bytes of a market id as the config writes it; raises `ReadFailed`."""
    try:
        raw = text if isinstance(text, bytes) else bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ReadFailed(f"{text!r} is not a market id: expected 0x and 64 hex digits")
    return raw


def _first_reads(morpho: Address, i: bytes, accounts: Sequence[Address]) -> Iterator[Read]:
    yield ID_TO_MARKET_PARAMS.at(morpho, i)
    yield MARKET.at(morpho, i)
    for account in accounts:
        yield POSITION.at(morpho, i, account)


def _held(
    market: Market,
    i: bytes,
    accounts: Sequence[Address],
    answers: Iterator[Result],
    recipient: Address | Unknown,
    at: BlockRef,
    named: bool,
) -> tuple[_Held | None, list[Unreadable]]:
    params_answer, totals_answer = next(answers), next(answers)
    position_answers = [next(answers) for _ in accounts]
    name = f"{market.name} 0x{i.hex()[:8]}…"
    try:
        params = decode_params(i, params_answer)
        totals = decode_totals(totals_answer, at.timestamp)
        if params.lltv >= 10**18:
            raise ReadFailed("idToMarketParams: a threshold of 100 % or more")
    except ReadFailed as failure:
        return None, [Unreadable(NAME, name, market.root, None, failure.cause, at)]
    holdings: list[_Holding] = []
    lost: list[Unreadable] = []
    for account, result in zip(accounts, position_answers, strict=True):
        try:
            holding = _Holding(account, *POSITION.decode(result))
            fees_only = account == recipient and totals.fee > 0
            if holding.borrow_shares > totals.borrow_shares:
                raise ReadFailed("position: owes more shares than the market")
            if holding.supply_shares > totals.supply_shares:
                raise ReadFailed("position: holds more shares than the market")
            if any((holding.supply_shares, holding.borrow_shares, holding.collateral, fees_only)):
                holdings.append(holding)
        except ReadFailed as failure:
            lost.append(Unreadable(NAME, name, market.root, account, failure.cause, at))
    if not holdings:
        return None, lost
    trusted = named or any(h.borrow_shares for h in holdings)
    return _Held(i, params, totals, tuple(holdings), trusted), lost


def _facts(held: Sequence[_Held], at: BlockRef) -> Reads[list[_Facts]]:
    """Read tokens, rates and oracles of all held markets; each token and oracle once."""
    wanted = dict.fromkeys(
        token
        for one in held
        for token in (one.params.loan_token, one.params.collateral_token)
        if token != ZERO_ADDRESS
    )
    oracles = dict.fromkeys(one.params.oracle for one in held if one.needs_price)
    rate_reads = [irm.reads(one.params, one.totals, at) for one in held]
    results = yield [
        *(read for token in wanted for read in tokens.reads(token)),
        *(read for reads in rate_reads for read in reads),
        *(read for address in oracles for read in oracle.reads(address)),
    ]
    answers = iter(results)
    described = {
        token: tokens.describe(token, [next(answers) for _ in range(tokens.READS)])
        for token in wanted
    }
    rates = [
        _rate(one, [next(answers) for _ in reads], at)
        for one, reads in zip(held, rate_reads, strict=True)
    ]
    shapes = [
        oracle.shape(address, [next(answers) for _ in range(oracle.READS)], at)
        for address in oracles
    ]
    vaults = [read for shape in shapes for read in oracle.vault_reads(shape)]
    shares = iter((yield vaults) if vaults else ())
    told = {
        shape.address: oracle.answer(shape, [next(shares) for _ in oracle.vault_reads(shape)])
        for shape in shapes
    }
    return [
        _Facts(rate, told.get(one.params.oracle) if one.needs_price else None, described)
        for one, rate in zip(held, rates, strict=True)
    ]


def _rate(one: _Held, results: Sequence[Result], at: BlockRef) -> irm.Rate | ReadFailed:
    try:
        return irm.decode(one.params, one.totals, results, at)
    except ReadFailed as failure:
        return failure


def _position(
    market: Market,
    one: _Held,
    facts: _Facts,
    holding: _Holding,
    recipient: Address | Unknown,
    at: BlockRef,
) -> Position | None:
    loan, unknown = facts.tokens[one.params.loan_token]
    collateral: Token | None = None
    if one.params.collateral_token != ZERO_ADDRESS:
        collateral, cause = facts.tokens[one.params.collateral_token]
        unknown += cause
    rate, answer = facts.rate, facts.oracle
    if isinstance(recipient, Unknown) and one.totals.fee:
        unknown += (f"fee shares: {recipient.reason}",)
    if answer is not None and answer.oracle is None and holding.borrow_shares:
        unknown += (f"oracle: {answer.cause}",)
    accrued: Accrued | None = None
    if isinstance(rate, ReadFailed):
        unknown += (f"interest: {rate.cause}",)
    else:
        unknown += rate.unknown
        try:
            accrued = accrue(one.totals, rate.average, at.timestamp)
        except AccrualReverts as reverts:
            unknown += (f"interest: Morpho cannot accrue this market: {reverts}",)

    price = answer.priced(collateral, loan) if answer and collateral else None
    supply_shares = holding.supply_shares
    legs = _collateral_leg(collateral, holding.collateral, price)
    state: MorphoPosition | None = None
    if accrued is not None and not isinstance(rate, ReadFailed):
        if holding.owner == recipient:
            supply_shares += accrued.fee_shares
        if not (supply_shares or holding.borrow_shares or holding.collateral):
            return None
        state = MorphoPosition(
            market_id="0x" + one.id.hex(),
            params=one.params,
            loan=loan,
            collateral_token=collateral,
            stored=one.totals,
            accrued=accrued,
            rate=rate.average,
            rate_at_target=rate.at_target,
            timestamp=at.timestamp,
            supply_shares=supply_shares,
            borrow_shares=holding.borrow_shares,
            collateral=holding.collateral,
            oracle=answer.oracle if answer else None,
        )
        if supply_shares:
            legs += (Leg(loan, state.supplied, Side.ASSET, None, "supply"),)
        if holding.borrow_shares:
            legs += (Leg(loan, state.borrowed, Side.DEBT, None, "debt"),)
    pair = f"{collateral.symbol}/{loan.symbol}" if collateral else loan.symbol
    return Position(
        id=f"{at.chain_id}:{NAME}:{market.root}:{holding.owner}:0x{one.id.hex()}",
        protocol=NAME,
        version=_version(one, rate),
        market=f"{market.name} {pair} {one.params.lltv / 10**16:g}%",
        root=market.root,
        owner=holding.owner,
        kind="lending",
        legs=legs,
        at=at,
        state=state,
        notes=_notes(one, rate, state),
        unknown=unknown,
    )


def _collateral_leg(
    token: Token | None, amount: int, price: Price | Unpriced | None
) -> tuple[Leg, ...]:
    if not amount or token is None:
        return ()
    return (Leg(token, amount, Side.COLLATERAL, price, "collateral"),)


def _version(one: _Held, rate: irm.Rate | ReadFailed) -> str:
    if one.params.irm == ZERO_ADDRESS:
        return "no rate model"
    if isinstance(rate, ReadFailed) or rate.at_target is None:
        return f"rate model {tokens.short(one.params.irm)}"
    return "AdaptiveCurveIrm"


def _notes(
    one: _Held, rate: irm.Rate | ReadFailed, state: MorphoPosition | None
) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if (
        one.params.irm != ZERO_ADDRESS
        and isinstance(rate, irm.Rate)
        and rate.at_target is None
        and not rate.unknown
    ):
        notes += ("unfamiliar rate model: times assume that today's rate stays",)
    if state is not None and state.withdrawable < state.supplied:
        notes += (
            f"only {state.withdrawable} of {state.supplied} supplied base units can leave now: "
            "the rest is lent out",
        )
    return notes
