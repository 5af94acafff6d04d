"""Proposals: the Safe contract itself takes the digest, and the signature as an owner's."""

import pytest
from eth_account import Account
from world.actors import safe as actor_safe
from world.anvil import MNEMONIC, Anvil
from world.node import Reverted, Tx
from world.recipes.safe import OWNERS
from world.world import World, actor

from chain.transactions import unpacked
from chain.types import checksum
from chain.wallet.local import Key, LocalSigner
from chain.wallet.safe import CALL, SafeCall, SafeTransaction, propose, together

SAFE = checksum("0x" + "33" * 20)
TO = checksum("0x" + "11" * 20)


def test_together__one_call__is_made_plainly_and_none_refused() -> None:
    assert together([SafeCall(TO, 3, b"\x01")], SAFE) == (TO, 3, b"\x01", CALL)
    with pytest.raises(ValueError, match="at least one"):
        together([], SAFE)


def test_propose__document__is_what_the_service_takes() -> None:
    signer = LocalSigner(Key(b"\x05" * 32, "a test"), "a test")
    proposal = propose(SafeTransaction(SAFE, 10, TO, 2**70, b"", CALL, 7), signer)
    document = proposal.document()
    assert document["data"] is None
    assert document["value"] == str(2**70)
    assert document["nonce"] == "7"
    assert document["sender"] == signer.address
    signature = unpacked(bytes.fromhex(document["signature"][2:]))
    digest = bytes.fromhex(document["contractTransactionHash"][2:])
    assert signature.signer(digest) == signer.address
    assert (document["gasPrice"], document["baseGas"], document["safeTxGas"]) == ("0", "0", "0")


def owners(world: World[Anvil]) -> list[LocalSigner]:
    """The Safe's owners, with keys of the node's mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    found = []
    for index in range(OWNERS.start, OWNERS.stop):
        account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        found.append(LocalSigner(Key(bytes(account.key), "a test"), f"owner {index}"))
    return sorted(found, key=lambda signer: int(signer.address, 16))


def call_of(tx: Tx) -> SafeCall:
    assert tx.to is not None
    return SafeCall(checksum(tx.to), tx.value, bytes.fromhex(tx.data[2:]))


@pytest.mark.parametrize("count", [1, 3])
def test_propose__on_the_real_safe__has_its_hash_and_is_executed_by_two(
    count: int, world: World[Anvil]
) -> None:
    bound = actor_safe.safe(world)
    payee = actor("payee of a proposal")
    transfers = [world.token("USDC").tx(bound.address, "transfer", payee, 10) for _ in range(count)]
    only = checksum(world.book["safe"]["multi_send_call_only"])
    to, value, data, operation = together([call_of(tx) for tx in transfers], only)
    nonce = bound.call("nonce")
    asked = SafeTransaction(
        *(checksum(bound.address), world.node.chain_id, to, value, data, operation, nonce)
    )
    zero = "0x" + "0" * 40
    params = (to, value, data, operation, 0, 0, 0, zero, zero)
    assert bound.call("getTransactionHash", *params, nonce) == asked.digest

    proposals = [propose(asked, owner) for owner in owners(world)[:2]]
    assert {p.sender for p in proposals} <= {checksum(o) for o in world.book["safe"]["owners"]}
    stranger = actor("stranger")
    world.node.fund([stranger])
    one = proposals[0].signature.packed()
    with pytest.raises(Reverted, match="GS020"):
        bound.send(stranger, "execTransaction", *params, one)
    both = b"".join(p.signature.packed() for p in proposals)
    bound.send(stranger, "execTransaction", *params, both)
    assert world.token("USDC").call("balanceOf", payee) == 10 * count
