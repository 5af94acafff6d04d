"""What remedies need besides the positions: wallets' balances, and the room under supply caps.

Reads: `balanceOf` of every asset of a lending position; of Aave, `getReserveData` and the aToken's
`scaledTotalSupply`. One request, at the block that the positions were read at. What does not answer
stays unknown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chain.abi import Function
from chain.calls import Read, Reads, Result, Unknown
from chain.client import connect
from chain.errors import ChainError
from chain.types import Address
from protocols.aave_v3.contracts import A_TOKEN_WORD, GET_POOL, GET_RESERVE_DATA
from protocols.aave_v3.state import AaveAccount
from protocols.types import Position, Side
from protocols.wallet.adapter import BALANCE_OF
from underkeel.config.load import Config
from underkeel.portfolio import ChainReport, Open, Portfolio, spec_of

SCALED_TOTAL_SUPPLY: Final = Function("scaledTotalSupply()(uint256)")
ACCRUED_TO_TREASURY: Final = 12
"""Its place in `getReserveData`."""

Holder: TypeAlias = tuple[str, Address, Address]
"""A chain, an owner or a market's root, and a token."""


@dataclass(frozen=True, slots=True)
class Means:
    """What was learned."""

    balances: Mapping[Holder, int] = field(default_factory=dict)
    """Base units that an owner's wallet holds of a token."""
    supplied: Mapping[Holder, int] = field(default_factory=dict)
    """Scaled units that count against a reserve's supply cap, by market."""


def read_means(config: Config, portfolio: Portfolio, opener: Open = connect) -> Means:
    """Return balances and supplies of everything that a position with a debt stands on."""
    balances: dict[Holder, int] = {}
    supplied: dict[Holder, int] = {}
    for chain in portfolio.chains:
        holders, reserves = _wanted(chain)
        if chain.at is None or not holders:
            continue
        spec = spec_of(chain.name, config.settings.chains[chain.name], config)
        try:
            with opener(spec) as client:
                results = client.snapshot(chain.at).run(_program(holders, reserves))
        except ChainError:
            continue  # then they stay unknown
        for holder, result in zip(holders, results, strict=False):
            balance = BALANCE_OF.known(result)
            if not isinstance(balance, Unknown):
                balances[holder] = balance
        for i, reserve in enumerate(reserves):
            data, total = results[len(holders) + 2 * i : len(holders) + 2 * i + 2]
            facts, units = GET_RESERVE_DATA.known(data), SCALED_TOTAL_SUPPLY.known(total)
            if not isinstance(facts, Unknown) and not isinstance(units, Unknown):
                supplied[reserve] = units + facts[ACCRUED_TO_TREASURY]
    return Means(balances, supplied)


def _wanted(chain: ChainReport) -> tuple[list[Holder], list[Holder]]:
    holders: dict[Holder, None] = {}
    reserves: dict[Holder, None] = {}
    for assessed in chain.positions:
        position = assessed.position
        if assessed.liquidation.health_raw is None:
            continue
        for token, held in _assets(position):
            holders[chain.name, position.owner, token] = None
            if held and isinstance(position.state, AaveAccount):
                reserves[chain.name, position.root, token] = None
    return list(holders), list(reserves)


def _assets(position: Position) -> Iterator[tuple[Address, bool]]:
    for leg in position.legs:
        if leg.side in (Side.COLLATERAL, Side.DEBT):
            yield leg.token.address, leg.side is Side.COLLATERAL


def _program(holders: list[Holder], reserves: list[Holder]) -> Reads[list[Result]]:
    reads: list[Read] = [BALANCE_OF.at(token, owner) for _, owner, token in holders]
    for _, root, asset in reserves:
        pool = GET_POOL.pointer(root)
        receipt = GET_RESERVE_DATA.pointer(pool, asset, word=A_TOKEN_WORD)
        reads += [GET_RESERVE_DATA.at(pool, asset), SCALED_TOTAL_SUPPLY.at(receipt)]
    results = yield reads
    return list(results)
