"""What the owner may not allow, even himself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from world.actors.tokens import mint
from world.node import Bound

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    NATIVE,
    Asset,
    GuardError,
    Lender,
    LenderKind,
    Protocol,
    Rule,
    Step,
    encode_pause,
    encode_resume,
    like,
    rule,
    step,
)
from tests.contracts.guard.tools import (
    TAKE,
    at,
    configuration,
    faithless,
    said,
    send,
)
from tests.support.guard_place import ETHER, SWAP, WAD
from tests.support.guard_stage import GUARDIAN, THIEF, Stage

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


@pytest.mark.parametrize("key", ["a_token", "variable_debt"])
def test_policy__that_watches_a_position_token_in_hand__is_refused(
    on_aave: Stage, key: str
) -> None:
    """It would count twice: a thief could make up for what he takes by moving supply about."""
    token = Address(on_aave.world.book["aave-3.0"]["tokens"]["WETH"][key])
    more = Asset(token, on_aave.place.address("WETH"), False, 0)
    given = replace(on_aave, assets=(more, *on_aave.assets))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("assets",))


def test_policy__that_names_another_reserve_for_a_position__is_refused(on_aave: Stage) -> None:
    usdc, weth = (on_aave.place.address(symbol) for symbol in ("USDC", "WETH"))
    given = replace(on_aave, assets=(Asset(usdc, weth, True, 0),))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("market",))


def test_rules__of_one_function__pin_the_same_words(on_aave: Stage) -> None:
    (swap,) = on_aave.rules
    given = replace(on_aave, rules=(swap, rule(swap.target, SWAP, None, None, None, THIEF)))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("pins",))


def test_rule__whose_words_are_not_its_pins__is_refused(on_aave: Stage) -> None:
    (swap,) = on_aave.rules
    given = replace(on_aave, rules=(replace(swap, words=swap.words[:-1]),))
    refused = said(on_aave, on_aave.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("pins",))


def test_pause__by_owner_or_guardian__is_lifted_by_the_owner(on_aave: Stage) -> None:
    intent = on_aave.intent(on_aave.debt * 46 // 100)
    for who in (GUARDIAN, on_aave.account):
        send(on_aave, who, on_aave.guard, encode_pause())
        assert on_aave.refusal(intent) == GuardError("IsPaused", ())
        on_aave.configure()
        assert on_aave.refusal(intent) == GuardError("IsPaused", ())
        send(on_aave, on_aave.account, on_aave.guard, encode_resume())
        assert on_aave.refusal(intent) is None


PATH = Function("exactOutput((bytes,address,uint256,uint256,uint256))(uint256)")


def _by_path(
    stage: Stage, out: int, most: int, *, fee: int = 500, to: Address | None = None
) -> Step:
    """The swap with its path as bytes, as routes of several pools have it."""
    usdc, weth = (bytes.fromhex(stage.place.address(one)[2:]) for one in ("USDC", "WETH"))
    path = usdc + fee.to_bytes(3, "big") + weth
    router = stage.rules[0].target
    data = PATH.encode((path, to or stage.guard, 2**48, out, most))
    return step(router, data, token=stage.place.address("WETH"), amount=most)


def test_rule__like_a_sample__pins_a_path_and_its_recipient(on_aave: Stage) -> None:
    sample = _by_path(on_aave, 1, 1)
    stage = on_aave.configure(rules=(like(sample.target, sample.data, free={4, 5}),))
    repaid = stage.debt * 46 // 100
    first, *taken, swap, last = stage.steps(repaid)
    steps = {
        None: _by_path(stage, repaid, swap.amount),
        "other pool": _by_path(stage, repaid, swap.amount, fee=3000),
        "thief": _by_path(stage, repaid, swap.amount, to=THIEF),
    }
    for name, one in steps.items():
        refused = stage.refusal(stage.intent(repaid, calls=(first, *taken, one, last)))
        assert (refused.name if refused else None) == (name and "CallNotAllowed")


def _owners_allowance(stage: Stage, *words: Address | None) -> GuardError | None:
    """The account once let a router take its LINK; may the thief use that? What the guard says."""
    stage, router = faithless(stage)
    link = stage.place.address("LINK")
    mint(stage.world, "LINK", stage.account, ETHER)
    approve = Function("approve(address,uint256)(bool)").encode(router.address, 2**255)
    send(stage, stage.account, link, approve)
    if words:
        stage = stage.configure(rules=(*on_router(stage, router), rule(at(router), TAKE, *words)))
    repaid = stage.debt * 46 // 100
    stolen = step(at(router), TAKE.encode(link, stage.account, ETHER))
    return stage.refusal(stage.intent(repaid, calls=(stolen, *stage.steps(repaid))))


def on_router(stage: Stage, router: Bound) -> tuple[Rule, ...]:
    return tuple(one for one in stage.rules if one.target != at(router))


def test_owners_own_allowance__to_a_rules_target__is_what_pins_are_for(on_aave: Stage) -> None:
    """The assumption in the bound is needed: without pins a thief uses what the owner granted."""
    assert _owners_allowance(on_aave) is None


def test_owners_own_allowance__where_the_rule_pins_the_token__is_out_of_reach(
    on_aave: Stage,
) -> None:
    refused = _owners_allowance(on_aave, on_aave.place.address("WETH"), None)
    assert refused is not None
    assert refused.name == "CallNotAllowed"
