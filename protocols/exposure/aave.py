"""What an Aave v3 position stands on.

Reads: of the provider `getPool`, `getPriceOracle`, `getACLManager`, `getPoolConfigurator`; of the
pool `getReserveData` of what is supplied; of each aToken its cash and its supply.
"""

from typing import Final

from chain.abi import Function
from chain.calls import Reads, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.state import AaveAccount
from protocols.exposure.state import Dependencies, Exit, Link, LinkKind, Power, Verb
from protocols.types import Leg, Position

BALANCE_OF: Final = Function("balanceOf(address)(uint256)")
TOTAL_SUPPLY: Final = Function("totalSupply()(uint256)")
ACL_MANAGER: Final = Function("getACLManager()(address)")
CONFIGURATOR: Final = Function("getPoolConfigurator()(address)")
PARTS: Final = (c.GET_POOL, c.GET_PRICE_ORACLE, ACL_MANAGER, CONFIGURATOR)
KINDS: Final = (
    *(LinkKind.PROTOCOL, LinkKind.ORACLE),
    *(LinkKind.PROTOCOL, LinkKind.PROTOCOL),
)


def aave_v3(position: Position) -> Reads[Dependencies]:
    """Stand on the provider, the pool, the oracle, the ACL manager and what one holds of it."""
    root = position.root
    pool, oracle, acl, configurator = (
        function.known(result)
        for function, result in zip(PARTS, (yield [f.at(root) for f in PARTS]), strict=True)
    )
    links = [Link(position.id, root, LinkKind.PROTOCOL, "root of the market")]
    unknown: list[str] = []
    for function, found, kind in zip(PARTS, (pool, oracle, acl, configurator), KINDS, strict=True):
        if isinstance(found, Unknown):
            unknown.append(found.reason)
        elif found != ZERO_ADDRESS:
            links.append(Link(position.id, found, kind, f"{function.name}()"))
    powers: list[Power] = []
    if isinstance(acl, str):
        for of, verb in ((configurator, Verb.CONFIGURE), (oracle, Verb.ORACLE)):
            if isinstance(of, str):
                powers.append(Power(verb, Address(acl), "roles of the ACL manager", 0, Address(of)))
    links += [Link(position.id, r, LinkKind.RECEIPT, "receipt token") for r in position.receipts]
    exits, lost = yield from _exits(position, pool)
    return Dependencies(
        position.id,
        tuple(links),
        tuple(powers),
        exits,
        _parameters(position),
        (*unknown, *lost),
    )


def _exits(
    position: Position, pool: Address | Unknown
) -> Reads[tuple[tuple[Exit, ...], tuple[str, ...]]]:
    supplied = [leg for leg in position.legs if leg.name == "supply"]
    if isinstance(pool, Unknown) or not supplied:
        return (), ()
    asked_of = [c.GET_RESERVE_DATA.at(pool, leg.token.address) for leg in supplied]
    data = [c.GET_RESERVE_DATA.known(result) for result in (yield asked_of)]
    a_tokens = [None if isinstance(d, Unknown) else d[c.A_TOKEN_WORD] for d in data]
    asked = [
        read
        for leg, a_token in zip(supplied, a_tokens, strict=True)
        if a_token is not None
        for read in (BALANCE_OF.at(leg.token.address, a_token), TOTAL_SUPPLY.at(a_token))
    ]
    answers = iter((yield asked) if asked else ())
    exits: list[Exit] = []
    lost: list[str] = []
    for leg, a_token in zip(supplied, a_tokens, strict=True):
        if a_token is None:
            exits.append(Exit(leg.token.address, leg.amount, None))
            lost.append(f"{leg.token.symbol}: its reserve could not be read")
            continue
        cash, supply = BALANCE_OF.known(next(answers)), TOTAL_SUPPLY.known(next(answers))
        exits.append(_exit(leg, cash, supply, f"balanceOf({a_token})", _closed(position, leg)))
    return tuple(exits), tuple(lost)


def _exit(
    leg: Leg, cash: int | Unknown, supply: int | Unknown, evidence: str, closed: bool
) -> Exit:
    if isinstance(cash, Unknown):
        return Exit(leg.token.address, leg.amount, None, None, evidence)
    lent = None if isinstance(supply, Unknown) else max(0, supply - cash)
    if closed:
        return Exit(leg.token.address, leg.amount, 0, None, "the reserve is paused or not active")
    return Exit(leg.token.address, leg.amount, min(leg.amount, cash), lent, evidence)


def _closed(position: Position, leg: Leg) -> bool:
    """Return whether the reserve lets nothing leave at all."""
    state = position.state
    held = state.holdings if isinstance(state, AaveAccount) else ()
    reserves = [h.reserve for h in held if h.reserve.asset == leg.token.address]
    return any(reserve.paused or not reserve.active for reserve in reserves)


def _parameters(position: Position) -> tuple[tuple[str, str], ...]:
    state = position.state
    if not isinstance(state, AaveAccount):
        return ()
    rows: list[tuple[str, str]] = []
    for holding in state.holdings:
        reserve = holding.reserve
        bits = reserve.configuration
        rows += [
            (f"{reserve.symbol} {name}", str(value))
            for name, value in (
                ("LTV", reserve.max_ltv),
                ("liquidation threshold", reserve.liquidation_threshold),
                ("liquidation bonus", reserve.liquidation_bonus),
                ("active", reserve.active),
                ("frozen", reserve.frozen),
                ("paused", reserve.paused),
                ("protocol fee", reserve.protocol_fee),
                ("debt ceiling", reserve.debt_ceiling),
                ("e-mode category", reserve.emode_category),
                ("borrow cap", bits >> 80 & (1 << 36) - 1),
                ("supply cap", bits >> 116 & (1 << 36) - 1),
            )
        ]
    if state.emode is not None:
        e = state.emode
        rows += [
            (f"e-mode {e.category} liquidation threshold", str(e.liquidation_threshold)),
            (f"e-mode {e.category} liquidation bonus", str(e.liquidation_bonus)),
            (f"e-mode {e.category} collateral", str(e.bitmap)),
        ]
    rows.append(("liquidation allowed", str(state.liquidation_allowed)))
    return tuple(rows)
