"""The address book names everything, and everything it names is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from eth_utils.crypto import keccak
from world.anvil import Anvil
from world.contract import Interface, UnknownFunction, abi_type
from world.node import BULK_GAS
from world.recipes import RECIPES
from world.recipes.multicall3 import ADDRESS, CODEHASH
from world.rpc import RpcError, WorldError, revert_reason
from world.world import World


def addresses(page: Any) -> Iterator[str]:
    if isinstance(page, str):
        if len(page) == 42 and page.startswith("0x"):
            yield page
    elif isinstance(page, dict):
        for part in page.values():
            yield from addresses(part)
    elif isinstance(page, (list, tuple)):
        for part in page:
            yield from addresses(part)


def code(world: World[Anvil], address: str) -> str:
    found: str = world.node.rpc.request("eth_getCode", address, "latest")
    return found


def test_book__every_recipe__has_a_page(world: World[Anvil]) -> None:
    assert list(world.book.protocols) == [recipe.name for recipe in RECIPES]


@pytest.mark.parametrize("recipe", [recipe.name for recipe in RECIPES])
def test_book__every_address__has_code(world: World[Anvil], recipe: str) -> None:
    named = set(addresses(json.loads(json.dumps(world.book[recipe])))) - {"0x" + "00" * 20}
    people = set(world.book.accounts)
    assert named
    for address in named - people:
        assert code(world, address) != "0x", address


def test_multicall3__has_the_canonical_code(world: World[Anvil]) -> None:
    assert "0x" + keccak(hexstr=code(world, ADDRESS)).hex() == CODEHASH
    assert world.book["multicall3"]["address"] == ADDRESS


def test_tokens__that_say_their_decimals__agree_with_the_book(world: World[Anvil]) -> None:
    assert {token.decimals for token in world.book.tokens.values()} >= {None, 2, 6, 8, 18}
    for symbol, token in world.book.tokens.items():
        if token.decimals is not None:
            assert world.token(symbol).call("decimals") == token.decimals


def test_nasty_tokens__are_nasty(world: World[Anvil]) -> None:
    raw = world.node.call(world.book.tokens["OMKR"].address, "0x95d89b41")
    assert bytes.fromhex(raw[2:]) == b"OMKR".ljust(32, b"\0")
    for symbol, function in (("NODEC", "decimals"), ("RVRT", "balanceOf")):
        arguments = [world.book.admin] if function == "balanceOf" else []
        with pytest.raises(RpcError):
            world.token(symbol).call(function, *arguments)


def test_book__unknown_names__say_what_there_is(world: World[Anvil]) -> None:
    with pytest.raises(WorldError, match=r"aave-3\.0"):
        world.book["aave-9"]
    with pytest.raises(WorldError, match="no ABI"):
        world.book.interface("aave-3.0/Nothing")


def test_interface__overloads_and_unknown_names__are_refused() -> None:
    entry = {"type": "function", "name": "f", "inputs": [{"type": "uint256"}], "outputs": []}
    both = Interface([entry, {**entry, "inputs": []}])
    assert both["f(uint256)"].encode(1) != both["f()"].encode()
    with pytest.raises(UnknownFunction, match="overloaded"):
        both["f"]
    with pytest.raises(UnknownFunction, match="no function"):
        both["g"]


def test_abi_type__struct_array__is_a_tuple_array() -> None:
    parts = [{"type": "address"}, {"type": "tuple", "components": [{"type": "bool"}]}]
    assert abi_type({"type": "tuple[2]", "components": parts}) == "(address,(bool))[2]"


def test_revert_reason__text_panic_and_raw() -> None:
    assert revert_reason("0x4e487b71" + "11".rjust(64, "0")) == "Panic(0x11)"
    assert revert_reason("0xdeadbeef") == "0xdeadbeef"
    assert revert_reason("0x08c379a0") == "0x08c379a0"
    assert revert_reason("") == ""


def test_bulk_gas__fits_many_in_a_block(world: World[Anvil]) -> None:
    assert int(world.node.block()["gasLimit"], 16) // BULK_GAS > 50
