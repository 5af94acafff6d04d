"""What one address is, where answers are missing, wrong or too many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.abi import Function
from chain.calls import Call, Code, NoCode, Ok, Read, Result, Reverted, Storage, Unknown
from chain.types import Address
from protocols.exposure import bytecode, roles, slots
from protocols.exposure import questions as q
from protocols.exposure.contract import inspect
from protocols.exposure.roles import Grant
from protocols.exposure.state import Facts, Kind, ProxyKind, Verb
from tests.support.fake_chain import address

A, LOGIC, OWNER = address(0xA11CE), address(0x1061C), address(0x0B0B)
DELEGATES = bytes.fromhex("5af4")


class Contract:
    """One contract as a table of answers; it reverts on what it does not know."""

    def __init__(self, code: bytes = DELEGATES) -> None:
        self.answers: dict[Read, Result] = {Code(A): Ok(code) if code else NoCode()}
        self.lost: Callable[[Read], bool] = lambda _: False

    def says(self, function: Function, *args: Any, value: Any) -> Contract:
        values = value if len(function.outputs) > 1 else (value,)
        self.answers[function.at(A, *args)] = Ok(encode(function.outputs, values))
        return self

    def holds(self, slot: int, held: Address) -> Contract:
        self.answers[Storage(A, slot)] = Ok(bytes.fromhex(held[2:]).rjust(32, b"\0"))
        return self

    def answer(self, read: Read) -> Result:
        if self.lost(read):
            return Unknown("lost on the way")
        empty: Result = Ok(bytes(32)) if isinstance(read, Storage) else Reverted(b"")
        return self.answers.get(read, empty)

    def facts(self, grants: Sequence[Grant] | None = None, block_time_s: float = 0.0) -> Facts:
        program = inspect(A, grants, block_time_s)
        batch = next(program)
        try:
            while True:
                batch = program.send([self.answer(read) for read in batch])
        except StopIteration as stop:
            found: Facts = stop.value
            return found


def safe(threshold: int = 2, more: Address = q.SENTINEL) -> Contract:
    return (
        Contract()
        .says(q.OWNERS, value=[OWNER, LOGIC])
        .says(q.THRESHOLD, value=threshold)
        .says(q.VERSION, value="9.9")
        .says(q.MODULES, q.SENTINEL, q.MOST_MODULES, value=([], more))
        .holds(slots.SINGLETON, LOGIC)
    )


def test_inspect__code_not_read__unknown_with_the_cause() -> None:
    contract = Contract()
    contract.lost = lambda read: isinstance(read, Code)
    found = contract.facts()
    assert (found.kind, found.unknown) == (Kind.UNKNOWN, ("code: lost on the way",))


def test_inspect__slots_and_owner_not_read__said_and_never_nobody() -> None:
    contract = Contract()
    contract.lost = lambda read: not isinstance(read, Code)
    found = contract.facts()
    assert any("slot eip1967.proxy.implementation: lost" in text for text in found.unknown)
    assert any("owner(): lost" in text for text in found.unknown)
    assert found.pausable is None
    assert [(p.verb, p.holder) for p in found.powers] == [(Verb.OWN, None)]


def test_inspect__admin_slot_lost_after_the_first_round__holder_unknown() -> None:
    contract = Contract().holds(slots.IMPLEMENTATION, LOGIC).holds(slots.ADMIN, OWNER)
    asked: list[Read] = []

    def second_time(read: Read) -> bool:
        asked.append(read)
        return read == Storage(A, slots.ADMIN) and asked.count(read) == 2

    contract.lost = second_time
    found = contract.facts()
    assert [(p.verb, p.holder) for p in found.powers] == [(Verb.UPGRADE, None)]
    assert any("eip1967.proxy.admin: lost" in text for text in found.unknown)


def test_inspect__admin_given_up__nobody() -> None:
    dead = Address("0x000000000000000000000000000000000000dEaD")
    found = Contract().holds(slots.IMPLEMENTATION, LOGIC).holds(slots.ADMIN, dead).facts()
    assert found.proxies[0].kind is ProxyKind.TRANSPARENT
    assert [p for p in found.powers if p.holder == dead] == []


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (safe(), "a non-standard Safe"),
        (safe(threshold=3), "its threshold is 3 of 2"),
        (safe(more=OWNER), "its modules could not be read"),
    ],
)
def test_inspect__safe_that_is_not_as_it_should_be__said(contract: Contract, said: str) -> None:
    found = contract.facts()
    assert found.kind is Kind.SAFE
    assert any(said in text for text in found.unknown)


def test_inspect__safe_whose_modules_or_guard_are_not_read__said() -> None:
    contract = safe()
    module_read = q.MODULES.at(A, q.SENTINEL, q.MOST_MODULES)
    contract.lost = lambda read: read in (module_read, Storage(A, slots.GUARD))
    found = contract.facts()
    assert "its modules could not be read" in found.unknown
    assert any(text.startswith("its guard: lost") for text in found.unknown)
    assert [(p.verb, p.holder) for p in found.powers] == [(Verb.EXECUTE, None)]


def paged(count: int) -> tuple[Contract, list[Address]]:
    """Return a Safe with so many modules, listed as a Safe lists them, page by page."""
    modules = [address(0x5000 + n) for n in range(count)]
    contract, start, rest = safe(), q.SENTINEL, modules
    while True:
        page, rest = rest[: q.MOST_MODULES], rest[q.MOST_MODULES :]
        following = rest[0] if rest else q.SENTINEL
        contract.says(q.MODULES, start, q.MOST_MODULES, value=(page, following))
        if not rest:
            return contract, modules
        start = page[-1]


@pytest.mark.parametrize("count", [1, 50, 51, 120])
def test_inspect__safe_with_pages_of_modules__every_one_is_a_way(count: int) -> None:
    contract, modules = paged(count)
    found = contract.facts()
    assert found.safe is not None
    assert list(found.safe.modules) == modules
    assert [p.holder for p in found.powers] == modules
    assert not any("modules" in text for text in found.unknown)


def test_inspect__safe_with_modules_without_end__the_rest_is_nobodys_known() -> None:
    contract, _ = paged(q.MOST_MODULES * (q.MOST_PAGES + 1))
    found = contract.facts()
    assert any("not all of its modules were read, only 1000" in text for text in found.unknown)
    assert (found.powers[-1].verb, found.powers[-1].holder) == (Verb.EXECUTE, None)


def test_inspect__safe_whose_pages_go_in_circles__modules_unknown() -> None:
    contract = safe().says(q.MODULES, q.SENTINEL, q.MOST_MODULES, value=([OWNER], OWNER))
    contract.says(q.MODULES, OWNER, q.MOST_MODULES, value=([OWNER], OWNER))
    assert "its modules could not be read" in contract.facts().unknown


def test_inspect__two_hundred_thousand_owners__not_decoded_and_not_nobodys() -> None:
    contract, count = safe(), 200_000
    words = (32).to_bytes(32, "big") + count.to_bytes(32, "big") + bytes(31) + b"\1" * (32 * count)
    contract.answers[q.OWNERS.at(A)] = Ok(words[: 64 + 32 * count])
    found = contract.facts()
    assert found.kind is Kind.CONTRACT
    assert (found.powers[-1].verb, found.powers[-1].holder) == (Verb.OWN, None)
    assert "an answer of 6,400,064 bytes" in found.powers[-1].evidence


def test_inspect__delay_beyond_reason__is_no_timelock() -> None:
    assert Contract().says(q.MIN_DELAY, value=2**80).facts().kind is Kind.CONTRACT


def test_inspect__timelock_of_nobody__holder_unknown_after_its_delay() -> None:
    found = Contract(b"\x00").says(q.MIN_DELAY, value=50).facts()
    assert [(p.holder, p.delay_s) for p in found.powers] == [(None, 50)]


def test_inspect__governor_in_blocks__seconds_where_the_network_is_known() -> None:
    def voting() -> Contract:
        delay = Contract(b"\x00").says(q.VOTING_DELAY, value=10)
        return delay.says(q.VOTING_PERIOD, value=90)

    assert voting().facts(block_time_s=12.0).delay_s == 1200
    assert voting().facts().delay_s == 0


def with_roles(enumerable: bool = False) -> Contract:
    contract = Contract(b"\x00")
    for interface, has in ((roles.ACCESS_CONTROL, True), (roles.ENUMERABLE, enumerable)):
        contract.says(roles.SUPPORTS, bytes.fromhex(interface[2:]), value=has)
    return contract


def test_inspect__roles_without_logs__unread_and_said() -> None:
    found = with_roles().facts()
    assert found.roles == "unread"
    assert any("logs, which were not read" in text for text in found.unknown)
    assert [(p.verb, p.holder) for p in found.powers] == [(Verb.OWN, None)]


def test_inspect__roles_by_logs__only_who_still_has_them() -> None:
    unnamed = keccak(text="ROLE_OF_OURS")
    grants = [Grant(roles.DEFAULT_ADMIN, OWNER), Grant(unnamed, LOGIC), Grant(unnamed, OWNER)]
    contract = with_roles()
    for grant, still in zip(grants, (True, True, False), strict=True):
        contract.says(roles.HAS_ROLE, grant.role, grant.account, value=still)
    found = contract.facts(grants)
    assert {(p.verb, p.holder) for p in found.powers} == {(Verb.OWN, OWNER), (Verb.OWN, LOGIC)}
    assert any(p.evidence.startswith("role 0x") for p in found.powers)


def test_inspect__roles_of_old_contracts__known_by_answering() -> None:
    contract = Contract(b"\x00").says(roles.ROLE_ADMIN, roles.DEFAULT_ADMIN, value=bytes(32))
    assert contract.facts().roles == "unread"
    for role in roles.NAMES:
        contract.says(roles.MEMBER_COUNT, role, value=int(role == roles.DEFAULT_ADMIN))
    contract.says(roles.MEMBER, roles.DEFAULT_ADMIN, 0, value=OWNER)
    found = contract.facts()
    assert found.roles == "enumerated"
    assert [(p.verb, p.holder) for p in found.powers] == [(Verb.OWN, OWNER)]


@pytest.mark.parametrize("initialised", [False, True])
def test_inspect__upgradeable_without_owner__nobodys_only_if_initialised(initialised: bool) -> None:
    contract = Contract().holds(slots.IMPLEMENTATION, LOGIC).says(q.OWNER, value=address(0))
    uuid = q.PROXIABLE_UUID.at(LOGIC)
    contract.answers[uuid] = Ok(slots.IMPLEMENTATION.to_bytes(32, "big"))
    if initialised:
        contract.answers[Storage(A, slots.INITIALIZED)] = Ok((1).to_bytes(32, "big"))
    found = contract.facts()
    assert found.proxies[0].kind is ProxyKind.UUPS
    assert [p.holder for p in found.powers] == ([] if initialised else [None])
    assert any("never initialised" in u for u in found.unknown) is not initialised


def test_inspect__role_whose_holder_is_not_confirmed__unknown() -> None:
    contract = with_roles()
    contract.lost = lambda read: isinstance(read, Call) and read.data[:4] == roles.HAS_ROLE.selector
    found = contract.facts([Grant(roles.DEFAULT_ADMIN, OWNER)])
    assert any(text.startswith("DEFAULT_ADMIN_ROLE: ") for text in found.unknown)
    assert [(p.verb, p.holder) for p in found.powers] == [(Verb.OWN, None)]


def test_inspect__enumerated_roles__more_than_asked_for_and_unread_ones_are_said() -> None:
    contract = with_roles(enumerable=True)
    for role in roles.NAMES:
        contract.says(roles.MEMBER_COUNT, role, value=0)
    contract.says(roles.MEMBER_COUNT, roles.DEFAULT_ADMIN, value=9)
    contract.says(roles.MEMBER, roles.DEFAULT_ADMIN, 0, value=OWNER)
    minter = keccak(text="MINTER_ROLE")
    contract.lost = lambda read: read == roles.MEMBER_COUNT.at(A, minter)
    found = contract.facts()
    assert (Verb.OWN, OWNER) in {(p.verb, p.holder) for p in found.powers}
    assert any("has 9 members, of whom 8 are shown" in text for text in found.unknown)
    assert any(text.startswith("MINTER_ROLE: ") for text in found.unknown)
    assert any(text.startswith("DEFAULT_ADMIN_ROLE: ") for text in found.unknown)


def test_inspect__names_itself_or_a_word_that_is_no_address__not_followed() -> None:
    contract = Contract(b"\x00")
    asset, aggregator = (function for function, _ in q.NAMES if function.name in
                         ("asset", "aggregator"))  # fmt: skip
    contract.says(asset, value=A)
    contract.answers[aggregator.at(A)] = Ok(b"\xff" * 32)
    assert contract.facts().links == ()


RAW = bytes.fromhex(LOGIC[2:])


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("363d3d373d3d3d363d73" + RAW.hex() + "5af43d82803e903d91602b57fd5bf3", LOGIC),
        ("363d3d373d3d3d363d6f" + "11" * 16 + "5af43d82803e903d91602757fd5bf3",
         Address("0x" + "00" * 4 + "11" * 16)),
        ("366000600037611000600036600073" + RAW.hex() + "5af4602c57600080fd5b6110006000f3", LOGIC),
        ("3d3d3d3d363d3d37610010603736393661001001" + "3d73" + RAW.hex() + "5af43d3d", LOGIC),
        ("363d3d373d3d3d363d73" + RAW.hex() + "5bf4", None),
        ("363d3d373d3d3d363d5f", None),
        ("363d3d373d3d3d363d", None),
        ("00363d3d373d3d3d363d73" + RAW.hex() + "5af4", None),
    ],
)  # fmt: skip
def test_clone__whole_pattern_from_the_first_byte__or_nothing(
    code: str, target: Address | None
) -> None:
    found = bytecode.clone(bytes.fromhex(code))
    assert (found[1] if found else None) == target


def test_delegation__only_the_whole_designator() -> None:
    assert bytecode.delegation(bytes.fromhex("ef0100") + RAW) == LOGIC
    assert bytecode.delegation(bytes.fromhex("ef0100") + RAW + b"\0") is None
    assert bytecode.delegation(bytes.fromhex("ef0101") + RAW) is None


def test_delegates__data_of_a_push__is_no_instruction() -> None:
    assert not bytecode.delegates(bytes.fromhex("61f4f400"))
    assert bytecode.delegates(bytes.fromhex("61f4f4f4"))


def test_constants__addresses_and_no_masks__at_most_so_many() -> None:
    many = bytes.fromhex("".join(f"73{n:02x}" + "11" * 19 for n in range(1, 20)))
    assert len(bytecode.constants(many)) == 8
    mask = bytes.fromhex("73" + "ff" * 20 + "7f" + "00" * 12 + "ab" * 20 + "7f" + "ab" * 32)
    assert [a.lower() for a in bytecode.constants(mask)] == ["0x" + "ab" * 20]


def test_slots__by_their_names__are_the_proposals() -> None:
    assert (
        int("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc", 16)
        == slots.IMPLEMENTATION
    )
    assert slots.held(Ok(b"\x01" * 32)) is None
    assert slots.held(Ok(b"")) is None
