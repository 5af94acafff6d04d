"""HTTP that asks for a token and turns pages away; stdio is in tests/e2e/test_agents.py."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from typer.testing import CliRunner

from tests.underkeel.steer.build import config
from underkeel.agents.http import MOST_BODY, Gate, application, token_of
from underkeel.agents.server import server
from underkeel.agents.tools import Tools
from underkeel.cli.main import app
from underkeel.config.load import Config, load
from underkeel.errors import ConfigError
from underkeel.store.open import open_store
from underkeel.web.auth import Failures
from underkeel.web.data import Data

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ASK = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
ROOT = Path(__file__).resolve().parents[3]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "UNDERKEEL_STATE_DIR": str(folder / "state"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


@pytest.fixture
def keel(tmp_path: Path, environ: dict[str, str]) -> Config:
    """Return a config whose store is there."""
    return prepared(tmp_path, environ)


def prepared(folder: Path, environ: dict[str, str], port: int = 8898) -> Config:
    (folder / "mcp-token").write_text(TOKEN)
    more = f'[mcp]\nbind = "127.0.0.1:{port}"\ntoken = "file:mcp-token"\n'
    found = config(folder, mode="dry-run", more=more)
    open_store(found, environ=environ).close()
    return found


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def line(keel: Config, *arguments: str) -> list[str]:
    return ["-m", "underkeel", "--config", str(keel.path), "mcp", *arguments]


async def look(client: Client) -> tuple[list[str], Any]:
    names = [tool.name for tool in (await client.list_tools()).tools]
    result = await client.call_tool("overview", {"fields": ["mode"]})
    (content,) = result.content
    assert content.type == "text"
    return names, json.loads(content.text)["data"]


@pytest.mark.loopback
def test_http__real_process__answers_who_shows_the_token(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    keel = prepared(tmp_path, environ, free())
    host, port = keel.settings.mcp.address
    url = f"http://{host}:{port}/mcp"
    command = [sys.executable, *line(keel, "--http", "--read-only")]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    try:

        async def both() -> tuple[Any, int]:
            async with httpx2.AsyncClient(headers=BEARER) as http:
                while process.poll() is None:
                    try:
                        refused = await http.post(url, headers={"Authorization": "Bearer x"})
                        break
                    except httpx2.ConnectError:
                        await asyncio.sleep(0.05)
                else:
                    raise AssertionError(process.stderr.read() if process.stderr else "")
                async with Client(streamable_http_client(url, http_client=http)) as client:
                    return await look(client), refused.status_code

        (names, data), status = asyncio.run(both())
        assert status == 401
        assert "propose_plan" not in names
        assert data["mode"] == "dry-run"
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert TOKEN not in said


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gate, TestClient]]:
    folder = tmp_path_factory.mktemp("gate")
    environ = environment(folder)
    keel = prepared(folder, environ)
    store = open_store(keel, environ=environ)
    found = application(server(Tools(Data(store, keel, environ=environ)), None), TOKEN)
    with TestClient(found, base_url="http://127.0.0.1:8898") as client:
        yield found, client
    store.close()


@pytest.fixture
def http(gate: tuple[Gate, TestClient]) -> TestClient:
    """Return a client of a door at which nobody has failed yet."""
    found, client = gate
    found.failures = Failures()
    client.cookies.clear()
    return client


def test_http__token__is_let_in(http: TestClient) -> None:
    found = http.post("/mcp", json=ASK, headers={**HEADERS, **BEARER})
    assert found.status_code == 200, found.text
    assert found.json()["result"]["tools"][0]["name"] == "overview"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer 0123456789abcdef0123456789abcdee"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({**BEARER, "Host": "keel.example.org"}, 421),
        ({**BEARER, "Host": "127.0.0.1.example.org:8898"}, 421),
        ({**BEARER, "Host": "["}, 421),
        ({**BEARER, "Origin": "https://example.org"}, 403),
        ({**BEARER, "Origin": "http://127.0.0.1:8898"}, 403),
        ({**BEARER, "Sec-Fetch-Site": "same-origin"}, 403),
        ({**BEARER, "Cookie": "underkeel-1=in.x.1"}, 403),
    ],
    ids=["none", "wrong", "basic", "bare", "host", "longer host", "no host", "origin", "our origin",
         "fetch", "cookie"],
)  # fmt: skip
def test_http__stranger__is_turned_away(
    http: TestClient, headers: dict[str, str], status: int
) -> None:
    found = http.post("/mcp", json=ASK, headers={**HEADERS, **headers})
    assert found.status_code == status
    assert "tools" not in found.text
    assert TOKEN not in found.text
    assert ("www-authenticate" in found.headers) == (status == 401)


def test_http__many_wrong_tokens__are_not_even_looked_at(http: TestClient) -> None:
    wrong = {**HEADERS, "Authorization": "Bearer x"}
    for _ in range(5):
        assert http.post("/mcp", json=ASK, headers=wrong).status_code == 401
    found = http.post("/mcp", json=ASK, headers={**HEADERS, **BEARER})
    assert (found.status_code, found.headers["retry-after"]) == (429, "60")


def test_http__large_request__is_refused(http: TestClient) -> None:
    large = {**ASK, "params": {"x": "y" * MOST_BODY}}
    assert http.post("/mcp", json=large, headers={**HEADERS, **BEARER}).status_code == 413


def test_http__web_socket__is_closed(http: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, http.websocket_connect("/mcp"):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "there is none, and HTTP needs one"),
        ('[mcp]\ntoken = "env:NOWHERE"\n', "NOWHERE"),
        ('[mcp]\ntoken = "env:SHORT"\n', "a token of 5 characters"),
    ],
    ids=["none", "missing", "short"],
)
def test_token__not_usable__says_what_to_do(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        token_of(config(tmp_path, more=table), {"SHORT": "12345"})


@pytest.mark.parametrize(
    ("bind", "said"), [("0.0.0.0:1", "from elsewhere"), ("x", "no address and port")]
)
def test_config__bind__is_this_machine_alone(tmp_path: Path, bind: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(tmp_path, more=f'[mcp]\nbind = "{bind}"\n')


def test_command__no_store_yet__says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "none"))
    path = config(tmp_path, mode="dry-run").path
    result = CliRunner().invoke(app, ["--config", str(path), "mcp"])
    assert result.exit_code == 1
    assert "underkeel run" in result.output


def test_command__library_is_missing__names_the_extra(
    keel: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith("underkeel.agents"):
            monkeypatch.delitem(sys.modules, name)
        elif name == "mcp" or name.startswith("mcp."):
            monkeypatch.setitem(sys.modules, name, None)
    result = CliRunner().invoke(app, ["--config", str(keel.path), "mcp"])
    assert result.exit_code == 1
    assert "pip install 'underkeel[mcp]'" in result.output


def test_config__defaults__are_loopback_and_no_token(tmp_path: Path) -> None:
    table = load(config(tmp_path).path, {}).settings.mcp
    assert table.address == ("127.0.0.1", 8898)
    assert table.token is None
