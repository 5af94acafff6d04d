"""Safe 1.4.1 at its canonical addresses, and one 2-of-3 Safe with something to spend.

Everything is deployed as on every chain: by Safe's singleton factory with salt 0, so that the
published code must be the audited code for the addresses to come out right.
"""

from __future__ import annotations

import re

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from world.artifacts import ArtifactError
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound, Tx
from world.recipes.multicall3 import SOURCE

DEPLOYER = "0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7"
SALT = bytes(32)
# From Safe's list of deployments of 1.4.1.
CANONICAL = {
    "Safe": "0x41675C099F32341bf84BFc5382aF534df5C7461a",
    "SafeL2": "0x29fcB43b46531BcA003ddC8FCB67FFE91900C762",
    "SafeProxyFactory": "0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67",
    "MultiSendCallOnly": "0x9641d764fc13c8B624c04430C7356C1C7C8102e2",
    "MultiSend": "0x38869bf66a61cF6bDB996A6aE40D5853Fd43B526",
    "CompatibilityFallbackHandler": "0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99",
    "SimulateTxAccessor": "0x3d4BA2E0884aa488718476ca2FB8Efc291A46199",
    "SignMessageLib": "0xd53cd0aB83D845Ac265BE939c57F53AD838012c9",
}
OWNERS = slice(3, 6)
"""Three of the test mnemonic's accounts, so that tests can sign with their keys."""
THRESHOLD = 2
FUNDS = (("WETH", 20), ("USDC", 100_000))
NATIVE = 5 * 10**18


def deploy(site: Site) -> Addresses:
    site.node.rpc.request("anvil_setCode", DEPLOYER, _deployer_code(site))
    bound = {name: _canonical(site, name) for name in CANONICAL}
    owners = [to_checksum_address(owner) for owner in site.accounts[OWNERS]]
    setup = (
        bound["Safe"]
        .interface["setup"]
        .encode(
            *(owners, THRESHOLD, ZERO, b""),
            *(bound["CompatibilityFallbackHandler"].address, ZERO, 0, ZERO),
        )
    )
    factory = bound["SafeProxyFactory"]
    params = (bound["Safe"].address, bytes.fromhex(setup[2:]), 0)
    safe = to_checksum_address(factory.call("createProxyWithNonce", *params))
    factory.send(site.admin, "createProxyWithNonce", *params)
    for symbol, whole in FUNDS:
        site.mint(symbol, safe, whole)
    site.node.send(Tx(site.admin, safe, value=NATIVE))
    return {
        "singleton": bound["Safe"].address,
        "singleton_l2": bound["SafeL2"].address,
        "proxy_factory": factory.address,
        "multi_send_call_only": bound["MultiSendCallOnly"].address,
        "multi_send": bound["MultiSend"].address,
        "fallback_handler": bound["CompatibilityFallbackHandler"].address,
        "simulate_tx_accessor": bound["SimulateTxAccessor"].address,
        "sign_message_lib": bound["SignMessageLib"].address,
        "safe": safe,
        "owners": owners,
        "threshold": THRESHOLD,
    }


def _canonical(site: Site, name: str) -> Bound:
    artifact = site.packages.hardhat(
        "@safe-global/safe-contracts", "build/artifacts/contracts", name
    )
    init = bytes.fromhex(artifact.linked({})[2:])
    salted = b"\xff" + bytes.fromhex(DEPLOYER[2:]) + SALT + keccak(init)
    address = to_checksum_address(keccak(salted)[-20:])
    if address != CANONICAL[name]:
        raise ArtifactError(f"the package's {name} is not the canonical one: it gives {address}")
    site.node.send(Tx(site.admin, DEPLOYER, "0x" + (SALT + init).hex()))
    return site.bind(artifact, address)


def _deployer_code(site: Site) -> str:
    """The singleton factory's runtime code, with which OP-stack chains are born."""
    text = (site.packages.modules / SOURCE).read_text()
    found = re.search(r'SafeSingletonFactoryCode\s*=\s*hex"([0-9a-f]+)"', text)
    if found is None:
        raise ArtifactError(f"no SafeSingletonFactoryCode in {SOURCE}")
    return "0x" + found[1]


RECIPE = Recipe("safe", deploy)
