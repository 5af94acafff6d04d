"""Transactions: their bytes are those of eth_account, and every byte of them counts."""

import pytest
from eth_account import Account
from eth_account._utils.legacy_transactions import Transaction as Legacy
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.transactions import (
    ORDER,
    Authorization,
    BadTransaction,
    Kind,
    Signature,
    SignedAuthorization,
    Transaction,
    decode,
    no_op,
    tx_hash,
    unpacked,
)
from chain.types import checksum
from chain.wallet.local import Key, LocalSigner

keys_ = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32))
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: checksum("0x" + raw.hex()))
u64 = st.integers(0, 2**64 - 2)
fees = st.tuples(st.integers(0, 2**100), st.integers(0, 2**100)).map(sorted)


def signer(raw: bytes) -> LocalSigner:
    return LocalSigner(Key(raw, "a test"), "a test")


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    kind = draw(st.sampled_from(Kind))
    tip, fee = draw(fees)
    chain_id = draw(st.integers(1, 2**63 - 1))
    authorizations: tuple[SignedAuthorization, ...] = ()
    to = draw(st.none() | addresses)
    if kind is Kind.DELEGATE:
        to = to or draw(addresses)
        wanted = st.builds(Authorization, st.just(chain_id) | st.just(0), addresses, u64)
        pairs = draw(st.lists(st.tuples(keys_, wanted), min_size=1, max_size=2))
        authorizations = tuple(signer(raw).authorize(auth) for raw, auth in pairs)
    return Transaction(
        *(chain_id, draw(u64), to, draw(st.integers(0, 2**200)), draw(st.binary(max_size=80))),
        *(draw(st.integers(1, 2**63)), fee, fee if kind is Kind.LEGACY else tip),
        *(authorizations, kind),
    )


def as_account(transaction: Transaction) -> dict[str, object]:
    fees = (
        {"gasPrice": transaction.max_fee}
        if transaction.kind is Kind.LEGACY
        else {
            "type": int(transaction.kind),
            "maxFeePerGas": transaction.max_fee,
            "maxPriorityFeePerGas": transaction.max_tip,
        }
    )
    delegations = (
        {
            "authorizationList": [
                {
                    "chainId": signed.authorization.chain_id,
                    "address": signed.authorization.delegate,
                    "nonce": signed.authorization.nonce,
                    "yParity": signed.signature.y_parity,
                    "r": signed.signature.r,
                    "s": signed.signature.s,
                }
                for signed in transaction.authorizations
            ]
        }
        if transaction.kind is Kind.DELEGATE
        else {}
    )
    return {
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": transaction.to or b"",
        "value": transaction.value,
        "data": transaction.data,
        "gas": transaction.gas,
        **fees,
        **delegations,
    }


@settings(max_examples=12, deadline=None)
@given(transactions(), keys_)
def test_sign__any_transaction__gives_the_bytes_of_eth_account(
    transaction: Transaction, raw: bytes
) -> None:
    signed = signer(raw).sign(transaction)
    theirs = Account.sign_transaction(as_account(transaction), raw)
    assert signed == bytes(theirs.raw_transaction)
    assert tx_hash(signed) == "0x" + bytes(theirs.hash).hex()
    read = decode(signed)
    assert read.transaction == transaction
    assert read.sender == Account.from_key(raw).address == Account.recover_transaction(signed)
    assert (read.raw, read.hash) == (signed, tx_hash(signed))


@settings(max_examples=10, deadline=None)
@given(transactions(), keys_, st.data())
def test_decode__any_byte_changed__is_another_transaction_or_none(
    transaction: Transaction, raw: bytes, data: st.DataObject
) -> None:
    signed = bytearray(signer(raw).sign(transaction))
    at = data.draw(st.integers(0, len(signed) - 1))
    signed[at] ^= data.draw(st.integers(1, 255))
    try:
        read = decode(bytes(signed))
    except BadTransaction:
        return
    assert (read.transaction, read.sender) != (transaction, signer(raw).address)
    assert read.raw == bytes(signed)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_decode__any_bytes__is_refused_or_written_alike(raw: bytes) -> None:
    try:
        read = decode(raw)
    except BadTransaction:
        return
    assert read.raw == raw


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**64 - 1), addresses, u64, keys_)
def test_authorize__any__is_that_of_eth_account_and_survives_its_form(
    chain_id: int, delegate: str, nonce: int, raw: bytes
) -> None:
    wanted = Authorization(chain_id, checksum(delegate), nonce)
    signed = signer(raw).authorize(wanted)
    theirs = Account.sign_authorization(
        {"chainId": chain_id, "address": delegate, "nonce": nonce}, raw
    )
    assert (signed.signature.y_parity, signed.signature.r, signed.signature.s) == (
        *(theirs.y_parity, theirs.r, theirs.s),
    )
    assert signed.authority == Account.from_key(raw).address
    assert SignedAuthorization.from_rlp(signed.rlp()) == signed
    for bad in (signed.rlp() + b"\0", signed.rlp()[:-1], b"", b"\xc0"):
        with pytest.raises(BadTransaction):
            SignedAuthorization.from_rlp(bad)


A = checksum("0x" + "11" * 20)
SOUND = {
    "chain_id": 1,
    "nonce": 0,
    "to": A,
    "value": 0,
    "data": b"",
    "gas": 21_000,
    "max_fee": 2,
    "max_tip": 1,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chain_id": 0}, "chain_id"),
        ({"nonce": -1}, "nonce"),
        ({"nonce": 2**64 - 1}, "nonce"),
        ({"value": 2**256}, "value"),
        ({"gas": 0}, "gas"),
        ({"max_tip": 3}, "max_tip"),
        ({"kind": Kind.LEGACY}, "gas price"),
        ({"kind": Kind.DELEGATE}, "authorizations are missing"),
        ({"kind": Kind.DELEGATE, "to": None}, "cannot create"),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else None,
)
def test_transaction__fields_no_chain_takes__refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadTransaction, match=said):
        Transaction(**{**SOUND, **change})  # type: ignore[arg-type]


def test_transaction__authorizations_without_the_kind__refused() -> None:
    signed = signer(b"\x01" * 32).authorize(Authorization(1, A, 0))
    with pytest.raises(BadTransaction, match="set-code kind"):
        Transaction(**{**SOUND, "authorizations": (signed,)})  # type: ignore[arg-type]


def test_decode__without_replay_protection_or_upper_s_or_access_list__refused() -> None:
    raw = b"\x01" * 32
    old = Account.sign_transaction(
        {"nonce": 0, "gasPrice": 1, "gas": 21_000, "to": A, "value": 0, "data": b""}, raw
    )
    assert Legacy.from_bytes(old.raw_transaction).v in (27, 28)
    with pytest.raises(BadTransaction, match="replay"):
        decode(bytes(old.raw_transaction))
    with pytest.raises(BadTransaction, match="lower half"):
        Signature(0, 1, ORDER - 1)
    listed = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 1,
            "nonce": 0,
            "gas": 21_000,
            "to": A,
            "value": 0,
            "maxFeePerGas": 2,
            "maxPriorityFeePerGas": 1,
            "data": b"",
            "accessList": [{"address": A, "storageKeys": []}],
        },
        raw,
    )
    with pytest.raises(BadTransaction, match="access list"):
        decode(bytes(listed.raw_transaction))
    with pytest.raises(BadTransaction, match="type 1"):
        decode(b"\x01\xc0")


def test_unpacked__packed__is_the_same_and_v_may_be_small() -> None:
    signature = Key(b"\x02" * 32, "a test").sign(b"\x03" * 32)
    assert unpacked(signature.packed()) == signature
    small = signature.packed()[:64] + bytes([signature.y_parity])
    assert unpacked(small) == signature
    for bad in (b"", signature.packed() + b"\0", signature.packed()[:64] + b"\x1d"):
        with pytest.raises(BadTransaction):
            unpacked(bad)


def test_no_op__only_nothing_to_oneself() -> None:
    idle = Transaction(**SOUND)  # type: ignore[arg-type]
    assert no_op(idle, A)
    assert not no_op(idle, checksum("0x" + "22" * 20))
    assert not no_op(Transaction(**{**SOUND, "value": 1}), A)  # type: ignore[arg-type]
    assert not no_op(Transaction(**{**SOUND, "data": b"\0"}), A)  # type: ignore[arg-type]
    assert idle.most_wei == 42_000
