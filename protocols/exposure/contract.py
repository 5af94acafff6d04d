"""Read of one address what it is and who controls it; three rounds, and one per page of modules.

Reads: the code; the slots of `slots`; the getters of `questions`; then, where the answers ask for
it, `proxiableUUID()` of the implementation, `admin()` as seen by the addresses written into a
proxy's code (an immutable admin answers only itself), and the members of roles.
The order of judgement is: no code, EIP-7702, EIP-1967, EIP-1822, ZeppelinOS, EIP-1167, EIP-897,
EIP-2535, Safe. Evidence is a slot or a call; a name proves nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from eth_utils.crypto import keccak

from chain.calls import Code, Ok, Read, Reads, Result, Storage, Unknown
from chain.types import Address
from protocols.exposure import bytecode, control, membership, proxies, roles, slots
from protocols.exposure import questions as q
from protocols.exposure.control import Answers
from protocols.exposure.roles import Grant
from protocols.exposure.state import (
    Facts,
    Kind,
    Link,
    LinkKind,
    Power,
    Proxy,
    ProxyKind,
    Verb,
)


def inspect(
    address: Address, grants: Sequence[Grant] | None = None, block_time_s: float = 0.0
) -> Reads[Facts]:
    """Return what an address is; never raises for anything a contract answers.

    `grants` are the role grants that its logs name, None where they were not read.
    `block_time_s` turns a governor's blocks into seconds; 0 where it is not known.
    """
    asked = tuple(dict.fromkeys(_questions(address)))
    answered = yield asked
    results: dict[Read, Result] = dict(zip(asked, answered, strict=True))
    code = results[Code(address)]
    if isinstance(code, Unknown):
        return Facts(address, Kind.UNKNOWN, unknown=(f"code: {code.reason}",))
    raw = code.data if isinstance(code, Ok) else b""
    if not raw:
        return Facts(address, Kind.EOA)
    codehash = "0x" + keccak(raw).hex()
    if (run := bytecode.delegation(raw)) is not None:
        proxy = Proxy(ProxyKind.EIP7702, (run,), "code 0xef0100‖address")
        link = Link(address, run, LinkKind.DELEGATE, proxy.evidence)
        return Facts(address, Kind.DELEGATED, codehash, len(raw), (proxy,), links=(link,))
    answers = Answers(address, results)
    facts = Facts(address, Kind.CONTRACT, codehash, len(raw))
    if not answers.trusted:
        facts = replace(facts, unknown=("it answers any question, so nothing it says is believed",))
    yield from _modules(answers)
    facts = proxies.borrowed(facts, answers, raw)
    facts = _controlled(facts, answers, block_time_s)
    more = tuple(dict.fromkeys(_second(facts, answers, raw, grants)))
    said = dict(zip(more, (yield more) if more else (), strict=True))
    facts = proxies.upgraded_by(facts, said, raw)
    facts = membership.with_roles(facts, answers, said, grants)
    return _settled(facts, answers)


def _questions(address: Address) -> Iterator[Read]:
    yield Code(address)
    for slot in slots.ALL:
        yield Storage(address, slot)
    yield q.nonsense(address)
    for function in (
        *q.IMPLEMENTATIONS,
        *(q.PROXY_TYPE, q.FACETS, q.OWNERS, q.THRESHOLD, q.VERSION, q.COOLDOWN),
        *(q.MIN_DELAY, q.DELAY, q.GRACE, q.ADMIN, q.EXECUTOR_DELAY, q.EXECUTOR_ADMIN),
        *(q.VOTING_DELAY, q.VOTING_PERIOD, q.CLOCK_MODE, q.VAULT_TIMELOCK, q.PAUSED),
        *q.PENDING,
        *(function for function, _ in q.POWERS),
        *(function for function, _ in q.NAMES),
    ):
        yield function.at(address)
    yield q.MODULES.at(address, q.SENTINEL, q.MOST_MODULES)
    yield q.MARKET_PARAMS.at(address, bytes(32))
    for level in q.LEVELS:
        yield q.PAYLOADS.at(address, level)
    for interface in (roles.ACCESS_CONTROL, roles.ENUMERABLE):
        yield roles.SUPPORTS.at(address, bytes.fromhex(interface[2:]))
    yield roles.ROLE_ADMIN.at(address, roles.DEFAULT_ADMIN)
    yield roles.MEMBER_COUNT.at(address, roles.DEFAULT_ADMIN)


def _modules(answers: Answers) -> Reads[None]:
    """Read the further pages of a Safe's modules."""
    if not isinstance(answers.value(q.OWNERS), tuple):
        return
    for _ in range(q.MOST_PAGES - 1):
        coming = control.modules_so_far(answers)[1]
        if coming is None:
            return
        (result,) = yield (coming,)
        answers.learn(coming, result)


def _controlled(facts: Facts, answers: Answers, block_time_s: float) -> Facts:
    """Return the facts with what the contract's own getters say of its control."""
    powers, unknown = control.named(answers)
    facts = replace(
        facts,
        pausable=_pausable(answers),
        pending_owner=_pending(answers),
        renounced=control.renounced(answers),
    )
    slot, guard = (Storage(facts.address, s) for s in (slots.SINGLETON, slots.GUARD))
    if (found := control.safe(answers, answers.raw(slot), answers.raw(guard))) is not None:
        links = [
            Link(facts.address, owner, LinkKind.MEMBER, "getOwners()") for owner in found[0].owners
        ]
        if int(found[0].guard, 16):
            links.append(
                Link(facts.address, found[0].guard, LinkKind.GUARD, slots.evidence(slots.GUARD))
            )
        modules = tuple(
            Power(Verb.EXECUTE, module, "getModulesPaginated()") for module in found[0].modules
        )
        return replace(
            facts,
            kind=Kind.SAFE,
            safe=found[0],
            powers=modules,
            links=(*facts.links, *links),
            unknown=(*facts.unknown, *found[1]),
        )
    facts = replace(facts, unknown=(*facts.unknown, *unknown))
    if (vote := control.governor(answers)) is not None:
        unit = 1.0 if vote.clock == "timestamp" else block_time_s
        delay = int((vote.voting_delay + vote.voting_period) * unit)
        return replace(facts, kind=Kind.GOVERNOR, governor=vote, delay_s=delay)
    if (least := control.payloads(answers)) is not None:
        return replace(facts, kind=Kind.GOVERNOR, timelock="aave-v3", delay_s=least, powers=())
    if (lock := control.timelock(answers)) is not None:
        family, delay, announced = lock
        if family in ("compound", "aave-v2"):
            powers = []  # its admin announces, and that is all he can do
        return replace(
            facts,
            kind=Kind.TIMELOCK,
            timelock=family,
            delay_s=delay,
            powers=(*announced, *powers),
        )
    if control.is_morpho(answers):
        powers = [replace(p, verb=Verb.FEE) for p in powers]
    elif (wait := control.vault_timelock(answers)) is not None:
        curating = (Verb.OWN, Verb.CONFIGURE)
        powers = [
            replace(p, verb=Verb.CONFIGURE, delay_s=wait, evidence=f"{p.evidence}, timelock()")
            for p in powers
            if p.verb in curating
        ]
    return replace(facts, powers=tuple(powers))


def _pausable(answers: Answers) -> bool | None:
    result = answers.ask(q.PAUSED)
    if isinstance(result, Unknown):
        return None
    return isinstance(answers.value(q.PAUSED), bool)


def _pending(answers: Answers) -> Address | None:
    for function in q.PENDING:
        pending = q.word_address(answers.ask(function))
        if isinstance(pending, str):
            return pending
    return None


def _second(
    facts: Facts, answers: Answers, code: bytes, grants: Sequence[Grant] | None
) -> Iterator[Read]:
    """Yield the reads that the first answers ask for."""
    for proxy in facts.proxies:
        if proxy.kind in (ProxyKind.EIP1967, ProxyKind.EIP1822):
            yield q.PROXIABLE_UUID.at(proxy.targets[0])
        if proxy.kind is ProxyKind.EIP1967:
            for candidate in bytecode.constants(code):
                yield proxies.admin_seen_by(facts.address, candidate)
        if proxy.kind is ProxyKind.TRANSPARENT:
            yield Storage(facts.address, slots.ADMIN)
        if proxy.kind is ProxyKind.ZEPPELINOS:
            yield Storage(facts.address, slots.ZEPPELINOS_ADMIN)
    if not membership.has(answers, roles.ACCESS_CONTROL):
        return
    if membership.has(answers, roles.ENUMERABLE):
        for role in roles.NAMES:
            yield roles.MEMBER_COUNT.at(facts.address, role)
            for i in range(membership.MEMBERS):
                yield roles.MEMBER.at(facts.address, role, i)
    for grant in grants or ():
        yield roles.HAS_ROLE.at(facts.address, grant.role, grant.account)


def _settled(facts: Facts, answers: Answers) -> Facts:
    """Return the facts with a holder for every power that must have one.

    A contract whose code can change is changed by somebody: where nobody was found, and nobody
    gave the power up, the holder is unknown.
    """
    powers = list(facts.powers)
    beacon = any(link.kind is LinkKind.IMPLEMENTATION and not facts.proxies for link in facts.links)
    changes = facts.upgradeable or beacon
    if changes:
        powers = [
            replace(p, verb=Verb.UPGRADE) if p.verb is Verb.OWN and _rules_code(facts) else p
            for p in powers
        ]
    found = any(p.verb in (Verb.UPGRADE, Verb.OWN, Verb.EXECUTE) for p in powers)
    if changes and not found and (why := _nobody(facts, answers)):
        powers.append(Power(Verb.UPGRADE, None, why))
        facts = replace(facts, unknown=(*facts.unknown, f"who may upgrade it: {why}"))
    powers += _hidden(facts, answers)
    if facts.kind is Kind.TIMELOCK and not powers:
        powers.append(Power(Verb.EXECUTE, None, "nobody who may announce could be found",
                            facts.delay_s or 0))  # fmt: skip
    return replace(facts, powers=tuple(powers))


def _hidden(facts: Facts, answers: Answers) -> Iterator[Power]:
    """Yield a power of nobody known for whatever could not be asked: it may be anybody's."""
    vital = [Storage(facts.address, slot) for slot in slots.ALL if slot != slots.GUARD]
    asked: list[Read] = [*vital, *(function.at(facts.address) for function, _ in q.POWERS)]
    asked.append(roles.SUPPORTS.at(facts.address, bytes.fromhex(roles.ACCESS_CONTROL[2:])))
    if facts.safe is not None:
        if any("modules" in text for text in facts.unknown):
            yield Power(Verb.EXECUTE, None, "modules that were not read")
    elif not answers.trusted:
        yield Power(Verb.OWN, None, "it answers any question")
    elif isinstance(owners := answers.value(q.OWNERS), Unknown):
        yield Power(Verb.OWN, None, f"who owns it could not be read: {owners.reason}")
    elif any(isinstance(answers.raw(read), Unknown) for read in asked):
        yield Power(Verb.OWN, None, "not everything that could tell was read")


_OWN_RULES = (
    *(ProxyKind.UUPS, ProxyKind.EIP1967, ProxyKind.EIP1822),
    *(ProxyKind.EIP897, ProxyKind.DIAMOND),
)
"""Proxies whose own code says who may upgrade them."""


def _nobody(facts: Facts, answers: Answers) -> str:
    """Return why it is not known who may upgrade a contract; empty where nobody may."""
    kinds = [proxy.kind for proxy in facts.proxies]
    own = not kinds or any(kind in _OWN_RULES for kind in kinds)
    if not facts.renounced:
        beaconed = bool(kinds) and all(kind is ProxyKind.BEACON for kind in kinds)
        return "" if beaconed else "nobody was found"
    initialised = answers.raw(Storage(facts.address, slots.INITIALIZED))
    if not kinds or not own or (isinstance(initialised, Ok) and any(initialised.data)):
        return ""
    return "owner() is zero: given up, or never initialised and anybody's"


def _rules_code(facts: Facts) -> bool:
    """Return whether the owner is the one who upgrades, because nobody else is named for it."""
    return not any(p.verb is Verb.UPGRADE for p in facts.powers)
