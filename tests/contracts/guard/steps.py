"""Intents whose steps are not what they should be."""

from __future__ import annotations

from dataclasses import replace

from eth_abi.abi import encode
from world.actors.tokens import mint
from world.node import Tx

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    NATIVE,
    Asset,
    GuardError,
    Lender,
    LenderKind,
    encode_execute,
    named_error,
    pull,
    step,
)
from tests.contracts.guard.tools import (
    BORROW,
    KEEP,
    RELAY,
    TAKE,
    Attempt,
    at,
    faithless,
    from_wallet,
    send,
)
from tests.support.guard_place import ETHER, REPAY, SUPPLY, WAD, WITHDRAW
from tests.support.guard_stage import THIEF, Stage, asked, plant


def unwatched_approval(stage: Stage) -> tuple[GuardError | None, str]:
    stage, router = faithless(stage)
    link = stage.place.address("LINK")
    taken = step(at(router), TAKE.encode(link, stage.guard, 1), token=link, amount=1)
    return stage.refusal(stage.intent(calls=(taken,))), "TokenNotWatched"


def unwatched_loan(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.refusal(stage.intent(flash_token=stage.place.address("LINK"))), "TokenNotWatched"


def no_lender(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.configure(lenders=()).refusal(stage.intent()), "NoFlashLender"


def lender_with_other_data(stage: Stage) -> tuple[GuardError | None, str]:
    false = plant(stage.world, "FalseLender")
    mint(stage.world, "USDC", false.address, 10**12)
    usdc = stage.place.address("USDC")
    data = encode(["address", "uint256", "bytes32[]"], [usdc, 1, []])
    false.send(THIEF, "plan", stage.guard, data)
    stage = stage.configure(lenders=(Lender(LenderKind.MORPHO, at(false)),))
    return stage.refusal(stage.intent()), "NoFlashLender"


def wallet_beyond_its_cap(stage: Stage) -> tuple[GuardError | None, str]:
    easy = stage.configure(floor=WAD)
    taken = from_wallet(stage, 501 * 10**6)
    calls = (*taken, stage.place.repay(stage.account, 501 * 10**6))
    return easy.refusal(easy.intent(calls=calls, flash_amount=0)), "OutflowTooHigh"


def native_coin_out(stage: Stage) -> tuple[GuardError | None, str]:
    stage, router = faithless(stage)
    repaid = stage.debt * 46 // 100
    stage.world.node.fund([stage.guard])
    gift = step(at(router), KEEP.encode(), value=1)
    intent = stage.intent(repaid, calls=(gift, *stage.steps(repaid)))
    if stage.form == "module":
        # The module has no coin of its own to lose; what lies there goes home to the owner.
        assert stage.refusal(intent) is None
        stage.world.node.set_balance(stage.guard, 0)
        return stage.refusal(intent), "StepFailed"
    return stage.refusal(intent), "OutflowTooHigh"


def supply_withdrawn_to_a_thief(stage: Stage) -> tuple[GuardError | None, str]:
    data = WITHDRAW.encode(stage.place.address("WETH"), ETHER, THIEF)
    calls = (step(stage.place.market, data),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def supply_for_a_thief(stage: Stage) -> tuple[GuardError | None, str]:
    weth = stage.place.address("WETH")
    given = step(stage.place.market, SUPPLY.encode(weth, 1, THIEF, 0), token=weth, amount=1)
    return stage.refusal(stage.intent(calls=(*stage.withdraw(1), given))), "CallNotAllowed"


def debt_of_a_thief_repaid(stage: Stage) -> tuple[GuardError | None, str]:
    usdc = stage.place.address("USDC")
    paid = step(stage.place.market, REPAY.encode(usdc, 1, 2, THIEF), token=usdc, amount=1)
    return stage.refusal(stage.intent(calls=(paid,))), "CallNotAllowed"


def dirty_beneficiary(stage: Stage) -> tuple[GuardError | None, str]:
    """An address with dirt above it is not the address."""
    data = bytearray(WITHDRAW.encode(stage.place.address("WETH"), ETHER, stage.guard))
    data[4 + 2 * 32] = 1
    calls = (step(stage.place.market, bytes(data)),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def other_reserve(stage: Stage) -> tuple[GuardError | None, str]:
    data = WITHDRAW.encode(stage.place.address("LINK"), 1, stage.guard)
    calls = (step(stage.place.market, data),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def borrowing(stage: Stage) -> tuple[GuardError | None, str]:
    data = BORROW.encode(stage.place.address("USDC"), 1, 2, 0, stage.account)
    calls = (step(stage.place.market, data),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def debt_up(stage: Stage) -> tuple[GuardError | None, str]:
    """Borrow to the wallet: nothing is lost, but debt grows."""
    easy = stage.configure(may_borrow=True, floor=WAD)
    debt = stage.world.book["aave-3.0"]["tokens"]["USDC"]["variable_debt"]
    delegation = Function("approveDelegation(address,uint256)()").encode(stage.guard, 10**10)
    send(stage, stage.account, debt, delegation)
    data = BORROW.encode(stage.place.address("USDC"), 10**6, 2, 0, stage.account)
    calls = (step(stage.place.market, data),)
    return easy.refusal(easy.intent(calls=calls, flash_amount=0)), "DebtUp"


def a_token_sent_away(stage: Stage) -> tuple[GuardError | None, str]:
    data = Function("transfer(address,uint256)(bool)").encode(THIEF, ETHER)
    calls = (step(stage.place.collateral_token, data),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def a_token_pulled_away(stage: Stage) -> tuple[GuardError | None, str]:
    calls = (pull(stage.place.collateral_token, stage.account, THIEF, ETHER),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def token_of_another_pulled(stage: Stage) -> tuple[GuardError | None, str]:
    calls = (pull(stage.place.address("WETH"), Address(stage.world.book.whale), stage.guard, 1),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def approval_of_its_own(stage: Stage) -> tuple[GuardError | None, str]:
    data = Function("approve(address,uint256)(bool)").encode(THIEF, ETHER)
    calls = (step(stage.place.address("WETH"), data),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def credit_delegated(stage: Stage) -> tuple[GuardError | None, str]:
    debt = Address(stage.world.book["aave-3.0"]["tokens"]["WETH"]["variable_debt"])
    data = Function("approveDelegation(address,uint256)()").encode(THIEF, ETHER)
    return stage.refusal(stage.intent(calls=(step(debt, data),))), "CallNotAllowed"


def e_mode_changed(stage: Stage) -> tuple[GuardError | None, str]:
    data = Function("setUserEMode(uint8)()").encode(1)
    calls = (step(stage.place.market, data),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def stranger_called(stage: Stage) -> tuple[GuardError | None, str]:
    return stage.refusal(stage.intent(calls=(step(THIEF, b"1234"),))), "CallNotAllowed"


def short_call(stage: Stage) -> tuple[GuardError | None, str]:
    """A swap cut before its recipient would take zero bytes for one."""
    swap = stage.place.swap(stage.guard, 1, 1)
    calls = (replace(swap, data=swap.data[: 4 + 3 * 32]),)
    return stage.refusal(stage.intent(calls=calls)), "CallTooShort"


def fill_beyond_the_call(stage: Stage) -> tuple[GuardError | None, str]:
    calls = (replace(stage.place.swap(stage.guard, 1, 1), fill=2**255),)
    return stage.refusal(stage.intent(calls=calls)), "CallTooShort"


def fill_of_the_recipient(stage: Stage) -> tuple[GuardError | None, str]:
    """What fills an argument is compared afterwards."""
    swap = stage.place.swap(stage.guard, 1, 1)
    calls = (replace(swap, fill=4),)
    return stage.refusal(stage.intent(calls=calls)), "CallNotAllowed"


def failing_step(stage: Stage) -> tuple[GuardError | None, str]:
    repaid = stage.debt * 46 // 100
    calls = (stage.place.swap(stage.guard, repaid, 1),)
    return stage.refusal(stage.intent(repaid, calls=calls)), "StepFailed"


def moved_oracle(stage: Stage) -> tuple[GuardError | None, str]:
    """The router is given power over prices, and makes the rest of the position dear."""
    stage, router = faithless(stage)
    page = stage.world.book["aave-3.0"]
    provider = stage.world.contract(
        "aave-3.0/PoolAddressesProvider", page["pool_addresses_provider"]
    )
    acl = stage.world.contract("aave-3.0/ACLManager", provider.call("getACLManager"))
    acl.send(stage.world.book.admin, "addPoolAdmin", router.address)
    weth, feed = stage.place.address("WETH"), stage.world.book.feeds["BTC / USD"].proxy
    move = Function("setAssetSources(address[],address[])()").encode([weth], [feed])
    calls = (step(at(router), RELAY.encode(page["oracle"], move)),)
    return stage.refusal(stage.intent(calls=calls, flash_amount=0)), "OracleMoved"


def token_that_calls_back(stage: Stage) -> tuple[GuardError | None, str]:
    """A watched token reenters with the executor's intent; it is not the executor."""
    stage, router = faithless(stage)
    token = plant(stage.world, "CallingToken")
    token.send(THIEF, "mint", stage.guard, ETHER)
    stage = stage.configure(assets=(*stage.assets, Asset(at(token), NATIVE, False, 10**20)))
    repaid = stage.debt * 46 // 100
    token.send(THIEF, "plan", stage.guard, encode_execute(stage.intent(repaid)))
    data = TAKE.encode(token.address, stage.guard, ETHER)
    taken = step(at(router), data, token=at(token), amount=ETHER)
    intent = stage.intent(repaid, calls=(taken, *stage.steps(repaid)))
    refused = stage.refusal(intent)
    assert refused is not None
    inner = named_error(bytes(refused.args[1]))  # type: ignore[call-overload]
    return inner, "NotExecutor" if refused.name == "StepFailed" else refused.name


def executor_that_calls_back(stage: Stage) -> tuple[GuardError | None, str]:
    """The executor is a contract and reenters from within a step."""
    stage, router = faithless(stage)
    stage = stage.configure(executor=at(router))
    inner = RELAY.encode(stage.guard, encode_execute(stage.intent()))
    intent = stage.intent(calls=(step(at(router), inner),), flash_amount=0)
    outer = RELAY.encode(stage.guard, encode_execute(intent))
    refused = asked(stage.world, Tx(THIEF, router.address, "0x" + outer.hex(), 0, 5_000_000))
    assert refused is not None
    assert refused.name == "StepFailed"
    return named_error(bytes(refused.args[1])), "Reentered"  # type: ignore[call-overload]


def later_allowance(stage: Stage) -> tuple[GuardError | None, str]:
    """What a step did not use of its approval is no longer there in the next one."""
    stage, router = faithless(stage)
    weth = stage.place.address("WETH")
    unused = step(at(router), KEEP.encode(), token=weth, amount=ETHER)
    taken = step(at(router), TAKE.encode(weth, stage.guard, ETHER))
    calls = (*stage.withdraw(ETHER), unused, taken)
    return stage.refusal(stage.intent(calls=calls, flash_amount=0)), "StepFailed"


STEPS: tuple[Attempt, ...] = (
    unwatched_approval,
    unwatched_loan,
    no_lender,
    lender_with_other_data,
    wallet_beyond_its_cap,
    native_coin_out,
    supply_withdrawn_to_a_thief,
    supply_for_a_thief,
    debt_of_a_thief_repaid,
    dirty_beneficiary,
    other_reserve,
    borrowing,
    debt_up,
    a_token_sent_away,
    a_token_pulled_away,
    token_of_another_pulled,
    approval_of_its_own,
    credit_delegated,
    e_mode_changed,
    stranger_called,
    short_call,
    fill_beyond_the_call,
    fill_of_the_recipient,
    failing_step,
    moved_oracle,
    token_that_calls_back,
    executor_that_calls_back,
    later_allowance,
)
