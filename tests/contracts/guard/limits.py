"""Intents beyond the limits of the policy."""

from __future__ import annotations

from dataclasses import replace

from world.rpc import RpcError

from executor.guard import (
    UNLIMITED,
    GuardError,
    encode_pause,
    named_error,
)
from tests.contracts.guard.tools import (
    Attempt,
    faithless,
    from_wallet,
    send,
    through,
    worth,
)
from tests.support.guard_place import ETHER, WAD
from tests.support.guard_stage import EXECUTOR, GUARDIAN, THIEF, Stage


def proceeds_to_a_thief(stage: Stage) -> tuple[GuardError | None, str]:
    repaid = stage.debt * 46 // 100
    swap = stage.place.swap(stage.guard, repaid, 5 * ETHER)
    data = bytearray(swap.data)
    data[4 + 3 * 32 : 4 + 4 * 32] = bytes(12) + bytes.fromhex(THIEF[2:])
    stolen = replace(swap, data=bytes(data))
    calls = (stage.place.repay(stage.account, repaid), *stage.withdraw(5 * ETHER), stolen)
    return stage.refusal(stage.intent(repaid, calls=calls)), "CallNotAllowed"


def proceeds_kept_by_the_router(stage: Stage) -> tuple[GuardError | None, str]:
    stage, router = faithless(stage)
    repaid = stage.debt * 46 // 100
    calls = through(stage, router, 4 * ETHER, 0, repaid)
    return stage.refusal(stage.intent(repaid, calls=calls)), "FlashNotCovered"


def slippage(stage: Stage) -> tuple[GuardError | None, str]:
    stage, router = faithless(stage.configure(floor=WAD))
    repaid = stage.debt * 46 // 100
    calls = through(stage, router, worth(stage, repaid) * 121 // 100, repaid, repaid)
    return stage.refusal(stage.intent(repaid, calls=calls)), "LossTooHigh"


def slippage_paid_from_the_wallet(stage: Stage) -> tuple[GuardError | None, str]:
    stage, router = faithless(stage)
    repaid = stage.debt * 46 // 100
    taken = from_wallet(stage, 400 * 10**6)
    calls = through(stage, router, worth(stage, repaid), repaid - 400 * 10**6, repaid)
    return stage.refusal(stage.intent(repaid, calls=(*taken, *calls))), "LossTooHigh"


def stricter_than_the_policy(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.refusal(stage.intent(max_loss_bps=1)), "LossTooHigh"


def window_spent(stage: Stage) -> tuple[GuardError | None, str]:
    stage = stage.configure(max_window_loss=10**8)  # a dollar
    return stage.refusal(stage.intent(stage.debt * 46 // 100)), "WindowLossTooHigh"


def replay(stage: Stage) -> tuple[GuardError | None, str]:
    intent = stage.intent(stage.debt * 46 // 100)
    stage.execute(intent)
    stage.world.node.travel(601)
    return stage.refusal(intent), "AlreadyUsed"


def second_in_a_block(stage: Stage) -> tuple[GuardError | None, str]:
    stage = stage.configure(cooldown=0)
    stage.execute(stage.intent(stage.debt * 46 // 100))
    # The node asks in the head block, where the first intent is.
    return stage.refusal(stage.intent(stage.debt * 46 // 100)), "OncePerBlock"


def cooling_down(stage: Stage) -> tuple[GuardError | None, str]:
    stage.execute(stage.intent(stage.debt * 46 // 100))
    stage.world.node.travel(590)
    return stage.refusal(stage.intent(stage.debt * 46 // 100)), "CoolingDown"


def expired(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.refusal(stage.intent(deadline=stage.world.node.timestamp() - 1)), "Expired"


def policy_expired(stage: Stage) -> tuple[GuardError | None, str]:
    stage.world.node.travel(91 * 86_400)
    return stage.refusal(stage.intent()), "PolicyExpired"


def dear_block(stage: Stage) -> tuple[GuardError | None, str]:
    request = stage.world.node.rpc.request
    intent = stage.intent(max_base_fee=10**10)
    request("anvil_setNextBlockBaseFeePerGas", hex(2 * 10**10))
    request("evm_mine")
    tx = stage.tx(intent).params() | {"gasPrice": hex(3 * 10**10)}
    stage.world.node.fund([EXECUTOR])
    try:
        request("eth_call", tx, "latest")
    except RpcError as error:
        return named_error(bytes.fromhex(error.data[2:])), "BaseFeeTooHigh"
    return None, "BaseFeeTooHigh"


def paused(stage: Stage) -> tuple[GuardError | None, str]:
    send(stage, GUARDIAN, stage.guard, encode_pause())
    return stage.refusal(stage.intent()), "IsPaused"


def healthy(stage: Stage) -> tuple[GuardError | None, str]:
    stage = stage.configure(trigger=109 * WAD // 100)
    return stage.refusal(stage.intent()), "HealthAboveTrigger"


def below_the_floor(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.refusal(stage.intent(stage.debt * 10 // 100)), "HealthTooLow"


def above_the_ceiling(stage: Stage) -> tuple[GuardError | None, str]:
    stage = stage.configure(max_window_loss=UNLIMITED, max_loss_bps=500)
    return stage.refusal(stage.intent(stage.debt * 70 // 100)), "HealthTooHigh"


def looser_health(stage: Stage) -> tuple[GuardError | None, str]:
    looser = stage.intent(min_health_factor_after=stage.policy.floor - 1)
    return stage.refusal(looser), "LooserThanPolicy"


def looser_loss(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.refusal(stage.intent(max_loss_bps=101)), "LooserThanPolicy"


def looser_fee(stage: Stage) -> tuple[GuardError | None, str]:
    looser = stage.intent(max_base_fee=stage.policy.max_base_fee + 1)
    return stage.refusal(looser), "LooserThanPolicy"


LIMITS: tuple[Attempt, ...] = (
    proceeds_to_a_thief,
    proceeds_kept_by_the_router,
    slippage,
    slippage_paid_from_the_wallet,
    stricter_than_the_policy,
    window_spent,
    replay,
    second_in_a_block,
    cooling_down,
    expired,
    policy_expired,
    dear_block,
    paused,
    healthy,
    below_the_floor,
    above_the_ceiling,
    looser_health,
    looser_loss,
    looser_fee,
)
