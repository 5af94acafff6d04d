"""The table of transitions, and the rules that use it."""

import pytest

from executor.run.actions import Move
from executor.run.change import changed
from executor.run.rules import RULES
from executor.transitions import TRANSITIONS, IllegalTransition, check
from executor.types import TERMINAL, State
from tests.executor.samples import intent, view

PAIRS = [(a, b) for a in State for b in State if a is not b]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_check__every_pair__is_in_the_table_or_raises(pair: tuple[State, State]) -> None:
    old, new = pair
    if pair in TRANSITIONS:
        check("0x", old, new)
        assert TRANSITIONS[pair]
    else:
        with pytest.raises(IllegalTransition):
            check("0x", old, new)


def test_table__terminal_states__have_no_way_out() -> None:
    assert [pair for pair in TRANSITIONS if pair[0] in TERMINAL] == []


def test_table__every_state__is_reached_and_reaches_an_end() -> None:
    ends = set(TERMINAL)
    while more := {a for a, b in TRANSITIONS if b in ends} - ends:
        ends |= more
    assert ends == set(State)
    reached = {State.PLANNED}
    while more := {b for a, b in TRANSITIONS if a in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_change__illegal_move__raises() -> None:
    with pytest.raises(IllegalTransition):
        changed(view(intent(state=State.DONE)), Move(State.SIGNED, ""))


def test_rules__names__are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
