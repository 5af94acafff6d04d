"""What strangers do to the pages: odd names, floods of alerts, requests that never end."""

import contextlib
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, update

from tests.underkeel.web.scene import ALERT, Client, Scene, alert_row, scene
from underkeel.alerts.mute import matches
from underkeel.store.tables import alerts, silences
from underkeel.web.data import MOST_ALERTS
from underkeel.web.pages.routes import LISTED
from underkeel.web.prompt import Prompt
from underkeel.web.serve import serve


@pytest.mark.parametrize("name", ["*", "[a-z]*", "we?h", "[!x]"])
def test_silence__of_a_market_named_like_a_pattern__is_of_that_market_alone(
    seeded: Scene, client: Client, name: str
) -> None:
    labels = {"chain": "main", "market": name}
    with seeded.store.writing() as db:
        db.execute(update(alerts).where(alerts.c.key == ALERT).values(labels=labels))
    form = {"csrf": client.csrf(), "alert": ALERT, "seconds": "1800", "back": "/alerts"}
    assert client.post("/alerts/silence", data=form).status_code == 303
    with seeded.store.reading() as db:
        made = db.execute(select(silences).order_by(silences.c.id.desc())).first()
    assert made is not None
    given = {**labels, "rule": "hf-low"}
    assert matches(made.matchers, given)
    assert not matches(made.matchers, given | {"market": "weth"})


def test_pages__a_flood_of_alerts__the_worst_of_them_and_how_many_there_are(
    seeded: Scene, client: Client
) -> None:
    rows = [alert_row(f"{i:032x}", severity="warning") for i in range(LISTED + 700)]
    with seeded.store.writing() as db:
        db.execute(insert(alerts), rows)
    found = client.document("overview")
    assert len(found["alerts"]) == MOST_ALERTS
    assert found["alerts"][0]["severity"] == "critical"
    assert int(found["counts"]["warning"]) == len(rows)
    page = client.get("/alerts").text
    assert page.count('class="card tone-edge') <= LISTED + 10
    assert "more, none of them worse" in page


def test_overview__silenced_and_over__are_not_among_the_worst(
    seeded: Scene, client: Client
) -> None:
    with seeded.store.writing() as db:
        db.execute(update(alerts).values(state="firing", silenced="", inhibited=""))
        muted: list[dict[str, Any]] = [
            {"silenced": "1"}, {"inhibited": "rpc-down"}, {"state": "resolved"},
        ]  # fmt: skip
        db.execute(insert(alerts), [alert_row(f"{i:032x}", **one) for i, one in enumerate(muted)])
    shown = client.document("overview")["alerts"]
    assert shown
    assert not any(int(one["id"], 16) < len(muted) for one in shown)


@pytest.mark.loopback
def test_serve__requests_that_never_end__are_sent_away_and_streams_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prompt, "patience_s", 0.05)
    made = scene(tmp_path, 'bind = "127.0.0.1:0"')
    server = serve(made.app(), made.config)
    host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
    halves = (
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: 127.",
        b"POST /login HTTP/1.1\r\n" + host + b"Content-Length: 100\r\n\r\ncsrf=",
    )
    with httpx.stream("GET", f"{server.url}api/v1/stream", timeout=60, trust_env=False) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        for half in halves:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as open_:
                open_.sendall(half)
                with contextlib.suppress(ConnectionResetError):
                    assert open_.recv(1) == b""
        server_lives = httpx.get(f"{server.url}healthz", timeout=60, trust_env=False)
        assert server_lives.status_code == 200
        assert any(line.startswith("event: snapshot") for line in lines)
    assert server.stop(30)
    made.store.close()
