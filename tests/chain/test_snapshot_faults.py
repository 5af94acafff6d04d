"""Faults between us and the node: the answer is the truth or unknown, never something else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.calls import Unknown
from chain.endpoint import Path
from chain.errors import ChainError, Reorged
from tests.chain.helpers import Clock, address, client
from tests.chain.scene import BALANCE, BATCH, MULTICALL3, TOKEN, TRUTH, node
from tests.support import faults

SAME_LIE = (
    faults.on("eth_call", lambda _: "0x"),
    faults.on("eth_call", lambda r: r[:-2]),
    faults.on("eth_call", lambda r: r + "00"),
)


@pytest.mark.parametrize("path", Path)
@pytest.mark.parametrize(
    "fault",
    [
        *SAME_LIE,
        faults.html,
        faults.truncated,
        faults.dropped,
        faults.duplicated,
        faults.delayed(99),
        faults.status(429),
        faults.status(500),
        faults.status(403),
        faults.other_chain(9),
        faults.fixed(b"[]"),
        faults.on("eth_call", lambda r: r[:-1]),
        faults.on("eth_call", lambda r: {"not": "text"}),
        faults.failing("eth_call", -32603, "internal error"),
        faults.failing("eth_call", -32601, "no such method"),
    ],
)
def test_read__a_lasting_fault__makes_unknown_and_never_a_value(
    fault: faults.Fault, path: Path
) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3)
    at = chain.head()
    fake.script.always(fault)
    reads = BATCH[:3]
    if path is Path.SINGLE and fault in SAME_LIE:
        return  # the same wrong bytes twice: only a quorum can tell, see docs/chain.md
    for result, truth in zip(chain.snapshot(at).read(reads), TRUTH, strict=False):
        if isinstance(result, Unknown):
            assert result.reason
        else:  # only where the fault does not touch this path at all
            assert result == truth


@pytest.mark.parametrize("fault", [faults.html, faults.dropped, faults.truncated])
def test_read__a_passing_fault__is_overcome(fault: faults.Fault) -> None:
    fake = node()
    clock = Clock()
    chain = client(fake, clock=clock)
    at = chain.head()
    fake.script.then(fault, fault)
    assert chain.snapshot(at).read(BATCH) == TRUTH
    assert clock.sleeps


def test_read__a_lasting_fault_and_a_spare__is_overcome() -> None:
    bad, good = node(label="https://bad"), node(label="https://good")
    chain = client(bad, good)
    at = chain.head()
    bad.script.always(faults.html)
    assert chain.snapshot(at).read(BATCH) == TRUTH


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), path=st.sampled_from(Path), lasting=st.booleans())
def test_read__any_mutation_of_any_answer__gives_the_truth_or_unknown(
    seed: int, path: Path, lasting: bool
) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3, retries=2)
    at = chain.head()
    if lasting:
        fake.script.always(faults.mutated(seed))
    else:
        fake.script.queue = [faults.honest] * (seed % 3) + [faults.mutated(seed)]
    try:
        results = chain.snapshot(at).read(BATCH)
    except Reorged:
        return  # the mutated answer was that of the block's whereabouts
    for result, truth in zip(results, TRUTH, strict=True):
        assert result == truth or isinstance(result, Unknown), seed
    if not lasting:
        fake.script.calm()
        assert chain.snapshot(at).read(BATCH) == TRUTH


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), path=st.sampled_from(Path))
def test_head__any_mutation_of_it__gives_the_truth_unknown_or_an_error(
    seed: int, path: Path
) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3, retries=0)
    fake.script.then(faults.mutated(seed))
    try:
        results = chain.snapshot(chain.head()).read(BATCH)
    except ChainError:
        return
    for result, truth in zip(results, TRUTH, strict=True):
        assert result == truth or isinstance(result, Unknown), seed


def test_head__a_corrupted_height__heals_by_itself() -> None:
    fake = node()
    chain = client(fake, retries=0)
    fake.script.then(faults.on("eth_getBlockByNumber", lambda b: {**b, "number": "0xffffff"}))
    assert chain.head().number == 0xFFFFFF
    for _ in range(2):
        with pytest.raises(ChainError):
            chain.head()
    assert chain.head() == fake.head


@pytest.mark.parametrize("path", Path)
def test_read__whatever_is_asked_is_too_large__given_up_before_all_was_asked_alone(
    path: Path,
) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3)
    at = chain.head()
    fake.script.always(faults.status(413))
    before = fake.posts
    reads = [BALANCE.at(TOKEN, address(n)) for n in range(300)]
    found = chain.snapshot(at).read(reads)
    assert all(isinstance(result, Unknown) for result in found)
    assert fake.posts - before < 80


def test_read__one_answer_is_too_large__is_unknown_alone() -> None:
    fake = node()
    chain = client(fake, path=Path.SINGLE)
    at = chain.head()
    odd = address(77)[2:].lower().encode()
    fake.script.always(
        lambda asked, said: faults.Reply(status=413) if odd in asked else faults.Reply(said)
    )
    reads = [BALANCE.at(TOKEN, address(n)) for n in range(60, 90)]
    found = chain.snapshot(at).read(reads)
    assert [n for n, one in enumerate(found, 60) if isinstance(one, Unknown)] == [77]
