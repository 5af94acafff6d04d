"""Every kind of proxy and of admin, planted on the world, with what is true of each.

The published contracts of OpenZeppelin, Safe, Compound and Aave where there are any; ours, in
contracts/world/planted, where there are none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from world.actors.governance import Builder
from world.anvil import Anvil
from world.deployer import ZERO
from world.node import Bound
from world.world import World, actor

from chain.types import Address, checksum
from protocols.exposure.state import Kind, ProxyKind, Verb

DAY = 86_400
UPGRADER = keccak(text="UPGRADER_ROLE")
PROPOSER = keccak(text="PROPOSER_ROLE")


@dataclass(frozen=True)
class Planted:
    """One address, and everything that must be found of it."""

    address: Address
    kind: Kind = Kind.CONTRACT
    proxy: ProxyKind | None = None
    runs: tuple[Address, ...] = ()
    """Whose code: implementations, the beacon, facets, the singleton."""
    names: tuple[Address, ...] = ()
    """Which other contracts it must be found to hang on."""
    powers: frozenset[tuple[Verb, Address | None, int]] | None = None
    """Verb, holder, delay; None where not compared."""
    admin: str = ""
    """The kind of the worst who can change it, as the risk room calls it."""
    delay: int | None = None
    """The shortest way to a change, in seconds; None where nobody can, or nobody knows."""
    unknown: str = ""
    """A part of what must be said to be unknown; empty where nothing is."""


@dataclass
class Garden:
    """Everything planted, by name."""

    world: World[Anvil]
    build: Builder
    cases: dict[str, Planted] = field(default_factory=dict)
    bound: dict[str, Bound] = field(default_factory=dict)

    def key(self, name: str) -> Address:
        return Address(actor(f"planted {name}"))

    def add(self, name: str, at: Bound | str, **true: object) -> Address:
        if isinstance(at, Bound):
            self.bound[name] = at
        address = checksum(at.address if isinstance(at, Bound) else at)
        self.cases[name] = Planted(address, **true)  # type: ignore[arg-type]
        return address

    def __getitem__(self, name: str) -> Address:
        return self.cases[name].address


def a(bound: Bound) -> Address:
    return checksum(bound.address)


def power(verb: Verb, holder: Address | None, delay: int = 0) -> tuple[Verb, Address | None, int]:
    return verb, holder, delay


def plant(world: World[Anvil]) -> Garden:
    """Deploy every case; takes about a second once compiled."""
    build = Builder(world, world.book.admin)
    garden = Garden(world, build)
    for name in ("alice", "bob", "carol", "dave", "erin"):
        world.node.rpc.request("anvil_setBalance", garden.key(name), hex(10**20))
    _admins(garden)
    _proxies(garden)
    _clones(garden)
    _strange(garden)
    return garden


def _admins(g: Garden) -> None:
    alice, bob, carol, dave, erin = (g.key(n) for n in ("alice", "bob", "carol", "dave", "erin"))
    g.add("key", alice, kind=Kind.EOA, powers=frozenset(), admin="eoa", delay=0)
    g.add("delegated key", _delegated(g), kind=Kind.DELEGATED, proxy=ProxyKind.EIP7702,
          admin="eoa", delay=0)  # fmt: skip
    singleton = checksum(g.world.book["safe"]["singleton"])
    is_safe = {"kind": Kind.SAFE, "proxy": ProxyKind.SAFE, "runs": (singleton,)}
    safe = g.add("safe 2 of 3", g.build.safe([alice, bob, carol], 2, 1), **is_safe,
                 powers=frozenset(), admin="safe", delay=0)  # fmt: skip
    g.add("safe 1 of 2", g.build.safe([alice, bob], 1, 2), **is_safe, admin="eoa", delay=0)
    bypassed = g.build.safe([alice, bob, carol], 3, 3)
    module = g.add("module", g.build.new("KeyModule", dave, bypassed.address),
                   powers=frozenset({power(Verb.OWN, dave)}), admin="eoa", delay=0)  # fmt: skip
    _as(g, bypassed, "enableModule", module)
    g.add("safe with a module bypass", bypassed, **is_safe,
          powers=frozenset({power(Verb.EXECUTE, module)}), admin="eoa", delay=0)  # fmt: skip
    slow = g.build.safe([alice, bob], 2, 4)
    delay = g.add("delay module", g.build.new("DelayModule", slow.address, 3 * DAY, erin),
                  kind=Kind.TIMELOCK, admin="safe", delay=0)  # fmt: skip
    _as(g, slow, "enableModule", delay)
    g.add("safe with a delayed module", slow, **is_safe,
          powers=frozenset({power(Verb.EXECUTE, delay)}), admin="safe", delay=0)  # fmt: skip
    guarded = g.build.safe([bob, carol], 2, 5)
    _as(g, guarded, "setGuard", g.build.new("OpenGuard").address)
    g.add("safe with a guard", guarded, **is_safe, admin="safe", delay=0)
    g.add("almost a safe", g.build.new("AlmostSafe", alice, [alice, bob]), kind=Kind.SAFE,
          admin="unknown", delay=0, unknown="non-standard Safe")  # fmt: skip

    lock = g.build.new("TimelockController", 2 * DAY, [safe], [ZERO], ZERO)
    g.add("timelock", lock, kind=Kind.TIMELOCK,
          powers=frozenset({power(Verb.EXECUTE, safe, 2 * DAY)}),
          admin="timelocked-safe", delay=2 * DAY)  # fmt: skip
    compound = g.build.new("CompoundTimelock", alice, 3 * DAY)
    g.add("compound timelock", compound, kind=Kind.TIMELOCK,
          powers=frozenset({power(Verb.EXECUTE, alice, 3 * DAY)}),
          admin="timelocked-eoa", delay=3 * DAY)  # fmt: skip
    g.add("aave executor", g.build.new("AaveExecutor", safe, DAY), kind=Kind.TIMELOCK,
          powers=frozenset({power(Verb.EXECUTE, safe, DAY)}),
          admin="timelocked-safe", delay=DAY)  # fmt: skip
    payloads = g.build.new("AavePayloads", alice, bob, carol)
    for level, wait in ((1, DAY), (2, 7 * DAY)):
        payloads.send(g.build.sender, "set", level, g.key(f"executor {level}"), wait)
    g.add("aave payloads", payloads, kind=Kind.GOVERNOR,
          admin="timelocked-governance", delay=DAY)  # fmt: skip
    voted = g.build.new("TimelockController", DAY, [], [ZERO], g.build.sender)
    votes = g.build.new("Votes")
    parliament = g.build.new("Parliament", votes.address, voted.address)
    voted.send(g.build.sender, "grantRole", PROPOSER, parliament.address)
    voted.send(g.build.sender, "renounceRole", bytes(32), g.build.sender)
    g.add("governor", parliament, kind=Kind.GOVERNOR, admin="timelocked-governance", delay=6 * DAY)
    g.add("timelock of a governor", voted, kind=Kind.TIMELOCK,
          powers=frozenset({power(Verb.EXECUTE, a(parliament), DAY)}),
          admin="timelocked-governance", delay=7 * DAY)  # fmt: skip


def _proxies(g: Garden) -> None:
    alice, bob, carol = (g.key(n) for n in ("alice", "bob", "carol"))
    safe, lock = g["safe 2 of 3"], g["timelock"]
    plain = g.build.new("Owned", alice)
    g.add("owned by a key", plain, powers=frozenset({power(Verb.OWN, alice)}), admin="eoa", delay=0)
    renounced = g.build.new("Owned", alice)
    renounced.send(alice, "renounceOwnership")
    g.add("owner gone", renounced, powers=frozenset(), admin="none")
    handing = g.build.new("Owned", bob)
    handing.send(bob, "transferOwnership", carol)
    g.add("owner pending", handing, powers=frozenset({power(Verb.OWN, bob)}), admin="eoa", delay=0)

    logic = g.build.new("Owned", ZERO.replace("0x00", "0x01"))
    for name, owner, kind, wait in (
        ("transparent of a key", alice, "eoa", 0),
        ("transparent of a timelock", lock, "timelocked-safe", 2 * DAY),
    ):
        made = g.build.new("TransparentUpgradeableProxy", logic.address, owner, b"")
        word = g.world.node.rpc.request("eth_getStorageAt", made.address, _slot("admin"), "latest")
        admin = checksum("0x" + word[-40:])
        g.add(f"admin of {name}", admin, powers=frozenset({power(Verb.OWN, owner)}),
              admin=kind, delay=wait)  # fmt: skip
        g.add(name, made, proxy=ProxyKind.TRANSPARENT, runs=(a(logic),),
              powers=frozenset({power(Verb.UPGRADE, admin)}), admin=kind, delay=wait)  # fmt: skip

    uups = g.build.new("UupsOwned")
    g.add("uups logic", uups)
    g.add("uups of a safe", g.build.proxy(uups, "initialize", safe), proxy=ProxyKind.UUPS,
          runs=(a(uups),), powers=frozenset({power(Verb.UPGRADE, safe)}),
          admin="safe", delay=0)  # fmt: skip
    g.add("uups of the same logic", g.build.proxy(uups, "initialize", lock), proxy=ProxyKind.UUPS,
          runs=(a(uups),), powers=frozenset({power(Verb.UPGRADE, lock)}),
          admin="timelocked-safe", delay=2 * DAY)  # fmt: skip
    for name, kind in (("roles", "UupsRoles"), ("enumerable roles", "UupsEnumerable")):
        made = g.build.proxy(g.build.new(kind), "initialize", safe, alice)
        g.add(f"uups of {name}", made, proxy=ProxyKind.UUPS,
              powers=frozenset({power(Verb.OWN, safe), power(Verb.UPGRADE, alice)}),
              admin="eoa", delay=0)  # fmt: skip
    g.add("uups of nobody known", g.build.proxy(g.build.new("UupsSilent")), proxy=ProxyKind.UUPS,
          powers=frozenset({power(Verb.UPGRADE, None)}), admin="unknown", delay=0,
          unknown="who may upgrade it")  # fmt: skip

    beacon = g.build.new("UpgradeableBeacon", uups.address, safe)
    g.add("beacon", beacon, powers=frozenset({power(Verb.UPGRADE, safe)}), admin="safe", delay=0)
    init = bytes.fromhex(uups.interface["initialize"].encode(bob)[2:])
    g.add("beacon proxy", g.build.new("BeaconProxy", beacon.address, init),
          proxy=ProxyKind.BEACON, runs=(a(beacon),), admin="eoa", delay=0)  # fmt: skip

    early = g.build.at("UupsOwned", g.build.new("Proxy1822", uups.address).address)
    early.send(alice, "initialize", alice)
    g.add("eip-1822", early, proxy=ProxyKind.EIP1822, runs=(a(uups),),
          powers=frozenset({power(Verb.UPGRADE, alice)}), admin="eoa", delay=0)  # fmt: skip
    g.add("zeppelinos", g.build.new("ProxyZeppelinOS", logic.address, alice),
          proxy=ProxyKind.ZEPPELINOS, runs=(a(logic),),
          powers=frozenset({power(Verb.UPGRADE, alice)}), admin="eoa", delay=0)  # fmt: skip
    sender = checksum(g.build.sender)
    g.add("eip-897", g.build.new("Proxy897", plain.address), proxy=ProxyKind.EIP897,
          runs=(a(plain),), powers=frozenset({power(Verb.UPGRADE, sender)}),
          admin="eoa", delay=0)  # fmt: skip
    diamond = g.build.new("Diamond")
    facets = (a(plain), a(uups))
    for facet, selector in zip(facets, (b"\x01\x02\x03\x04", b"\x05\x06\x07\x08"), strict=True):
        diamond.send(g.build.sender, "cut", facet, [selector])
    g.add("diamond", diamond, proxy=ProxyKind.DIAMOND, runs=facets,
          powers=frozenset({power(Verb.UPGRADE, sender)}), admin="eoa", delay=0)  # fmt: skip
    g.add("two ways in", g.build.new("TwoPaths", lock, bob),
          powers=frozenset({power(Verb.OWN, lock), power(Verb.PAUSE, bob)}),
          admin="eoa", delay=0)  # fmt: skip
    other_side = g.build.new("Owned", safe)
    g.add("bridge", other_side, powers=frozenset({power(Verb.OWN, safe)}), admin="safe", delay=0)
    g.add("bridged token", g.build.new("Bridged", other_side.address), names=(a(other_side),),
          powers=frozenset({power(Verb.MINT, a(other_side))}), admin="safe", delay=0)  # fmt: skip
    bare = g.build.proxy(uups)
    g.add("uups of nobody yet", bare, proxy=ProxyKind.UUPS, runs=(a(uups),), admin="unknown",
          powers=frozenset({power(Verb.UPGRADE, None)}), delay=0, unknown="never initialised",
          )  # fmt: skip
    for market in ("aave-3.0", "aave-3.6"):
        page = g.world.book[market]
        provider = checksum(page["pool_addresses_provider"])
        g.add(f"{market} pool", page["pool"], proxy=ProxyKind.TRANSPARENT,
              powers=frozenset({power(Verb.UPGRADE, provider)}), admin="eoa", delay=0)  # fmt: skip


def _clones(g: Garden) -> None:
    logic = g["uups logic"]
    raw = bytes.fromhex(logic[2:])
    end = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    for name, code in (
        ("eip-1167", bytes.fromhex("363d3d373d3d3d363d73") + raw + end),
        ("eip-1167 with arguments", bytes.fromhex("363d3d373d3d3d363d73") + raw + end + b"args"),
        ("eip-1167 shorter", bytes.fromhex("3d3d3d3d363d3d37363d73") + raw
         + bytes.fromhex("5af43d3d93803e602a57fd5bf3")),
        ("eip-7511", bytes.fromhex("365f5f375f5f365f73") + raw
         + bytes.fromhex("5af43d5f5f3e5f3d91602a57fd5bf3")),
    ):  # fmt: skip
        g.add(name, g.build.raw(code), proxy=ProxyKind.EIP1167, runs=(logic,), admin="none")


def _strange(g: Garden) -> None:
    alice = g.key("alice")
    plain = g["owned by a key"]
    g.add("decoy", g.build.new("Decoy", plain), admin="none", unknown="never delegates")
    g.add("says yes", g.build.new("SaysYes"), unknown="answers any question", admin="unknown",
          powers=frozenset({power(Verb.OWN, None)}), delay=0)  # fmt: skip
    one, other = g.build.new("Link"), g.build.new("Link")
    one.send(alice, "point", other.address)
    other.send(alice, "point", one.address)
    g.add("owner in a circle", one, admin="unknown", unknown="",
          powers=frozenset({power(Verb.OWN, a(other))}))  # fmt: skip
    links = [g.build.new("Link") for _ in range(16)]
    for at, to in pairwise(links):
        at.send(alice, "point", to.address)
    links[-1].send(alice, "point", alice)
    g.add("owner too far", links[0], admin="unknown", delay=0)
    gone = g.build.new("UupsOwned")
    left = g.build.proxy(gone, "initialize", alice)
    g.world.node.rpc.request("anvil_setCode", gone.address, "0x")
    g.add("proxy of the gone", left, proxy=ProxyKind.EIP1967, runs=(a(gone),), delay=0,
          admin="unknown", unknown="who may upgrade it")  # fmt: skip
    g.add("gone", gone.address, kind=Kind.GONE, unknown="no code where a contract must be")


def _slot(name: str) -> str:
    place = int.from_bytes(keccak(text=f"eip1967.proxy.{name}"), "big") - 1
    return hex(place)


def _as(g: Garden, safe: Bound, function: str, *args: object) -> None:
    """Let a Safe call itself, as its owners would."""
    g.world.node.rpc.request("anvil_setBalance", safe.address, hex(10**20))
    safe.send(safe.address, function, *args)


def _delegated(g: Garden) -> str:
    """Give a key's account the code of another, by a real EIP-7702 transaction."""
    account = Account.create("planted")
    rpc, chain_id = g.world.node.rpc, int(g.world.node.rpc.request("eth_chainId"), 16)
    rpc.request("anvil_setBalance", account.address, hex(10**18))
    target = g.build.new("OpenGuard").address
    signed = account.sign_authorization({"chainId": chain_id, "address": target, "nonce": 1})
    price = int(rpc.request("eth_gasPrice"), 16) * 2
    tx = account.sign_transaction(
        {
            "type": 4, "chainId": chain_id, "nonce": 0, "to": account.address, "value": 0,
            "gas": 200_000, "maxFeePerGas": price, "maxPriorityFeePerGas": 1,
            "authorizationList": [signed], "data": "0x",
        }
    )  # fmt: skip
    rpc.request("eth_sendRawTransaction", "0x" + tx.raw_transaction.hex().removeprefix("0x"))
    return to_checksum_address(account.address)
