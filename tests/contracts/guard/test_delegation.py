"""An account that delegates to the guard: signatures, tokens received, what is left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_account import Account
from eth_typing import Hash32
from eth_utils.crypto import keccak
from world.anvil import Anvil
from world.node import Tx
from world.world import World

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    GuardError,
    Protocol,
    delegate_init,
    encode_configure,
    encode_execute,
    is_delegate_code,
)
from tests.support.guard_stage import EXECUTOR, THIEF, Stage, asked, delegate, deploy, staged

NOBODY = "0x" + "00" * 20
SIGNED = Function("isValidSignature(bytes32,bytes)(bytes4)")
MAGIC = bytes.fromhex("1626ba7e")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def _delegated(anvil: World[Anvil]) -> Iterator[Stage]:
    with staged(anvil, "aave-3.0", "delegate") as made:
        yield made


@pytest.fixture
def stage(_delegated: Stage) -> Iterator[Stage]:
    with _delegated.world.node.rollback():
        yield _delegated


def code(stage: Stage, address: str) -> bytes:
    found: str = stage.world.node.rpc.request("eth_getCode", address, "latest")
    return bytes.fromhex(found[2:])


def test_account__delegated__names_code_that_is_ours(stage: Stage) -> None:
    designator = code(stage, stage.account)
    assert designator[:3] == bytes.fromhex("ef0100")
    implementation = "0x" + designator[3:].hex()
    assert is_delegate_code(Protocol.AAVE_V3, code(stage, implementation))


def test_delegation__taken_away__leaves_no_guard(stage: Stage) -> None:
    delegate(stage.world, stage.owner, NOBODY)
    assert code(stage, stage.account) == b""


def test_delegation__renewed__keeps_the_old_policy_until_it_expires(stage: Stage) -> None:
    implementation = "0x" + code(stage, stage.account)[3:].hex()
    intent = stage.intent(stage.debt * 46 // 100)
    delegate(stage.world, stage.owner, NOBODY)
    delegate(stage.world, stage.owner, implementation, target=NOBODY)
    assert stage.refusal(intent) is None
    stage.world.node.travel(91 * 86_400)
    refused = stage.refusal(stage.intent(deadline=2**40))
    assert refused is not None
    assert refused.name == "PolicyExpired"


def test_delegation__renewed_with_a_new_policy__voids_old_rules_and_executor(stage: Stage) -> None:
    implementation = "0x" + code(stage, stage.account)[3:].hex()
    old = stage.intent(stage.debt * 46 // 100)
    delegate(stage.world, stage.owner, NOBODY)
    data = encode_configure(stage.policy, stage.assets, stage.lenders, ())
    delegate(stage.world, stage.owner, implementation, data)
    refused = stage.refusal(old)
    assert refused is not None
    assert refused.name == "CallNotAllowed"


def test_used_id__after_a_new_configuration__stays_used(stage: Stage) -> None:
    intent = stage.intent(stage.debt * 46 // 100)
    stage.execute(intent)
    again = stage.configure(cooldown=0)
    stage.world.node.mine()
    assert again.refusal(intent) == GuardError("AlreadyUsed", (intent.id,))


def test_delegate__of_an_account_that_never_configured__refuses_all(stage: Stage) -> None:
    owner = Account.from_key(keccak(text="guard newcomer"))
    stage.world.node.fund([owner.address])
    implementation = deploy(stage.world, delegate_init(Protocol.AAVE_V3))
    delegate(stage.world, owner, implementation, target=THIEF)
    intent = encode_execute(stage.intent())
    configuration = encode_configure(stage.policy, stage.assets, stage.lenders, stage.rules)
    for sender, data, name in (
        (EXECUTOR, intent, "NotConfigured"),
        (owner.address, intent, "NotConfigured"),
        (THIEF, configuration, "NotOwner"),
        (EXECUTOR, configuration, "NotOwner"),
    ):
        tx = Tx(sender, owner.address, "0x" + data.hex(), 0, 5_000_000)
        refused = asked(stage.world, tx)
        assert refused is not None
        assert refused.name == name


def test_namespace__of_the_storage__is_that_of_erc_7201(stage: Stage) -> None:
    inner = int.from_bytes(keccak(text="underkeel.guard.v1"), "big") - 1
    place = int.from_bytes(keccak(inner.to_bytes(32, "big")), "big") & ~0xFF
    word = stage.world.node.rpc.request(
        "eth_getStorageAt", stage.account, f"0x{place:064x}", "latest"
    )
    # The last 20 bytes of the first slot are the policy's first field.
    assert word[-40:].lower() == EXECUTOR[2:].lower()


def _signed(stage: Stage, digest: bytes, signature: bytes) -> bytes:
    answer = stage.world.node.call(stage.account, "0x" + SIGNED.encode(digest, signature).hex())
    return bytes.fromhex(answer[2:10])


def test_signature__of_the_account__is_still_its_own(stage: Stage) -> None:
    digest = keccak(text="an order")
    made = stage.owner.unsafe_sign_hash(Hash32(digest))
    signature = bytes(made.signature)
    assert _signed(stage, digest, signature) == MAGIC
    assert _signed(stage, keccak(text="another"), signature) != MAGIC
    assert _signed(stage, digest, signature[:64]) != MAGIC
    assert _signed(stage, digest, bytes(65)) != MAGIC
    high = (ORDER - made.s).to_bytes(32, "big")
    mirrored = signature[:32] + high + bytes([signature[64] ^ 7])  # 27 ↔ 28
    assert _signed(stage, digest, mirrored) != MAGIC
    other = Account.from_key(keccak(text="guard other")).unsafe_sign_hash(Hash32(digest))
    assert _signed(stage, digest, bytes(other.signature)) != MAGIC


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("onERC721Received(address,address,uint256,bytes)(bytes4)", (NOBODY, NOBODY, 1, b"")),
        (
            "onERC1155Received(address,address,uint256,uint256,bytes)(bytes4)",
            (NOBODY, NOBODY, 1, 1, b""),
        ),
        (
            "onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)(bytes4)",
            (NOBODY, NOBODY, [1], [1], b""),
        ),
    ],
    ids=["721", "1155", "1155-batch"],
)
def test_account__sent_a_collectible__takes_it(
    stage: Stage, function: str, args: tuple[object, ...]
) -> None:
    received = Function(function)
    answer = stage.world.node.call(stage.account, "0x" + received.encode(*args).hex())
    assert bytes.fromhex(answer[2:10]) == received.selector


def test_account__sent_coin_with_little_gas__takes_it(stage: Stage) -> None:
    weth = stage.world.token("WETH")
    account = Address(stage.account)
    weth.send(stage.world.book.admin, "deposit", value=10)
    weth.send(stage.world.book.admin, "transfer", account, 10)
    # WETH9 sends with 2,300 gas.
    data = Function("withdraw(uint256)()").encode(10)
    stage.world.node.send(Tx(account, weth.address, "0x" + data.hex()))
