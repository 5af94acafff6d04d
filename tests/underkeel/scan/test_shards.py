"""Shards put together are the whole."""

from dataclasses import replace

import numpy as np
import pytest

from bench.synthetic import market
from chain.client import ChainSpec
from chain.types import Address
from protocols.aave_v3.columns import Columns, Kind, Way
from tests.protocols.prices.build import AT
from underkeel.scan.shards import cut, joined

SPEC = ChainSpec("x", 1, ("http://127.0.0.1:1",))
ROOT = Address("0x" + "11" * 20)


def part(columns: Columns, first: int, last: int) -> Columns:
    """Return some accounts of a market, with an unknown one in the middle."""
    chosen = (columns.account >= first) & (columns.account < last)
    return replace(
        columns,
        accounts=columns.accounts[first:last],
        configuration=columns.configuration[first:last],
        emode=columns.emode[first:last],
        account=(columns.account[chosen] - np.uint32(first)).astype(np.uint32),
        **{name: getattr(columns, name)[chosen] for name in ("reserve", "kind", "hi", "lo")},
        unknown={row - first: c for row, c in columns.unknown.items() if first <= row < last},
    )


def test_joined__parts_of_a_market__are_the_market() -> None:
    whole = replace(market(50, 8, 10), unknown={3: "a", 30: "b"})
    found = joined([part(whole, 0, 20), part(whole, 20, 20), part(whole, 20, 50)])
    for name in ("accounts", "configuration", "emode", "account", "reserve", "kind", "hi", "lo"):
        given, got = getattr(whole, name), getattr(found, name)
        assert got.dtype == given.dtype
        assert (got == given).all()
    assert found.unknown == whole.unknown
    assert found.account_state(40) == whole.account_state(40)
    assert joined([whole]) is whole


def test_joined__a_token_that_one_part_read_by_function__was_not_read_from_storage() -> None:
    whole, token = market(40, 6, 10), Address("0x" + "22" * 20)
    stored, asked = Way(token, Kind.SUPPLY), Way(token, Kind.SUPPLY, "it says otherwise")
    other = Way(token, Kind.WALLET)
    ways = [(stored,), (asked, other), (stored,), ()]
    parts = [replace(part(whole, 10 * i, 10 * i + 10), ways=way) for i, way in enumerate(ways)]
    assert joined(parts).ways == (asked, other)


def test_joined__a_reserve_that_one_part_lacks__is_there_for_all() -> None:
    whole = market(40, 6, 10)
    first, second = part(whole, 0, 20), part(whole, 20, 40)
    keep = second.reserve != 2
    moved = second.reserve - (second.reserve > 2).astype(np.uint16)
    lacking = replace(
        second,
        reserves=tuple(r for r in second.reserves if r.id != 2),
        account=second.account[keep],
        reserve=moved[keep],
        kind=second.kind[keep],
        hi=second.hi[keep],
        lo=second.lo[keep],
    )
    blind = replace(first.reserves[1], quote=None)
    doubtful = replace(first, reserves=(first.reserves[0], blind, *first.reserves[2:]))
    found = joined([doubtful, lacking])
    assert found.reserves == whole.reserves
    rest = [h for h in whole.account_state(25).holdings if h.reserve.id != 2]
    assert [h for h in found.account_state(25).holdings if h.reserve.id != 2] == rest


@pytest.mark.parametrize(("count", "sizes"), [(5, [2, 2, 1]), (4, [2, 2]), (0, [0])])
def test_cut__accounts__in_order_and_none_lost(count: int, sizes: list[int]) -> None:
    packed = b"".join(bytes([i]) * 20 for i in range(count))
    shards = cut(SPEC, ROOT, AT, packed, 2)
    assert [len(s.accounts) // 20 for s in shards] == sizes
    assert b"".join(s.accounts for s in shards) == packed
