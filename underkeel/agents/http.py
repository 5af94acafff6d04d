"""MCP over HTTP on this machine: a token in every request, and no browser."""

import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from mcp.server import MCPServer
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from underkeel.config.load import Config
from underkeel.config.problems import Problem
from underkeel.config.secrets import SecretMissing, Secrets
from underkeel.errors import ConfigError
from underkeel.web.auth import LEAST_TOKEN, MOST_TOKEN, Failures
from underkeel.web.prompt import Prompt

log = logging.getLogger(__name__)

PATH: Final = "/mcp"
MOST_BODY: Final = 65_536
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
BROWSERS: Final = ("origin", "sec-fetch-site", "cookie")
"""Headers that a page in a browser sends, and an agent does not."""


def token_of(config: Config, environ: Mapping[str, str]) -> str:
    """Return the token of `[mcp]`; raises `ConfigError` where there is none."""
    reference, where = config.settings.mcp.token, str(config.path)
    if reference is None:
        todo = 'add token = "file:PATH"; make one with `openssl rand -hex 32`'
        raise ConfigError([Problem(where, "mcp.token", "there is none, and HTTP needs one", todo)])
    try:
        token = Secrets.beside(config.path.parent, environ).resolve(reference)
    except SecretMissing as missing:
        raise ConfigError([Problem(where, "mcp.token", str(missing))]) from None
    if not LEAST_TOKEN <= len(token) <= MOST_TOKEN:
        what = f"{reference} holds a token of {len(token)} characters"
        todo = "make one with `openssl rand -hex 32`"
        raise ConfigError([Problem(where, "mcp.token", what, todo)])
    return token


@dataclass(slots=True)
class Gate:
    """Lets requests through that name this machine, show the token, and come from no page."""

    app: ASGIApp
    token: str = field(repr=False)
    failures: Failures = field(default_factory=Failures)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif (refusal := self._refusal(Headers(scope=scope), _address(scope))) is not None:
            status, text = refusal
            await JSONResponse({"error": text}, status, _extra(status))(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, headers: Headers, address: str) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _hostname(hosts[0]) not in LOCAL:
            return 421, "this service is called by its address on this machine"
        if any(name in headers for name in BROWSERS):
            return 403, "pages in a browser are not served"
        if self.failures.wait_s(address):
            return 429, "too many wrong tokens: wait a minute"
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return 401, "send the header Authorization: Bearer TOKEN"
        if not self._is_token(given.strip()):
            self.failures.note(address)
            log.warning("a wrong token came from %s", address)
            return 401, "the token is wrong"
        return None

    def _is_token(self, given: str) -> bool:
        """Compare in constant time."""
        ours, theirs = (hashlib.sha256(t.encode("utf-8", "replace")) for t in (self.token, given))
        return hmac.compare_digest(ours.digest(), theirs.digest())


def application(made: MCPServer, token: str) -> Gate:
    """Return the ASGI application; each request stands alone, and nothing is kept between two."""
    app = made.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MOST_BODY,
    )
    return Gate(app, token)


def serve(made: MCPServer, token: str, host: str, port: int) -> None:
    """Serve until the process is told to end."""
    uvicorn.run(
        application(made, token),
        http=Prompt,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        limit_concurrency=32,
    )


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _extra(status: int) -> dict[str, str]:
    extra = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}}
    return {"Cache-Control": "no-store", **extra.get(status, {})}
