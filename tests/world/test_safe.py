"""The 2-of-3 Safe obeys two of its owners, and nobody else."""

from __future__ import annotations

import pytest
from world.actors import safe, tokens
from world.anvil import Anvil
from world.node import Reverted, Tx
from world.recipes.safe import CANONICAL
from world.world import World, actor


def transfer(world: World[Anvil], to: str, amount: int) -> safe.Call:
    owner = world.book["safe"]["safe"]
    return safe.as_call(world.token("USDC").tx(owner, "transfer", to, amount))


def test_contracts__all__lie_at_their_canonical_addresses(world: World[Anvil]) -> None:
    page = world.book["safe"]
    assert page["singleton"] == CANONICAL["Safe"]
    assert page["multi_send_call_only"] == CANONICAL["MultiSendCallOnly"]
    for address in CANONICAL.values():
        assert len(world.node.rpc.request("eth_getCode", address, "latest")) > 2
    assert safe.safe(world).call("VERSION") == "1.4.1"
    # The proxy keeps its singleton in slot 0.
    slot = world.node.rpc.request("eth_getStorageAt", page["safe"], "0x0", "latest")
    assert int(slot, 16) == int(page["singleton"], 16)


def test_owners__of_the_safe__are_the_books_and_two_are_needed(world: World[Anvil]) -> None:
    page, bound = world.book["safe"], safe.safe(world)
    assert {owner.lower() for owner in bound.call("getOwners")} == {
        owner.lower() for owner in page["owners"]
    }
    assert bound.call("getThreshold") == page["threshold"] == 2


def test_execution__signed_by_two__is_done_once(world: World[Anvil]) -> None:
    one, _, three = world.book["safe"]["owners"]
    to, stranger = actor("payee"), actor("anybody")
    world.node.fund([stranger])
    call = transfer(world, to, 1_000)
    # In the wrong order on purpose: the actor sorts.
    signed = [(owner, safe.sign(world, call, owner)) for owner in (three, one)]
    tx = safe.exec_tx(world, call, stranger, signed)
    world.node.send(tx)
    assert tokens.balance(world, "USDC", to) == 1_000
    assert safe.safe(world).call("nonce") == 1
    with pytest.raises(Reverted, match="GS026"):
        world.node.send(tx)
    assert tokens.balance(world, "USDC", to) == 1_000


def test_execution__signed_by_one__is_refused(world: World[Anvil]) -> None:
    call = transfer(world, actor("payee"), 1_000)
    with pytest.raises(Reverted, match="GS020"):
        safe.execute(world, call, world.book["safe"]["owners"][:1])


def test_execution__a_signature_approved_on_chain_and_one_signed__is_done(
    world: World[Anvil],
) -> None:
    _, two, three = world.book["safe"]["owners"]
    to = actor("payee")
    call = transfer(world, to, 7)
    pairs = [(two, safe.approve(world, call, two)), (three, safe.sign(world, call, three))]
    world.node.send(safe.exec_tx(world, call, three, pairs))
    assert tokens.balance(world, "USDC", to) == 7


def test_multi_send__two_transfers__both_happen_or_none(world: World[Anvil]) -> None:
    first, second = actor("payee"), actor("other payee")
    both = [transfer(world, first, 10), transfer(world, second, 20)]
    safe.execute(world, safe.together(world, both))
    assert [tokens.balance(world, "USDC", who) for who in (first, second)] == [10, 20]

    held = tokens.balance(world, "USDC", world.book["safe"]["safe"])
    too_much = [transfer(world, first, 10), transfer(world, second, held)]
    with pytest.raises(Reverted, match="GS013"):
        safe.execute(world, safe.together(world, too_much))
    assert tokens.balance(world, "USDC", first) == 10


def test_multi_send__a_delegate_call_inside__is_refused(world: World[Anvil]) -> None:
    # To an account without code, so that nothing but the rule refuses it.
    outcomes = [
        world.node.simulate(_executed(world, safe.Call(actor("nobody"), operation=operation)))
        for operation in (safe.CALL, safe.DELEGATECALL)
    ]
    assert outcomes == [None, "GS013"]


def _executed(world: World[Anvil], inner: safe.Call) -> Tx:
    """Two owners' order to make one call through MultiSendCallOnly."""
    owners = world.book["safe"]["owners"][:2]
    call = safe.together(world, [inner])
    return safe.exec_tx(
        world, call, owners[0], [(owner, safe.sign(world, call, owner)) for owner in owners]
    )
