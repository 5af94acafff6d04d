"""Read a market as columns, and say for the digest which words they stand for.

What is timed is the reading, for `health` with every account's health as well. The words are made
afterwards, when the answer is walked through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chain.snapshot import Snapshot
from chain.types import Address
from protocols.aave_v3.bulk import read_columns
from protocols.aave_v3.columns import Columns, Kind
from protocols.aave_v3.layouts import Layouts
from protocols.aave_v3.math import health, lines, totals
from risk.bulk.exposure import Exposure
from risk.bulk.screen import screen

if TYPE_CHECKING:
    from bench.peers.common import Work

LAYOUTS = Layouts()
"""What the storage path learned, kept from run to run as a monitor keeps it."""


def read(snapshot: Snapshot, work: Work, how: str) -> Words | Healths:
    """Return an answer that is walked through as the calls' answers are."""
    root = Address(work.provider)
    accounts = [Address(account) for account in work.accounts]
    only = how == "lens-health"
    program = read_columns(
        root, accounts, snapshot.at, health_only=only, wallet=not only, sources=False,
        storage=LAYOUTS if how == "lens-storage" else None,
    )  # fmt: skip
    columns = snapshot.bulk(program)
    if columns.unknown:
        raise SystemExit(f"{len(columns.unknown)} accounts are unknown")
    if not only:
        return Words(columns, [reserve["asset"] for reserve in work.reserves])
    screen(Exposure.of(columns))
    return Healths(columns)


@dataclass(frozen=True)
class Words:
    """Balances and configurations, in the order of `Work.calls`."""

    columns: Columns
    assets: list[str]

    def __iter__(self) -> Iterator[bytes]:
        columns, width = self.columns, 3 * len(self.assets) + 1
        place = {asset: i for i, asset in enumerate(self.assets)}
        slots = np.array([place[reserve.asset] for reserve in columns.reserves])
        kinds = {Kind.SUPPLY: 0, Kind.DEBT: 1, Kind.WALLET: 2}
        words = np.zeros((len(columns.accounts), width, 4), ">u8")
        for kind, offset in kinds.items():
            chosen = columns.kind == kind
            cell = (columns.account[chosen], 3 * slots[columns.reserve[chosen]] + offset)
            words[(*cell, 2)], words[(*cell, 3)] = columns.hi[chosen], columns.lo[chosen]
        words[:, -1] = columns.configuration[:, ::-1]
        for row in words:
            for word in row:
                yield word.tobytes()


@dataclass(frozen=True)
class Healths:
    """The health factor of every account, by integers."""

    columns: Columns

    def __iter__(self) -> Iterator[int]:
        columns = self.columns
        for row in range(len(columns.accounts)):
            account = columns.account_state(row)
            sums = totals(lines(account, columns.at.timestamp), columns.rules, {})
            yield health(sums, columns.rules)
