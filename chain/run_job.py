"""Run a lens as one of the reads of a batch, and check what it writes."""

from typing import Any

from chain import lens, relay, relay_job
from chain.calls import Ok, Run
from chain.endpoint import Endpoint, Path
from chain.errors import Malformed
from chain.work import Job, Work


def fits(path: Path, run: Run) -> bool:
    """Whether there is such a program, and the input leaves room for it."""
    if not lens.shipped(run.program):
        return False
    if path is Path.OVERRIDE:
        return True
    return len(lens.code(run.program)[1]) // 2 + len(run.text) + 4 <= relay_job.INITCODE_LIMIT


def job(work: Work, endpoint: Endpoint, path: Path, run: Run) -> Job:
    """Return the request of one run; refused for good, it is read no more by this path."""
    ask = relay_job.asking(work, endpoint, path, lens.ADDRESS, lens.code(run.program), run.text)

    def settle(answers: list[Any]) -> None:
        raw = relay_job.written(work, endpoint, path, [run], answers[0])
        if raw is None:
            return
        try:
            output = lens.decode(run.text, raw)
            work.check_block(output.number, output.timestamp, output.parent_hash)
        except relay.Corrupt as error:
            endpoint.failed(Malformed(endpoint.label, str(error)))
            work.strike([run], f"{endpoint.label}: {error}")
            return
        endpoint.limits.path_proven, endpoint.limits.doubts = True, 0
        work.results[run] = Ok(output.done.to_bytes(4, "big") + output.data)

    return Job([ask], settle, 2 * len(run.text) + 12_000, [run], proves_block=True)
