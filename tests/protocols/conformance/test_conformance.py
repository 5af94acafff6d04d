"""Every adapter, on the world's real contracts, against the same demands."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.calls import NoCode, Ok, Read, ReadFailed, Result, Reverted, Unknown, gather
from chain.client import ChainSpec, connect
from chain.endpoint import Path
from chain.types import Address, BlockRef
from protocols.types import Position, Reading
from risk.liquidation import assess_liquidation, engine_for
from risk.types import Status
from tests.protocols.conformance.fixture import Plant
from tests.protocols.conformance.judge import Outcome, false_claims
from tests.protocols.conformance.staging import Staged
from tests.support import referee

ROUNDS = 3
"""Batches that a cold reading may take."""
REVERTING = "0x60006000fd"
"""Code that refuses every call."""


def test_read__what_was_staged__equals_the_protocols_own_views(staged: Staged) -> None:
    staged.stage.views(staged.truth)
    positions = [p for p in staged.truth.positions if isinstance(p, Position)]
    assert len(positions) == len(staged.truth.positions)
    assert {p.owner for p in positions} == set(staged.stage.accounts)
    assert len({p.id for p in positions}) == len(positions)
    for position in positions:
        assert not position.unknown
        assert position.verified
        assert position.at == staged.at
        assert position.protocol == staged.adapter.name
        assert all(leg.amount >= 0 for leg in position.legs)
        # Were it unknown in truth, no lie about it could be told from the truth.
        assert assess_liquidation(position).status is not Status.UNKNOWN


def test_read__account_that_holds_nothing__gives_nothing(staged: Staged) -> None:
    for others in ((), staged.stage.accounts[:1]):
        accounts: tuple[Address, ...] = (staged.stage.empty, *others)
        program = staged.adapter.read(staged.stage.market, accounts, staged.at)
        reading = referee.run(program, staged.world.node.rpc, staged.at)
        assert all(p.owner in others for p in reading.positions)


def test_read__rounds__are_few(staged: Staged) -> None:
    assert len(staged.recording.rounds) <= ROUNDS


def test_read__same_answers__give_the_same_reading(staged: Staged) -> None:
    never: Callable[[Read, Result], Result] = lambda _, result: result  # noqa: E731
    assert staged.replay(never) == staged.truth
    both = staged.recording.replay(gather([staged.program(), staged.program()]))
    assert both == [staged.truth, staged.truth]


@pytest.mark.parametrize("path", list(Path), ids=lambda path: path.name.lower())
def test_read__every_read_path__agrees(staged: Staged, path: Path) -> None:
    world = staged.world
    spec = ChainSpec(
        name="world",
        chain_id=world.node.chain_id,
        urls=(world.node.url,),
        multicall3=world.book["multicall3"]["address"],
    )
    with connect(spec, path=path) as client:
        assert client.snapshot(staged.at).run(staged.program()) == staged.truth


def test_liquidation__at_the_boundary__is_where_it_was_said_to_be(staged: Staged) -> None:
    if staged.stage.boundary is None:
        positions = (p for p in staged.truth.positions if isinstance(p, Position))
        assert all(engine_for(p) is None for p in positions), "no proof of the boundary"
        return
    with staged.world.node.rollback():
        staged.stage.boundary(staged.truth)


def test_read__a_contract_refuses_every_call__is_said_and_nothing_false(staged: Staged) -> None:
    node, then = staged.world.node, staged.at.timestamp + 100
    with node.rollback():
        node.mine_at(then)
        sound = _read_at_head(staged)
    assert isinstance(sound, Reading)
    for plant in staged.stage.plants:
        with node.rollback():
            node.set_code(plant.address, REVERTING)
            node.mine_at(then)
            outcome = _read_at_head(staged)
        _honest(plant, sound, outcome)
        assert _contents(outcome) != _contents(sound), f"{plant.label} refuses, unnoticed"


def _honest(what: Plant | str, truth: Reading, outcome: Outcome) -> None:
    claims = false_claims(truth, outcome)
    assert not claims, f"{what}: {claims}"


def _read_at_head(staged: Staged) -> Outcome:
    rpc = staged.world.node.rpc
    at = referee.head(rpc)
    try:
        return referee.run(staged.program(at), rpc, at)
    except ReadFailed as failure:
        return failure


def _contents(outcome: Outcome) -> object:
    """Return an outcome without the block it was read at."""
    if isinstance(outcome, ReadFailed):
        return outcome.cause
    nowhere = BlockRef(0, 0, "", "", 0)
    return tuple(replace(p, at=nowhere) for p in outcome.positions), outcome.prices


def falsifications(result: Result) -> list[Result]:
    """Return what a broken or lying endpoint may make of an answer, and a reader can notice.

    A lie that decodes is not among them: against that there is only a quorum.
    """
    lies: list[Result] = [Unknown("falsified"), NoCode(), Reverted(b""), Ok(b"")]
    if isinstance(result, Ok) and result.data:
        lies += [Ok(result.data[:-1]), Ok(result.data[: len(result.data) // 2])]
    return [lie for lie in lies if lie != result]


def test_read__any_one_answer_falsified__is_unknown_or_true(staged: Staged) -> None:
    for number, answers in enumerate(staged.recording.rounds):
        for read, result in answers:
            for lie in falsifications(result):
                outcome = staged.replay(_lying({read: lie}))
                _honest(f"round {number + 1}, {read} → {lie}", staged.truth, outcome)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_read__any_several_answers_falsified__are_unknown_or_true(
    staged: Staged, data: st.DataObject
) -> None:
    answers = list(staged.recording.answers.items())
    picks = data.draw(st.lists(st.integers(0, len(answers) - 1), min_size=2, max_size=8))
    lies = {answers[i][0]: data.draw(st.sampled_from(falsifications(answers[i][1]))) for i in picks}
    _honest(f"{lies}", staged.truth, staged.replay(_lying(lies)))


def _lying(lies: dict[Read, Result]) -> Callable[[Read, Result], Result]:
    return lambda read, result: lies.get(read, result)


def test_read__nothing_answers__is_no_position_called_known(staged: Staged) -> None:
    outcome: Outcome = ReadFailed("")
    with suppress(ReadFailed):
        outcome = staged.recording.replay(staged.program(), lambda *_: Unknown("down"))
    if isinstance(outcome, Reading):
        assert outcome.positions
        assert all(not isinstance(p, Position) or p.unknown for p in outcome.positions)
    _honest("nothing answers", staged.truth, outcome)
