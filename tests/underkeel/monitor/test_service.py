"""The whole service in this process, on the world: its parts meet, its config changes, it ends."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update
from world.actors import feeds

from bench.watched import Crowd, config_text
from chain.client import Client
from chain.errors import Unreachable
from tests.e2e.monitor.place import FALL, RULES, SECRET, Receiver, until
from underkeel.config.load import Config, load
from underkeel.errors import AppError, Exit
from underkeel.monitor.once import Busy, run_once
from underkeel.monitor.service import Host, Tools, Wishes
from underkeel.monitor.systemd import Notifier
from underkeel.store import chains, documents, events
from underkeel.store.errors import WrongStamp
from underkeel.store.lock import Lock
from underkeel.store.open import open_store
from underkeel.store.store import Store
from underkeel.store.tables import service_lock

pytestmark = pytest.mark.world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Stand:
    """A service in a thread, and its config."""

    def __init__(self, crowd: Crowd, folder: Path, hook: str) -> None:
        self.crowd, self.folder, self.hook = crowd, folder, hook
        self.path = folder / "underkeel.toml"
        self.environ = {
            "HOOK_SECRET": SECRET,
            "UNDERKEEL_STATE_DIR": str(folder / "state"),
        }
        self.write()
        self.wishes = Wishes()
        self.ended: list[Exit | AppError] = []
        self.tools = Tools(cache=folder / "cache", environ=self.environ)
        self.store = self.open()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def write(self, extra: str = "", url: str | None = None) -> None:
        node = self.crowd.world.node
        rules = RULES.format(port=0, hook=self.hook)
        self.path.write_text(
            config_text(self.crowd, url or node.url, ws=node.ws_url, extra=rules + extra)
        )

    def config(self) -> Config:
        return load(self.path, environ=self.environ)

    def open(self) -> Store:
        return open_store(self.config(), environ=self.environ)

    def _run(self) -> None:
        host = Host(self.config(), self.store, self.config, self.wishes, self.tools)
        try:
            self.ended.append(host.run())
        except AppError as error:
            self.ended.append(error)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> float:
        began = time.monotonic()
        self.wishes.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        return time.monotonic() - began

    def texts(self, kind: str) -> list[str]:
        with self.store.reading() as db:
            return [e.text for e in events.before(db, None, 100, kind=kind)][::-1]

    def state(self) -> chains.ChainState | None:
        with self.store.reading() as db:
            return chains.get(db, "bench")


@pytest.fixture
def stand(crowd: Crowd, receiver: Receiver, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(crowd, tmp_path, receiver.url)
    yield made
    if made.thread.ident is not None:
        made.stop()
    made.store.close()


def read(stand: Stand, at_least: int) -> Callable[[], bool]:
    def done() -> bool:
        state = stand.state()
        return state is not None and state.status == "ok" and (state.block_number or 0) >= at_least

    return done


def mined(stand: Stand) -> int:
    return int(stand.crowd.world.node.mine()["number"], 16)


def test_service__from_start_to_end__reads_tells_serves_changes_its_config_and_ends(
    stand: Stand, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "underkeel")
    stand.start()
    until(read(stand, mined(stand)))
    with stand.store.reading() as db:
        risk = documents.get(db, "risk", "bench")
        assert risk is not None
        assert len(risk.value["positions"]) == 2 * (2 + 2 + 3 + 4 + 1)
        assert documents.get(db, "fingerprint", "bench") is not None
    feeds.crash(stand.crowd.world, "ETH / USD", FALL)
    until(lambda: receiver.states() == ["firing"])

    (url,) = [r.getMessage()[9:] for r in caplog.records if r.getMessage().startswith("pages at")]

    def told() -> str:
        with urllib.request.urlopen(url + "metrics", timeout=10) as answer:
            return str(answer.read().decode())

    delivered = 'underkeel_notifications_total{channel="hook",outcome="delivered"}'
    until(lambda: delivered in told())
    assert 'underkeel_alerts_firing{severity="critical"} 1.0' in told()
    for name in ("chain_up", "data_age_seconds", "rpc_requests_total", "live_mode 0.0"):
        assert f"underkeel_{name}" in told()

    stand.write("\n[nonsense]\n")
    stand.wishes.reload.set()
    until(lambda: any("not used" in text for text in stand.texts("config")))
    stand.write('\n[channels.more]\nwebhook = "http://127.0.0.1:1/"\nsecret = "env:NOT_THERE"\n')
    stand.wishes.reload.set()
    until(lambda: any("NOT_THERE" in text for text in stand.texts("config")))
    stand.write('\n[wallets.another]\naddress = "0x' + "1" * 40 + '"\n')
    stand.wishes.reload.set()
    until(lambda: stand.texts("config")[-1:] == ["the config was read again"])
    feeds.crash(stand.crowd.world, "ETH / USD", 1 / (1 + FALL) - 1)
    until(lambda: receiver.states() == ["firing", "resolved"])

    assert stand.stop() < 5
    assert stand.ended == [Exit.OK]
    assert receiver.twice() == 0
    with stand.store.reading() as db:
        from underkeel.store import lock

        assert lock.holder(db) is None


def test_service__a_reorganisation__is_told_and_read_again(stand: Stand) -> None:
    stand.start()
    until(read(stand, mined(stand)))
    feeds.set_price(stand.crowd.world, "ETH / USD", 3001)
    until(read(stand, mined(stand)))
    stand.crowd.world.node.reorg(2)
    until(read(stand, mined(stand)))
    until(lambda: bool(stand.texts("reorg")))
    state = stand.state()
    assert state is not None
    assert state.body["reorgs"] >= 1
    feeds.set_price(stand.crowd.world, "ETH / USD", 3000)


def test_service__a_database_of_another_mode_in_the_new_config__keeps_the_old_one(
    stand: Stand,
) -> None:
    stand.start()
    until(read(stand, mined(stand)))
    text = stand.path.read_text()
    stand.path.write_text(text.replace("version = 1", 'version = 1\nmode = "live"', 1))
    stand.wishes.reload.set()
    until(lambda: any("need a restart" in text for text in stand.texts("config")))
    assert not stand.ended


def test_service__a_node_of_another_chain__ends_with_what_to_do(stand: Stand) -> None:
    node = stand.crowd.world.node
    with stand.store.writing() as db:
        from underkeel.store import stamp

        stamp.check_genesis(db, node.chain_id, "0x" + "77" * 32)
    first = node.rpc.request("eth_getBlockByNumber", "0x0", False)
    if first is None:
        pytest.skip("this node has not kept its first block")
    stand.start()
    until(lambda: bool(stand.ended))
    assert isinstance(stand.ended[0], WrongStamp)


def test_once__all_well_then_firing_then_down__is_in_its_code(
    stand: Stand, receiver: Receiver
) -> None:
    assert run_once(stand.config(), stand.store, stand.tools).code is Exit.OK
    feeds.crash(stand.crowd.world, "ETH / USD", FALL)
    done = run_once(stand.config(), stand.store, stand.tools)
    assert (done.code, done.firing, done.waiting) == (Exit.ATTENTION, 1, 0)
    feeds.crash(stand.crowd.world, "ETH / USD", 1 / (1 + FALL) - 1)
    assert run_once(stand.config(), stand.store, stand.tools).code is Exit.OK
    assert receiver.states() == ["firing", "resolved"]

    def nowhere(_: object) -> object:
        raise Unreachable("node", "it is not there")

    broken = Tools(opener=nowhere, cache=stand.tools.cache, environ=stand.environ)  # type: ignore[arg-type]
    done = run_once(stand.config(), stand.store, broken)
    assert done.code is Exit.CHAIN
    assert done.reports[0].cause == "node: cannot be reached (it is not there); check the URL, " \
        "the network, and that it runs"  # fmt: skip


def test_once__another_serves__says_who(stand: Stand) -> None:
    other = Lock(stand.store, who="elsewhere:1")
    assert other.take() is None
    with pytest.raises(Busy, match="elsewhere:1 serves this database"):
        run_once(stand.config(), stand.store, stand.tools)


def unreachable(_: object) -> Client:
    raise Unreachable("node", "it is not there")


def test_service__nothing_answers__stands_by_serves_tells_and_stands_by_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Lock(stand.store, who="elsewhere:1")
    assert other.take() is None
    stand.tools = replace(stand.tools, opener=unreachable)
    said: list[str] = []
    monkeypatch.setattr(Notifier, "alive", lambda _self, status: said.append(status))
    stand.start()
    until(lambda: any("standing by: elsewhere:1" in text for text in said))
    other.release()
    until(lambda: any("does not run" in text or "bench" in text for text in said))
    until(lambda: any("died (Unreachable" in text for text in stand.texts("thread")))
    with stand.store.writing() as db:
        db.execute(update(service_lock).values(epoch=99, holder="elsewhere:2"))
    count = len(said)
    until(lambda: any("standing by: elsewhere:2" in text for text in said[count:]))
    assert not stand.ended


def test_service__a_channel_s_secret_is_missing__ends_with_what_to_do(stand: Stand) -> None:
    del stand.environ["HOOK_SECRET"]
    stand.start()
    until(lambda: bool(stand.ended))
    assert isinstance(stand.ended[0], AppError)
    assert "HOOK_SECRET" in str(stand.ended[0])


def test_service__a_heartbeat__is_pinged_only_after_a_complete_round(
    stand: Stand, receiver: Receiver
) -> None:
    stand.write(f'\n[heartbeat]\nurl = "{receiver.url}"\nmethod = "POST"\nevery = "10s"\n')
    stand.start()
    until(read(stand, mined(stand)))
    until(lambda: receiver.pings > 0)


def test_service__the_port_is_taken__ends_with_what_to_do(stand: Stand) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = stand.path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
        stand.path.write_text(text)
        stand.start()
        until(lambda: bool(stand.ended))
    assert isinstance(stand.ended[0], AppError)
    assert str(port) in str(stand.ended[0])
