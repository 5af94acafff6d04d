"""Send reads through Multicall3 or one by one, each twice, and believe what is the same twice."""

from collections.abc import Sequence
from typing import Any

from chain import multicall, relay, relay_job, wire
from chain.calls import Call, Code, NativeBalance, Ok, Read, Result, Reverted, Storage, Unknown
from chain.endpoint import Endpoint, Path, Pin
from chain.errors import (
    BlockUnknown,
    CallReverted,
    EndpointError,
    LimitExceeded,
    Malformed,
    Reorged,
    Unsupported,
)
from chain.types import Address
from chain.wire import Ask
from chain.work import Job, Work, about_pin, loosen


def guard(work: Work, endpoint: Endpoint) -> Job:
    by_number = work.pin is Pin.NUMBER
    ask = (
        Ask("eth_getBlockByNumber", [hex(work.at.number), False])
        if by_number
        else Ask("eth_getBlockByHash", [work.at.hash, False])
    )

    def settle(answers: list[Any]) -> None:
        if isinstance(answers[0], EndpointError):
            raise answers[0]
        if answers[0] is None:
            raise BlockUnknown(endpoint.label, -32001, f"it has no block {work.at}")
        seen = wire.block(endpoint.label, work.at.chain_id, answers[0])
        if by_number and seen.hash != work.at.hash:
            raise Reorged(work.at)
        if seen != work.at:
            raise Malformed(endpoint.label, f"another description of block {work.at}")

    return Job([ask], settle, 200, ())


def shared(work: Work, endpoint: Endpoint, calls: Sequence[tuple[Read, Address, bytes]]) -> Job:
    contract = work.rules.multicall3
    assert contract is not None
    reads = [read for read, _, _ in calls]
    text = multicall.encode(
        [
            (contract, multicall.GET_BLOCK_NUMBER),
            (contract, multicall.GET_TIMESTAMP),
            *((target, data) for _, target, data in calls),
        ]
    ).hex()
    ask = work.call(endpoint, {"to": contract, "data": "0x" + text})

    def settle(answers: list[Any]) -> None:
        _settle_shared(work, endpoint, reads, answers)

    return Job([ask, ask], settle, 2 * len(text), reads)


def _settle_shared(
    work: Work, endpoint: Endpoint, reads: Sequence[Read], answers: list[Any]
) -> None:
    limits = endpoint.limits
    refused = [a for a in answers if isinstance(a, EndpointError)]
    if refused:
        relay_job.refused(work, endpoint, Path.MULTICALL3, reads, refused[0])
        return
    if answers[0] == answers[1] == "0x":
        work.degrade(endpoint, Path.MULTICALL3)
        return
    try:
        if answers[0] != answers[1]:
            raise multicall.Misshapen("two different answers to the same question")
        raw = wire.data(endpoint.label, answers[0])
        number, timestamp, *results = multicall.decode(raw, len(reads) + 2)
        if len(number.data) != 32 or len(timestamp.data) != 32:
            raise multicall.Misshapen("no block number or no timestamp")
        work.check_block(
            int.from_bytes(number.data, "big"), int.from_bytes(timestamp.data, "big"), None
        )
    except (multicall.Misshapen, relay.Corrupt, Malformed) as error:
        endpoint.failed(Malformed(endpoint.label, str(error)))
        work.strike(reads, f"{endpoint.label}: {error}")
        return
    limits.path_proven = True
    # A failure without a reason may be for want of gas, and then so may its neighbours be.
    starved = any(isinstance(r, Reverted) and not r.data for r in results)
    for read, result in zip(reads, results, strict=True):
        if isinstance(result, Reverted) and starved:
            work.alone.add(read)
        elif isinstance(result, Ok) and not result.data:
            work.empty.add(read)
        else:
            work.results[read] = result


def single(work: Work, endpoint: Endpoint, read: Read) -> Job:
    block = work.block()
    match read:
        case Call(str() as target, data, sender):
            call = {"to": target, "data": "0x" + data.hex()}
            if sender is not None:
                call["from"] = sender
            ask = work.call(endpoint, call)
        case NativeBalance(account):
            ask = Ask("eth_getBalance", [account, block])
        case Code(account):
            ask = Ask("eth_getCode", [account, block])
        case Storage(account, slot):
            ask = Ask("eth_getStorageAt", [account, f"0x{slot:064x}", block])
        case _:
            raise AssertionError("a pointer is resolved before its call is made")

    def settle(answers: list[Any]) -> None:
        _settle_single(work, endpoint, read, answers)

    weight = 400 + (4 * len(read.data) if isinstance(read, Call) else 0)
    return Job([ask, ask], settle, weight, [read])


def _settle_single(work: Work, endpoint: Endpoint, read: Read, answers: list[Any]) -> None:
    refusal = next((a for a in answers if isinstance(a, EndpointError)), None)
    if isinstance(refusal, BlockUnknown):
        raise refusal
    if refusal is not None and about_pin(refusal) and loosen(endpoint, work.pin):
        return
    first, second = (_value(endpoint, read, answer) for answer in answers)
    if first != second:
        reason = f"{endpoint.label}: two different answers to the same question"
        endpoint.failed(Malformed(endpoint.label, "two answers to the same question"))
        work.strike([read], reason)
    elif isinstance(refusal, LimitExceeded | Unsupported):
        work.results[read] = first  # asking again would change nothing
    elif isinstance(first, Unknown):
        endpoint.failed(Malformed(endpoint.label, "no usable answer"))
        work.strike([read], first.reason)
    elif first == Ok(b"") and isinstance(read, Call):
        work.empty.add(read)
    else:
        work.results[read] = first


def _value(endpoint: Endpoint, read: Read, answer: Any) -> Result:
    """Return what one answer says, on its own."""
    if isinstance(answer, CallReverted) and isinstance(read, Call):
        return Reverted(answer.data or b"")
    if isinstance(answer, EndpointError):
        return Unknown(str(answer))
    try:
        if isinstance(read, NativeBalance):
            return Ok(wire.quantity(endpoint.label, answer).to_bytes(32, "big"))
        raw = wire.data(endpoint.label, answer)
    except Malformed as error:
        return Unknown(str(error))
    if isinstance(read, Storage) and len(raw) != 32:
        return Unknown(f"{endpoint.label}: {len(raw)} bytes where a storage word belongs")
    return Ok(raw)
