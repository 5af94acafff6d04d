"""Serve the application in a thread, and end it soon, whoever still listens."""

import asyncio
import logging
import socket
import threading
import time
from dataclasses import dataclass
from typing import Final

import uvicorn
from fastapi import FastAPI

from underkeel.config.load import Config
from underkeel.config.web import WebTable
from underkeel.errors import AppError
from underkeel.web.app import Web
from underkeel.web.prompt import Prompt

log = logging.getLogger(__name__)

START_S: Final = 20.0
GRACE_S: Final = 2
"""Left to requests under way when the server is to end."""
BACKLOG: Final = 128
MOST_CONNECTIONS: Final = 512


@dataclass(slots=True)
class Server:
    """A server that runs."""

    host: str
    port: int
    _uvicorn: uvicorn.Server
    _thread: threading.Thread
    _web: Web
    _loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """Return where a browser finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        local = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
        return f"http://{local}:{self.port}/"

    @property
    def alive(self) -> bool:
        """Return whether its thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 3.0) -> bool:
        """End it: listeners of the stream are sent away; tell whether it ended in time."""
        self._uvicorn.should_exit = True
        if self.alive:
            self._loop.call_soon_threadsafe(self._web.hub.close)
        self._thread.join(timeout_s)
        if self.alive:
            self._uvicorn.force_exit = True
            self._thread.join(1.0)
        return not self.alive


def serve(app: FastAPI, config: Config, *, port: int | None = None) -> Server:
    """Start serving in a thread of its own, and return once it answers.

    `port` wins over the config's; 0 is any free one. Raises `AppError` where that is not possible.
    """
    host, configured = (config.settings.web or WebTable()).address
    listener = _listen(host, configured if port is None else port)
    bound = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Prompt,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,  # the gate reads them, of proxies of ours only
            lifespan="off",
            ws="none",
            h11_max_incomplete_event_size=32_768,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    started: list[asyncio.AbstractEventLoop] = []
    failed: list[BaseException] = []

    async def main() -> None:
        started.append(asyncio.get_running_loop())
        await server.serve([listener])

    def run() -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(main())
        except BaseException as error:
            failed.append(error)
            log.exception("the web server ended")
            raise
        finally:
            listener.close()

    thread = threading.Thread(target=run, name="web", daemon=True)
    thread.start()
    until = time.monotonic() + START_S
    while not (server.started and started):
        if failed or not thread.is_alive() or time.monotonic() > until:
            raise AppError("the web server did not start; the log says more")
        time.sleep(0.01)
    return Server(host, bound, server, thread, app.state.web, started[0])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        todo = "end what listens there, or set bind in [web] (or --port) to another"
        raise AppError(f"{host}:{port} cannot be listened on ({error.strerror}); {todo}") from None
    return listener
