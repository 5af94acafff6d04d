"""The same documents over a Postgres."""

from pathlib import Path

import pytest

from tests.underkeel.web.scene import Client, Clock, Scene, scene, seed
from tests.underkeel.web.test_api import EVERY
from underkeel.documents.registry import DOCUMENTS
from underkeel.store.store import Store


def test_documents__over_postgres__are_what_they_are_over_sqlite(
    postgres: str, tmp_path: Path, reader: Client
) -> None:
    made = scene(tmp_path, seeded=False)
    made.store.close()
    clock = Clock()
    store = Store.open(postgres, mode="dry-run", chains={"main": 1, "other": 2}, clock=clock)
    seed(store, clock)
    there = Scene(tmp_path, store, made.config, clock, made.environ).client()
    for path in EVERY:
        found, same = there.document(path), reader.document(path)
        DOCUMENTS[found["schema"]].model_validate(found)
        for one in (found, same):
            one.pop("store", None)
            one.pop("token", None)
            one.pop("took_s", None)
        assert found == same, path
    assert there.document("system")["store"]["backend"] == "postgresql"
    assert there.act("pause", {}).status_code == 200
    store.close()


@pytest.mark.parametrize("path", ["/metrics", "/", "/readyz"])
def test_pages_and_metrics__of_a_seeded_store__are_there(reader: Client, path: str) -> None:
    assert reader.get(path).text
