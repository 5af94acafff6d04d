"""ENS names: from the registry to an address, or to a cause in words."""

import pytest
from eth_abi.abi import encode

from chain import ens
from chain.errors import NameNotResolved
from chain.types import Address
from tests.chain.helpers import address, client, word
from tests.support.fake_node import Contract, FakeNode, Revert

OWNER, RESOLVER, WILD = address(0xA11CE), address(0x2E5), address(0x31D)


def _registry(resolvers: dict[str, Address]) -> Contract:
    nodes = {ens.namehash(name.split(".")): int(at, 16) for name, at in resolvers.items()}
    return lambda data, _: word(nodes.get(data[4:36], 0))


def _resolver(*, extended: bool = False, offchain: bool = False, to: Address = OWNER) -> Contract:
    def run(data: bytes, _: str) -> bytes:
        selector = data[:4].hex()
        if selector == "3b3b57de":  # addr(bytes32)
            return word(int(to, 16))
        if selector == "01ffc9a7":  # supportsInterface(bytes4)
            return word(int(extended and data[4:8] == ens.EXTENDED))
        if selector == "9061b923" and extended:  # resolve(bytes,bytes)
            if offchain:
                raise Revert(ens.OFFCHAIN_LOOKUP + bytes(64))
            return encode(["bytes"], [word(int(to, 16))])
        raise Revert()

    return run


def _resolve(name: str, resolvers: dict[str, Address], **contracts: Contract) -> Address:
    node = FakeNode()
    node.contracts = {ens.REGISTRY: _registry(resolvers)}
    node.contracts |= {{"plain": RESOLVER, "wild": WILD}[k]: v for k, v in contracts.items()}
    chain = client(node)
    snapshot = chain.snapshot(chain.head())
    try:
        return ens.resolve(snapshot, name)
    finally:
        assert snapshot.stats.posts <= 1


def test_namehash__the_standard_s_examples() -> None:
    # EIP-137, section "namehash algorithm"
    assert ens.namehash(["eth"]).hex() == (
        "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae"
    )
    assert ens.namehash(["foo", "eth"]).hex() == (
        "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f"
    )


def test_resolve__a_plain_name_in_any_case__is_its_address() -> None:
    assert _resolve("Alice.ETH", {"alice.eth": RESOLVER}, plain=_resolver()) == OWNER


def test_resolve__an_extended_resolver__is_asked_its_way() -> None:
    resolver = _resolver(extended=True)
    assert _resolve("alice.eth", {"alice.eth": WILD}, wild=resolver) == OWNER


def test_resolve__a_wildcard_parent__answers_for_its_child() -> None:
    resolver = _resolver(extended=True)
    assert _resolve("bob.alice.eth", {"alice.eth": WILD}, wild=resolver) == OWNER


@pytest.mark.parametrize(
    ("name", "resolvers", "contracts", "words"),
    [
        ("alice.eth", {}, {}, "not registered"),
        ("bob.alice.eth", {"alice.eth": RESOLVER}, {"plain": _resolver()}, "not registered"),
        ("alice.eth", {"alice.eth": RESOLVER}, {}, "resolver failed"),
        (
            "alice.eth",
            {"alice.eth": RESOLVER},
            {"plain": _resolver(to=address(0))},
            "no Ethereum address",
        ),
        (
            "alice.eth",
            {"alice.eth": WILD},
            {"wild": _resolver(extended=True, offchain=True)},
            "CCIP-Read",
        ),
        ("alice", {}, {}, "no valid ENS name"),
        ("a..eth", {}, {}, "no valid ENS name"),
        ("al_ice.eth", {}, {}, "no valid ENS name"),
        ("аlice.eth", {}, {}, "no valid ENS name"),  # a Cyrillic first letter
    ],
)
def test_resolve__no_address__says_why(
    name: str, resolvers: dict[str, Address], contracts: dict[str, Contract], words: str
) -> None:
    with pytest.raises(NameNotResolved, match=words):
        _resolve(name, resolvers, **contracts)


def test_resolve__no_registry_on_this_chain__says_so() -> None:
    chain = client(FakeNode())
    with pytest.raises(NameNotResolved, match="no contract"):
        ens.resolve(chain.snapshot(chain.head()), "alice.eth")
