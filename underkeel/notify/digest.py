"""Several messages as one that names them all, for people who were away."""

import hashlib
import time
from collections.abc import Collection, Sequence
from typing import Final

from underkeel.notify.types import Message

ABOVE: Final = 3
"""How many may wait before they are put together."""
MOST: Final = 40
ROOM: Final = 3_500
"""Characters: about what the services take as one message; what is longer, they split."""
WORST_FIRST: Final = ("critical", "warning")


def digest(messages: Sequence[Message], repeated: Collection[str] = ()) -> Message:
    """Return one message for several, in their order; `repeated`, by id, may have arrived before.

    Every title is in it; bodies as far as there is room.
    """
    if len(messages) == 1:
        return messages[0]
    first, last = messages[0], messages[-1]
    head = f"{len(messages)} messages that waited, {_time(first.at)} to {_time(last.at)}, in order."
    lines = [_line(message, message.id in repeated) for message in messages]
    room = ROOM - len(head) - sum(len(line) + 2 for line in lines)
    parts = [head]
    for message, line in zip(messages, lines, strict=True):
        fits = message.body and len(message.body) + 1 <= room
        room -= len(message.body) + 1 if fits else 0
        parts.append(f"{line}\n{message.body}" if fits else line)
    return Message(
        id=digest_id(messages),
        title=f"{len(messages)} messages: {_counted(messages)}",
        body="\n\n".join(parts),
        severity=_worst(messages),
        state="digest",
        at=first.at,
    )


def digest_id(messages: Sequence[Message]) -> str:
    """Return an id that says which messages are in it."""
    joined = "\n".join(message.id for message in messages)
    return "digest/" + hashlib.sha256(joined.encode()).hexdigest()[:32]


def _line(message: Message, again: bool) -> str:
    mark = " (possibly repeated)" if again else ""
    title = " ".join(message.title.split())
    return f"{_time(message.at)} {message.severity} {message.state}: {title}{mark}"


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))


def _worst(messages: Sequence[Message]) -> str:
    given = [message.severity for message in messages]
    return next((s for s in WORST_FIRST if s in given), given[-1])


def _counted(messages: Sequence[Message]) -> str:
    words: dict[str, int] = {}
    for message in messages:
        word = message.state if message.state == "resolved" else message.severity
        words[word] = words.get(word, 0) + 1
    return ", ".join(f"{n} {word}" for word, n in words.items())
