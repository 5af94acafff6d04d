"""Logs: one line each, without secrets."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from underkeel.monitor.logs import to_stderr


@pytest.fixture
def quiet_root() -> Iterator[None]:
    root, room = logging.getLogger(), logging.getLogger("underkeel")
    before, levels = list(root.handlers), (root.level, room.level)
    yield
    root.handlers = before
    root.setLevel(levels[0])
    room.setLevel(levels[1])


def hide(text: str) -> str:
    return text.replace("s3cret", "…")


@pytest.mark.usefixtures("quiet_root")
def test_logs__text__one_line_with_time_and_level_and_no_secret() -> None:
    stream = io.StringIO()
    to_stderr(as_json=False, scrub=hide, stream=stream)
    logging.getLogger("underkeel.monitor.x").info("at http://node/s3cret")
    logging.getLogger("others.library").info("not ours")
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info    at http://node/…", line)


@pytest.mark.usefixtures("quiet_root")
def test_logs__json__a_traceback_is_inside_the_one_line() -> None:
    stream = io.StringIO()
    to_stderr(as_json=True, scrub=hide, stream=stream)
    try:
        raise ValueError("s3cret")
    except ValueError:
        logging.getLogger("underkeel").exception("it failed")
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("error", "underkeel")
    assert told["text"].startswith("it failed\nTraceback")
    assert "s3cret" not in line


@pytest.mark.usefixtures("quiet_root")
def test_logs__quiet__warnings_alone() -> None:
    stream = io.StringIO()
    to_stderr(as_json=False, scrub=hide, quiet=True, stream=stream)
    logging.getLogger("underkeel").info("chatter")
    logging.getLogger("underkeel").warning("trouble")
    assert stream.getvalue().endswith("warning trouble\n")
    assert "chatter" not in stream.getvalue()
