"""Send one message by apprise, in a process of its own; JSON in on stdin, JSON out on stdout.

Of its own, because apprise takes 50 MB and a second to load, can hang in ways that only ending the
process ends, and obeys the environment's proxies. Nothing of ours is imported here. apprise says
only yes or no; why not is taken from the HTTP library it uses, and from its log.
"""

import json
import logging
import sys
from typing import Any

KINDS = {"critical": "failure", "warning": "warning", "resolved": "success"}


class Notes(logging.Handler):
    """Keeps the last words of apprise's log, and what each HTTP exchange came to."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.words: list[str] = []
        self.detail = ""
        self.codes: list[int] = []
        self.retry_after = ""
        self.broken = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.words.append(text)
        elif text.startswith(("Socket Exception:", "Notification Exception:")):
            self.detail = text.partition(":")[2].strip()

    def watch(self) -> None:
        """Note the status of every answer, and every exception that is none."""
        from requests.adapters import HTTPAdapter

        sending = HTTPAdapter.send

        def noting(adapter: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                response = sending(adapter, *args, **kwargs)
            except Exception as error:
                self.broken = _kind(error)
                raise
            self.codes.append(int(response.status_code))
            self.retry_after = str(response.headers.get("Retry-After", ""))
            return response

        HTTPAdapter.send = noting  # type: ignore[method-assign, assignment]


def _kind(error: Exception) -> str:
    """Return which of the failures that we tell apart an exception is."""
    from requests import exceptions

    text = repr(error)
    if isinstance(error, exceptions.SSLError):
        return "tls"
    if isinstance(error, exceptions.ConnectTimeout):
        return "connect"
    if isinstance(error, exceptions.Timeout):
        return "timeout"
    if "NameResolutionError" in text or "gaierror" in text:
        return "name"
    if "NewConnectionError" in text or "refused" in text:
        return "refused"
    return "broken"


def _service(url: str, timeout: float) -> Any:
    import apprise

    # In memory: nothing is written; no redirects; no pictures from elsewhere.
    asset = apprise.AppriseAsset(
        app_id="Underkeel", app_desc="Underkeel", app_url="", http_redirects=False,
        image_url_mask="", image_url_logo="", storage_mode="memory", async_mode=False,
        service_timeout=0,
    )  # fmt: skip
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is not None:
        service.overflow_mode = apprise.OverflowMode.SPLIT
        service.socket_connect_timeout = service.socket_read_timeout = timeout
    return service


def main() -> int:
    """Do what stdin says; the exit code is 0 unless that could not even be read."""
    asked = json.load(sys.stdin)
    notes = Notes()
    logger = logging.getLogger("apprise")
    logger.addHandler(notes)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    found: dict[str, Any] = {"known": False, "sent": False, "error": ""}
    try:
        service = _service(asked["url"], asked["timeout"])
        if service is not None:
            found |= {"known": True, "host": service.host if hasattr(service, "host") else ""}
            if not asked.get("check"):
                notes.watch()
                notes.words.clear()
                found["sent"] = bool(
                    service.notify(
                        body=asked["body"], title=asked["title"], body_format="text",
                        notify_type=KINDS.get(asked["kind"], "info"),
                    )
                )  # fmt: skip
    except Exception as error:  # noqa: BLE001  (plugins raise what they like; it is told)
        found["error"] = f"{type(error).__name__}: {error}"
    found |= {
        "words": notes.words[-1:], "detail": notes.detail, "codes": notes.codes,
        "retry_after": notes.retry_after, "broken": notes.broken,
    }  # fmt: skip
    sys.stdout.write("\n" + json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
