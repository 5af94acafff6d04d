"""Logs on stderr: one line each, as text for people or as JSON for programs, without secrets."""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

ROOMS: Final = ("underkeel", "chain", "protocols", "risk", "executor")
LEVELS: Final = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error"}


class Lines(logging.Formatter):
    """One line per record."""

    def __init__(self, *, as_json: bool, scrub: Callable[[str], str]) -> None:
        super().__init__()
        self._json = as_json
        self._scrub = scrub

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        stamp = f"{at}.{int(record.msecs):03d}Z"
        level = LEVELS.get(record.levelname, record.levelname.lower())
        text = self._scrub(record.getMessage())
        if record.exc_info:
            text += "\n" + self._scrub(self.formatException(record.exc_info))
        if self._json:
            fields = {"at": stamp, "level": level, "logger": record.name, "text": text}
            return json.dumps(fields, ensure_ascii=False)
        return f"{stamp} {level:7} {text}".replace("\n", "\n    ")


def to_stderr(
    *, as_json: bool, scrub: Callable[[str], str], quiet: bool = False, stream: TextIO | None = None
) -> logging.Handler:
    """Send the rooms' logs to stderr; return the handler. Others' logs from warnings on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(as_json=as_json, scrub=scrub))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.WARNING if quiet else logging.INFO)
    return handler
