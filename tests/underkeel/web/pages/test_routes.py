"""Every page from real documents, without a browser; with one: tests/e2e/web."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.e2e.web import documents as made
from tests.e2e.web.cargo import ALERT
from tests.e2e.web.harbour import filled
from underkeel.web.app import create_app
from underkeel.web.pages.render import TEMPLATES
from underkeel.web.pages.site import PAGES

POSITION = made.ethereum(0).positions[0].id


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("pages")
    with filled(folder) as (config, store, environ):
        app = create_app(config, store, alone=False, environ=environ)
        yield TestClient(app, base_url="http://127.0.0.1:8899")


@pytest.mark.parametrize(
    "path", [*(page.path for page in PAGES), "/pause", f"/alerts/{ALERT}", f"/positions/{POSITION}"]
)
def test_page__whole_and_inside__have_the_same_heading(client: TestClient, path: str) -> None:
    whole = client.get(path)
    inside = client.get(path, headers={"HX-Request": "true"})
    assert whole.status_code == inside.status_code == 200
    assert "<html" in whole.text
    assert "<html" not in inside.text
    assert whole.text.count("<h1") == inside.text.count("<h1") == 1
    assert "style=" not in whole.text
    assert "onclick" not in whole.text
    assert whole.text.count("<script>") == 0


def test_page__of_nothing__is_not_found(client: TestClient) -> None:
    for path in ("/positions/none", "/alerts/none"):
        found = client.get(path)
        assert found.status_code == 404
        assert "none is not there" in " ".join(found.text.replace("</bdi>", "").split())


def test_filter__words__all_must_be_there(client: TestClient) -> None:
    found = client.get("/positions", params={"q": "spark treasury"}).text
    assert found.count('id="position-') == 1
    assert "No position has all of these words" in client.get("/positions?q=zzz").text


def test_history__nonsense_in_the_query__shows_the_usual(client: TestClient) -> None:
    found = client.get("/history?span=x&before=-3&metric=nothing&position=%00")
    assert found.status_code == 200
    assert "Nothing of this was recorded" in found.text


def test_login__said_to_be_wrong__says_so_and_asks_again(client: TestClient) -> None:
    assert client.get("/login").status_code == 200
    found = client.get("/login?failed=1&next=//elsewhere.example")
    assert found.status_code == 401
    assert "That is not the token" in found.text
    assert "elsewhere" not in found.text


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/alerts/ack", {"alert": "none"}, 409),
        ("/alerts/silence", {"alert": ALERT, "seconds": "5"}, 422),
        ("/alerts/silence", {"alert": "none", "seconds": "7200"}, 404),
        ("/alerts/unsilence", {"silence": "none"}, 404),
    ],
)
def test_form__that_cannot_be__is_refused_on_a_page(
    client: TestClient, path: str, form: dict[str, str], status: int
) -> None:
    csrf = client.get("/api/v1/csrf").json()["token"]
    found = client.post(path, data={**form, "csrf": csrf, "back": "/alerts"})
    assert found.status_code == status
    assert "Refused" in found.text


def test_form__of_another_site__is_not_carried_out(client: TestClient) -> None:
    found = client.post("/pause", data={"csrf": "guess", "back": "/"})
    assert found.status_code == 403


def test_without_libraries__drawings__are_tables(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TEMPLATES.globals, "libraries", False)
    TEMPLATES.cache.clear()  # type: ignore[union-attr]
    found = client.get("/risk").text
    assert "vendor/" not in found
    assert '<details class="twin" open>' in found
    TEMPLATES.cache.clear()  # type: ignore[union-attr]
