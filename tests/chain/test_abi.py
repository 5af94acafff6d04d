"""What is said of an answer that is none."""

from eth_abi.abi import encode

from chain.abi import ERROR_STRING, MOST_SHOWN, explain
from chain.calls import Reverted


def test_explain__a_contracts_own_words__are_one_short_line_without_controls() -> None:
    def said(text: str) -> str:
        return explain(Reverted(ERROR_STRING + encode(["string"], [text])))

    assert said("paused") == "reverted: paused"
    assert said("a\x1b[2J\nb\u202ec\x9b") == "reverted: a [2J b c "
    assert said("x" * 100_000) == f"reverted: {'x' * MOST_SHOWN}…"
