"""What a Compound v2 position stands on.

Reads: of the Comptroller `oracle`; of every cToken that is held `interestRateModel`. Who may change
either is asked of them by the survey: the Comptroller and each cToken name their `admin`.
"""

from chain.calls import Reads, Unknown
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.state import CHolding, CompoundAccount
from protocols.exposure.state import Dependencies, Exit, Link, LinkKind
from protocols.types import Position


def compound_v2(position: Position) -> Reads[Dependencies]:
    """Stand on the Comptroller, its oracle, the cTokens held and their rate models."""
    root = position.root
    links = [Link(position.id, root, LinkKind.PROTOCOL, "root of the market")]
    state = position.state
    held = state.holdings if isinstance(state, CompoundAccount) else ()
    supplied = [one for one in held if one.tokens]
    answers = yield [c.ORACLE.at(root), *(c.RATE_MODEL.at(one.market.ctoken) for one in supplied)]
    unknown = list(position.unknown)
    oracle = c.ORACLE.known(answers[0])
    if isinstance(oracle, Unknown):
        unknown.append(oracle.reason)
    else:
        links.append(Link(position.id, oracle, LinkKind.ORACLE, "oracle()"))
    links += [Link(position.id, r, LinkKind.RECEIPT, "receipt token") for r in position.receipts]
    for one, answer in zip(supplied, answers[1:], strict=True):
        model = c.RATE_MODEL.known(answer)
        if isinstance(model, Unknown):
            unknown.append(f"{one.market.symbol}: {model.reason}")
        else:
            evidence = f"interestRateModel() of {one.market.symbol}"
            links.append(Link(position.id, model, LinkKind.RATE_MODEL, evidence))
    return Dependencies(
        position.id,
        tuple(links),
        exits=tuple(_exit(one) for one in supplied),
        parameters=_parameters(state) if isinstance(state, CompoundAccount) else (),
        unknown=tuple(unknown),
    )


def _exit(one: CHolding) -> Exit:
    """Return what `redeem` pays of a supply: no more than the market's cash."""
    token, book = one.market.underlying.address, one.market.book
    if book is None:
        return Exit(token, one.supplied, None, None, "getCash()")
    lent = max(0, book.borrows)
    return Exit(token, one.supplied, min(one.supplied, book.cash), lent, "getCash()")


def _parameters(state: CompoundAccount) -> tuple[tuple[str, str], ...]:
    rows = [
        ("close factor", str(state.close_factor)),
        ("liquidation incentive", str(state.incentive)),
        ("seizing paused", str(state.seize_paused)),
    ]
    for one in state.holdings:
        market = one.market
        rows += [
            (f"{market.symbol} {name}", str(value))
            for name, value in (
                ("collateral factor", market.collateral_factor),
                ("deprecated", market.deprecated),
                ("supplying paused", market.mint_paused),
                ("protocol share of seizures", market.seize_share),
                ("reserve factor", None if market.book is None else market.book.reserve_factor),
            )
        ]
    return tuple(rows)
