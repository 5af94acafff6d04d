"""What every request has to pass: host, origin, token, size, and what answers carry."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from tests.underkeel.web.scene import ALERT, GUARDED, Client, Scene, break_it, opened
from underkeel.alerts import acts as alerts
from underkeel.web.gate import HEADERS
from underkeel.web.problems import Refusal

# Host


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8899", 200),
        ("localhost:9000", 200),
        ("[::1]:8899", 200),
        ("evil.example", 421),
        ("evil.example:8899", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.168.1.5:8899", 421),
        ("", 421),
        ("[::", 421),
        ("localhost@evil.example", 421),
    ],
)
def test_host__on_loopback__only_our_own_names(reader: Client, host: str, status: int) -> None:
    found = reader.get("/healthz", headers={"Host": host})
    assert found.status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("keel.example.org", 200), ("192.168.1.5:8899", 200), ("evil.example", 421)],
)
def test_host__bound_to_everywhere__names_of_the_config_and_addresses(
    walled: Scene, host: str, status: int
) -> None:
    assert Client(walled.the_app).get("/healthz", headers={"Host": host}).status_code == status


def test_host__given_twice__is_refused(reader: Client) -> None:
    headers = [("Host", "127.0.0.1:8899"), ("Host", "evil.example")]
    assert reader.get("/healthz", headers=headers).status_code == 421


# What answers carry


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/risk", "/nothing", "/healthz", "/api/v1/risk?limit=0"]
)
def test_headers__any_answer__keeps_scripts_frames_and_caches_out(
    reader: Client, path: str
) -> None:
    found = reader.get(path)
    for name, value in HEADERS.items():
        assert found.headers[name] == value
    assert found.headers["cache-control"] == "no-store"
    assert "server" not in found.headers
    assert "unsafe" not in found.headers["content-security-policy"]


def test_cookie__first_visit__only_http_and_same_site(reader: Client) -> None:
    found = reader.get("/healthz").headers["set-cookie"]
    assert re.fullmatch(
        r"underkeel-[0-9a-f]{8}=no\.[\w-]{24}\.\d+\.[0-9a-f]{40}; Path=/; Max-Age=43200; "
        "HttpOnly; SameSite=Strict",
        found,
    )
    assert "set-cookie" not in reader.get("/healthz").headers


def test_cookie__behind_a_proxy_that_speaks_tls__is_secure(tmp_path: Path) -> None:
    made = opened(tmp_path, GUARDED + '\nproxies = ["10.0.0.0/8"]')
    client = Client(made.app(), "10.0.0.2")
    headers = {"Host": "keel.example.org", "X-Forwarded-Proto": "https"}
    assert client.get("/healthz", headers=headers).headers["set-cookie"].endswith("; Secure")
    made.store.close()


def test_error_in_a_route__any__says_nothing_of_it(
    seeded: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("PLANTED-inside")

    app = seeded.app()
    monkeypatch.setattr(app.state.web.data, "overview", fail)
    found = Client(app).get("/api/v1/overview")
    assert found.status_code == 500
    assert found.json()["detail"] == "the service's log says more"
    assert "PLANTED" not in found.text
    assert "PLANTED-inside" in caplog.text


# Requests that change something


def test_act__with_our_token__is_carried_out(client: Client) -> None:
    found = client.act("alerts/silence", {"match": {"rule": "hf-low"}, "seconds": 3600})
    assert found.status_code == 200, found.text
    (mine, _) = client.document("silences")["silences"]
    assert (mine["match"], mine["by"], mine["active"]) == ({"rule": "hf-low"}, "web", True)
    assert client.act("alerts/unsilence", {"id": found.json()["id"]}).status_code == 200
    again = client.act("alerts/unsilence", {"id": found.json()["id"]})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"match": {}, "seconds": 3600}, 422),
        ({"match": {"nothing": "x"}, "seconds": 3600}, 422),
        ({"match": {"rule": "x"}, "seconds": 59}, 422),
        ({"match": {"rule": "x"}, "seconds": 10**9}, 422),
        ({"match": {"rule": "x" * 500}, "seconds": 3600}, 422),
        ({"match": {"rule": "x"}, "seconds": 3600, "more": 1}, 422),
        ([], 422),
    ],
    ids=str,
)
def test_silence__makes_no_sense__is_refused(reader: Client, body: Any, status: int) -> None:
    headers = {"X-CSRF-Token": reader.csrf()}
    found = reader.post("/api/v1/alerts/silence", json=body, headers=headers)
    assert found.status_code == status
    assert found.json()["schema"] == "underkeel.problem/1"


def test_ack__firing__is_acknowledged_once_and_told(client: Client) -> None:
    found = client.act("alerts/ack", {"id": ALERT})
    assert (found.status_code, found.json()["id"]) == (200, ALERT)
    (alert,) = client.document("alerts", state="acked")["alerts"]
    assert (alert["id"], alert["acked_by"]) == (ALERT, "web")
    assert client.document("events")["events"][0]["alert"] == ALERT
    assert client.act("alerts/ack", {"id": ALERT}).status_code == 409


def test_acts__straight_from_a_page__refuse_what_the_api_refuses(seeded: Scene) -> None:
    acts = seeded.app().state.web.acts
    for match, seconds in (({}, 3600), ({"rule": "x"}, 1), ({"odd": "x"}, 3600)):
        with pytest.raises(Refusal):
            acts.silence(match, seconds, "")
    with pytest.raises(Refusal):
        acts.unsilence("-1")
    for _ in range(alerts.MOST - 1):  # and the one that is there
        acts.silence({"rule": "x"}, 3600, "")
    with pytest.raises(Refusal, match="100 silences within an hour"):
        acts.silence({"rule": "x"}, 3600, "")


def test_pause__file_cannot_be_written__says_to_end_the_executor(
    seeded: Scene, client: Client
) -> None:
    token = client.csrf()
    state = seeded.folder / "state"
    for file in state.iterdir():
        file.unlink()
    state.rmdir()
    state.write_text("no folder")
    found = client.post("/api/v1/pause", json={}, headers={"X-CSRF-Token": token})
    assert found.status_code == 503
    assert "end the executor" in found.json()["detail"]


def test_web_socket__any__is_closed(reader: Client) -> None:
    with pytest.raises(WebSocketDisconnect), reader.websocket_connect("/api/v1/stream"):
        pass


def test_ack__alert_that_is_not_there__says_so(reader: Client) -> None:
    assert reader.act("alerts/ack", {"id": "nothing"}).status_code == 409


def test_pause__from_the_page__stops_the_executor_and_is_told(
    seeded: Scene, client: Client
) -> None:
    assert client.act("pause", {"reason": "odd\n prices"}).status_code == 200
    file = seeded.folder / "state" / "pause"
    assert file.read_text().endswith("from the web page: odd prices\n")
    assert client.document("overview")["paused"].endswith("from the web page: odd prices")
    assert client.document("events")["events"][0]["kind"] == "pause"


def test_pause__database_gone__still_pauses(seeded: Scene, client: Client) -> None:
    token = client.csrf()
    break_it(seeded)
    found = client.post("/api/v1/pause", json={}, headers={"X-CSRF-Token": token})
    assert found.status_code == 200
    assert (seeded.folder / "state" / "pause").exists()


def test_resume__over_http__there_is_no_such_thing(reader: Client) -> None:
    assert reader.act("resume", {}).status_code == 404
    paths = reader.document("openapi.json")["paths"]
    acting = {path for path, methods in paths.items() if set(methods) - {"get"}}
    assert acting == {
        "/api/v1/alerts/ack", "/api/v1/alerts/silence", "/api/v1/alerts/unsilence",
        "/api/v1/pause",
    }  # fmt: skip


@pytest.mark.parametrize("given", [None, "", "0" * 40, "ü"])
def test_act__without_our_token__is_refused(reader: Client, given: str | None) -> None:
    reader.csrf()
    headers = {} if given is None else {"X-CSRF-Token": given.encode()}
    found = reader.post("/api/v1/pause", json={}, headers=headers)  # type: ignore[arg-type]
    assert found.status_code == 403


def test_act__with_the_token_of_another_session__is_refused(seeded: Scene) -> None:
    mine, theirs = seeded.client(), seeded.client()
    mine.csrf()
    headers = {"X-CSRF-Token": theirs.csrf()}
    assert mine.post("/api/v1/pause", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:8899"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
    ids=str,
)
def test_act__from_elsewhere__is_refused_though_it_has_the_token(
    client: Client, headers: dict[str, str], status: int
) -> None:
    assert client.act("pause", {}, **headers).status_code == status


def test_form__with_the_token_in_a_field__is_let_through(seeded: Scene) -> None:
    app = seeded.app()
    client = Client(app)
    body = {"csrf": client.csrf(), "token": "x", "next": "/risk"}
    assert client.post("/login", data=body).status_code == 303
    assert client.post("/login", data={"token": "x"}).status_code == 403


# Sizes


def test_size__long_query_path_or_body__is_refused(reader: Client) -> None:
    assert reader.get("/api/v1/risk?x=" + "a" * 5_000).status_code == 414
    assert reader.get("/" + "a" * 2_000).status_code == 414
    big = reader.post("/api/v1/pause", content=b"x" * 70_000)
    assert big.status_code == 413

    def chunks() -> Any:
        for _ in range(70):
            yield b"x" * 1_000

    assert reader.post("/api/v1/pause", content=chunks()).status_code == 413


def test_method__other_than_those_there_are__is_a_problem(reader: Client) -> None:
    headers = {"X-CSRF-Token": reader.csrf()}
    assert reader.delete("/api/v1/risk", headers=headers).status_code == 405
    assert reader.put("/api/v1/risk", headers=headers).status_code == 405
    assert reader.delete("/api/v1/risk").status_code == 403
