"""Role holders from logs, as far as they are worth asking for."""

from dataclasses import replace
from typing import Any, cast

import pytest

from chain.types import BlockRef
from protocols.adapter import Market
from protocols.exposure.state import Facts, Kind, Survey
from tests.support.fake_chain import AT, address
from underkeel.exposure import reading

CONTRACT = address(7)


class Chain:
    """Runs no program; counts those it was given."""

    def __init__(self) -> None:
        self.at: BlockRef = AT
        self.surveys: list[Any] = []

    def run(self, program: Any) -> Survey:
        self.surveys.append(program)
        facts = Facts(CONTRACT, Kind.CONTRACT, roles="unread")
        return Survey({CONTRACT: facts}, (), ())


class Logs:
    """Finds so many grants."""

    def __init__(self, count: int) -> None:
        self.texts = tuple(f"0x{i:064x}{i:040x}" for i in range(count))

    def complete(self, market: Market, _: Any) -> tuple[Market, None]:
        return replace(market, params={"grants": self.texts}), None


@pytest.mark.parametrize(("count", "asked"), [(3, 3), (4, None)])
def test_followed__a_flood_of_grants__is_not_asked_about(
    count: int, asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[Any, Any]] = []
    monkeypatch.setattr(reading, "MOST_GRANTS", 3)
    monkeypatch.setattr(reading, "survey", lambda _, grants=None, *rest, **__: seen.append(grants))
    found = reading._followed(cast(Any, Chain()), (), cast(Any, Logs(count)))
    told = seen[-1].get(CONTRACT)
    assert (None if told is None else len(told)) == asked
    assert found.facts[CONTRACT].roles == "unread"
