"""What systemd is told, through a socket as it gives one."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from underkeel.monitor.systemd import Notifier


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(2)
        yield listening, path


def test_notifier__a_socket__every_message_arrives(listener: tuple[socket.socket, str]) -> None:
    listening, path = listener
    notifier = Notifier.of({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"})
    assert notifier.watchdog_s == 30
    notifier.ready()
    notifier.alive("all is\nwell")
    notifier.reloading(1.5)
    notifier.stopping()
    said = [listening.recv(200).decode() for _ in range(4)]
    assert said == [
        "READY=1",
        "WATCHDOG=1\nSTATUS=all is well",
        "RELOADING=1\nMONOTONIC_USEC=1500000",
        "STOPPING=1",
    ]


def test_notifier__an_abstract_socket__is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0underkeel-test-notify")
        listening.settimeout(2)
        Notifier("@underkeel-test-notify").ready()
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environ",
    [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}],
)
def test_notifier__nobody_listens__nothing_happens(environ: dict[str, str]) -> None:
    Notifier.of(environ).ready()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "7"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_notifier__watchdog__of_our_own_process_only(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert Notifier.of(environ, pid=7).watchdog_s == seconds
