"""Rebalance a wallet to target weights: only what is outside its band, and only to the band's edge.

Shares are of the dollars that the named tokens are worth together. What is above its band is sold
down to the edge, what is below is bought up to it; where the two do not match, the rest is taken
from, or given to, the tokens that are farthest from their weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from chain.types import Address
from executor.plan.candidate import Candidate, No, amount_text
from executor.plan.health import Proposals
from executor.plan.lab import Lab
from executor.plan.trading import Trade, by_wallet, quote, swap_cost
from executor.plan.types import Action
from executor.swaps import Side
from executor.types import Condition
from protocols.types import Leg, Position, Price, Token, Unpriced

DUST_USD = 1
"""Trades of less are not made."""


@dataclass(frozen=True, slots=True)
class Target:
    """One token's share."""

    token: Token
    weight: Fraction


def trades(
    values: Mapping[Address, Fraction], weights: Mapping[Address, Fraction], band: Fraction
) -> dict[Address, Fraction]:
    """Return what to buy (above zero) and to sell (below) of each token, in the unit of `values`.

    Empty where every share is inside its band. The sum is zero, and no share that was inside its
    band leaves it.
    """
    whole = sum(values.values(), Fraction(0))
    if not whole:
        return {}
    wanted: dict[Address, Fraction] = {}
    for token, weight in weights.items():
        share = values.get(token, Fraction(0)) / whole
        edge = min(max(share, weight - band), weight + band)
        wanted[token] = (edge - share) * whole
    if not any(wanted.values()):
        return {}
    missing = -sum(wanted.values(), Fraction(0))  # above zero: more is sold than bought
    while missing:
        room: dict[Address, Fraction] = {}
        for token, weight in weights.items():
            held = values.get(token, Fraction(0)) + wanted[token]
            gap = weight * whole - held
            if gap * missing > 0:
                room[token] = gap
        token = max(room, key=lambda one: (abs(room[one]), one))
        step = min(abs(room[token]), abs(missing)) * (1 if missing > 0 else -1)
        wanted[token] += step
        missing -= step
    return {token: value for token, value in wanted.items() if value}


def rebalance(
    lab: Lab, position: Position, targets: tuple[Target, ...], band: Fraction
) -> Proposals:
    """Propose the swaps that bring every share back to its band's edge."""
    action = Action.REBALANCE
    if position.owner != lab.wallet:
        return [No(action, "only the owner can do that, and another wallet signs")]
    prices: dict[Address, Fraction] = {}
    for target in targets:
        price = lab.price(target.token.address)
        if isinstance(price, Unpriced) or target.token.decimals is None:
            return [No(action, f"{target.token.symbol} has no dollar price")]
        prices[target.token.address] = _unit(price, target.token)
    held = {leg.token.address: leg for leg in position.legs if leg.token.address in prices}
    values = {a: leg.amount * prices[a] for a, leg in held.items()}
    wanted = trades(values, {t.token.address: t.weight for t in targets}, band)
    tokens = {t.token.address: t.token for t in targets}
    found = _swaps(lab, wanted, prices, tokens, held)
    if isinstance(found, str):
        return [No(action, found)]
    if not found:
        return [No(action, "every share is inside its band")]
    what = "rebalance: " + ", ".join(
        f"{amount_text(t.swap.amount_in, t.swap.question.token_in)} into "
        f"{t.swap.question.token_out.symbol}"
        for t in found
    )
    drafts = tuple(draft for trade in found for draft in by_wallet(lab, trade))
    conditions = _conditions(position, held, found)
    return [
        Candidate(action, what, drafts, conditions, swaps=tuple(swap_cost(t.swap) for t in found))
    ]


def _unit(price: Price, token: Token) -> Fraction:
    """Return dollars per base unit."""
    return Fraction(price.raw, 10 ** (price.decimals + (token.decimals or 0)))


def _swaps(
    lab: Lab,
    wanted: Mapping[Address, Fraction],
    prices: Mapping[Address, Fraction],
    tokens: Mapping[Address, Token],
    held: Mapping[Address, Leg],
) -> list[Trade] | str:
    """Pair what is sold with what is bought, the largest first; text says what cannot be had."""
    sells = {a: -v for a, v in wanted.items() if v < 0}
    buys = {a: v for a, v in wanted.items() if v > 0}
    found: list[Trade] = []
    while sells and buys:
        source = max(sells, key=lambda a: (sells[a], a))
        target = max(buys, key=lambda a: (buys[a], a))
        value = min(sells[source], buys[target])
        for side, token in ((sells, source), (buys, target)):
            side[token] -= value
            if not side[token]:
                del side[token]
        amount = min(int(value / prices[source]), held[source].amount)
        if value < DUST_USD or not amount:
            continue
        trade = quote(lab, tokens[source], tokens[target], Side.EXACT_IN, amount, lab.wallet)
        if isinstance(trade, str):
            return trade
        found.append(trade)
    return found


def _conditions(
    position: Position, held: Mapping[Address, Leg], found: list[Trade]
) -> tuple[Condition, ...]:
    """Return that of each token that is bought there is at least what the swaps promise."""
    bought: dict[Address, int] = {}
    for trade in found:
        question = trade.swap.question
        token = question.token_out.address
        bought[token] = bought.get(token, 0) + trade.min_out
    return tuple(
        Condition(
            f"asset:{token}",
            position.id,
            at_least=more + (held[token].amount if token in held else 0),
        )
        for token, more in bought.items()
    )
