"""What every request has to pass, before any route sees it.

Host (a name that is not ours is a rebinding attack), size, who asks, and for everything that
changes something: where it comes from (Origin) and whether it repeats our token. What answers is
sent with headers that keep others' scripts, frames and caches out. An error in a route is a line in
the log and a problem without details.
"""

import ipaddress
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from underkeel.config.web import WebTable
from underkeel.web.auth import Failures, Keys, Session
from underkeel.web.problems import Refusal, problem, refused

log = logging.getLogger(__name__)

MOST_BODY: Final = 65_536
MOST_QUERY: Final = 4_096
MOST_PATH: Final = 1_024
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
SAFE: Final = ("GET", "HEAD", "OPTIONS")
OPEN: Final = ("/healthz", "/readyz", "/login", "/favicon.ico", "/robots.txt")
"""Paths that a stranger may ask for; `/readyz` tells him yes or no only."""
OPEN_FOLDERS: Final = ("/static/",)
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
FORM: Final = "application/x-www-form-urlencoded"
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # without it plain forms come from Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PRIVATE: Final = "no-store"
PUBLIC: Final = "no-cache"
"""Of files that hold nothing of the user's: asked for again, and sent only if changed."""
FOREVER: Final = "public, max-age=31536000, immutable"
"""Of files whose address names their content."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `request.state.caller`."""

    session: Session
    fresh: bool
    """The session began, or was prolonged, with this request."""
    known: bool
    """May see everything."""
    bearer: bool
    """Showed the token in a header, which no other site's page can make a browser do."""
    address: str
    secure: bool


@dataclass(slots=True)
class Gate:
    """The outermost layer of the application."""

    app: ASGIApp
    keys: Keys
    table: WebTable
    failures: Failures = field(default_factory=Failures)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        reply = _Reply(scope, send, self.keys)
        try:
            received = await self._checked(scope, receive, reply)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, reply.send)
            return
        if isinstance(received, Response):
            await received(scope, receive, reply.send)
            return
        try:
            await self.app(scope, received, reply.send)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if reply.begun:
                raise
            failed = problem(500, "the service's log says more")
            await failed(scope, receive, reply.send)

    async def _checked(self, scope: Scope, receive: Receive, reply: "_Reply") -> Receive | Response:
        headers = Headers(scope=scope)
        if len(scope["query_string"]) > MOST_QUERY or len(scope["path"]) > MOST_PATH:
            raise Refusal(414, f"a query may have {MOST_QUERY} bytes")
        self._check_host(headers)
        caller = self._caller(scope, headers)
        reply.caller = caller
        scope.setdefault("state", {})["caller"] = caller
        safe = scope["method"] in SAFE
        if not (caller.known or _is_open(scope["path"])):
            return self._stranger(scope, headers)
        if safe:
            return receive
        body = await _body(receive, headers)
        self._check_origin(headers)
        if not caller.bearer and not self.keys.is_csrf(caller.session, _token(headers, body)):
            raise Refusal(403, "the page is out of date: load it again, then repeat")
        return _again(body)

    def _check_host(self, headers: Headers) -> None:
        given = headers.getlist("host")
        name = _hostname(given[0]) if len(given) == 1 else ""
        if not self._is_ours(name):
            raise Refusal(421, "add the name to hosts in [web] if this service is behind it")

    def _is_ours(self, name: str) -> bool:
        """Return whether a host's name is ours; an address cannot be rebound by a name server."""
        host, _ = self.table.address
        names = {*LOCAL, host, *(_hostname(h) for h in self.table.hosts)}
        if name in names:
            return True
        return self.table.token is not None and _is_address(name)

    def _check_origin(self, headers: Headers) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None:
            there = origin.lower().partition("://")[2]
            if there != headers["host"].lower() and there not in self.table.hosts:
                raise Refusal(403, "it comes from another site")
        elif site not in (None, "same-origin", "none"):
            raise Refusal(403, "it comes from another site")

    def _caller(self, scope: Scope, headers: Headers) -> Caller:
        address, secure = self._whence(scope, headers)
        session = self._session(headers)
        longer = self.keys.prolonged(session) if session else None
        fresh = session is None or longer is not None
        session = longer or session or self.keys.begin(signed_in=False)
        bearer = False
        if self.keys.token is not None:
            kind, _, given = headers.get("authorization", "").partition(" ")
            if kind.lower() == "bearer":
                bearer = self.check_token(given.strip(), address)
                if not bearer:
                    raise Refusal(401, "the token is wrong", (("WWW-Authenticate", "Bearer"),))
        known = self.keys.token is None or session.signed_in or bearer
        return Caller(session, fresh, known, bearer, address, secure)

    def check_token(self, given: str, address: str) -> bool:
        """Return whether a token is right; raises `Refusal` where an address failed too often."""
        if wait := self.failures.wait_s(address):
            headers = (("Retry-After", str(wait)),)
            raise Refusal(429, f"too many wrong tokens: wait {wait} seconds", headers)
        if self.keys.is_token(given):
            return True
        self.failures.note(address)
        log.warning("a wrong token came from %s", address)
        return False

    def _session(self, headers: Headers) -> Session | None:
        found = cookie_parser(headers.get("cookie", "")).get(self.keys.cookie)
        return self.keys.read(found) if found else None

    def _whence(self, scope: Scope, headers: Headers) -> tuple[str, bool]:
        """Return where a request comes from; what a header says of it only from our proxies."""
        client = scope.get("client")
        address, secure = (client[0] if client else ""), scope.get("scheme") == "https"
        if not self._is_proxy(address):
            return address, secure
        secure = headers.get("x-forwarded-proto", "").strip().lower() == "https"
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        for hop in reversed(hops):  # the nearest first; what a stranger wrote is further away
            if not _is_address(hop):
                break
            address = hop
            if not self._is_proxy(hop):
                break
        return address, secure

    def _is_proxy(self, address: str) -> bool:
        if not (self.table.proxies and _is_address(address)):
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in ipaddress.ip_network(network) for network in self.table.proxies)

    def _stranger(self, scope: Scope, headers: Headers) -> Response:
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            path = scope["path"] + ("?" if scope["query_string"] else "")
            there = quote(path + scope["query_string"].decode("latin-1"), safe="")
            return RedirectResponse(f"/login?next={there}", status_code=303)
        bearer = (("WWW-Authenticate", "Bearer"),)
        raise Refusal(401, "send the header Authorization: Bearer TOKEN, or log in", bearer)


@dataclass(slots=True)
class _Reply:
    """Sends what a route says, with our headers and the session's cookie."""

    scope: Scope
    out: Send
    keys: Keys
    caller: Caller | None = None
    begun: bool = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            public = self.scope["path"].startswith(OPEN_FOLDERS)
            versioned = public and self.scope["query_string"].startswith(b"v=")
            headers["Cache-Control"] = FOREVER if versioned else PUBLIC if public else PRIVATE
            caller = self.caller
            ours = any(c.startswith(f"{self.keys.cookie}=") for c in headers.getlist("set-cookie"))
            if caller and caller.fresh and not (public or caller.bearer or ours):
                headers.append("Set-Cookie", cookie(self.keys, caller.session, caller.secure))
        await self.out(message)


def cookie(keys: Keys, session: Session, secure: bool) -> str:
    """Return the header that gives a browser its session."""
    age = max(0, session.expires - int(keys.clock()))
    end = "; Secure" if secure else ""
    value = keys.written(session)
    return f"{keys.cookie}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{end}"


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_FOLDERS)


def _hostname(host: str) -> str:
    """Return the name in a Host header, without port and brackets; empty where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def _body(receive: Receive, headers: Headers) -> bytes:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BODY:
        raise Refusal(413, f"a request may have {MOST_BODY} bytes")
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the request is not whole")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BODY:
            raise Refusal(413, f"a request may have {MOST_BODY} bytes")
    return body


def _token(headers: Headers, body: bytes) -> str:
    if (given := headers.get(CSRF_HEADER)) is not None:
        return given
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return ""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=50)
    except ValueError:
        return ""
    return fields.get(CSRF_FIELD, [""])[0]


def _again(body: bytes) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """Return a `receive` that gives a body which was read already."""
    given = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
