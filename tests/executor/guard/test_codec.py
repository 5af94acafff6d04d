"""What is sent to a guard, and what is read of it, without a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.abi import Function
from chain.calls import NoCode, Ok, ReadFailed, Result, Reverted
from chain.types import ZERO_ADDRESS, Address, checksum
from executor.guard import (
    EXECUTED,
    MODULE,
    UNLIMITED,
    Asset,
    Executed,
    GuardError,
    GuardIntent,
    GuardState,
    Lender,
    LenderKind,
    Policy,
    Protocol,
    Step,
    Unset,
    Watched,
    artifact,
    codec,
    decode_execute,
    decode_executed,
    encode_configure,
    encode_execute,
    grants,
    like,
    module_init,
    named_error,
    pull,
    read_guard,
    revocations,
    rule,
    step,
    used_at,
    when_used,
)


def address(number: int) -> Address:
    return checksum(f"0x{number:040x}")


GUARD, ACCOUNT, POOL, TOKEN, A_TOKEN = (address(0xA000 + i) for i in range(5))
SWAP = Function("swap(address,address,address,uint256)()")
POLICY = Policy(
    executor=address(1),
    valid_until=2**40,
    cooldown=600,
    guardian=address(2),
    window=86_400,
    max_loss_bps=50,
    max_flash_fee_bps=9,
    protocol=Protocol.AAVE_V3,
    may_borrow=False,
    market=POOL,
    max_base_fee=10**11,
    market_id=bytes(32),
    trigger=11 * 10**17,
    floor=12 * 10**17,
    ceiling=UNLIMITED,
    max_window_loss=10**10,
)

addresses = st.integers(0, 2**160 - 1).map(address)
words = st.integers(0, 2**256 - 1)
steps = st.builds(Step, addresses, words, addresses, words, words, st.binary(max_size=80))
intents = st.builds(
    GuardIntent,
    st.binary(min_size=32, max_size=32),
    *(words, words, words, words, addresses, words),
    st.lists(steps, max_size=3).map(tuple),
)


@given(intents)
def test_intent__encoded_and_decoded__is_the_same(intent: GuardIntent) -> None:
    assert decode_execute(encode_execute(intent)) == intent


@pytest.mark.parametrize(
    "spoil",
    [lambda d: d[:-1], lambda d: b"\0" + d[1:], lambda d: d + bytes(32), lambda d: d[:4]],
    ids=["cut", "other-function", "longer", "empty"],
)
def test_intent__that_is_not_exactly_one__is_refused(spoil: object) -> None:
    intent = GuardIntent(bytes(32), 1, 2, 3, 4, TOKEN, 5, (step(POOL, b"abc"),))
    with pytest.raises(ValueError, match=r"execute|decode|usual"):
        decode_execute(spoil(encode_execute(intent)))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("function", "shipped"),
    [
        (codec.EXECUTE, "execute"),
        (codec.CONFIGURE, "configure"),
        (codec.PAUSE, "pause"),
        (codec.RESUME, "resume"),
        (codec.USED_AT, "usedAt"),
        (codec.READ_POLICY, "policy"),
        (codec.READ_ASSETS, "assets"),
        (codec.READ_LENDERS, "lenders"),
        (codec.STATUS, "status"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
@pytest.mark.parametrize("protocol", list(Protocol), ids=lambda one: one.name)
def test_functions__are_those_of_the_shipped_contracts(
    protocol: Protocol, function: Function, shipped: str
) -> None:
    for form in ("module", "delegate"):
        (entry,) = [one for one in artifact(protocol, form).abi if one.get("name") == shipped]
        assert function.inputs == [_kind(one) for one in entry["inputs"]]
        assert function.outputs == [_kind(one) for one in entry["outputs"]]


def _kind(entry: dict[str, object]) -> str:
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_kind(one) for one in entry["components"])  # type: ignore[attr-defined]
    return f"({inner}){kind.removeprefix('tuple')}"


def test_rule__with_free_words__pins_the_others() -> None:
    made = rule(POOL, SWAP, TOKEN, None, ACCOUNT, 7)
    assert made.selector == SWAP.selector
    assert made.pins == 0b1101
    assert made.words == (
        bytes(12) + bytes.fromhex(TOKEN[2:]),
        bytes(12) + bytes.fromhex(ACCOUNT[2:]),
        (7).to_bytes(32, "big"),
    )


def test_rule__with_a_short_word__is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        rule(POOL, SWAP, b"short")


def test_rule__like_a_sample__leaves_only_what_is_free() -> None:
    path = Function("go((bytes,address,uint256))()")
    sample = path.encode((b"a path", ACCOUNT, 5))
    made = like(POOL, sample, free={3})
    assert made.selector == path.selector
    # Offset of the struct, offset of the path, recipient; then length and content of the path.
    assert made.pins == 0b110111
    assert b"".join(made.words) == sample[4:100] + sample[132:]


@pytest.mark.parametrize("size", [0, 35, 4 + 32 * 129])
def test_rule__like_what_is_no_call__is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="whole words"):
        like(POOL, bytes(size), ())


def test_step__that_fills_the_first_word__says_one() -> None:
    assert step(POOL, b"", token=TOKEN, fill=0).fill == 1
    assert step(POOL, b"").fill == 0


def test_pull__brings_home() -> None:
    made = pull(A_TOKEN, ACCOUNT, GUARD, 5)
    assert made.target == A_TOKEN
    expected = Function("transferFrom(address,address,uint256)(bool)").encode(ACCOUNT, GUARD, 5)
    assert made.data == expected


def test_module__for_an_owner__names_it_after_the_code() -> None:
    init = module_init(Protocol.MORPHO_BLUE, ACCOUNT)
    assert init == artifact(Protocol.MORPHO_BLUE, MODULE).init + encode(["address"], [ACCOUNT])


def test_grants__of_aave__are_approvals_that_can_be_taken_back() -> None:
    (given_,) = grants(POLICY, GUARD, {A_TOKEN: 10})
    (taken,) = revocations(POLICY, GUARD, (A_TOKEN,))
    approve = Function("approve(address,uint256)(bool)")
    assert (given_.to, given_.data) == (A_TOKEN, approve.encode(GUARD, 10))
    assert taken.data == approve.encode(GUARD, 0)


def test_grants__of_morpho__authorise() -> None:
    policy = replace(POLICY, protocol=Protocol.MORPHO_BLUE)
    (given_,) = grants(policy, GUARD, {})
    authorize = Function("setAuthorization(address,bool)()")
    assert (given_.to, given_.data) == (POOL, authorize.encode(GUARD, True))
    assert revocations(policy, GUARD, ())[0].data == authorize.encode(GUARD, False)


# --- reading ----------------------------------------------------------------------------------


def answers(policy: Policy = POLICY) -> list[Result]:
    whole = encode_configure(policy, (), (), ())
    head = whole[4 : 4 + 16 * 32]
    kept = (TOKEN, 6, True, A_TOKEN, ZERO_ADDRESS, 5, (3, 9))
    return [
        Ok(encode(codec.STATUS.outputs, [ACCOUNT, 2, True, 7, 8, 9])),
        Ok(head),
        Ok(encode(codec.READ_ASSETS.outputs, [[kept]])),
        Ok(encode(codec.READ_LENDERS.outputs, [[(1, POOL)]])),
    ]


def read(results: list[Result]) -> GuardState | Unset:
    program = read_guard(GUARD)
    asked = next(program)
    assert len(asked) == 4
    try:
        program.send(results)
    except StopIteration as stop:
        done: GuardState | Unset = stop.value
        return done
    raise AssertionError("asks again")


def test_guard__configured__is_read_as_it_was_set() -> None:
    state = read(answers())
    watched = Watched(TOKEN, 6, True, A_TOKEN, ZERO_ADDRESS, 5, 3, 9)
    lender = Lender(LenderKind.BALANCER_V2, POOL)
    assert state == GuardState(ACCOUNT, POLICY, (watched,), (lender,), 2, True, 7, 8, 9)


def test_guard__never_configured__is_unset() -> None:
    assert read(answers(replace(POLICY, executor=ZERO_ADDRESS))) == Unset(ACCOUNT)


@pytest.mark.parametrize("result", [NoCode(), Reverted(b""), Ok(b"")], ids=["none", "no", "empty"])
def test_guard__that_does_not_answer__is_unknown(result: Result) -> None:
    with pytest.raises(ReadFailed):
        read([result] * 4)
    with pytest.raises(ReadFailed):
        when_used(result)


def test_used_id__is_asked_by_its_32_bytes() -> None:
    asked = used_at(GUARD, keccak(b"one"))
    assert asked.data == codec.USED_AT.selector + keccak(b"one")
    assert when_used(Ok((1_700_000_000).to_bytes(32, "big"))) == 1_700_000_000


def test_event__of_an_execution__is_decoded_with_its_sign() -> None:
    data = encode(["uint256", "uint256", "int256"], [11, 12, -13])
    topics = (EXECUTED, keccak(b"id"), bytes(12) + bytes.fromhex(POOL[2:]))
    assert decode_executed(topics, data) == Executed(keccak(b"id"), POOL, 11, 12, -13)
    assert decode_executed((keccak(b"else"), *topics[1:]), data) is None
    assert decode_executed(topics, data[:-1]) is None


def test_refusal__of_the_guard__is_named_with_its_arguments() -> None:
    loose = keccak(text="LooserThanPolicy(bytes32)")[:4] + b"maxLossBps".ljust(32, b"\0")
    assert named_error(loose) == GuardError("LooserThanPolicy", ("maxLossBps",))
    failed = keccak(text="StepFailed(uint256,bytes)")[:4] + encode(["uint256", "bytes"], [2, b"x"])
    assert named_error(failed) == GuardError("StepFailed", (2, b"x"))


@pytest.mark.parametrize("data", [b"", b"\1\2\3\4", keccak(text="DebtUp(uint256,uint256)")[:4]])
def test_refusal__of_somebody_else__is_none_of_the_guards(data: bytes) -> None:
    assert named_error(data) is None


@pytest.mark.parametrize("protocol", list(Protocol), ids=lambda one: one.name)
def test_abi__of_every_guard__names_every_refusal(protocol: Protocol) -> None:
    names = {one["name"] for one in artifact(protocol, MODULE).abi if one["type"] == "error"}
    for name in ("NotConfigured", "LossTooHigh", "OracleMoved", "StepFailed", "RuleTooPowerful"):
        assert name in names


def test_asset__is_four_words() -> None:
    asset = Asset(TOKEN, POOL, True, 1)
    whole = encode_configure(POLICY, (asset,), (), ())
    assert encode(["address", "address", "bool", "uint128"], [TOKEN, POOL, True, 1]) in whole
