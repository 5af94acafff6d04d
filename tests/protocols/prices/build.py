"""Feed answers and blocks, made by hand."""

from eth_abi.abi import encode

from chain.calls import Ok, Result, Reverted
from chain.types import Address, BlockRef, checksum

NOW = 1_700_000_000
AT = BlockRef(1, 100, "0x" + "11" * 32, "0x" + "22" * 32, NOW)

NO = Reverted(b"")


def address(n: int) -> Address:
    """Return a distinct address."""
    return checksum("0x" + f"{n:040x}")


def words(*values: int) -> Ok:
    """Return an answer of 32-byte words, negative ones in two's complement."""
    return Ok(b"".join((value % 2**256).to_bytes(32, "big") for value in values))


def text(value: str) -> Ok:
    """Return an answer that is a string."""
    return Ok(encode(["string"], [value]))


def latest(
    answer: int,
    *,
    updated: int = NOW - 60,
    round_id: int = (2 << 64) + 7,
    answered_in: int | None = None,
) -> Ok:
    """Return an answer of `latestRoundData`."""
    return words(
        round_id, answer, updated, updated, round_id if answered_in is None else answered_in
    )


def feed_results(
    first: Result, decimals: Result | None = None, label: str = "ETH / USD"
) -> list[Result]:
    """Return the answers to `feed.reads` of a plain feed."""
    return [first, decimals or words(8), text(label), NO, NO, NO, NO, NO]
