"""The error tree: as drawn, one class per failure, fields kept, no key in any message."""

import inspect
import re

import pytest

from chain import errors
from chain.errors import AllEndpointsFailed, ChainError, EndpointError, LogsIncomplete, TimedOut
from tests.support.fake_node import block


def _drawn() -> dict[str, str]:
    """Return class → parent, from the drawing at the top of the file."""
    parents: dict[str, str] = {}
    stack = ["ChainError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│ ├└─]*)([A-Z]\w+)", line)
        if not found or found[2] == "ChainError":
            continue
        depth = len(found[1]) // 4
        stack = [*stack[:depth], found[2]]
        parents[found[2]] = stack[depth - 1]
    return parents


def _defined() -> dict[str, str]:
    return {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ChainError) and kind is not ChainError
    }


def test_tree__as_drawn__is_as_defined() -> None:
    assert _drawn() == _defined()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.Unreachable("https://h", "refused"), "check the URL"),
        (errors.TimedOut("https://h", 2.5), "within 2.5 s; raise timeout"),
        (errors.Refused("https://h", 401), "check the URL and its API key"),
        (errors.RateLimited("https://h", 3.0), "asks for 3 s of rest"),
        (errors.RateLimited("https://h", None), "use a larger plan or a second RPC"),
        (errors.BadStatus("https://h", 502), "HTTP 502; try later"),
        (errors.NotJson("https://h", "HTML"), "is this the URL of a JSON-RPC node?"),
        (errors.WrongChain("https://h", 1, 10), "fix chain_id or the RPC URL"),
        (errors.StaleHead("https://h", 5, 100, 60), "100 s old, more than the 60 s allowed"),
        (errors.Standstill("https://h", 5, 100, 60), "no block after 5 for 100 s"),
        (errors.HeadWentBack("https://h", 5, 9), "block 9 was seen"),
        (errors.Reorged(block(5)), "read again at a new head"),
        (errors.Disagreement(None, ["a", "b"], "x"), "a and b disagree on x"),
        (errors.NameNotResolved("a.eth", "why"), "'a.eth' does not resolve: why"),
    ],
)
def test_message__names_the_endpoint_and_says_what_to_do(error: ChainError, words: str) -> None:
    assert words in str(error)
    if isinstance(error, EndpointError):
        assert str(error).startswith("https://h: ")


def test_fields__are_kept() -> None:
    inner = TimedOut("https://h", 1)
    every = AllEndpointsFailed("base", [inner])
    assert every.failures == (inner,)
    assert "no RPC of base could be used: https://h: gave no answer" in str(every)
    assert "none is configured" in str(AllEndpointsFailed("base", []))
    part = LogsIncomplete(7, 20, inner)
    assert (part.done_to, part.last, part.cause) == (7, 20, inner)
