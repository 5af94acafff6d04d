"""One batch of reads at one block: planned, sent, settled, until nothing is pending.

A batch is planned anew for each endpoint it is tried on, because endpoints differ in what they
bear: the relay by code override, the relay as init code, Multicall3, or single calls. Answers of
the relay prove themselves by a digest over input and output. Everything else is asked twice in
the same POST and believed only if both answers are equal, so that one corrupted answer is seen;
an endpoint that lies twice in the same way is what a quorum is for.
"""

from collections.abc import Iterator, Sequence

from chain import multicall, plain_job, relay, relay_job, run_job
from chain.calls import (
    NO_LENS,
    Call,
    Code,
    NativeBalance,
    NoCode,
    Ok,
    Pointer,
    Read,
    Run,
    Storage,
)
from chain.endpoint import Endpoint, Path, Pin
from chain.errors import EndpointError, LimitExceeded, TimedOut, TooLarge
from chain.types import Address
from chain.work import Job, Work, pointed


def run(work: Work, endpoint: Endpoint) -> None:
    """Make one pass over what is pending.

    Raises an `EndpointError` where the endpoint failed as a whole, `Reorged` where the block is
    gone; what was settled before stays settled, except where the block is named by number and
    could not be confirmed afterwards.
    """
    work.pin = endpoint.limits.pin
    by_number = work.pin is Pin.NUMBER
    before = (dict(work.pending), dict(work.results)) if by_number else None
    try:
        _pass(work, endpoint)
        if by_number:
            job = plain_job.guard(work, endpoint)
            job.settle(endpoint.post(job.asks, stats=work.stats))
    except EndpointError:
        if before is not None:
            work.pending, work.results = before
        raise


def _pass(work: Work, endpoint: Endpoint) -> None:
    for jobs in _posts(_plan(work, endpoint), endpoint):
        proven = any(job.proves_block for job in jobs) and work.pin is not Pin.NUMBER
        jobs = jobs if proven else [plain_job.guard(work, endpoint), *jobs]
        try:
            answers = endpoint.post([ask for job in jobs for ask in job.asks], stats=work.stats)
        except (TooLarge, LimitExceeded, TimedOut) as error:
            work.shrink_post(endpoint, [job for job in jobs if job.reads], error)
            if isinstance(error, TimedOut):
                raise
            continue
        start = 0
        for job in jobs:
            job.settle(answers[start : start + len(job.asks)])
            start += len(job.asks)
        work.clear()


def _plan(work: Work, endpoint: Endpoint) -> list[Job]:
    path = endpoint.limits.path if work.force is None else work.force
    if path is Path.MULTICALL3 and work.rules.multicall3 is None:
        path = endpoint.limits.path = Path.SINGLE
    together: list[Read] = []
    slots: dict[Address, list[Read]] = {}
    literal: dict[Read, None] = {}
    runs: list[Run] = []
    for read in work.pending:
        by_relay = path <= Path.INITCODE and not (work.alone and read in work.alone)
        if isinstance(read, Run):
            if by_relay and run_job.fits(path, read):
                runs.append(read)
            else:
                work.results[read] = NO_LENS
        elif by_relay and isinstance(read, Storage) and path is Path.OVERRIDE:
            slots.setdefault(read.account, []).append(read)
        elif by_relay and not isinstance(read, Storage) and relay.takes(read):
            together.append(read)
        elif (ready := _ready(work, read)) is not None:
            literal[ready] = None
    work.clear()
    jobs = list(relay_job.jobs(work, endpoint, path, together, relay.ADDRESS))
    jobs += [run_job.job(work, endpoint, path, run) for run in runs]
    for account, reads in slots.items():
        jobs += relay_job.jobs(work, endpoint, path, reads, account)
    shared: list[tuple[Read, Address, bytes]] = []
    for read in literal:
        call = _by_multicall(work, read) if path is Path.MULTICALL3 else None
        if call is None:
            jobs.append(plain_job.single(work, endpoint, read))
        else:
            shared.append((read, *call))
    size = endpoint.limits.chunk
    for i in range(0, len(shared), size):
        jobs.append(plain_job.shared(work, endpoint, shared[i : i + size]))
    return jobs


def _ready(work: Work, read: Read) -> Read | None:
    """Return the next read without a pointer that `read` waits for; None if now answered."""
    if read in work.results:
        return None
    if isinstance(read, Call) and isinstance(read.target, Pointer):
        source = read.target.call
        waiting = _ready(work, source)
        if waiting is not None:
            return waiting
        target = pointed(work.results[source], read.target.word)
        if not isinstance(target, str):
            work.results[read] = target
            return None
        literal = Call(target, read.data, read.sender)
        if read in work.alone:
            work.alone.add(literal)
        waiting = _ready(work, literal)
        if waiting is None:
            work.results[read] = work.results[literal]
        return waiting
    if read in work.empty:
        assert isinstance(read, Call)
        assert isinstance(read.target, str)
        code = work.results.get(Code(read.target))
        if code is None:
            return Code(read.target)
        if isinstance(code, Ok):
            code = Ok(b"") if code.data else NoCode()
        work.results[read] = code
        return None
    return read


def _by_multicall(work: Work, read: Read) -> tuple[Address, bytes] | None:
    """Return what Multicall3 is to call for a read; None where the read travels on its own."""
    if read in work.alone:
        return None
    match read:
        case Call(str() as target, data, None):
            return target, data
        case NativeBalance(account) if work.rules.multicall3 is not None:
            word = bytes(12) + bytes.fromhex(account[2:])
            return work.rules.multicall3, multicall.GET_ETH_BALANCE + word
    return None


def _posts(jobs: Sequence[Job], endpoint: Endpoint) -> Iterator[list[Job]]:
    """Share jobs out over as few POSTs as the endpoint's limits allow."""
    post: list[Job] = []
    entries = size = 0
    for job in jobs:
        full = entries + len(job.asks) >= endpoint.limits.batch
        if post and (full or size + job.weight > endpoint.limits.body):
            yield post
            post, entries, size = [], 0, 0
        post.append(job)
        entries += len(job.asks)
        size += job.weight
    if post:
        yield post
