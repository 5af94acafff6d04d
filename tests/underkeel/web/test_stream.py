"""The stream: live events, what was missed, who is too slow, and a server that ends soon."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.underkeel.web.scene import NOW, Client, Scene, chain_state, scene
from underkeel.errors import AppError
from underkeel.store import chains, events
from underkeel.store.events import Event
from underkeel.web import stream
from underkeel.web.problems import Refusal
from underkeel.web.serve import serve
from underkeel.web.stream import Hub


def write(made: Scene, *texts: str) -> None:
    with made.store.writing() as db:
        for text in texts:
            events.add(db, Event(NOW, "alert", text))


def parsed(frame: bytes) -> tuple[str, Any, str | None]:
    """Return an event's kind, its data and its id."""
    fields = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"]), fields.get("id")


async def told(frames: AsyncIterator[bytes], number: int, kind: str = "event") -> list[Any]:
    """Return the next events of a kind; the test's own timeout bounds it."""
    found: list[Any] = []
    async for one in frames:
        if not one.startswith((b":", b"retry")) and parsed(one)[0] == kind:
            found.append(parsed(one))
        if len(found) == number:
            return found
    return found


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 60))


def test_listen__something_happens__is_told_with_its_id(seeded: Scene) -> None:
    async def main() -> None:
        hub = Hub(seeded.store, 4, poll_s=0.001)
        frames = await hub.listen(None)
        assert (await anext(frames)).startswith(b"retry: ")
        write(seeded, "one", "two")
        first, second = await told(frames, 2)
        assert (first[1]["text"], first[2], second[2]) == ("one", "6", "7")
        hub.close()

    run(main())


def test_listen__chain_read_again__is_told_with_block_and_time(seeded: Scene) -> None:
    async def main() -> None:
        hub = Hub(seeded.store, 4, poll_s=0.001)
        frames = await hub.listen(None)
        assert {s[1]["chain"] for s in await told(frames, 2, "snapshot")} == {"main", "other"}
        with seeded.store.writing() as db:
            chains.put(db, chain_state(block_number=101))
        ((_, data, id_),) = await told(frames, 1, "snapshot")
        assert (data["chain"], data["block"], id_) == ("main", "101", None)
        assert data["at"].endswith("Z")
        hub.close()

    run(main())


def test_listen__comes_back__hears_what_it_missed_once(seeded: Scene) -> None:
    async def main() -> None:
        hub = Hub(seeded.store, 4, poll_s=0.001)
        frames = await hub.listen(3)
        write(seeded, "new")
        assert [e[2] for e in await told(frames, 3)] == ["4", "5", "6"]
        hub.close()

    run(main())


def test_listen__missed_more_than_is_kept_in_mind__is_told_so(
    seeded: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_MISSED", 2)

    async def main() -> None:
        hub = Hub(seeded.store, 4)
        frames = await hub.listen(1)
        kinds = [await anext(frames) for _ in range(4)]
        assert [parsed(k)[0] for k in kinds[1:]] == ["missed", "event", "event"]
        hub.close()

    run(main())


def test_listen__nothing_happens__a_comment_says_that_it_lives(seeded: Scene) -> None:
    async def main() -> None:
        hub = Hub(seeded.store, 4, poll_s=0.001, beat_s=0.01)
        frames = await hub.listen(None)
        async for one in frames:
            if one == b": still here\n\n":
                break
        hub.close()

    run(main())


def test_listen__too_slow__is_sent_away_and_the_others_go_on(
    seeded: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_WAITING", 3)

    async def main() -> None:
        hub = Hub(seeded.store, 4, poll_s=0.001)
        slow, quick = await hub.listen(None), await hub.listen(None)
        await anext(slow)
        write(seeded, *(str(n) for n in range(3)))
        assert len(await told(quick, 3)) == 3
        write(seeded, "one more")
        assert len(await told(quick, 1)) == 1
        assert [e[1]["text"] for e in await told(slow, 9)] == ["0", "1", "2"]
        assert hub.listening == 1
        hub.close()

    run(main())


def test_listen__more_than_are_allowed__are_refused(seeded: Scene) -> None:
    async def main() -> None:
        hub = Hub(seeded.store, 1)
        frames = await hub.listen(None)
        await anext(frames)
        with pytest.raises(Refusal) as refused:
            await hub.listen(None)
        assert refused.value.status == 503
        await frames.aclose()  # type: ignore[attr-defined]
        assert hub.listening == 0
        hub.close()

    run(main())


def test_listen__database_does_not_answer__is_said_and_asked_again(
    seeded: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from underkeel.store.errors import NotWritten

    async def main() -> None:
        hub = Hub(seeded.store, 4, poll_s=0.001, beat_s=0.05)
        frames = await hub.listen(None)
        real, calls = hub._new, []

        def fail() -> Any:
            calls.append(1)
            if len(calls) < 3:
                raise NotWritten("gone")
            return real()

        monkeypatch.setattr(Hub, "_new", lambda self: fail())
        async for one in frames:
            if one.startswith(b": the database"):
                break
        write(seeded, "after")
        assert (await told(frames, 1))[0][1]["text"] == "after"
        hub.close()

    run(main())


def test_close__listeners__end_and_nobody_new_is_let_in(seeded: Scene) -> None:
    async def main() -> None:
        hub = Hub(seeded.store, 4)
        frames = await hub.listen(None)
        await anext(frames)
        hub.close()
        assert [one async for one in frames if one.startswith(b"event: event")] == []
        with pytest.raises(Refusal):
            await hub.listen(None)

    run(main())


@pytest.mark.parametrize("header", ["2", "x", "9" * 40, "-1"])
def test_stream__last_event_id_of_any_kind__is_no_crash(seeded: Scene, header: str) -> None:
    app = seeded.app()
    app.state.web.hub.most = 0
    found = Client(app).get("/api/v1/stream", headers={"Last-Event-ID": header})
    assert found.status_code == 503


# A real server


@pytest.mark.loopback
def test_serve__with_an_open_stream__tells_resumes_and_ends_soon(tmp_path: Path) -> None:
    made = scene(tmp_path, 'bind = "127.0.0.1:0"')
    app = made.app()
    server = serve(app, made.config)
    assert server.url == f"http://127.0.0.1:{server.port}/"
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        assert client.get("healthz").json()["ok"] is True
        with client.stream("GET", "api/v1/stream", headers={"Last-Event-ID": "3"}) as opened:
            assert opened.headers["content-type"].startswith("text/event-stream")
            lines = opened.iter_lines()
            ids = [line for line in _until(lines, "id: 5") if line.startswith("id: ")]
            assert ids == ["id: 4", "id: 5"]
            write(made, "live")
            assert "live" in "".join(_until(lines, "id: 6", more=2))
            ended = threading.Event()

            def stop() -> None:
                assert server.stop(30)
                ended.set()

            thread = threading.Thread(target=stop)
            thread.start()
            list(lines)  # ends because the server sends everybody away
            thread.join(40)
            assert ended.is_set()
    assert not server.alive
    made.store.close()


def _until(lines: Any, wanted: str, more: int = 0) -> list[str]:
    found = []
    for line in lines:
        found.append(line)
        if line == wanted:
            break
    return found + [next(lines) for _ in range(more)]


@pytest.mark.loopback
def test_serve__port_taken__says_what_to_do(tmp_path: Path) -> None:
    made = scene(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AppError, match="end what listens there"):
            serve(made.app(), made.config, port=port)
    made.store.close()


@pytest.mark.loopback
def test_stop__while_a_request_is_under_way__is_bounded(tmp_path: Path) -> None:
    made = scene(tmp_path)
    app = made.app()
    begun, let_go = threading.Event(), threading.Event()
    answers: list[httpx.Response] = []

    def slow() -> Any:
        begun.set()
        let_go.wait(60)
        return real()

    real = app.state.web.data.overview
    app.state.web.data.overview = slow
    server = serve(app, made.config, port=0)

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            answers.append(httpx.get(f"{server.url}api/v1/overview", timeout=60, trust_env=False))

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(60)
    before = time.monotonic()
    server.stop(3.0)
    assert time.monotonic() - before < 30
    asking.join(60)
    let_go.set()
    assert not any(answer.is_success for answer in answers)
    made.store.close()
