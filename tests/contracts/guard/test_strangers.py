"""What those who hold no key try, and what they are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world.anvil import Anvil
from world.node import Tx
from world.world import World

from chain.abi import Function
from executor.guard import (
    NATIVE,
    GuardError,
    GuardIntent,
    LenderKind,
    Protocol,
    delegate_init,
    encode_execute,
    encode_pause,
    encode_resume,
)
from tests.contracts.guard.tools import (
    configuration,
    said,
)
from tests.support.guard_stage import EXECUTOR, GUARDIAN, THIEF, Stage, asked, deploy


@pytest.mark.parametrize(
    ("sender", "call", "name"),
    [
        (THIEF, lambda s: encode_execute(s.intent()), "NotExecutor"),
        (GUARDIAN, lambda s: encode_execute(s.intent()), "NotExecutor"),
        (THIEF, configuration, "NotOwner"),
        (EXECUTOR, configuration, "NotOwner"),
        (GUARDIAN, configuration, "NotOwner"),
        (THIEF, lambda _: encode_pause(), "MayNotPause"),
        (EXECUTOR, lambda _: encode_pause(), "MayNotPause"),
        (GUARDIAN, lambda _: encode_resume(), "NotOwner"),
    ],
    ids=[
        "stranger-execute", "guardian-execute", "stranger-configure", "executor-configure",
        "guardian-configure", "stranger-pause", "executor-pause", "guardian-resume",
    ],
)  # fmt: skip
def test_guard__called_by_others__refuses(
    on_aave: Stage, sender: str, call: Callable[[Stage], bytes], name: str
) -> None:
    refused = said(on_aave, sender, call(on_aave))
    assert refused is not None
    assert refused.name == name


def _callbacks(stage: Stage) -> list[bytes]:
    usdc = stage.place.address("USDC")
    data = encode(["address", "uint256", "bytes32[]"], [usdc, 1, []])
    return [
        Function("onMorphoFlashLoan(uint256,bytes)()").encode(1, data),
        Function("receiveFlashLoan(address[],uint256[],uint256[],bytes)()").encode(
            [usdc], [1], [0], data
        ),
        Function("executeOperation(address,uint256,uint256,address,bytes)(bool)").encode(
            usdc, 1, 0, stage.guard, data
        ),
    ]


@pytest.mark.parametrize("kind", list(LenderKind), ids=lambda one: one.name)
def test_callback__nobody_asked_for__is_refused(on_aave: Stage, kind: LenderKind) -> None:
    lender = next(one.address for one in on_aave.lenders if one.kind is kind)
    for sender in (THIEF, EXECUTOR, lender):
        on_aave.world.node.fund([sender])
        refused = said(on_aave, sender, _callbacks(on_aave)[kind])
        assert refused is not None
        assert refused.name == "UnexpectedCallback"


def test_callback__of_a_loan_that_a_stranger_took_for_the_guard__is_refused(on_aave: Stage) -> None:
    usdc = on_aave.place.address("USDC")
    data = encode(["address", "uint256", "bytes32[]"], [usdc, 1, []])
    vault = next(o.address for o in on_aave.lenders if o.kind is LenderKind.BALANCER_V2)
    loan = Function("flashLoan(address,address[],uint256[],bytes)()")
    call = loan.encode(on_aave.guard, [usdc], [1], data)
    refused = asked(on_aave.world, Tx(THIEF, vault, "0x" + call.hex(), 0, 5_000_000))
    assert refused == GuardError("UnexpectedCallback", (vault.lower(),))


def test_delegate__not_configured__refuses_everyone(world: World[Anvil]) -> None:
    guard = deploy(world, delegate_init(Protocol.AAVE_V3))
    intent = encode_execute(GuardIntent(keccak(b"1"), 2**40, 0, 2**100, 0, NATIVE, 0, ()))
    world.node.fund([THIEF, EXECUTOR, guard])
    for sender in (THIEF, EXECUTOR, guard):
        refused = asked(world, Tx(sender, guard, "0x" + intent.hex(), 0, 5_000_000))
        assert refused == GuardError("NotConfigured", ())
