"""A loopback server whose every byte a test decides."""

import socket
import threading
from collections.abc import Callable

KEY = "s3cret-api-key"
Handler = Callable[[socket.socket], None]


class Server:
    """A loopback server that handles each connection by a function."""

    def __init__(self, handler: Handler) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v2/{KEY}"
        self.connections = 0
        self._handler = handler
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(connection,))
            thread.start()
            self._threads.append(thread)

    def _run(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                self._handler(connection)
            except OSError:
                return  # the client let go

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._accepting.join()
        for thread in self._threads:
            thread.join()


def request(connection: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65536)
        if not piece:
            return b""
        text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < size:
        body += connection.recv(65536)
    return text


def framed(body: bytes, *headers: str, status: str = "200 OK", size: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if size is None else size}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def answering(*replies: bytes) -> Handler:
    def handler(connection: socket.socket) -> None:
        for reply in replies:
            if not request(connection):
                return
            connection.sendall(reply)

    return handler
