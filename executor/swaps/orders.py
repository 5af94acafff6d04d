"""Turn a swap into the calls of its routers."""

from typing import Final

from chain.types import Address
from executor.swaps.types import Order, Swap, Terms, least_out, most_in

RESERVED: Final = 0xFF
"""Routers of Uniswap take the lowest addresses for themselves and for their caller."""


def orders(swap: Swap, recipient: Address, deadline: int) -> tuple[Order, ...]:
    """Return one call per leg, to be sent by the account of the question in any order.

    Each one reverts after `deadline`, in seconds, and if it would give less or take more than its
    bound. Raises `ValueError` for a recipient that routers would read as something else.
    """
    if int(recipient, 16) <= RESERVED:
        raise ValueError(f"{recipient} is no recipient: routers mean others by it")
    if deadline < swap.at.timestamp:
        raise ValueError(f"deadline {deadline}: the block is of {swap.at.timestamp}")
    return tuple(
        leg.route.venue.order(
            leg,
            Terms(
                side=swap.question.side,
                max_in=most_in(swap, leg),
                min_out=least_out(swap, leg),
                account=swap.question.account,
                recipient=recipient,
                deadline=deadline,
            ),
        )
        for leg in swap.legs
    )
