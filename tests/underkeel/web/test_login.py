"""Who may look: bearers, logins, sessions, what the config must say, and no secret anywhere."""

import logging
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.underkeel.web.scene import (
    ALERT,
    GUARDED,
    SECRETS,
    TOKEN,
    Client,
    Scene,
    opened,
    scene,
)
from underkeel.config.load import parse
from underkeel.errors import ConfigError
from underkeel.web.auth import Failures, keys_of
from underkeel.web.login import local


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


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
