"""The relay's input and output, and what refuses to be read from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import multicall, relay
from chain.calls import Call, Code, NativeBalance, Ok, Pointer, Read, Reverted, Storage
from tests.chain.helpers import address, word
from tests.chain.scene import BATCH, NESTED, TOKEN, node
from tests.support.fake_node import block


def _program(*reads: Read) -> relay.Program:
    program = relay.Program()
    for read in reads:
        program.add(read)
    return program


def _run(program: relay.Program) -> tuple[bytes, bytes]:
    text = program.encode()
    fake = node()
    fake._at = block(100)
    return text, fake.relay(text, TOKEN)


def test_program__sources_of_pointers__come_first_hidden_and_once() -> None:
    read = Call(NESTED, b"x")
    program = _program(read, Call(NESTED, b"y"), NESTED.call)
    assert list(program.hidden.values()) == [True, False, False, False]
    assert list(program.hidden)[1] == NESTED.call


def test_program__size__is_the_size_of_the_input() -> None:
    reads = [r for r in BATCH if not isinstance(r, Call) or r.sender is None]
    program = relay.Program()
    for read in reads:
        program.add(read)
        assert abs(program.size - len(program.encode())) <= len(program)  # a count per words list


def test_program__a_sender__is_refused() -> None:
    with pytest.raises(ValueError, match="sender"):
        _program(Call(TOKEN, b"", TOKEN))


@pytest.mark.parametrize(
    ("read", "taken"),
    [
        (NativeBalance(TOKEN), True),
        (Code(TOKEN), True),
        (Storage(TOKEN, 1), True),
        (Call(TOKEN, b""), True),
        (Call(TOKEN, b"", TOKEN), False),
        (Call(TOKEN, bytes(70_000)), False),
        (Call(Pointer(Call(TOKEN, b""), 2047), b""), True),
        (Call(Pointer(Call(TOKEN, b""), 2048), b""), False),
        (Call(Pointer(Call(TOKEN, b""), -1), b""), False),
        (Call(Pointer(Call(TOKEN, b"", TOKEN), 0), b""), False),
    ],
)
def test_takes__what_the_encoding_bears(read: Read, taken: bool) -> None:
    assert relay.takes(read) is taken


def test_decode__the_output__gives_block_and_answers() -> None:
    program = _program(NativeBalance(TOKEN), Code(address(9)))
    text, output = _run(program)
    decoded = relay.decode(text, 2, output)
    at = block(100)
    assert (decoded.number, decoded.timestamp) == (at.number, at.timestamp)
    assert decoded.parent_hash == at.parent_hash
    assert decoded.answers == (Ok(word(5)), Ok(b""))
    assert decoded.gas_used == 40_000


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_decode__any_flipped_bit__is_corrupt(at: int, bit: int) -> None:
    text, output = _run(_program(NativeBalance(TOKEN), NESTED.call, Call(NESTED, b"1234")))
    changed = bytearray(output)
    changed[at % len(output)] ^= 1 << bit
    with pytest.raises(relay.Corrupt):
        relay.decode(text, 4, bytes(changed))


@given(cut=st.integers(0, 400))
def test_decode__any_cut__is_corrupt(cut: int) -> None:
    text, output = _run(_program(NativeBalance(TOKEN), NESTED.call))
    with pytest.raises(relay.Corrupt):
        relay.decode(text, 3, output[: cut % len(output)])


def test_decode__the_answer_to_another_question__is_corrupt() -> None:
    text, _ = _run(_program(NativeBalance(TOKEN)))
    _, other = _run(_program(NativeBalance(address(9))))
    with pytest.raises(relay.Corrupt, match="digest"):
        relay.decode(text, 1, other)


@pytest.mark.parametrize("payload", [b"\x0d", b"\x01\x01", b"", b"\x00\x00\x00\x00\x05ab"])
def test_decode__a_right_digest_over_a_wrong_shape__is_corrupt(payload: bytes) -> None:
    from eth_utils.crypto import keccak

    text = b"some input"
    rest = bytes(64) + payload
    with pytest.raises(relay.Corrupt):
        relay.decode(text, 1, keccak(keccak(text) + rest) + rest)


@given(
    st.lists(
        st.tuples(st.booleans(), st.binary(max_size=70)),
        max_size=8,
    )
)
def test_multicall__what_the_abi_encodes__is_decoded(results: list[tuple[bool, bytes]]) -> None:
    from eth_abi.abi import encode

    answer = encode(["(bool,bytes)[]"], [results])
    expected = [Ok(data) if ok else Reverted(data) for ok, data in results]
    assert multicall.decode(answer, len(results)) == expected


@given(st.lists(st.binary(max_size=70), max_size=5))
def test_multicall__its_encoding__is_the_abi_s(datas: list[bytes]) -> None:
    from eth_abi.abi import encode

    calls = [(address(i), data) for i, data in enumerate(datas)]
    expected = encode(["(address,bool,bytes)[]"], [[(a, True, d) for a, d in calls]])
    assert multicall.encode(calls) == multicall.AGGREGATE3 + expected


@pytest.mark.parametrize("cut", [0, 31, 64, 100, 200])
def test_multicall__cut_or_longer__is_misshapen(cut: int) -> None:
    from eth_abi.abi import encode

    answer = encode(["(bool,bytes)[]"], [[(True, b"abc"), (False, b"")]])
    for wrong in (answer[:cut], answer + bytes(32)):
        with pytest.raises(multicall.Misshapen):
            multicall.decode(wrong, 2)


@pytest.mark.parametrize("at", [31, 63, 95, 159, 191, 223, 230])
def test_multicall__a_wrong_offset_flag_length_or_padding__is_misshapen(at: int) -> None:
    from eth_abi.abi import encode

    answer = bytearray(encode(["(bool,bytes)[]"], [[(True, b"abc"), (False, b"")]]))
    answer[at] ^= 0x46
    with pytest.raises(multicall.Misshapen):
        multicall.decode(bytes(answer), 2)
