"""An external signer is asked over HTTP, and not believed."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account

from chain.transactions import Authorization, Kind, SignedAuthorization, Transaction, decode
from chain.types import Address, checksum
from chain.wallet.errors import SignedOtherwise, SignerRefused
from chain.wallet.local import Key, LocalSigner
from chain.wallet.safe import SafeTransaction
from chain.wallet.web3signer import Web3Signer
from tests.chain.wallet.signer_server import SignerServer

pytestmark = pytest.mark.loopback

RAW = b"\x07" * 32
ADDRESS = Address(Account.from_key(RAW).address)
OTHER = checksum("0x" + "11" * 20)
FEE = Transaction(31337, 3, OTHER, 5, b"\x01\x02", 50_000, 30, 2)
LEGACY = Transaction(31337, 0, OTHER, 0, b"", 21_000, 7, 7, (), Kind.LEGACY)
CREATION = Transaction(31337, 0, None, 0, b"\x60\x00", 90_000, 7, 7)
AUTHORIZED = LocalSigner(Key(b"\x08" * 32, "a test"), "a test").authorize(
    Authorization(31337, OTHER, 1)
)
DELEGATE = Transaction(31337, 4, OTHER, 0, b"", 90_000, 9, 1, (AUTHORIZED,), Kind.DELEGATE)
SAFE = SafeTransaction(OTHER, 31337, ADDRESS, 1, b"\x01", 0, 9)


@pytest.fixture
def server() -> Iterator[SignerServer]:
    with SignerServer(RAW, 31337) as running:
        yield running


@pytest.fixture
def signer(server: SignerServer) -> Iterator[Web3Signer]:
    found = Web3Signer(server.url, ADDRESS)
    yield found
    found.close()


@pytest.mark.parametrize("asked", [FEE, LEGACY, CREATION, DELEGATE], ids=lambda t: t.kind.name)
def test_sign__every_kind__is_what_was_asked(signer: Web3Signer, asked: Transaction) -> None:
    got = decode(signer.sign(asked))
    assert (got.transaction, got.sender) == (asked, ADDRESS)


def test_sign__plain_kinds__show_every_field_to_the_signers_rules(
    server: SignerServer, signer: Web3Signer
) -> None:
    seen: list[dict[str, Any]] = []
    server.change = lambda fields: seen.append(dict(fields)) or fields  # type: ignore[func-returns-value]
    signer.sign(FEE)
    assert server.asked == ["eth_signTransaction"]
    assert seen[0]["chainId"] == hex(31337)
    assert seen[0]["value"] == "0x5"


def test_authorize_and_typed_data__are_verified(server: SignerServer, signer: Web3Signer) -> None:
    authorization = Authorization(31337, OTHER, 4)
    signed = signer.authorize(authorization)
    assert signed == SignedAuthorization(authorization, signed.signature)
    assert signed.authority == ADDRESS
    assert signer.sign_typed(SAFE.typed).signer(SAFE.digest) == ADDRESS
    known = Web3Signer(server.url, ADDRESS, public_key=server.public_key)
    server.asked.clear()
    assert known.authorize(authorization) == signed
    assert "eth_sign" not in server.asked
    known.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "0x" + "22" * 20),
        ("value", "0x6"),
        ("data", "0x0103"),
        ("nonce", "0x4"),
        ("gas", "0xc351"),
        ("maxFeePerGas", "0x1f"),
        ("maxPriorityFeePerGas", "0x3"),
        ("chainId", "0x1"),
    ],
)
def test_sign__signer_changes_a_field__refused(
    server: SignerServer, signer: Web3Signer, field: str, value: str
) -> None:
    server.change = lambda fields: fields | {field: value}
    with pytest.raises(SignedOtherwise, match="differs from what was asked"):
        signer.sign(FEE)


def test_sign__another_key_or_rubbish__refused(server: SignerServer, signer: Web3Signer) -> None:
    stranger = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": 3,
            "to": OTHER,
            "value": 5,
            "gas": 50_000,
            "data": b"\x01\x02",
            "maxFeePerGas": 30,
            "maxPriorityFeePerGas": 2,
        },
        b"\x09" * 32,
    )
    server.answer = lambda _: "0x" + bytes(stranger.raw_transaction).hex()
    with pytest.raises(SignedOtherwise, match="the sender"):
        signer.sign(FEE)
    rubbish: list[Any] = ["", "0x", "0xzz", 5, None, {"raw": []}, "0x02c0"]
    for one in rubbish:
        server.answer = lambda _, one=one: one  # type: ignore[misc]
        with pytest.raises(SignedOtherwise):
            signer.sign(FEE)
    server.answer = lambda _: "0x" + "00" * 65
    with pytest.raises(SignedOtherwise):
        signer.authorize(Authorization(1, OTHER, 0))
    with pytest.raises(SignedOtherwise):
        signer.sign_typed(SAFE.typed)


def test_sign__signer_refuses_or_is_away__says_so_without_the_login(server: SignerServer) -> None:
    url = server.url.replace("http://", "http://me:hunter2secret@")
    stranger = Web3Signer(url, OTHER)
    with pytest.raises(SignerRefused, match="not an unlocked account") as caught:
        stranger.sign(FEE)
    assert "hunter2secret" not in str(caught.value) + repr(stranger) + stranger.label
    server.status = 500
    with pytest.raises(SignerRefused, match="HTTP 500"):
        stranger.sign(FEE)
    stranger.close()
    with pytest.raises(SignerRefused, match="another account's"):
        Web3Signer(server.url, OTHER, public_key=server.public_key)
    with pytest.raises(SignerRefused, match="128 hex"):
        Web3Signer(server.url, OTHER, public_key="0x12")
    away = Web3Signer("http://127.0.0.1:9", ADDRESS)
    with pytest.raises(SignerRefused, match="no answer"):
        away.sign(FEE)
    away.close()


def test_sign__not_json__refused(server: SignerServer, signer: Web3Signer) -> None:
    server._respond = lambda path, body: (b"<html>", "text/html")  # type: ignore[method-assign]
    with pytest.raises(SignerRefused, match="no JSON"):
        signer.sign(FEE)
    server._respond = lambda path, body: (b"[]", "text/html")  # type: ignore[method-assign]
    with pytest.raises(SignerRefused, match="no JSON-RPC"):
        signer.sign(FEE)
