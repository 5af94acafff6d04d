"""Who may look: the token, signed sessions, tokens against forged requests, failed logins.

A session is a cookie that says what it is and is signed; nothing of it is kept here, so a restart
ends no session, and a new token ends all. Its key is kept beside the pause file.
"""

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from underkeel.config.load import Config
from underkeel.config.problems import Problem
from underkeel.config.secrets import SecretMissing, Secrets
from underkeel.config.web import WebTable
from underkeel.errors import ConfigError
from underkeel.state import state_folder

KEY_FILE: Final = "web-key"
KEY_BYTES: Final = 32
LEAST_TOKEN: Final = 16
MOST_TOKEN: Final = 1_024
"""Characters; a longer one is not even compared."""
MOST_COOKIE: Final = 400
TRIES: Final = 5
WINDOW_S: Final = 60.0
MOST_ADDRESSES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser has shown."""

    id: str
    signed_in: bool
    expires: int


@dataclass(frozen=True, slots=True)
class Keys:
    """Signs sessions, and compares tokens in constant time."""

    key: bytes = field(repr=False)
    token: str | None = field(repr=False)
    """None: whoever reaches the page may see it; only loopback does."""
    session_s: int
    clock: Callable[[], float] = time.time

    @property
    def cookie(self) -> str:
        """Return the cookie's name: one for each service, because ports share their cookies."""
        return "underkeel-" + hashlib.sha256(b"name" + self.key).hexdigest()[:8]

    def is_token(self, given: str) -> bool:
        """Return whether it is the token; takes as long whatever is given."""
        if self.token is None or len(given) > MOST_TOKEN:
            return False
        ours, theirs = (hashlib.sha256(t.encode("utf-8", "replace")) for t in (self.token, given))
        return hmac.compare_digest(ours.digest(), theirs.digest())

    def begin(self, *, signed_in: bool) -> Session:
        """Return a new session."""
        return Session(secrets.token_urlsafe(18), signed_in, int(self.clock()) + self.session_s)

    def prolonged(self, session: Session) -> Session | None:
        """Return the session for longer, where less than half of it is left."""
        now = int(self.clock())
        if session.expires - now > self.session_s // 2:
            return None
        return Session(session.id, session.signed_in, now + self.session_s)

    def written(self, session: Session) -> str:
        """Return a session as the cookie's value."""
        text = f"{'in' if session.signed_in else 'no'}.{session.id}.{session.expires}"
        return f"{text}.{self._mac('session', text)}"

    def read(self, cookie: str) -> Session | None:
        """Return the session that a cookie holds; None where it is not ours, or is over."""
        text, _, mac = cookie.rpartition(".")
        if len(cookie) > MOST_COOKIE or not cookie.isascii():
            return None
        if not hmac.compare_digest(mac, self._mac("session", text)):
            return None
        kind, id_, expires = text.split(".")
        if int(expires) <= self.clock():
            return None
        return Session(id_, kind == "in", int(expires))

    def csrf(self, session: Session) -> str:
        """Return what a request that changes something must repeat."""
        return self._mac("csrf", session.id)

    def is_csrf(self, session: Session, given: str) -> bool:
        """Return whether a request repeated it."""
        theirs = given.encode("utf-8", "replace")
        return hmac.compare_digest(self.csrf(session).encode(), theirs)

    def _mac(self, what: str, text: str) -> str:
        key = hashlib.sha256(self.key + (self.token or "").encode()).digest()
        return hmac.new(key, f"{what}|{text}".encode(), "sha256").hexdigest()[:40]


@dataclass(slots=True)
class Failures:
    """Counts failed logins by address; after a few, none is looked at for a while."""

    monotonic: Callable[[], float] = time.monotonic
    _seen: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wait_s(self, address: str) -> int:
        """Return how long an address has to wait; 0: not at all."""
        with self._lock:
            times = self._recent(_block(address))
            if len(times) < TRIES:
                return 0
            return max(1, int(times[0] + WINDOW_S - self.monotonic()) + 1)

    def note(self, address: str) -> None:
        """Count a failure."""
        key = _block(address)
        with self._lock:
            self._seen[key] = [*self._recent(key), self.monotonic()][-TRIES:]
            self._seen.move_to_end(key)
            while len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)

    def _recent(self, key: str) -> list[float]:
        since = self.monotonic() - WINDOW_S
        return [at for at in self._seen.get(key, ()) if at > since]


def _block(address: str) -> str:
    """Return whom an address counts for: of IPv6 whoever has one has 2⁶⁴."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def keys_of(
    config: Config, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> Keys:
    """Return the keys of the config's `[web]`; raises `ConfigError` for a token that is not there.

    Without a token only loopback is served: the config refuses anything else.
    """
    table = config.settings.web or WebTable()
    token = _token(config, table.token, environ) if table.token else None
    return Keys(_key(state_folder(environ)), token, table.session, clock)


def _token(config: Config, reference: str, environ: Mapping[str, str]) -> str:
    try:
        token = Secrets.beside(config.path.parent, environ).resolve(reference)
    except SecretMissing as missing:
        raise ConfigError([Problem(str(config.path), "web.token", str(missing))]) from None
    if not LEAST_TOKEN <= len(token) <= MOST_TOKEN:
        what = f"{reference} holds a token of {len(token)} characters"
        todo = "make one with `openssl rand -hex 32`"
        raise ConfigError([Problem(str(config.path), "web.token", what, todo)])
    return token


def _key(folder: Path) -> bytes:
    """Return the key that sessions are signed with; where it cannot be kept, one for this run."""
    path = folder / KEY_FILE
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            kept = path.read_bytes()
            if len(kept) == KEY_BYTES:
                return kept
        else:
            made = secrets.token_bytes(KEY_BYTES)
            with os.fdopen(descriptor, "wb") as file:
                file.write(made)
            return made
    return secrets.token_bytes(KEY_BYTES)
