"""A lens as one read among others: the same POST, checked, and never more than not known."""

from collections.abc import Sequence

import pytest

from chain.calls import NO_LENS, Ok, Read, Result, Run, Unknown
from chain.endpoint import Path
from chain.prefetch import Foresight
from tests.chain import scene
from tests.chain.helpers import client
from tests.chain.test_lens import HEAD, LensNode, accounts, made
from tests.support import faults

PROGRAM = "lending_lens"
RUN = Run(PROGRAM, HEAD + accounts(3))
SAID = Ok(b"\0\0\0\3" + bytes([0, 1, 1, 1, 2, 1]))


def read(*nodes: LensNode, reads: Sequence[Read] = (RUN,), path: Path | None = None,
         quorum: int = 1) -> list[Result]:  # fmt: skip
    with client(*nodes, path=path, quorum=quorum, multicall3=scene.MULTICALL3) as chain:
        return scene.read(chain, reads)


@pytest.mark.parametrize("path", [Path.OVERRIDE, Path.INITCODE])
def test_read__a_run_among_others__is_one_post(path: Path) -> None:
    node = made()
    with client(node, path=path) as chain:
        at = chain.head()
        before = node.posts
        assert chain.snapshot(at).read([scene.BATCH[0], RUN]) == [scene.TRUTH[0], SAID]
        assert node.posts == before + 1


@pytest.mark.parametrize("path", [Path.MULTICALL3, Path.SINGLE])
def test_read__where_programs_are_not_run__is_no_lens(path: Path) -> None:
    node = made()
    found = read(node, reads=[RUN, scene.BATCH[0]], path=path)
    assert found == [NO_LENS, scene.TRUTH[0]]
    assert node.runs == []


def test_read__only_runs_where_none_are_run__sends_nothing() -> None:
    node = made()
    with client(node, path=Path.MULTICALL3) as chain:
        at = chain.head()
        before = node.posts
        assert chain.snapshot(at).read([RUN]) == [NO_LENS]
        assert node.posts == before


def test_read__no_overrides__runs_as_init_code_or_not_at_all() -> None:
    assert read(made(overrides=False)) == [SAID]
    assert read(made(overrides=False, initcode=False)) == [NO_LENS]


def test_read__too_long_for_init_code__is_no_lens() -> None:
    run = Run(PROGRAM, HEAD + bytes(49_152))
    assert read(made(), reads=[run], path=Path.INITCODE) == [NO_LENS]


def test_read__no_such_program__is_no_lens() -> None:
    for name in ("nothing", "../networks", ""):
        assert read(made(), reads=[Run(name, HEAD)]) == [NO_LENS]


def test_read__a_quorum__is_no_lens_beside_what_is_agreed() -> None:
    found = read(made(), made(label="https://b.example"), reads=[RUN, scene.BATCH[0]], quorum=2)
    assert found == [NO_LENS, scene.TRUTH[0]]
    assert read(made(), made(label="https://b.example"), quorum=2) == [NO_LENS]


def test_read__a_run_that_takes_too_much__is_no_lens() -> None:
    assert read(made(most=2)) == [NO_LENS]


@pytest.mark.parametrize(
    "fault", [faults.cut, faults.truncated, *(faults.mutated(seed) for seed in range(20))]
)
def test_read__a_lasting_fault__is_no_answer_or_the_true_one(fault: faults.Fault) -> None:
    node = made()
    with client(node) as chain:
        at = chain.head()
        node.script.always(fault)
        (found,) = chain.snapshot(at).read([RUN])
    assert found == SAID or isinstance(found, Unknown)


def test_foresight__a_run__is_remembered() -> None:
    memory = Foresight({"it": {RUN: 0}})
    assert Foresight.load(memory.dump()) == memory
