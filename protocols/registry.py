"""Every adapter there is, in the order in which people see their positions."""

from typing import Final

from protocols.aave_v3 import AaveV3
from protocols.adapter import Adapter
from protocols.compound_v2 import CompoundV2
from protocols.erc4626 import Erc4626
from protocols.morpho_blue import MorphoBlue
from protocols.uniswap_v3 import UniswapV3
from protocols.wallet import Wallet

ADAPTERS: Final[tuple[Adapter, ...]] = (
    AaveV3(),
    MorphoBlue(),
    CompoundV2(),
    Erc4626(),
    UniswapV3(),
    Wallet(),
)

BY_NAME: Final = {adapter.name: adapter for adapter in ADAPTERS}
