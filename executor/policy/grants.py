"""What each adapter's name in `allow` lets a wallet call: rows, and where they apply.

A row is a function with the arguments that must point back at the owner. The addresses come from
the markets that are read anyway, so that a market and what may be called there cannot differ.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from chain.abi import Function
from chain.calls import ReadFailed, Reads
from chain.types import ZERO_ADDRESS, Address
from executor.policy.calls import Approve, Grant, Grants
from protocols.aave_v3 import actions as aave
from protocols.adapter import Market
from protocols.compound_v2 import actions as compound
from protocols.erc4626 import actions as vault
from protocols.morpho_blue import actions as morpho
from protocols.uniswap_v3 import actions as uniswap
from protocols.wallet import actions as wallet

GET_ALL_MARKETS: Final = Function("getAllMarkets()(address[])")
GET_POOL: Final = Function("getPool()(address)")
V2_IN: Final = Function("swapExactTokensForTokens(uint256,uint256,address[],address,uint256)()")
V2_IN_FEE: Final = Function(
    "swapExactTokensForTokensSupportingFeeOnTransferTokens("
    "uint256,uint256,address[],address,uint256)()"
)
V2_OUT: Final = Function("swapTokensForExactTokens(uint256,uint256,address[],address,uint256)()")
V3_IN: Final = Function("exactInput((bytes,address,uint256,uint256,uint256))()")
V3_OUT: Final = Function("exactOutput((bytes,address,uint256,uint256,uint256))()")
V3_IN_02: Final = Function("exactInput((bytes,address,uint256,uint256))()")
V3_OUT_02: Final = Function("exactOutput((bytes,address,uint256,uint256))()")
V3_MULTICALL: Final = Function("multicall(uint256,bytes[])()")
BALANCER: Final = Function(
    "batchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],"
    "(address,bool,address,bool),int256[],uint256)()"
)

POOL: Final = (
    Grant(aave.SUPPLY, own=((2,),), swaps=False),
    Grant(aave.WITHDRAW, own=((2,),), swaps=False),
    Grant(aave.BORROW, own=((4,),), swaps=False),
    Grant(aave.REPAY, own=((3,),), swaps=False),
    Grant(aave.REPAY_WITH_ATOKENS, swaps=False),
    Grant(aave.USE_AS_COLLATERAL, swaps=False),
    Grant(aave.SET_EMODE, swaps=False),
)
MORPHO: Final = (
    Grant(morpho.SUPPLY, own=((3,),), empty=((4,),), swaps=False),
    Grant(morpho.WITHDRAW, own=((3,), (4,)), swaps=False),
    Grant(morpho.BORROW, own=((3,), (4,)), swaps=False),
    Grant(morpho.REPAY, own=((3,),), empty=((4,),), swaps=False),
    Grant(morpho.SUPPLY_COLLATERAL, own=((2,),), empty=((3,),), swaps=False),
    Grant(morpho.WITHDRAW_COLLATERAL, own=((2,), (3,)), swaps=False),
)
CTOKEN: Final = (
    *(Grant(one, swaps=False) for one in (compound.MINT, compound.REDEEM, compound.REPAY)),
    *(Grant(one, swaps=False) for one in (compound.REDEEM_UNDERLYING, compound.BORROW)),
    *(
        Grant(one, payable=True, swaps=False)
        for one in (compound.MINT_NATIVE, compound.REPAY_NATIVE)
    ),
    Grant(compound.REPAY_BEHALF, own=((0,),), swaps=False),
    Grant(compound.REPAY_NATIVE_BEHALF, own=((0,),), payable=True, swaps=False),
)
COMPTROLLER: Final = (Grant(compound.ENTER, swaps=False), Grant(compound.EXIT, swaps=False))
VAULT: Final = (
    Grant(vault.DEPOSIT, own=((1,),), swaps=False),
    Grant(vault.WITHDRAW, own=((1,), (2,)), swaps=False),
    Grant(vault.REDEEM, own=((1,), (2,)), swaps=False),
)
POSITIONS: Final = (
    Grant(uniswap.DECREASE_LIQUIDITY),
    Grant(uniswap.COLLECT, own=((0, 1),), swaps=False),
    Grant(uniswap.BURN, swaps=False),
    Grant(uniswap.MULTICALL, inner=(0,), swaps=False),
)
TOKEN: Final = (Grant(wallet.APPROVE, approve=Approve((0,), (1,)), swaps=False),)
WRAPPED: Final = (
    Grant(wallet.WRAP, payable=True, swaps=False),
    Grant(wallet.UNWRAP, swaps=False),
)
GUARD_EXECUTE: Final = Function(
    "execute((bytes32,uint256,uint256,uint256,uint256,address,uint256,"
    "(address,uint256,address,uint256,uint256,bytes)[]))()"
)
GUARD_PAUSE: Final = Function("pause()()")
GUARD: Final = (Grant(GUARD_EXECUTE), Grant(GUARD_PAUSE, swaps=False))
"""A guard's own rules bound what `execute` does; `configure` is the owner's to send."""
ROUTERS: Final[Mapping[str, tuple[Grant, ...]]] = {
    "uniswap-v2": tuple(Grant(one, own=((3,),)) for one in (V2_IN, V2_IN_FEE, V2_OUT)),
    "uniswap-v3": (
        Grant(V3_IN, own=((0, 1),)),
        Grant(V3_OUT, own=((0, 1),)),
        Grant(V3_IN_02, own=((0, 1),)),
        Grant(V3_OUT_02, own=((0, 1),)),
        Grant(V3_MULTICALL, inner=(1,), swaps=False),
    ),
    "balancer-v2": (Grant(BALANCER, own=((3, 0), (3, 2))),),
}
"""By the kind of venue. Uniswap v4's router takes programs of its own: only guards call it."""
MARKETS: Final[Mapping[str, tuple[Grant, ...]]] = {
    "aave-v3": POOL,
    "compound-v2": COMPTROLLER,
    "morpho-blue": MORPHO,
    "erc4626": VAULT,
    "uniswap-v3": POSITIONS,
    "wallet": (),
}
"""By adapter; Aave's are its pool's, the others' their root's (Compound's cTokens have theirs)."""
NAMES: Final = tuple(sorted({*MARKETS, *ROUTERS}))
"""What may stand in `allow`."""


def table(grants: Iterable[Grant]) -> dict[bytes, Grant]:
    """Return the rows by selector."""
    return {grant.function.selector: grant for grant in grants}


def spenders(grants: Grants) -> frozenset[Address]:
    """Return the targets that may be given allowances: those that are more than a token.

    A vault's share is a token and a target.
    """
    plain = {grant.function.selector for grant in TOKEN}
    return frozenset(target for target, rows in grants.items() if rows.keys() - plain)


def resolve(
    allow: Sequence[str],
    markets: Sequence[Market],
    *,
    routers: Mapping[Address, str] | None = None,
    tokens: Iterable[Address] = (),
    wrapped: Address | None = None,
    guards: Iterable[Address] = (),
    extra: Mapping[Address, Sequence[Grant]] | None = None,
) -> Reads[Grants]:
    """Yield one batch of reads, return what may be called on one chain.

    `routers` are kinds of venue by address. Approvals are allowed on `tokens`, the wrapped native
    coin may be wrapped where "wallet" is allowed, `guards` are guard contracts and accounts
    delegated to one, and `extra` are the owner's own rows. Raises
    `ReadFailed` where a root does not tell its pool: a list with a hole would refuse rescues.
    """
    found: dict[Address, dict[bytes, Grant]] = {}

    def add(target: Address, rows: Iterable[Grant]) -> None:
        if target != ZERO_ADDRESS:
            found.setdefault(target, {}).update(table(rows))

    chosen = [market for market in markets if market.adapter in allow]
    pools = [market for market in chosen if market.adapter == "aave-v3"]
    comptrollers = [market for market in chosen if market.adapter == "compound-v2"]
    reads = [GET_POOL.at(market.root) for market in pools]
    reads += [GET_ALL_MARKETS.at(market.root) for market in comptrollers]
    answers = (yield reads) if reads else []
    for market, answer in zip(pools, answers[: len(pools)], strict=True):
        pool = GET_POOL.decode(answer)
        if pool == ZERO_ADDRESS:
            raise ReadFailed(f"{market.name}: its provider names no pool")
        add(pool, POOL)
    for answer in answers[len(pools) :]:
        for ctoken in GET_ALL_MARKETS.decode(answer):
            add(ctoken, CTOKEN)
    for market in chosen:
        if market.adapter != "aave-v3":
            add(market.root, MARKETS.get(market.adapter, ()))
    for address, kind in (routers or {}).items():
        if kind in allow:
            add(address, ROUTERS.get(kind, ()))
    for token in tokens:
        add(token, TOKEN)
    if wrapped is not None and "wallet" in allow:
        add(wrapped, WRAPPED)
    for address in guards:
        add(address, GUARD)
    for address, rows in (extra or {}).items():
        add(address, rows)
    return found


def written(signature: str) -> Grant:
    """Return the grant of a function that the owner wrote by hand, such as `claim(address)`.

    Every address among its arguments must be the owner's, and bytes must be empty: who needs more
    should teach it to an adapter. Raises `ValueError` for what is no signature.
    """
    if not re.fullmatch(r"\w+\([^()]*\)", signature):
        raise ValueError("it has no plain list of arguments")
    function = Function(f"{signature}()")
    odd = [kind for kind in function.inputs if "[" in kind]
    if odd:
        raise ValueError(f"{odd[0]} among its arguments cannot be checked here")
    kinds = list(enumerate(function.inputs))
    return Grant(
        function,
        own=tuple((i,) for i, kind in kinds if kind == "address"),
        empty=tuple((i,) for i, kind in kinds if kind == "bytes"),
    )
