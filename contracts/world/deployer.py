"""What a recipe works with: deploy, send, and write down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from world.artifacts import Artifact, Packages
from world.book import Book, Feed, Token
from world.compiler import Job
from world.contract import ERC20, Abi, Interface
from world.node import Bound, Node, Tx

ZERO = "0x" + "00" * 20
Addresses = Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """One protocol: what to compile, and how to deploy it.

    `deploy` returns the protocol's page of the address book.
    """

    name: str
    deploy: Callable[[Site], Addresses]
    jobs: Sequence[Job] = ()


@dataclass
class Site:
    """The chain under construction and everything built on it so far."""

    node: Node
    packages: Packages
    compiled: Mapping[str, Artifact]
    accounts: Sequence[str]
    tokens: dict[str, Token] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    protocols: dict[str, Addresses] = field(default_factory=dict)
    abis: dict[str, Abi] = field(default_factory=dict)
    recipe: str = ""

    @property
    def admin(self) -> str:
        """Owns and configures every protocol."""
        return self.accounts[0]

    @property
    def oracle(self) -> str:
        """Submits the answers of every feed's live phase."""
        return self.accounts[1]

    @property
    def whale(self) -> str:
        """Provides the liquidity that others borrow and swap against."""
        return self.accounts[9]

    def deploy(
        self,
        artifact: Artifact,
        *args: Any,
        find: Callable[[str], Artifact] | None = None,
        sender: str | None = None,
    ) -> Bound:
        """Deploy a contract; `find` names the artifact of each library it links."""
        libraries = {}
        for library in artifact.links:
            assert find is not None, f"{artifact.name} links {library}"
            libraries[library] = self._library(find(library), find)
        code = artifact.linked(libraries)
        data = code + encode(artifact.interface.constructor, args).hex()
        tx = Tx(sender or self.admin, None, data, label=f"new {artifact.name}")
        receipt = self.node.send(tx)
        return self.bind(artifact, receipt["contractAddress"])

    def bind(self, artifact: Artifact, address: str) -> Bound:
        """Use an address by this artifact's ABI, and keep that ABI in the book."""
        self.abis[f"{self.recipe}/{artifact.name}"] = artifact.abi
        return Bound(self.node, to_checksum_address(address), artifact.interface)

    def token(self, symbol: str) -> Bound:
        return Bound(self.node, self.tokens[symbol].address, ERC20)

    def at(self, address: str, interface: Interface) -> Bound:
        return Bound(self.node, address, interface)

    def mint(self, symbol: str, to: str, whole: float) -> int:
        """Give `whole` tokens to an account; returns the base units."""
        token = self.tokens[symbol]
        amount = round(whole * token.unit)
        if token.minting == "deposit":
            self.token(symbol).send(self.admin, "deposit", value=amount)
            self.token(symbol).send(self.admin, "transfer", to, amount)
        else:
            self.token(symbol).send(self.admin, "mint", to, amount)
        return amount

    def give(self, symbol: str, owner: str, spender: str, whole: float) -> int:
        """Mint to the owner and let the spender take it; returns the base units."""
        amount = self.mint(symbol, owner, whole)
        self.token(symbol).send(owner, "approve", spender, amount)
        return amount

    def book(self) -> Book:
        head = self.node.block()
        return Book(
            admin=self.admin,
            oracle=self.oracle,
            whale=self.whale,
            accounts=tuple(self.accounts),
            timestamp=int(head["timestamp"], 16),
            block=int(head["number"], 16),
            tokens=self.tokens,
            feeds=self.feeds,
            protocols=self.protocols,
            abis=self.abis,
        )

    def _library(self, artifact: Artifact, find: Callable[[str], Artifact]) -> str:
        """Deploy a library once per recipe."""
        key = (self.recipe, artifact.name)
        if key not in self._libraries:
            self._libraries[key] = self.deploy(artifact, find=find).address
        return self._libraries[key]

    _libraries: dict[tuple[str, str], str] = field(default_factory=dict)
