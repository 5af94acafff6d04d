"""Swaps on chain: quotes of several venues compared at one block, split, bounded and ordered."""

from executor.swaps.best import best_swap
from executor.swaps.orders import orders
from executor.swaps.rows import BadVenue, parse, venues
from executor.swaps.types import (
    Approval,
    Considered,
    Cost,
    Leg,
    Limits,
    NoSwap,
    Order,
    Question,
    Route,
    Side,
    Swap,
    Venue,
    Why,
)

__all__ = [
    "Approval",
    "BadVenue",
    "Considered",
    "Cost",
    "Leg",
    "Limits",
    "NoSwap",
    "Order",
    "Question",
    "Route",
    "Side",
    "Swap",
    "Venue",
    "Why",
    "best_swap",
    "orders",
    "parse",
    "venues",
]
