"""Aave accounts made by hand or by hypothesis, and the contracts' formulas written once more.

The formulas here are transcribed from `GenericLogic` and `MathUtils` release by release, loop and
all, apart from the code under test.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from chain.types import Address, checksum
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, EMode, Holding, Quote, Reserve, StableDebt
from protocols.types import Position
from tests.protocols.prices.build import AT

RAY = 10**27
NOW = 1_700_000_000
YEAR = 31_536_000
MAX = 2**256 - 1


def asset(number: int) -> Address:
    """Return the address of a made-up asset."""
    return checksum(f"0x{number:040x}")


def configuration(
    *,
    ltv: int = 7500,
    threshold: int = 8000,
    bonus: int = 10500,
    decimals: int = 18,
    fee: int = 1000,
    category: int = 0,
    flags: int = 1 << 56,
    ceiling: int = 0,
) -> int:
    """Return a reserve's bitmap; `flags` defaults to active."""
    return (
        ltv
        | threshold << 16
        | bonus << 32
        | decimals << 48
        | flags
        | fee << 152
        | category << 168
        | ceiling << 212
    )


def quote(raw: int, factor: str = "", **more: Any) -> Quote:
    """Return a price of eight decimals."""
    return Quote(factor or f"factor {raw}", raw, 8, **more)


def reserve(number: int, price: Quote | None, bitmap: int | None = None, **more: Any) -> Reserve:
    """Return a reserve whose indexes were set now and grow at no rate, unless said."""
    given = {
        "liquidity_index": RAY,
        "liquidity_rate": 0,
        "borrow_index": RAY,
        "borrow_rate": 0,
        "updated_at": NOW,
    } | more
    bits = configuration() if bitmap is None else bitmap
    return Reserve(number, asset(0xA0 + number), f"T{number}", bits, quote=price, **given)


def supplied(one: Reserve, amount: int) -> Holding:
    """Return collateral."""
    return Holding(one, amount, collateral=True)


def owed(one: Reserve, amount: int, **more: Any) -> Holding:
    """Return variable debt."""
    return Holding(one, 0, amount, borrowing=True, **more)


def account(revision: int | None, *holdings: Holding, **more: Any) -> AaveAccount:
    """Return an account of a pool of this revision, counting in dollars."""
    given = {"emode": None, "liquidation_allowed": True, "base_decimals": 8} | more
    return AaveAccount(Rules(revision), NOW, tuple(holdings), **given)


def position(state: AaveAccount | None, **more: Any) -> Position:
    """Return a position that holds nothing but its state."""
    owner = asset(0xEE)
    return Position(
        *("1:aave-v3:x", "aave-v3", "rev 10", "m", asset(1), owner, "lending", (), AT),
        state=state,
        **more,
    )


def transcribed(
    state: AaveAccount, prices: Mapping[str, int] | None = None, at: int | None = None
) -> tuple[int, int, int, int]:
    """Return (collateral, debt, average threshold, health) as the contract's loop does."""
    revision, when = state.rules.engine, state.timestamp if at is None else at
    total, weighted, debt = 0, 0, 0
    for holding in state.holdings:
        one = holding.reserve
        used = one.quote
        in_emode = state.emode is not None and (
            one.configuration >> 168 & 0xFF == state.emode.category
            if revision <= 4
            else bool((state.emode.bitmap or 0) & 1 << one.id)
        )
        if in_emode and revision <= 4 and state.emode and state.emode.quote is not None:
            used = state.emode.quote
        if used is None:
            assert not holding.collateral
            assert not holding.borrowing
            continue
        factor = (prices or {}).get(used.factor, used.raw)
        price = factor * used.num // used.den
        if used.cap is not None and price > used.cap:
            price = used.cap
        unit = 10 ** (one.configuration >> 48 & 0xFF)
        threshold = one.configuration >> 16 & 0xFFFF
        income, owing = _indexes(one, revision, when)
        if holding.collateral and not (revision <= 9 and threshold == 0):
            if revision >= 9:
                balance = holding.scaled_supply * income // RAY
            else:
                balance = (holding.scaled_supply * income + RAY // 2) // RAY
            value = balance * price // unit
            total += value
            if in_emode and state.emode:
                threshold = state.emode.liquidation_threshold
            weighted += value * threshold
        if holding.borrowing:
            if revision >= 9:
                amount = -(-holding.scaled_debt * owing // RAY)
                debt += -(-amount * price // unit)
            else:
                amount = (holding.scaled_debt * owing + RAY // 2) // RAY
                if holding.stable is not None:
                    grown = _compound(
                        holding.stable.rate, when - holding.stable.updated_at, revision
                    )
                    amount += (holding.stable.principal * grown + RAY // 2) // RAY
                debt += amount * price // unit
    average = weighted // total if total else 0
    if debt == 0:
        return total, debt, average, MAX
    if revision >= 9:
        return total, debt, average, (weighted * 10**18 + debt // 2) // debt // 10**4
    adjusted = (total * average + 5000) // 10**4
    return total, debt, average, (adjusted * 10**18 + debt // 2) // debt


def _indexes(one: Reserve, revision: int, when: int) -> tuple[int, int]:
    elapsed = when - one.updated_at
    growth = RAY + one.liquidity_rate * elapsed // YEAR
    income = (growth * one.liquidity_index + RAY // 2) // RAY
    growth = _compound(one.borrow_rate, elapsed, revision)
    return income, (growth * one.borrow_index + RAY // 2) // RAY


def _compound(rate: int, elapsed: int, revision: int) -> int:
    if elapsed == 0:
        return RAY
    if revision >= 8:
        x = rate * elapsed // YEAR
        third = (x * (x // 6) + RAY // 2) // RAY
        return RAY + x + (x * (x // 2 + third) + RAY // 2) // RAY
    square = (rate * rate + RAY // 2) // RAY // (YEAR * YEAR)
    cube = (square * rate + RAY // 2) // RAY // YEAR
    second = elapsed * (elapsed - 1) * square // 2
    third = elapsed * (elapsed - 1) * max(elapsed - 2, 0) * cube // 6
    return RAY + rate * elapsed // YEAR + second + third


PRICES = st.integers(10**6, 10**13)
AMOUNTS = st.integers(1, 10**24)
RATES = st.integers(0, 3 * RAY)


@st.composite
def accounts(
    draw: st.DrawFn,
    revisions: Sequence[int] = (1, 4, 6, 8, 9, 10, 11),
    prices: st.SearchStrategy[int] = PRICES,
    amounts: st.SearchStrategy[int] = AMOUNTS,
    decimals: Sequence[int] = (2, 6, 8, 18),
    rates: st.SearchStrategy[int] = RATES,
) -> AaveAccount:
    """Draw an account of one to four reserves, perhaps in e-mode, perhaps with shared feeds."""
    revision = draw(st.sampled_from(revisions))
    count = draw(st.integers(2, 4))
    common = Quote("common", draw(prices), 8)
    holdings = []
    for i in range(count):
        one_of = draw(st.integers(0, 5))
        price = common if one_of == 0 else Quote(f"f{i}", draw(prices), 8)
        bitmap = configuration(
            threshold=draw(st.sampled_from((0, 1, 5000, 7801, 8000, 8255, 9500))),
            decimals=draw(st.sampled_from(decimals)),
            category=draw(st.integers(0, 1)),
        )
        holds = draw(amounts) if i == 0 or draw(st.booleans()) else 0
        owes = draw(amounts) if i == count - 1 or draw(st.integers(0, 2)) == 0 else 0
        stable = None
        if revision <= 4 and owes and draw(st.booleans()):
            stable = StableDebt(draw(amounts), draw(rates), NOW - draw(st.integers(0, YEAR)))
        one = reserve(
            i,
            price,
            bitmap,
            liquidity_index=draw(st.integers(RAY, 2 * RAY)),
            liquidity_rate=draw(rates),
            borrow_index=draw(st.integers(RAY, 2 * RAY)),
            borrow_rate=draw(rates),
            updated_at=NOW - draw(st.integers(0, YEAR)),
        )
        flag = bool(holds) and draw(st.integers(0, 4)) > 0
        holdings.append(Holding(one, holds, owes, flag, bool(owes), stable))
    emode = None
    if draw(st.booleans()):
        bits = None if revision <= 4 else draw(st.integers(0, 2**count - 1))
        own = None
        if revision <= 4 and draw(st.booleans()):
            own = Quote("e-mode", draw(prices), 8)
        emode = EMode(1, draw(st.sampled_from((9000, 9300, 9500))), 10100, bits, own)
    return account(revision, *holdings, emode=emode)
