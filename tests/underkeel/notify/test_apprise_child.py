"""What the child notes while apprise sends: statuses, exceptions, its log; run in this process."""

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from requests import exceptions
from requests.adapters import HTTPAdapter

from underkeel.notify import apprise_child

ASKED = {"url": "x://", "title": "T", "body": "B", "kind": "critical", "timeout": 3}


class Answer:
    status_code = 429
    headers = {"Retry-After": "5"}  # noqa: RUF012  (as requests has it)


class Service:
    """Sends by requests, and logs, as apprise's services do."""

    host = "example.org"

    def __init__(self, act: Callable[[], bool]) -> None:
        self.act = act
        self.given: dict[str, Any] = {}

    def notify(self, **given: Any) -> bool:
        self.given = given
        return self.act()


def ran(monkeypatch: pytest.MonkeyPatch, service: Service | None, **asked: Any) -> dict[str, Any]:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ASKED | asked)))
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr(apprise_child, "_service", lambda url, timeout: service)
    logger = logging.getLogger("apprise")
    handlers, propagate = list(logger.handlers), logger.propagate
    try:
        assert apprise_child.main() == 0
    finally:
        logger.handlers, logger.propagate = handlers, propagate
    found: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return found


def test_main__answers_and_log__are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HTTPAdapter, "send", lambda adapter: Answer())

    def act() -> bool:
        HTTPAdapter().send()  # type: ignore[call-arg]
        logging.getLogger("apprise").info("nothing")
        logging.getLogger("apprise").warning("first")
        logging.getLogger("apprise").warning("refused, error=%d", 429)
        logging.getLogger("apprise").debug("Socket Exception: gone")
        return False

    service = Service(act)
    found = ran(monkeypatch, service)
    assert found["codes"] == [429]
    assert found["retry_after"] == "5"
    assert found["words"] == ["refused, error=429"]
    assert found["detail"] == "gone"
    assert found["sent"] is False
    assert service.given["notify_type"] == "failure"
    assert service.given["body_format"] == "text"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.SSLError("x"), "tls"),
        (exceptions.ConnectTimeout("x"), "connect"),
        (exceptions.ReadTimeout("x"), "timeout"),
        (exceptions.ConnectionError("NameResolutionError(x)"), "name"),
        (exceptions.ConnectionError("NewConnectionError(x)"), "refused"),
        (exceptions.ConnectionError("reset"), "broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_main__an_exchange_that_breaks__is_told_by_its_kind(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    def breaking(adapter: HTTPAdapter) -> None:
        raise error

    monkeypatch.setattr(HTTPAdapter, "send", breaking)
    found = ran(monkeypatch, Service(lambda: HTTPAdapter().send() is None))  # type: ignore[call-arg]
    assert found["broken"] == kind
    assert found["error"]


def test_main__only_asked_to_check__sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(lambda: True)
    found = ran(monkeypatch, service, check=True)
    assert (found["known"], found["sent"], found["host"]) == (True, False, "example.org")
    assert service.given == {}
    assert ran(monkeypatch, None, check=True)["known"] is False
