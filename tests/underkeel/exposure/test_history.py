"""Since when a contract is what it is, of a chain whose past is known to the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from eth_utils.crypto import keccak

from chain.calls import Code, NoCode, Ok, Read, Result, Storage, Unknown
from chain.errors import BlockUnknown
from chain.types import BlockRef
from protocols.exposure import slots
from protocols.exposure.state import Facts, Kind, Proxy, ProxyKind, Survey
from tests.support.fake_chain import AT, address
from underkeel.exposure.history import since

PLAIN, PROXY, OLD, NEW = (address(n) for n in (1, 2, 3, 4))
HEAD = replace(AT, number=1000)


@dataclass
class Past:
    """Answers for any block: PLAIN is deployed at 700, PROXY upgraded at 123."""

    kept_from: int = 0
    asked: list[int] = field(default_factory=list)

    def block(self, number: int) -> BlockRef:
        if number < self.kept_from:
            raise BlockUnknown("node", -32001, f"it has no block {number}")
        return replace(AT, number=number, timestamp=number * 12)

    def snapshot(self, at: BlockRef) -> Any:
        self.asked.append(at.number)
        return SimpleNamespace(read=lambda reads: [self.answer(r, at.number) for r in reads])

    def answer(self, read: Read, number: int) -> Result:
        if isinstance(read, Code):
            return Ok(b"code") if number >= 700 else NoCode()
        assert isinstance(read, Storage)
        held = NEW if number >= 123 else OLD
        return Ok(bytes.fromhex(held[2:]).rjust(32, b"\0"))


def found() -> Survey:
    code = "0x" + keccak(b"code").hex()
    proxy = Proxy(ProxyKind.UUPS, (NEW,), "slot")
    return Survey(
        {
            PLAIN: Facts(PLAIN, Kind.CONTRACT, code),
            PROXY: Facts(PROXY, Kind.CONTRACT, code, proxies=(proxy,)),
            OLD: Facts(OLD, Kind.EOA),
        }
    )


def quiet(_what: str, _done: int, _all: int) -> None:
    pass


def run(past: Any) -> dict[str, int]:
    return since(past, HEAD, found(), quiet)


def test_since__code_and_implementation__the_block_of_the_change() -> None:
    past = Past()
    assert run(past) == {PLAIN: 700 * 12, PROXY: 123 * 12}
    assert len(past.asked) <= 2 * 11


def test_since__past_not_kept__not_known() -> None:
    assert run(Past(kept_from=990)) == {}


def test_since__one_answer_lost__only_that_contract_is_not_known() -> None:
    class Forgetful(Past):
        def answer(self, read: Read, number: int) -> Result:
            if isinstance(read, Code):
                return Unknown("lost")
            return super().answer(read, number)

    assert run(Forgetful()) == {PROXY: 123 * 12}


def test_since__slot_of_another_kind_then__counts_as_otherwise() -> None:
    assert slots.held(Ok(b"\xff" * 32)) is None

    class Strange(Past):
        def answer(self, read: Read, number: int) -> Result:
            odd = isinstance(read, Storage) and number < 200
            return Ok(b"\xff" * 32) if odd else super().answer(read, number)

    assert run(Strange())[PROXY] == 200 * 12


def test_since__nothing_to_ask__nothing() -> None:
    empty: Sequence[int] = ()
    past = Past()
    assert since(past, HEAD, Survey({}), quiet) == {}  # type: ignore[arg-type]
    assert list(past.asked) == list(empty)
