"""What the tests of the chain room share."""

from collections.abc import Callable, Iterator

import pytest

from tests.chain.http_server import Handler, Server


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Server]]:
    """Start loopback servers that handle each connection by a function."""
    servers: list[Server] = []

    def start(handler: Handler) -> Server:
        servers.append(Server(handler))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
