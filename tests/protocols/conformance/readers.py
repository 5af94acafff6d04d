"""Every bulk reader, and what it and its adapter both say about an account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chain.bulk import Bulk
from chain.calls import Ok, ReadFailed
from chain.types import Address, BlockRef
from protocols.aave_v3.bulk import read_columns
from protocols.aave_v3.columns import Columns
from protocols.aave_v3.state import AaveAccount
from protocols.adapter import Market
from protocols.compound_v2.bulk import Accounts, read_accounts
from protocols.compound_v2.state import CompoundAccount
from protocols.erc4626.bulk import Holders, Kind, read_holders
from protocols.erc4626.state import VaultHolding
from protocols.types import Position
from protocols.uniswap_v3 import bulk as uniswap_v3
from protocols.uniswap_v3.columns import Columns as Nfts
from protocols.wallet.bulk import Holdings, read_holdings

UNKNOWN = object()


@dataclass(frozen=True)
class Reader:
    """A bulk reader, and what it and a position both say about an account."""

    read: Callable[[Market, Sequence[Address], BlockRef], Bulk[Any]]
    said: Callable[[Any, int], object]
    meant: Callable[[Sequence[Position]], object]


def _only(positions: Sequence[Position]) -> Position | None:
    assert len(positions) < 2
    return positions[0] if positions else None


def _account(columns: Columns, row: int) -> object:
    try:
        state = columns.account_state(row)
    except ReadFailed:
        return UNKNOWN
    return state if state.holdings else None


def _state(positions: Sequence[Position]) -> object:
    position = _only(positions)
    if position is None or position.state is None:
        return position and UNKNOWN
    assert isinstance(position.state, AaveAccount)
    return position.state if position.state.holdings else None


def _holder(holders: Holders, row: int) -> object:
    found = holders.results(row)
    if not isinstance(found[Kind.SHARES], Ok):
        return UNKNOWN
    values = [
        int.from_bytes(r.data[:32], "big") if isinstance(r, Ok) and len(r.data) >= 32 else None
        for r in found.values()
    ]
    return values if values[0] else None


def _views(positions: Sequence[Position]) -> object:
    position = _only(positions)
    if position is None:
        return None
    state = position.state
    assert isinstance(state, VaultHolding)
    return [state.shares, state.claim, state.preview, state.max_withdraw, state.max_redeem]


def _nfts(columns: Nfts, row: int) -> object:
    if row in columns.unknown:
        return UNKNOWN
    return [columns.position(i) for i, owner in enumerate(columns.account.tolist()) if owner == row]


def _compound(found: Accounts, row: int) -> object:
    try:
        state = found.state(row)
    except ReadFailed:
        return UNKNOWN
    return _held(state)


def _held(state: CompoundAccount) -> object:
    held = [(h.market.ctoken, h.tokens, h.stored_debt, h.entered) for h in state.holdings]
    return held if any(tokens or debt for _, tokens, debt, _ in held) else None


def _compounded(positions: Sequence[Position]) -> object:
    position = _only(positions)
    if position is None or position.state is None:
        return position and UNKNOWN
    assert isinstance(position.state, CompoundAccount)
    return _held(position.state)


READERS = {
    "aave-v3": Reader(lambda m, a, at: read_columns(m.root, a, at), _account, _state),
    "compound-v2": Reader(read_accounts, _compound, _compounded),
    "erc4626": Reader(lambda m, a, at: read_holders(m.root, a, at), _holder, _views),
    "uniswap-v3": Reader(uniswap_v3.read_columns, _nfts, list),
    "wallet": Reader(read_holdings, Holdings.position, _only),
}
"""By the adapter's name."""
