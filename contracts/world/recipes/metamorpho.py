"""MetaMorpho 1.0 (before `lostAssets`) over three Morpho markets and an idle one.

The sources come from a republication of Morpho's repository; its changed `Testing*` variants are
not used, so the timelock is the real one and time passes here.
"""

from __future__ import annotations

from world.compiler import Job
from world.deployer import Addresses, Recipe, Site

SOURCES = "sphere-mezo-solidity-files/domains/metamorpho/contracts"
JOB = Job(
    "metamorpho",
    "0.8.26",
    (f"{SOURCES}/MetaMorphoFactory.sol:MetaMorphoFactory", f"{SOURCES}/MetaMorpho.sol:MetaMorpho"),
    via_ir=True,
)
DAY = 24 * 3600
# Markets in the order of the supply queue, with their caps in whole USDC.
QUEUE = (("WETH/USDC", 2e6), ("WBTC/USDC", 1.5e6), ("pvDAI/USDC", 5e5), ("idle/USDC", 1e7))
FEE = 10**17
DEPOSIT = 4_500_000


def deploy(site: Site) -> Addresses:
    admin, morpho = site.admin, site.protocols["morpho"]
    usdc = site.tokens["USDC"].address
    factory = site.deploy(site.compiled["MetaMorphoFactory"], morpho["morpho"])
    arguments = (admin, DAY, usdc, "World USDC", "wUSDC", b"\x00" * 32)
    made = factory.call("createMetaMorpho", *arguments, sender=admin)
    factory.send(admin, "createMetaMorpho", *arguments)
    vault = site.bind(site.compiled["MetaMorpho"], made)

    markets = [morpho["markets"][name] for name, _ in QUEUE]
    for market, (_, cap) in zip(markets, QUEUE, strict=True):
        vault.send(admin, "submitCap", tuple(market["params"]), round(cap * 10**6))
    site.node.travel(DAY + 1)
    for market in markets:
        vault.send(admin, "acceptCap", tuple(market["params"]))
    vault.send(admin, "setSupplyQueue", [bytes.fromhex(m["id"][2:]) for m in markets])
    vault.send(admin, "setFeeRecipient", admin)
    vault.send(admin, "setFee", FEE)

    amount = site.give("USDC", site.whale, vault.address, DEPOSIT)
    vault.send(site.whale, "deposit", amount, site.whale)
    return {"factory": factory.address, "vault": vault.address, "asset": usdc}


RECIPE = Recipe("metamorpho", deploy, (JOB,))
