"""Tell systemd how we are, where it asked to be told: `Type=notify` and `WatchdogSec`."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notifier:
    """The notification socket; every method does nothing where there is none."""

    address: str = ""
    watchdog_s: float | None = None
    """The longest time between two signs of life."""

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int | None = None) -> "Notifier":
        """Return what the environment names."""
        address = environ.get("NOTIFY_SOCKET", "")
        wanted = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid() if pid is None else pid))
        watchdog = int(wanted) / 1e6 if mine and wanted.isascii() and wanted.isdigit() else None
        return cls(address, watchdog)

    def ready(self) -> None:
        """Say that the service runs."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Give a sign of life, and one line for `systemctl status`."""
        line = " ".join(status.split())
        self._send(f"WATCHDOG=1\nSTATUS={line}")

    def reloading(self, monotonic_s: float) -> None:
        """Say that the config is read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_s * 1e6)}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.connect(name)
                to.sendall(message.encode())
        except OSError:
            return  # whoever asked is gone; that is no reason to stop watching
