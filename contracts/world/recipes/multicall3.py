"""Multicall3 with its canonical runtime code at its canonical address."""

from __future__ import annotations

import re

from eth_utils.crypto import keccak

from world.artifacts import ArtifactError
from world.deployer import Addresses, Recipe, Site

ADDRESS = "0xcA11bde05977b3631167028862bE2a173976CA11"
CODEHASH = "0xd5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891"
SOURCE = "@eth-optimism/contracts-bedrock/src/libraries/Preinstalls.sol"


def deploy(site: Site) -> Addresses:
    """Put the runtime code that OP-stack chains are born with where it is found on every chain."""
    text = (site.packages.modules / SOURCE).read_text()
    found = re.search(r'MultiCall3Code\s*=\s*hex"([0-9a-f]+)"', text)
    if found is None:
        raise ArtifactError(f"no MultiCall3Code in {SOURCE}")
    code = "0x" + found[1]
    codehash = "0x" + keccak(hexstr=code).hex()
    if codehash != CODEHASH:
        raise ArtifactError(f"{SOURCE} holds another Multicall3: codehash {codehash}")
    site.node.rpc.request("anvil_setCode", ADDRESS, code)
    return {"address": ADDRESS}


RECIPE = Recipe("multicall3", deploy)
