"""Connections on which a request does not come to its end are closed.

uvicorn waits for ever for the rest of a request. Whoever can reach the port, token or not, could
hold every connection there is with half a line each, and nobody else would see a page.
"""

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S: Final = 15.0
"""A request, its body included, has to be here within this and twice this."""


class Prompt(H11Protocol):
    """HTTP/1.1 that looks, now and then, whether a request is still on its way."""

    patience_s = REQUEST_S
    _look: asyncio.TimerHandle | None = None
    _waited_for: object = None

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to look."""
        super().connection_made(transport)
        self._waited_for = self.cycle
        self._look = self.loop.call_later(self.patience_s, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _check(self) -> None:
        """Close where it is the same request's turn as when we looked last."""
        coming = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        turn = (self.cycle, self.conn.their_state) if coming else None
        if coming and turn == self._waited_for:
            self.transport.abort()
            return
        self._waited_for = turn
        self._look = self.loop.call_later(self.patience_s, self._check)
