"""What the owner may not allow, even himself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    NATIVE,
    GuardError,
    Lender,
    LenderKind,
    Protocol,
    rule,
)
from tests.contracts.guard.tools import (
    configuration,
    said,
)
from tests.support.guard_place import SWAP, WAD
from tests.support.guard_stage import THIEF, Stage

POWERS = (
    "approve(address,uint256)(bool)",
    "increaseAllowance(address,uint256)(bool)",
    "transfer(address,uint256)(bool)",
    "transferFrom(address,address,uint256)(bool)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)()",
    "setApprovalForAll(address,bool)()",
    "approve(address,address,uint160,uint48)()",
    "approveDelegation(address,uint256)()",
    "setAuthorization(address,bool)()",
    "setRelayerApproval(address,address,bool)()",
    "allow(address,bool)()",
)


@pytest.mark.parametrize("function", POWERS)
def test_rule__that_gives_lasting_power__is_refused(on_aave: Stage, function: str) -> None:
    vault = on_aave.lenders[1].address
    given = replace(on_aave, rules=(rule(vault, Function(function)),))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused is not None
    assert refused.name == "RuleTooPowerful"


@pytest.mark.parametrize(
    "target",
    [
        lambda s: s.guard,
        lambda s: s.place.market,
        lambda s: s.place.collateral_token,
        lambda s: s.place.address("WETH"),
        lambda s: Address("0x000000000022D473030F116dDEE9F6B43aC78BA3"),
        lambda s: THIEF,
    ],
    ids=["guard", "pool", "aToken", "token", "permit2", "no-code"],
)
def test_rule__of_what_the_guard_treats_itself__is_refused(
    on_aave: Stage, target: Callable[[Stage], Address]
) -> None:
    given = replace(on_aave, rules=(rule(target(on_aave), SWAP),))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused is not None
    assert refused.name == "RuleTooPowerful"


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("executor", {"executor": NATIVE}),
        ("validUntil", {"valid_until": 1}),
        ("window", {"window": 0}),
        ("maxLossBps", {"max_loss_bps": 10_001}),
        ("floor", {"floor": WAD - 1}),
        ("ceiling", {"ceiling": WAD}),
        ("market", {"market": THIEF}),
        ("protocol", {"protocol": Protocol.MORPHO_BLUE}),
        ("marketId", {"market_id": b"\1" * 32}),
        ("assets", {"assets": ()}),
        ("lenders", {"lenders": (Lender(LenderKind.MORPHO, THIEF),)}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_policy__that_means_nothing__is_refused(
    on_aave: Stage, what: str, changes: dict[str, Any]
) -> None:
    lists = {key: changes[key] for key in ("assets", "lenders") if key in changes}
    policy = {key: value for key, value in changes.items() if key not in lists}
    given = replace(on_aave, policy=replace(on_aave.policy, **policy), **lists)
    assert said(on_aave, on_aave.account, configuration(given)) == GuardError("BadPolicy", (what,))


def test_policy__whose_executor_is_the_account__is_refused(on_aave: Stage) -> None:
    given = replace(on_aave, policy=replace(on_aave.policy, executor=on_aave.account))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("executor",))


def test_policy__that_watches_a_token_twice__is_refused(on_aave: Stage) -> None:
    given = replace(on_aave, assets=(*on_aave.assets, on_aave.assets[0]))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("assets",))
