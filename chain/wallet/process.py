"""Keep what this process holds in memory out of core dumps and debuggers' reach."""

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def harden() -> None:
    """Forbid core dumps, and where the kernel can (Linux), other processes of the same user.

    Called before a key is read. What it cannot keep out: the same user's debugger where the
    kernel has no PR_SET_DUMPABLE, the root user, and swap.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
