"""A channel of one of the services that apprise knows: Telegram, Slack, mail and a hundred more."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from underkeel.config.problems import one_line
from underkeel.notify.types import Limits, Message, Outcome, Verdict
from underkeel.notify.wire import Clock, refusal, resolves

CHILD: Final = Path(__file__).with_name("apprise_child.py")
STARTING_S: Final = 30.0
"""Seconds that the child may take besides: it loads every service there is."""
REPEATED: Final = "(possibly repeated) "
MARKS: Final = re.compile(r"[\s:/@?&=#+,;]+")
CALLS: Final = re.compile(r"@(?=(everyone|here|channel|all)\b)|(?<!\w)@(?=[\w&!])|<(?=!)", re.I)
"""What rings somebody: `@here`, `@name`, `<@1>`, `<!here>`; an address of mail does not."""
LEAST_HIDDEN: Final = 5
SAID_MOST: Final = 240
BROKEN: Final[Mapping[str, tuple[Verdict, str]]] = {
    "name": (Verdict.FAILED, "its name does not resolve"),
    "refused": (Verdict.FAILED, "the connection was refused or the host has no route"),
    "connect": (Verdict.FAILED, "no connection in time"),
    "tls": (Verdict.FAILED, "TLS failed"),
    "timeout": (Verdict.UNKNOWN, "no answer in time"),
    "broken": (Verdict.UNKNOWN, "the connection broke"),
}
"""What an exchange that ended without an answer means, by the child's word for it."""
HOSTED: Final = ("json", "jsons", "form", "forms", "xml", "xmls", "mailto", "mailtos")
"""Schemes of URLs whose host is a host, and no key."""
MAIL: Final = re.compile(r"\((?:[^()]*?)([2-5][0-9]{2}), ")
"""The code in the words of Python's mail library."""


def secrets_in(url: str) -> tuple[str, ...]:
    """Return every piece of an apprise URL: which of them are keys depends on the service."""
    pieces = set(MARKS.split(url.partition("://")[2])) | {url}
    pieces |= {unquote(piece) for piece in pieces} | {quote(piece, safe="") for piece in pieces}
    found = (piece for piece in pieces if len(piece) >= LEAST_HIDDEN)
    return tuple(sorted(found, key=len, reverse=True))


def quiet(text: str) -> str:
    """Return a text that rings nobody by name: a token's name may hold `@everyone`."""
    return CALLS.sub("\\g<0>\N{WORD JOINER}", text)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would send messages another way, or add a login."""
    kept = {k: v for k, v in given.items() if not k.lower().endswith("_proxy")}
    return kept | {"NETRC": os.devnull}


def _done(line: list[str], asked: bytes, timeout_s: float) -> "subprocess.CompletedProcess[bytes]":
    """Run a child to its end, with all that it has started: a plugin may fork."""
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(os.environ), process_group=0,
    ) as child:  # fmt: skip
        try:
            out, err = child.communicate(asked, timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(line, child.returncode, out, err)


class ByApprise:
    """One apprise URL. Every attempt is a process of its own."""

    knows_repeats = False

    def __init__(
        self, name: str, url: str, limits: Limits, *, now: Clock = time.time, child: Path = CHILD
    ) -> None:
        self.name = name
        self.limits = limits
        scheme = url.partition("://")[0]
        self.place = f"{scheme[:20]}://…" if scheme.isalnum() and scheme != url else "apprise"
        self._url = url
        self._secrets = re.compile("|".join(re.escape(s) for s in secrets_in(url)) or r"(?!)")
        self._now = now
        self._child = child

    def __repr__(self) -> str:
        return f"ByApprise({self.name}, {self.place})"

    def send(self, message: Message, attempt: int, *, repeated: bool) -> Outcome:
        """Send once; the receivers know no ids, so a repeat is marked in the title."""
        # One line: names in it may come from a chain, and a line break would end a mail's header.
        title = (REPEATED if repeated else "") + quiet(one_line(" ".join(message.title.split())))
        kind = "resolved" if message.state == "resolved" else message.severity
        return self._judged(
            self._asked({"title": title, "body": quiet(message.body), "kind": kind})
        )

    def check(self) -> str:
        """Say so where apprise does not take the URL, or its host has no address."""
        found = self._asked({"check": True})
        if isinstance(found, Outcome):
            return found.cause
        if not found["known"]:
            return self._unknown(found).cause
        # Many services have no host in the URL, or a key in its place: only a whole name is asked.
        host = str(found.get("host") or "")
        if self._url.partition("://")[0] in HOSTED and host and not resolves(host, 443):
            return f"{self.place} its host's name does not resolve"
        return ""

    def _asked(self, wanted: Mapping[str, Any]) -> dict[str, Any] | Outcome:
        """Return the child's answer, or what it means that there is none."""
        timeout = self.limits.timeout_s
        line = [sys.executable, "-P", str(self._child)]
        asked = json.dumps({"url": self._url, "timeout": timeout, **wanted})
        try:
            done = _done(line, asked.encode(), timeout + STARTING_S)
        except subprocess.TimeoutExpired:
            return Outcome(Verdict.UNKNOWN, f"{self.place} did not end within {timeout:g} s")
        except OSError as error:
            what = error.strerror or type(error).__name__
            return Outcome(Verdict.FAILED, f"no process could be started: {what}")
        try:
            found: dict[str, Any] = {**json.loads(done.stdout.splitlines()[-1])}
        except (ValueError, IndexError, TypeError):
            said = self._hidden(done.stderr.decode("utf-8", "replace").strip()[-SAID_MOST:])
            return Outcome(Verdict.UNKNOWN, f"apprise ended with {done.returncode}: {said}")
        return found

    def _judged(self, found: dict[str, Any] | Outcome) -> Outcome:
        if isinstance(found, Outcome):
            return found
        if not found["known"]:
            return self._unknown(found)
        codes = found["codes"]
        if found["sent"]:
            return Outcome(Verdict.DELIVERED, code=codes[-1] if codes else None)
        words = self._hidden(" ".join([*found["words"], found["error"]]))
        taken = any(200 <= code < 300 for code in codes)  # some of the parts, or receivers
        if found["broken"]:
            verdict, cause = BROKEN[found["broken"]]
            outcome = Outcome(verdict, f"{self.place} {cause}")
        elif codes and not 200 <= codes[-1] < 300:
            outcome = refusal(self.place, codes[-1], words, found["retry_after"], self._now())
        else:
            outcome = self._by_words(words, self._hidden(found["detail"]))
        if taken and outcome.verdict is not Verdict.DELIVERED:
            return replace(outcome, verdict=Verdict.UNKNOWN)
        return outcome

    def _by_words(self, words: str, detail: str) -> Outcome:
        """Judge by apprise's log, where there was no HTTP: mail, mostly."""
        cause = f"{self.place} {words}" + (f" {detail}" if detail else "")
        mail = MAIL.search(detail)
        if mail:
            verdict = Verdict.REFUSED if mail[1].startswith("5") else Verdict.FAILED
            return Outcome(verdict, cause, int(mail[1]))
        refused = ("refused", "not known", "No route", "resolution")
        definite = any(word in detail for word in refused)
        return Outcome(Verdict.FAILED if definite else Verdict.UNKNOWN, cause.strip())

    def _unknown(self, found: Mapping[str, Any]) -> Outcome:
        words = self._hidden(" ".join([*found["words"], found["error"]]))
        return Outcome(Verdict.REFUSED, f"apprise does not take the URL: {words}")

    def _hidden(self, text: str) -> str:
        return one_line(self._secrets.sub("…", text))[:SAID_MOST].strip()
