"""Reading the store's documents: parsed once, and of a changed one only what changed."""

import orjson
import pytest

from tests.underkeel.stress.build import portfolio
from underkeel.documents.build import risk_document
from underkeel.documents.models import RiskDocument
from underkeel.web.reading import portfolio as reading
from underkeel.web.reading.portfolio import Judgements

TEXT = risk_document(portfolio(), 0.0).model_dump_json(by_alias=True, exclude_unset=True)


def test_parse__one_position_changed__only_that_is_new() -> None:
    known = Judgements()
    before = known.parse(TEXT)
    data = orjson.loads(TEXT)
    data["positions"][0]["notes"] = ["changed"]
    after = known.parse(orjson.dumps(data).decode())
    assert after.positions[0].notes == ["changed"]
    assert after.positions[1] is before.positions[1]
    assert after.positions[0] is not before.positions[0]


def test_parse__any_document__is_what_the_model_reads() -> None:
    found = Judgements().parse(TEXT)
    assert found == RiskDocument.model_validate_json(TEXT)
    assert found.model_dump_json(by_alias=True, exclude_unset=True) == TEXT


def test_parse__positions_long_gone__are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_KNOWN", 3)
    known, data = Judgements(), orjson.loads(TEXT)
    first = data["positions"][0]
    for n in range(9):
        data["positions"] = [{**first, "id": str(n)}]
        known.parse(orjson.dumps(data).decode())
    assert len(known._known) < 6
