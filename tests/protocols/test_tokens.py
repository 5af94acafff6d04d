"""What a token calls itself."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from world.anvil import Anvil
from world.world import World

from chain.calls import NoCode, Ok, Pointer, Reads, Result, Reverted, Unknown
from chain.types import Address, checksum
from protocols import tokens
from protocols.types import Token
from tests.support import referee

A = checksum("0x" + "ab" * 20)
WETH = Ok(encode(["string"], ["WETH"]))
SIX = Ok(encode(["uint8"], [6]))


def test_describe__ordinary_token() -> None:
    assert tokens.describe(A, [WETH, SIX]) == (Token(A, "WETH", 6), ())


@pytest.mark.parametrize("silent", [Reverted(b""), Ok(b"")])
def test_describe__token_without_decimals__does_not_say(silent: Result) -> None:
    assert tokens.describe(A, [WETH, silent]) == (Token(A, "WETH", None), ())


@pytest.mark.parametrize(
    "lost", [Unknown("timeout"), NoCode(), Ok(b"\6"), Ok(encode(["uint256"], [256]))]
)
def test_describe__decimals_not_learned__are_unknown_not_a_number(lost: Result) -> None:
    token, unknown = tokens.describe(A, [WETH, lost])
    assert token.decimals is None
    assert unknown[0].startswith(f"token {tokens.short(A)}: decimals: ")


@pytest.mark.parametrize(
    "symbol",
    [
        Reverted(b""),
        Ok(b""),
        Unknown("timeout"),
        Ok(b"\0" * 32),
        Ok(encode(["string"], ["\u200b\x1b"])),
        Ok(encode(["bytes"], [b"\xff\xfe"])),
        Ok(b"\xff" * 64),
    ],
)
def test_describe__symbol_unreadable__is_the_short_address(symbol: Result) -> None:
    assert tokens.describe(A, [symbol, SIX]) == (Token(A, "0xABaB…ABaB", 6), ())


def test_text__bytes32__ends_at_its_first_zero() -> None:
    assert tokens.text(Ok(b"MKR".ljust(32, b"\0"))) == "MKR"
    assert tokens.text(Ok(b"MKR\0\0X".ljust(32, b"\0"))) == "MKR"


@given(st.text())
def test_text__whatever_it_is__prints_on_one_line_and_is_short(name: str) -> None:
    shown = tokens.text(Ok(encode(["string"], [name]))) if _encodable(name) else None
    assert shown is None or (shown.isprintable() and 0 < len(shown) <= tokens.MAX_TEXT)


def _encodable(name: str) -> bool:
    return not any(0xD800 <= ord(c) < 0xE000 for c in name)


@given(st.binary(max_size=200))
def test_text__any_answer__never_raises(data: bytes) -> None:
    tokens.text(Ok(data))


def test_reads__take_a_pointer() -> None:
    pointer = Pointer(tokens.SYMBOL.at(A))
    assert all(read.target == pointer for read in tokens.reads(pointer))  # type: ignore[union-attr]


def test_native__counts_in_1e18() -> None:
    assert tokens.native("POL") == Token(Address("0x" + "0" * 40), "POL", 18)


def described(addresses: list[Address]) -> Reads[dict[Address, Token]]:
    """Describe several tokens, as adapters fold them into their rounds."""
    results = yield [read for address in addresses for read in tokens.reads(address)]
    pairs = (results[i : i + tokens.READS] for i in range(0, len(results), tokens.READS))
    return {a: tokens.describe(a, pair)[0] for a, pair in zip(addresses, pairs, strict=True)}


def test_describe__the_worlds_odd_tokens(world: World[Anvil]) -> None:
    book = world.book.tokens
    names = ["WETH", "USDC", "OMKR", "NODEC", "RVRT"]
    addresses = {name: checksum(book[name].address) for name in names}
    rpc = world.node.rpc
    found = referee.run(described(list(addresses.values())), rpc, referee.head(rpc))
    shown = {name: found[addresses[name]] for name in names}
    assert (shown["WETH"].symbol, shown["WETH"].decimals) == ("WETH", 18)
    assert (shown["USDC"].symbol, shown["USDC"].decimals) == ("USDC", 6)
    assert shown["OMKR"].symbol == "OMKR"
    assert shown["NODEC"].decimals is None
    assert shown["RVRT"].address == addresses["RVRT"]
