"""A key from an environment variable: for tests.

Every process of the same user may read another's environment, it is inherited by children, and it
ends in crash reports and process managers. So such a key signs only for chains that are known as
test networks, unless its owner insists.
"""

from collections.abc import Mapping
from typing import Final

from chain.transactions import Authorization, Signature, SignedAuthorization, Transaction
from chain.types import Address
from chain.wallet.errors import KeyUnreadable, NotOnThisChain
from chain.wallet.local import Key, LocalSigner
from chain.wallet.signer import TypedData

TEST_NETWORKS: Final = frozenset({
    1337, 31337,  # local nodes
    11155111, 17000, 560048,  # Sepolia, Holesky, Hoodi
    84532, 421614, 11155420, 80002, 97, 43113, 10200, 534351, 59141, 300,  # of other networks
})  # fmt: skip


class EnvSigner:
    """Signs with a key from the environment, for test networks."""

    def __init__(
        self, name: str, environ: Mapping[str, str], chain_id: int, *, insist: bool = False
    ) -> None:
        if chain_id not in TEST_NETWORKS and not insist:
            raise NotOnThisChain(chain_id)
        where = f"the environment variable {name}"
        if name not in environ:
            raise KeyUnreadable(where, "is not set", "set it, or use a keystore")
        self.label = f"env {name}"
        self._chain_id = chain_id
        self._local = LocalSigner(Key.parse(environ[name], where), self.label)

    def __repr__(self) -> str:
        return f"EnvSigner({self.label}, {self.address})"

    @property
    def address(self) -> Address:
        """The account."""
        return self._local.address

    def sign(self, transaction: Transaction) -> bytes:
        """Return the raw bytes of the signed transaction, for the one chain it was made for."""
        self._check(transaction.chain_id)
        return self._local.sign(transaction)

    def authorize(self, authorization: Authorization) -> SignedAuthorization:
        """Return the signed authorization."""
        self._check(authorization.chain_id)
        return self._local.authorize(authorization)

    def sign_typed(self, data: TypedData) -> Signature:
        """Return the signature over typed data."""
        self._check(int(data.document.get("domain", {}).get("chainId", 0)))
        return self._local.sign_typed(data)

    def _check(self, chain_id: int) -> None:
        if chain_id != self._chain_id:
            raise NotOnThisChain(chain_id)
