"""The floor: the same raw requests sent again by bare sockets, the answers read and dropped."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common import Work, lanes, run


class Floor:
    """Connections kept from run to run."""

    def __init__(self) -> None:
        self.lanes: list[tuple[http.client.HTTPConnection, list[bytes]]] = []
        self.threads: ThreadPoolExecutor | None = None

    def read(self, work: Work) -> Iterable[Any]:
        if not self.lanes:
            sent = json.loads(Path(str(work.options["requests"])).read_text())
            where = urlsplit(work.url)
            for bodies in lanes(sent):
                connection = http.client.HTTPConnection(str(where.hostname), where.port)
                self.lanes.append((connection, bodies))
            self.threads = ThreadPoolExecutor(len(self.lanes))
        if len(self.lanes) == 1:
            self._send(*self.lanes[0])
        else:
            assert self.threads is not None
            list(self.threads.map(lambda lane: self._send(*lane), self.lanes))
        return ()

    @staticmethod
    def _send(connection: http.client.HTTPConnection, bodies: list[bytes]) -> None:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        for body in bodies:
            connection.request("POST", "/", body, headers)
            connection.getresponse().read()


if __name__ == "__main__":
    run(Floor().read, "raw")
