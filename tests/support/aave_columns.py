"""Made-up markets of any size as columns, without a chain."""

import numpy as np

from chain.types import BlockRef
from chain.units import RAY
from protocols.aave_v3.columns import LIMBS, Columns, Kind
from protocols.aave_v3.rules import NEWEST, Rules
from protocols.aave_v3.state import EMode, Quote, Reserve
from tests.chain.helpers import address

AT = BlockRef(1, 20_000_000, "0x" + "ab" * 32, "0x" + "cd" * 32, 1_750_000_000)


def reserves(count: int, seed: int = 0) -> tuple[Reserve, ...]:
    """Return reserves with ids 0 to `count` - 1, random terms, each with a price of its own."""
    dice = np.random.default_rng(seed)
    made = []
    for i in range(count):
        decimals = int(dice.choice([6, 8, 18]))
        threshold = int(dice.integers(6000, 9500))
        configuration = (
            (threshold - 300) | threshold << 16 | 10_500 << 32 | decimals << 48 | 1 << 56
        )
        price = int(10 ** dice.uniform(7, 13))
        made.append(
            Reserve(
                id=i,
                asset=address(0xA000 + i),
                symbol=f"T{i}",
                configuration=configuration,
                liquidity_index=RAY + int(dice.integers(0, 10**18)) * 10**8,
                liquidity_rate=int(dice.integers(0, 10**17)) * 10**9,
                borrow_index=RAY + int(dice.integers(0, 10**18)) * 2 * 10**8,
                borrow_rate=int(dice.integers(0, 10**17)) * 2 * 10**9,
                updated_at=AT.timestamp - int(dice.integers(0, 86_400)),
                quote=Quote(f"factor {i}", price, 8, label=f"T{i} / USD"),
            )
        )
    return tuple(made)


def columns(
    accounts: int,
    reserve_count: int,
    *,
    seed: int = 0,
    per_account: float = 4.0,
    rules: Rules | None = None,
) -> Columns:
    """Return random accounts: each a few supplies and, often, a debt that is about half of them.

    `per_account` is the mean number of entries. One account in eight is in e-mode 1, which covers
    the first third of the reserves.
    """
    dice = np.random.default_rng(seed)
    market = reserves(reserve_count, seed)
    unit = np.array([10.0**r.decimals / r.quote.raw for r in market if r.quote is not None])
    share = min(1.0, per_account / (2 * reserve_count))
    held = dice.random((accounts, reserve_count, 2)) < share
    held[np.arange(accounts), dice.integers(0, reserve_count, accounts), 0] = True
    account, reserve, kind = np.nonzero(held)
    dollars = 10 ** dice.uniform(2, 6, len(account)) * np.where(kind == 0, 2.0, 0.6)
    amount = np.maximum(dollars * 1e8 * unit[reserve], 1.0)
    hi = np.floor(amount / 2.0**64)
    lo = np.minimum(amount - hi * 2.0**64, 2.0**64 - 2048)
    bits = 2 * reserve + np.where(kind == 0, 1, 0)
    configuration = np.zeros((accounts, LIMBS), np.uint64)
    np.bitwise_or.at(
        configuration, (account, bits >> 6), np.uint64(1) << (bits & 63).astype(np.uint64)
    )
    category = EMode(1, 9500, 10_100, (1 << max(1, reserve_count // 3)) - 1)
    return Columns(
        at=AT,
        rules=rules or Rules(NEWEST),
        reserves=market,
        emodes={1: category},
        accounts=dice.integers(0, 256, (accounts, 20), dtype=np.uint8),
        configuration=configuration,
        emode=(dice.random(accounts) < 0.125).astype(np.uint8),
        account=account.astype(np.uint32),
        reserve=reserve.astype(np.uint16),
        kind=np.where(kind == 0, Kind.SUPPLY, Kind.DEBT).astype(np.uint8),
        hi=hi.astype(np.uint64),
        lo=lo.astype(np.uint64),
    )
