"""The kinds of plans that are offered, and which positions each is about."""

from typing import Final

from executor.plan.ladder import RESTORING
from executor.plan.types import Action
from protocols.erc4626.state import VaultHolding
from protocols.types import Position
from protocols.uniswap_v3.state import UniswapV3State
from risk.liquidation import engine_for

ACTIONS: Final[tuple[Action, ...]] = tuple(RESTORING)
"""What can restore a health, in the order of the ladder."""
RESTORE: Final = "restore-health"
OTHERS: Final[tuple[Action, ...]] = (
    Action.COLLATERAL_SWAP,
    Action.DEBT_SWAP,
    Action.MOVE,
    Action.EXIT_VAULT,
    Action.CLOSE_LP,
    Action.REBALANCE,
    Action.SWEEP_ALLOWANCES,
)
"""What is done because its owner wants it, whatever the health."""
KINDS: Final[tuple[str, ...]] = (
    RESTORE,
    *(action.value for action in ACTIONS),
    *(action.value for action in OTHERS),
)


def concerns(kind: str, position: Position) -> bool:
    """Tell whether a kind of plan can be about a position at all."""
    match kind:
        case Action.EXIT_VAULT:
            return isinstance(position.state, VaultHolding)
        case Action.CLOSE_LP:
            return isinstance(position.state, UniswapV3State)
        case Action.REBALANCE | Action.SWEEP_ALLOWANCES:
            return position.kind == "wallet"
        case Action.MOVE:
            return position.kind in ("lending", "vault")
    return engine_for(position) is not None
