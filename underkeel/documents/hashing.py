"""One hash over everything that a judgement rests on."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any


def inputs_hash(*parts: object) -> str:
    """Return 0x and the SHA-256 of values in a canonical form.

    Equal values hash equally in every process; the name of each dataclass is part of it.
    """
    digest = hashlib.sha256(canonical(parts).encode()).hexdigest()
    return f"0x{digest}"


def canonical(value: Any) -> str:
    """Return a text that two values share only when they are equal."""
    if isinstance(value, Enum):
        return canonical(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        inner = ",".join(f"{f.name}={canonical(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, Mapping):
        pairs = sorted((canonical(k), canonical(v)) for k, v in value.items())
        return "{" + ",".join(f"{k}:{v}" for k, v in pairs) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    return f"{type(value).__name__}:{value!r}"
