"""Crowds: many random positions, the same for the same seed.

`random_accounts` opens them in a handful of blocks; what an account holds depends on the seed,
its number and the present prices alone.
"""

from __future__ import annotations

import random

from world.actors import crowd_aave, crowd_compound, crowd_morpho
from world.anvil import Anvil
from world.world import World, actor

OPENERS = {
    "aave-3.0": crowd_aave.open_all,
    "aave-3.6": crowd_aave.open_all,
    "morpho": crowd_morpho.open_all,
    "compound-v2": crowd_compound.open_all,
}
MARKETS = tuple(OPENERS)


def random_accounts(world: World[Anvil], seed: int, n: int, market: str) -> tuple[str, ...]:
    """Open positions for `n` accounts and return their addresses.

    On Aave: one to four collaterals and up to three debts each, among them e-mode and isolated
    accounts, supplies not used as collateral, dust, stable debt (3.0), and collateral whose LTV
    became 0 after the loan. On Morpho: up to three markets each, as lender, borrower or both. On
    Compound v2: one to three supplies, most of them entered, dust, and up to two debts, sometimes
    in a market supplied to.
    """
    if market not in MARKETS:
        raise ValueError(f"no crowd for {market}: choose from {', '.join(MARKETS)}")
    users = tuple(actor(f"{market} {seed} {i}") for i in range(n))
    world.node.fund(users, 10**20)
    # One generator per account, so that account i is the same in a crowd of any size.
    dice = [random.Random(f"{market}/{seed}/{i}") for i in range(n)]
    with world.node.ticking():
        OPENERS[market](world, market, users, dice)
    return users
