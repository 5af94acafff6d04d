"""The quick way through the ABI gives what eth-abi gives, faults included."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import words
from chain.abi import Function
from chain.calls import Ok, ReadFailed

KINDS = ("uint256", "uint128", "uint40", "uint8", "int256", "int24", "bool", "address", "bytes32")
WORDS = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=32).map(lambda part: part.rjust(32, b"\0")),
    st.binary(max_size=32).map(lambda part: part.rjust(32, b"\xff")),
    st.sampled_from([bytes(32), b"\xff" * 32, bytes(31) + b"\1", bytes(31) + b"\2"]),
)
ARGUMENTS = st.one_of(
    st.integers(-(1 << 256), 1 << 257),
    st.booleans(),
    st.binary(max_size=33),
    st.text(max_size=43),
    st.binary(min_size=19, max_size=21).map(lambda raw: "0x" + raw.hex()),
)


def decoded(function: Function, data: bytes) -> Any:
    try:
        return function.decode(Ok(data))
    except ReadFailed as failure:
        return failure.cause


def encoded(function: Function, *args: Any) -> bytes | None:
    try:
        return function.encode(*args)
    except Exception:  # noqa: BLE001 - what eth-abi raises is its own affair
        return None


def slowly(signature: str, monkeypatch: pytest.MonkeyPatch) -> Function:
    with monkeypatch.context() as patched:
        for quick in ("readers", "list_reader", "writers"):
            patched.setattr(words, quick, lambda kinds: None)
        return Function(signature)


@settings(max_examples=100)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=4),
    data=st.lists(WORDS, max_size=5).map(b"".join),
    cut=st.integers(0, 40),
)
def test_decode__any_words__as_eth_abi_or_its_fault(
    kinds: list[str], data: bytes, cut: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        signature = f"ask()({','.join(kinds)})"
        data = data[: len(data) - cut] if cut > 30 else data
        quick, slow = Function(signature), slowly(signature, monkeypatch)
        assert decoded(quick, data) == decoded(slow, data)


@settings(max_examples=100)
@given(
    kind=st.sampled_from(KINDS),
    offset=st.sampled_from([32, 32, 32, 0, 64]),
    count=st.integers(0, 4),
    items=st.lists(WORDS, max_size=4).map(b"".join),
)
def test_decode__a_list__as_eth_abi_or_its_fault(
    kind: str, offset: int, count: int, items: bytes
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        signature = f"ask()({kind}[])"
        data = offset.to_bytes(32, "big") + count.to_bytes(32, "big") + items
        quick, slow = Function(signature), slowly(signature, monkeypatch)
        assert decoded(quick, data) == decoded(slow, data)


@settings(max_examples=100)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=3), args=st.lists(ARGUMENTS, max_size=3))
def test_encode__any_arguments__as_eth_abi_or_its_fault(kinds: list[str], args: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        signature = f"ask({','.join(kinds)})()"
        quick, slow = Function(signature), slowly(signature, monkeypatch)
        assert encoded(quick, *args) == encoded(slow, *args)


def test_encode__addresses_and_numbers__need_no_eth_abi() -> None:
    plan = words.writers(("address", "uint8"))
    assert plan is not None
    assert (
        words.encode(plan, ("0x" + "11" * 20, 255))
        == bytes(12) + b"\x11" * 20 + bytes(31) + b"\xff"
    )
    assert words.encode(plan, ("0x" + "11" * 20, 256)) is None
    assert words.writers(("string",)) is None
    assert words.readers(("string",)) is None
    assert words.list_reader(("string[]",)) is None
