"""What can go wrong between us and a signature.

WalletError                     base; a message never holds a key, a password or a URL's login
├── KeyUnreadable               the keystore or the secret that should hold a key cannot be read
├── NotAKeystore                a file is no keystore of version 3 that we take
├── WrongPassword               the password does not open the keystore
├── NotOnThisChain              a signer for tests was asked to sign for a real chain
├── SignerRefused               an external signer answered with an error, or not at all
├── SignedOtherwise             what came back is not what was asked to be signed
└── CannotSign                  this signer has no way to sign that
"""

from chain.errors import ChainError


class WalletError(ChainError):
    """Base of everything this folder raises on purpose."""


class KeyUnreadable(WalletError):
    """What should hold a key cannot be read."""

    def __init__(self, where: str, what: str, todo: str) -> None:
        super().__init__(f"{where} {what}; {todo}")
        self.where = where


class NotAKeystore(WalletError):
    """A file is no keystore that we take."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"{where} is no keystore of version 3: {what}; "
            "make one with `underkeel wallet create` or `underkeel wallet import`"
        )
        self.where = where


class WrongPassword(WalletError):
    """The password does not open the keystore."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the password does not open {where}; check which one belongs to it")
        self.where = where


class NotOnThisChain(WalletError):
    """A signer for tests was asked to sign for a chain that is not known as a test network."""

    def __init__(self, chain_id: int) -> None:
        super().__init__(
            f"a key from the environment is for tests, and chain {chain_id} is not known as a "
            "test network; use a keystore, or say insist = true in the signer's table"
        )
        self.chain_id = chain_id


class SignerRefused(WalletError):
    """An external signer did not sign."""

    def __init__(self, signer: str, what: str, todo: str) -> None:
        super().__init__(f"{signer} did not sign: {what}; {todo}")
        self.signer = signer
        self.what = what


class SignedOtherwise(WalletError):
    """What came back is not what was asked for: nothing of it may be sent."""

    def __init__(self, signer: str, field: str) -> None:
        super().__init__(
            f"{signer} returned a signature over something else: {field} differs from what was "
            "asked; do not trust it until you know why"
        )
        self.signer = signer
        self.field = field


class CannotSign(WalletError):
    """This signer has no way to sign that."""

    def __init__(self, signer: str, what: str) -> None:
        super().__init__(f"{signer} cannot sign {what}; use another signer for it")
        self.signer = signer
