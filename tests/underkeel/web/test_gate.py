"""What every request has to pass: host, origin, token, session, size, and what answers carry."""

import logging
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from tests.underkeel.web.scene import ALERT, SECRETS, TOKEN, Client, Scene, break_it, scene
from underkeel.config.load import parse
from underkeel.errors import ConfigError
from underkeel.web.auth import Failures, keys_of
from underkeel.web.gate import HEADERS
from underkeel.web.login import local
from underkeel.web.problems import Refusal

GUARDED = 'bind = "0.0.0.0:8899"\ntoken = "env:WEB_TOKEN"\nhosts = ["keel.example.org"]'


@pytest.fixture(scope="session")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where a token is asked for, never changed."""
    made = opened(tmp_path_factory.mktemp("walled"))
    yield made
    made.store.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Any:
    made = opened(tmp_path)
    yield made
    made.store.close()


def opened(folder: Path, web: str = GUARDED) -> Scene:
    made = scene(folder, web)
    made.environ["WEB_TOKEN"] = TOKEN
    return made


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


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


# Who may look


@pytest.mark.parametrize(
    "path", ["/api/v1/risk", "/metrics", "/api/v1/stream", "/api/v1/openapi.json", "/nothing"]
)
def test_stranger__where_a_token_is_asked_for__sees_nothing(walled: Scene, path: str) -> None:
    found = Client(walled.the_app).get(path)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert found.json()["schema"] == "underkeel.problem/1"


def test_stranger__in_a_browser__is_led_to_the_login_and_back(guarded: Scene) -> None:
    client = guarded.client()
    found = client.get("/risk?x=1&y=2", headers={"Accept": "text/html"})
    assert (found.status_code, found.headers["location"]) == (
        303,
        "/login?next=%2Frisk%3Fx%3D1%26y%3D2",
    )
    assert client.get(found.headers["location"]).status_code == 200
    csrf = re.search(r'name="csrf"[^>]*value="(\w+)"', client.get("/login").text)
    assert csrf is not None
    form = {"csrf": csrf[1], "token": TOKEN, "next": "/risk?x=1&y=2"}
    before = {c.value for c in client.cookies.jar}
    found = client.post("/login", data=form)
    assert (found.status_code, found.headers["location"]) == (303, "/risk?x=1&y=2")
    assert {c.value for c in client.cookies.jar} != before
    assert client.get("/api/v1/risk").status_code == 200
    assert client.act("pause", {}).status_code == 200
    client.post("/logout", data={"csrf": client.csrf()})
    assert client.get("/api/v1/risk").status_code == 401


def test_stranger__health__learns_only_yes_or_no(walled: Scene) -> None:
    client = Client(walled.the_app)
    assert client.get("/healthz").json()["ok"] is True
    found = client.get("/readyz")
    assert found.status_code == 503
    assert "checks" not in found.json()
    assert "checks" in client.get("/readyz", headers=bearer()).json()


def test_bearer__right_token__needs_no_csrf_and_gets_no_cookie(guarded: Scene) -> None:
    client = guarded.client()
    found = client.post("/api/v1/pause", json={}, headers=bearer())
    assert found.status_code == 200
    assert "set-cookie" not in found.headers
    assert client.get("/api/v1/risk", headers={"Authorization": f"bearer {TOKEN}"}).is_success


def test_bearer__where_no_token_is_configured__does_not_replace_csrf(reader: Client) -> None:
    assert reader.post("/api/v1/pause", json={}, headers=bearer("x" * 20)).status_code == 403


def test_token__wrong_too_often__even_the_right_one_waits(guarded: Scene) -> None:
    app = guarded.app()
    clock = [0.0]
    app.state.web.gate.failures = Failures(lambda: clock[0])
    client, elsewhere = Client(app, "10.1.1.1"), Client(app, "10.1.1.2")
    for _ in range(5):
        assert client.get("/api/v1/risk", headers=bearer("wrong")).status_code == 401
    found = client.get("/api/v1/risk", headers=bearer())
    assert (found.status_code, found.headers["retry-after"]) == (429, "61")
    assert elsewhere.get("/api/v1/risk", headers=bearer()).status_code == 200
    form = {"csrf": app.state.web.gate.keys.csrf(session_of(client, app)), "token": TOKEN}
    assert client.post("/login", data=form).headers["location"] == "/login?limited=1&next=%2F"
    clock[0] = 61.0
    assert client.get("/api/v1/risk", headers=bearer()).status_code == 200


def session_of(client: Client, app: Any) -> Any:
    client.get("/healthz")
    keys = app.state.web.gate.keys
    return keys.read(client.cookies[keys.cookie])


def test_login__wrong_token__back_to_the_form(guarded: Scene) -> None:
    app = guarded.app()
    client = Client(app)
    form = {"csrf": app.state.web.gate.keys.csrf(session_of(client, app)), "token": "no"}
    assert client.post("/login", data=form).headers["location"] == "/login?failed=1&next=%2F"


def test_failures__many_addresses__are_forgotten_from_the_oldest() -> None:
    seen = Failures(lambda: 0.0)
    for n in range(5_000):
        seen.note(f"10.0.{n >> 8}.{n & 255}")
    assert len(seen._seen) == 4_096
    for n in range(5):
        seen.note(f"2001:db8::{n}")
    assert seen.wait_s("2001:db8::ffff") == 61
    assert seen.wait_s("2001:db8:1::1") == 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "whose"),
    [
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "203.0.113.9, 10.0.0.3", "203.0.113.9"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
    ],
)
def test_forwarded_for__only_our_proxies_are_believed(
    tmp_path: Path, peer: str, forwarded: str, whose: str
) -> None:
    made = opened(tmp_path, GUARDED + '\nproxies = ["10.0.0.0/8"]')
    app = made.app()
    client = Client(app, peer)
    for _ in range(5):
        headers = {**bearer("wrong"), "X-Forwarded-For": forwarded}
        client.get("/api/v1/risk", headers=headers)
    assert app.state.web.gate.failures.wait_s(whose) > 0
    made.store.close()


# Sessions


def test_session__restart__goes_on(guarded: Scene) -> None:
    app = guarded.app()
    keys = app.state.web.gate.keys
    value = keys.written(keys.begin(signed_in=True))
    again = guarded.client()
    again.cookies.set(keys.cookie, value)
    assert again.get("/api/v1/risk").status_code == 200
    assert stat.S_IMODE((guarded.folder / "state" / "web-key").stat().st_mode) == 0o600


def test_session__another_token__is_over(guarded: Scene) -> None:
    keys = guarded.app().state.web.gate.keys
    value = keys.written(keys.begin(signed_in=True))
    guarded.environ["WEB_TOKEN"] = "another-token-of-16"
    client = guarded.client()
    client.cookies.set(keys.cookie, value)
    assert client.get("/api/v1/risk").status_code == 401


def test_session__half_of_it_gone__is_prolonged_and_later_over(guarded: Scene) -> None:
    app = guarded.app()
    client, keys = Client(app), app.state.web.gate.keys
    session = keys.begin(signed_in=True)
    cookie = {"Cookie": f"{keys.cookie}={keys.written(session)}"}
    guarded.clock.now += 20_000
    assert "set-cookie" not in client.get("/api/v1/risk", headers=cookie).headers
    guarded.clock.now += 10_000
    found = client.get("/api/v1/risk", headers=cookie)
    assert "=in." + session.id in found.headers["set-cookie"]
    client.cookies.clear()
    guarded.clock.now += 20_000
    assert client.get("/api/v1/risk", headers=cookie).status_code == 401


@pytest.mark.parametrize(
    "value", ["", "x", "in.a.1.b", "no.a.99999999999." + "0" * 40, "in.ü.1.x", "a" * 500]
)
def test_session__made_up__is_none(walled: Scene, value: str) -> None:
    keys = walled.the_app.state.web.gate.keys
    assert keys.read(value) is None


def test_session__turned_into_a_login__is_none(walled: Scene) -> None:
    keys = walled.the_app.state.web.gate.keys
    value = keys.written(keys.begin(signed_in=False))
    assert keys.read("in" + value[2:]) is None


def test_key__state_folder_cannot_be_written__is_one_for_this_run(tmp_path: Path) -> None:
    made = scene(tmp_path, seeded=False)
    (tmp_path / "state").write_text("no folder")
    one, two = (keys_of(made.config, made.environ) for _ in range(2))
    assert one.key != two.key
    made.store.close()


@pytest.mark.parametrize(
    ("there", "where"),
    [
        ("/risk?x=1", "/risk?x=1"), ("//evil.example", "/"), ("/\\evil.example", "/"),
        ("http://evil.example", "/"), ("", "/"), ("/a\nb", "/"),
    ],
)  # fmt: skip
def test_next__after_a_login__only_a_page_of_ours(there: str, where: str) -> None:
    assert local(there) == where


# Config


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ({"bind": "0.0.0.0:8899"}, "can be reached from elsewhere"),
        ({"bind": "192.168.0.1:1"}, "can be reached from elsewhere"),
        ({"bind": "[::]:1"}, "can be reached from elsewhere"),
        ({"bind": "8899"}, "is no address and port"),
        ({"bind": "[1.2.3.4]:1"}, "is no address and port"),
        ({"bind": "::1:80"}, "is no address and port"),
        ({"token": "the-token-itself-in-here"}, "is not a reference to a secret"),
        ({"proxies": ["x"]}, "is neither an address nor a network"),
        ({"hosts": ["a/b"]}, "is no host name"),
        ({"session": "10s"}, "is no time for a login"),
    ],
    ids=str,
)
def test_config__not_safe__is_refused(tmp_path: Path, web: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        parse({"version": 1, "web": web}, tmp_path / "c.toml", {})
    assert "the-token-itself" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "said"), [({}, "has no WEB_TOKEN"), ({"WEB_TOKEN": "short"}, "of 5 characters")]
)
def test_token__missing_or_short__the_app_does_not_start(
    tmp_path: Path, environ: dict[str, str], said: str
) -> None:
    made = scene(tmp_path, GUARDED, seeded=False)
    made.environ.update(environ)
    with pytest.raises(ConfigError, match=said):
        made.app()
    made.store.close()


@pytest.mark.parametrize("bind", ["localhost:1", "[::1]:1", "127.8.9.1:0"])
def test_config__loopback_of_any_kind__needs_no_token(tmp_path: Path, bind: str) -> None:
    web = parse({"version": 1, "web": {"bind": bind}}, tmp_path / "c.toml", {}).settings.web
    assert web is not None
    assert web.address[1] < 2


# Secrets


def test_secrets__planted_everywhere__appear_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = scene(tmp_path, 'bind = "127.0.0.1:8899"\ntoken = "env:PLANTED_TOKEN"')
    app = made.app()
    client = Client(app)
    headers = bearer(SECRETS["PLANTED_TOKEN"])
    paths = client.get("/api/v1/openapi.json", headers=headers).json()["paths"]
    pages = ["/", "/positions", "/risk", "/exposure", "/rebalance", "/transactions", "/alerts",
             "/approvals", "/history", "/system", "/login", "/pause", "/nothing",
             "/api/v1/openapi.json"]  # fmt: skip
    seen = []
    for path in [*(p for p in paths if not p.endswith("stream")), *pages]:
        found = client.get(path, headers={**headers, "Accept": "text/html"})
        assert found.status_code in (200, 404, 405, 503), path
        seen.append(str(dict(found.headers)) + found.text)
    seen.append(client.get("/api/v1/risk", headers=bearer("wrong")).text)
    seen.append(client.post("/api/v1/alerts/ack", json={"id": ALERT}, headers=headers).text)
    app_log = "\n".join(
        r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "asyncio"))
    )
    for text in (*seen, app_log):
        assert "PLANTED" not in text.replace("env:PLANTED_", "")
    made.store.close()
