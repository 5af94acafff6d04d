"""Send reads through the relay program, and settle what comes back."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from chain import relay, wire
from chain.calls import Call, NoCode, Ok, Pointer, Read, Reverted, Unknown
from chain.endpoint import Endpoint, Path
from chain.errors import (
    BlockUnknown,
    CallReverted,
    EndpointError,
    LimitExceeded,
    Malformed,
    Unsupported,
)
from chain.types import Address
from chain.wire import Ask
from chain.work import Job, Work, about_pin, loosen

INITCODE_LIMIT: Final = 49_152
"""Bytes of init code since EIP-3860."""
GOOD_BEFORE_GROWTH: Final = 4
"""Runs that went well after which a lowered ceiling is raised by half."""


def jobs(
    work: Work, endpoint: Endpoint, path: Path, reads: Sequence[Read], account: Address
) -> Iterator[Job]:
    """Share reads out over as few runs of the program as the endpoint bears."""
    limits = endpoint.limits
    room = limits.body // 2 - 4_000
    if path is Path.INITCODE:
        room = INITCODE_LIMIT - len(relay.code()[1]) // 2
    program = relay.Program()
    for read in reads:
        if len(program) >= limits.chunk or (program.hidden and program.size > room - 1_000):
            yield _job(work, endpoint, path, program, account)
            program = relay.Program()
        program.add(read)
    if program.hidden:
        yield _job(work, endpoint, path, program, account)


def _job(
    work: Work, endpoint: Endpoint, path: Path, program: relay.Program, account: Address
) -> Job:
    text = program.encode()
    ask = asking(work, endpoint, path, account, relay.code(), text)
    reads = [read for read, hidden in program.hidden.items() if not hidden]

    def settle(answers: list[Any]) -> None:
        _settle(work, endpoint, path, program, text, reads, answers[0])

    return Job([ask], settle, 2 * len(text) + 4_000, reads, proves_block=True)


def asking(
    work: Work,
    endpoint: Endpoint,
    path: Path,
    account: Address,
    code: tuple[str, str],
    text: bytes,
) -> Ask:
    """Return the request that runs a program, given as runtime and init code, on an input."""
    runtime, init = code
    if path is Path.OVERRIDE:
        call = {"to": account, "data": "0x" + text.hex()}
        return work.call(endpoint, call, {account: {"code": runtime}})
    return work.call(endpoint, {"data": init + text.hex() + len(text).to_bytes(4, "big").hex()})


def written(
    work: Work, endpoint: Endpoint, path: Path, reads: Sequence[Read], answer: Any
) -> bytes | None:
    """Return what a program wrote; where there is nothing, deal with that and return None."""
    limits = endpoint.limits
    if isinstance(answer, CallReverted) and answer.data and path is Path.INITCODE:
        raw = answer.data
    elif isinstance(answer, EndpointError):
        refused(work, endpoint, path, reads, answer)
        return None
    else:
        try:
            raw = wire.data(endpoint.label, answer)
        except Malformed as error:
            endpoint.failed(error)
            work.strike(reads, error.message)
            return None
    if not raw and not limits.path_proven:
        # An override that is ignored is a call to an empty address; so is a cut answer.
        limits.doubts += 1
        if limits.doubts > 1:
            work.degrade(endpoint, path)
        return None
    return raw


def _settle(
    work: Work,
    endpoint: Endpoint,
    path: Path,
    program: relay.Program,
    text: bytes,
    reads: Sequence[Read],
    answer: Any,
) -> None:
    limits = endpoint.limits
    raw = written(work, endpoint, path, reads, answer)
    if raw is None:
        return
    try:
        output = relay.decode(text, len(program), raw)
        work.check_block(output.number, output.timestamp, output.parent_hash)
    except relay.Corrupt as error:
        endpoint.failed(Malformed(endpoint.label, str(error)))
        work.strike(reads, f"{endpoint.label}: {error}")
        return
    limits.path_proven, limits.doubts = True, 0
    _take(work, endpoint, program, reads, output)


def _take(
    work: Work,
    endpoint: Endpoint,
    program: relay.Program,
    reads: Sequence[Read],
    output: relay.Output,
) -> None:
    here: dict[Read, relay.Answer] = {}
    ran = 0
    for (read, hidden), answer in zip(program.hidden.items(), output.answers, strict=True):
        if answer is relay.DANGLING:
            assert isinstance(read, Call)
            assert isinstance(read.target, Pointer)
            answer = here[read.target.call]
        if program.words and read in program.words:
            here[read] = answer
        if answer is relay.STARVED:
            work.alone.add(read)
        elif answer is not relay.NOT_RUN:
            ran += 1
            if not hidden:
                assert isinstance(answer, Ok | Reverted | NoCode | Unknown)
                work.results[read] = answer
    limits = endpoint.limits
    if not any(read in work.results or read in work.alone for read in reads):
        # Not even one got through, for all its sources: ask for fewer, then for one alone.
        work.alone.update(reads if len(reads) == 1 else ())
        limits.chunk = max(1, len(reads) // 2)
        return
    fitting = int(0.6 * output.gas_cap * ran / max(output.gas_used, 1))
    if ran < len(program):
        limits.chunk = max(min(fitting, ran, limits.chunk), 1)
        return
    limits.good += 1
    if limits.good >= GOOD_BEFORE_GROWTH:
        limits.ceiling = min(limits.ceiling * 3 // 2 + 1, relay.MOST)
        limits.good = 0
    full = len(program) >= limits.chunk // 2
    limits.chunk = min(max(fitting, 32), 2 * limits.chunk if full else limits.chunk, limits.ceiling)


def refused(
    work: Work, endpoint: Endpoint, path: Path, reads: Sequence[Read], error: EndpointError
) -> None:
    limits = endpoint.limits
    if isinstance(error, BlockUnknown):
        raise error
    if isinstance(error, LimitExceeded):
        work.shrink(endpoint, reads, error)
    elif isinstance(error, Unsupported | CallReverted):
        if about_pin(error):
            loosen(endpoint, work.pin)
        elif limits.path_proven and path is limits.path:
            work.strike(reads, error.message, then_alone=True)
        else:
            work.degrade(endpoint, path)
    else:
        endpoint.failed(error)
        work.strike(reads, error.message, then_alone=True)
