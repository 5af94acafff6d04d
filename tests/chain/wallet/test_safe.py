"""Proposals: the Safe contract itself takes the digest, and the signature as an owner's."""

import pytest

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
