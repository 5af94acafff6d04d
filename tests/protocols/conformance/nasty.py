"""Code that answers every call in an ugly way, put where a contract was.

By hand, so that it is the same on any node and needs no compiler. What tells its callers apart, by
sender or by gas, is not among them: no two read paths could agree about that.
"""

from typing import Final

_REASON: Final = "08c379a0" + f"{32:064x}" + f"{6:064x}" + b"paused".hex().ljust(64, "0")


def _with(data: str, end: str) -> str:
    """Return code that copies what follows it into memory and ends with it."""
    size = len(data) // 2
    return f"0x61{size:04x}80600c6000396000{end}" + data


NASTY: Final = {
    "reverts": "0x60006000fd",
    "reverts with a reason": _with(_REASON, "fd"),
    "burns all gas": "0xfe",
    "answers nothing": "0x00",
    "answers 31 bytes": "0x601f6000f3",
    "answers 64 bytes": "0x6001600052600260205260406000f3",
    "answers the largest word": "0x60001960005260206000f3",
    "answers 64 kilobytes": "0x620100006000f3",
    "reverts with 64 kilobytes": "0x620100006000fd",
    "writes to its storage": "0x6001600055600160005260206000f3",
    "answers the time": "0x4260005260206000f3",
    "is gone": "0x",
}
