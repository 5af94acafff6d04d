"""Encode what owner and executor send to a guard."""

from collections.abc import Collection
from typing import Any, Final

from chain.abi import Function
from chain.calls import Ok, ReadFailed
from chain.types import Address
from executor.guard.types import NATIVE, Asset, GuardIntent, Lender, Policy, Rule, Step

CALL: Final = "(address,uint256,address,uint256,uint256,bytes)"
INTENT: Final = f"(bytes32,uint256,uint256,uint256,uint256,address,uint256,{CALL}[])"
POLICY: Final = (
    "(address,uint64,uint32,address,uint32,uint16,uint16,uint8,bool,address,uint96,bytes32,"
    "uint128,uint128,uint128,uint128)"
)
ASSET: Final = "(address,address,bool,uint128)"
LENDER: Final = "(uint8,address)"
RULE: Final = "(address,bytes4,bool,uint128,bytes32[])"
KEPT: Final = "(address,uint8,bool,address,address,uint128,(uint128,uint64))"

EXECUTE: Final = Function(f"execute({INTENT})()")
CONFIGURE: Final = Function(f"configure({POLICY},{ASSET}[],{LENDER}[],{RULE}[])()")
PAUSE: Final = Function("pause()()")
RESUME: Final = Function("resume()()")
USED_AT: Final = Function("usedAt(bytes32)(uint256)")
READ_POLICY: Final = Function(f"policy()({POLICY})")
READ_ASSETS: Final = Function(f"assets()({KEPT}[])")
READ_LENDERS: Final = Function(f"lenders()({LENDER}[])")
STATUS: Final = Function("status()(address,uint64,bool,uint64,uint64,uint256)")

MOST_WORDS: Final = 128
"""That a rule can pin."""

TRANSFER_FROM: Final = Function("transferFrom(address,address,uint256)(bool)")


def encode_execute(intent: GuardIntent) -> bytes:
    """Return the call data of `execute`."""
    return EXECUTE.encode(
        (
            intent.id,
            intent.deadline,
            intent.max_base_fee,
            intent.min_health_factor_after,
            intent.max_loss_bps,
            intent.flash_token,
            intent.flash_amount,
            [_step(one) for one in intent.calls],
        )
    )


def decode_execute(data: bytes) -> GuardIntent:
    """Return the intent of such call data; `ValueError` where it is not exactly one."""
    if data[:4] != EXECUTE.selector:
        raise ValueError("not a call of execute")
    reader = Function(f"intent()({INTENT})")
    id_, deadline, base_fee, health, loss, token, amount, calls = _decoded(reader, data[4:])
    steps = tuple(Step(*one) for one in calls)
    intent = GuardIntent(id_, deadline, base_fee, health, loss, token, amount, steps)
    if encode_execute(intent) != data:
        raise ValueError("a call of execute in an unusual form")
    return intent


def encode_configure(
    policy: Policy,
    assets: tuple[Asset, ...],
    lenders: tuple[Lender, ...],
    rules: tuple[Rule, ...],
) -> bytes:
    """Return the call data of `configure`: all of it replaces all that was before."""
    return CONFIGURE.encode(
        _policy(policy),
        [(one.token, one.market, one.position, one.max_outflow) for one in assets],
        [(int(one.kind), one.address) for one in lenders],
        [(one.target, one.selector, one.permit2, one.pins, list(one.words)) for one in rules],
    )


def encode_pause() -> bytes:
    """Return the call data that stops all executions; the owner's or the guardian's to send."""
    return PAUSE.encode()


def encode_resume() -> bytes:
    """Return the call data that lets executions go on; the owner's to send."""
    return RESUME.encode()


def step(
    target: Address,
    data: bytes,
    *,
    token: Address = NATIVE,
    amount: int = 0,
    fill: int | None = None,
    value: int = 0,
) -> Step:
    """Make a step. `fill` is the index of the argument word that takes what was gained."""
    return Step(target, value, token, amount, 0 if fill is None else fill + 1, data)


def pull(token: Address, account: Address, guard: Address, amount: int) -> Step:
    """Make the step by which a module takes an aToken, a cToken or a token from its account."""
    return step(token, TRANSFER_FROM.encode(account, guard, amount))


def rule(target: Address, function: Function, *words: Any, permit2: bool = False) -> Rule:
    """Make a rule: an argument word for each of `words`, None where it is free.

    A word is an address, an integer, a bool or 32 bytes. Words are those of the call data: a
    struct without dynamic parts is as many words as it has fields, a dynamic argument is the word
    of its offset.
    """
    pins = sum(1 << i for i, word in enumerate(words) if word is not None)
    fixed = tuple(_word(word) for word in words if word is not None)
    return Rule(target, function.selector, permit2, pins, fixed)


def like(target: Address, sample: bytes, free: Collection[int], *, permit2: bool = False) -> Rule:
    """Make a rule for calls that equal a sample but for the argument words of these indices.

    So functions with dynamic arguments are pinned too: a path, a list of commands. A call of
    another shape needs a rule of its own, and all rules of a function must have the same shape.
    `ValueError` where the sample is no whole words, or more than 128.
    """
    count, rest = divmod(len(sample) - 4, 32)
    if rest or not 0 <= count <= MOST_WORDS:
        raise ValueError("a sample is a selector and up to 128 whole words")
    fixed = [i for i in range(count) if i not in free]
    words = tuple(sample[4 + 32 * i : 36 + 32 * i] for i in fixed)
    return Rule(target, sample[:4], permit2, sum(1 << i for i in fixed), words)


def _word(value: Any) -> bytes:
    if isinstance(value, bytes):
        if len(value) != 32:
            raise ValueError("a pinned word is 32 bytes")
        return value
    if isinstance(value, str):
        return bytes(12) + bytes.fromhex(value.removeprefix("0x"))
    return int(value).to_bytes(32, "big")


def _step(one: Step) -> tuple[Any, ...]:
    return (one.target, one.value, one.token, one.amount, one.fill, one.data)


def _policy(p: Policy) -> tuple[Any, ...]:
    return (
        *(p.executor, p.valid_until, p.cooldown, p.guardian, p.window, p.max_loss_bps),
        *(p.max_flash_fee_bps, int(p.protocol), p.may_borrow, p.market, p.max_base_fee),
        *(p.market_id, p.trigger, p.floor, p.ceiling, p.max_window_loss),
    )


def _decoded(reader: Function, data: bytes) -> Any:
    try:
        return reader.decode(Ok(data))
    except ReadFailed as failure:
        raise ValueError(failure.cause) from failure
