"""Contracts to be found by who looks for what can change a position, and who can change it.

OpenZeppelin's proxies, timelock and governor and Safe's contracts are the published ones; what no
installed package has is in `planted/`. They are compiled and deployed when asked for, so that the
world itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from world.artifacts import Artifact, Packages
from world.cache import cache_home, locked
from world.compiler import Job, compile_all
from world.deployer import ZERO
from world.install import node_modules
from world.node import Bound, Node, Tx
from world.world import World

OZ = "@openzeppelin/contracts"
OURS = "ours/../planted"
PROXIES = "Proxy1822 ProxyZeppelinOS Proxy897 Diamond Decoy"
ADMINS = (
    "Owned Link UupsOwned UupsSilent UupsRoles UupsEnumerable TwoPaths KeyModule DelayModule "
    "OpenGuard AlmostSafe AaveExecutor AavePayloads Bridged SaysYes Votes Parliament"
)
JOB = Job(
    "governance",
    "0.8.27",
    (
        f"{OZ}/proxy/ERC1967/ERC1967Proxy.sol:ERC1967Proxy",
        f"{OZ}/proxy/transparent/TransparentUpgradeableProxy.sol:TransparentUpgradeableProxy",
        f"{OZ}/proxy/transparent/ProxyAdmin.sol:ProxyAdmin",
        f"{OZ}/proxy/beacon/UpgradeableBeacon.sol:UpgradeableBeacon",
        f"{OZ}/proxy/beacon/BeaconProxy.sol:BeaconProxy",
        f"{OZ}/governance/TimelockController.sol:TimelockController",
        *(f"{OURS}/Proxies.sol:{name}" for name in PROXIES.split()),
        *(f"{OURS}/Admins.sol:{name}" for name in ADMINS.split()),
    ),
    evm="cancun",
)


@cache
def artifacts() -> Mapping[str, Artifact]:
    """Return every contract by its name, compiled once per cache."""
    home = cache_home()
    modules = node_modules()
    with locked(home):
        compiled = compile_all((JOB,), modules, home / "solc", lambda _: None)
    compound = Packages(modules).typechain("@thenextblock/hardhat-compound", "Timelock")
    return {**compiled, "CompoundTimelock": compound}


@dataclass(frozen=True)
class Builder:
    """Deploys on a running world."""

    world: World[Node]
    sender: str

    def new(self, name: str, *args: Any) -> Bound:
        """Deploy a contract with its constructor's arguments."""
        artifact = artifacts()[name]
        data = artifact.linked({}) + encode(artifact.interface.constructor, args).hex()
        receipt = self.world.node.send(Tx(self.sender, None, data, label=f"new {name}"))
        return self.at(name, receipt["contractAddress"])

    def raw(self, runtime: bytes) -> str:
        """Deploy runtime code as it is."""
        size = len(runtime).to_bytes(2, "big").hex()
        data = f"0x61{size}80600a3d393df3" + runtime.hex()
        receipt = self.world.node.send(Tx(self.sender, None, data, label="new raw code"))
        return to_checksum_address(receipt["contractAddress"])

    def at(self, name: str, address: str) -> Bound:
        """Use an address by the ABI of a contract."""
        interface = artifacts()[name].interface
        return Bound(self.world.node, to_checksum_address(address), interface)

    def proxy(self, logic: Bound, init: str = "", *args: Any) -> Bound:
        """Deploy an ERC1967Proxy that speaks as its logic."""
        data = bytes.fromhex(logic.interface[init].encode(*args)[2:]) if init else b""
        made = self.new("ERC1967Proxy", logic.address, data)
        return Bound(self.world.node, made.address, logic.interface)

    def safe(self, owners: list[str], threshold: int, salt: int) -> Bound:
        """Make a Safe 1.4.1 by the real factory."""
        page = self.world.book["safe"]
        safe = self.world.book.interface("safe/Safe")
        setup = safe["setup"].encode(
            *(owners, threshold, ZERO, b"", page["fallback_handler"], ZERO, 0, ZERO)
        )
        factory = self.world.contract("safe/SafeProxyFactory", page["proxy_factory"])
        params = (page["singleton"], bytes.fromhex(setup[2:]), salt)
        address = to_checksum_address(factory.call("createProxyWithNonce", *params))
        factory.send(self.sender, "createProxyWithNonce", *params)
        return self.world.node.at(address, safe)
