"""Read a market's oracle and, where it says so, the feeds and vaults it is made of.

Reads: `price()`; `SCALE_FACTOR`, `BASE_FEED_1/2`, `QUOTE_FEED_1/2` and, of MorphoChainlinkOracleV2,
`BASE_VAULT`, `QUOTE_VAULT` with their conversion samples, of V1 `VAULT`; each feed; each vault's
`convertToAssets(sample)`.
Scales: `price()` is loan base units per collateral base unit, times 1e36; feeds have their own.
Rounds: `SCALE_FACTOR.mulDiv(base, quote)`, down. The parts are believed only when they give exactly
what `price()` answered; an oracle of another shape is one opaque factor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import Call, Ok, Read, ReadFailed, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.morpho_blue.state import FeedLeaf, MorphoOracle, OracleParts, VaultLeaf
from protocols.prices import expr, feed
from protocols.tokens import short
from protocols.types import Price, Token, Unpriced

PRICE: Final = Function("price()(uint256)")
SCALE_FACTOR: Final = Function("SCALE_FACTOR()(uint256)")
FEEDS: Final = tuple(
    Function(f"{name}()(address)")
    for name in ("BASE_FEED_1", "BASE_FEED_2", "QUOTE_FEED_1", "QUOTE_FEED_2")
)
BASE_VAULT: Final = Function("BASE_VAULT()(address)")
QUOTE_VAULT: Final = Function("QUOTE_VAULT()(address)")
V1_VAULT: Final = Function("VAULT()(address)")
BASE_SAMPLE: Final = Function("BASE_VAULT_CONVERSION_SAMPLE()(uint256)")
QUOTE_SAMPLE: Final = Function("QUOTE_VAULT_CONVERSION_SAMPLE()(uint256)")
V1_SAMPLE: Final = Function("VAULT_CONVERSION_SAMPLE()(uint256)")
CONVERT: Final = Function("convertToAssets(uint256)(uint256)")

_OWN: Final = (
    PRICE,
    SCALE_FACTOR,
    *FEEDS,
    BASE_VAULT,
    BASE_SAMPLE,
    QUOTE_VAULT,
    QUOTE_SAMPLE,
    V1_VAULT,
    V1_SAMPLE,
)
READS: Final = len(_OWN) + len(FEEDS) * feed.READS
"""How many reads `reads` gives, and how many results `shape` takes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an oracle says about itself; its vaults are still to be asked."""

    address: Address
    price: int | None
    cause: str = ""
    """Why there is no price."""
    scale: int | None = None
    """None for an oracle of another shape."""
    feeds: tuple[tuple[int, Address, FeedLeaf | None], ...] = ()
    """(0, 1 for base, 2, 3 for quote; address; None where it does not answer)."""
    base: tuple[Address, int] | None = None
    quote: tuple[Address, int] | None = None
    """Vault and sample."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OracleAnswer:
    """An oracle's price and what it is made of, or why there is none."""

    oracle: MorphoOracle | None
    cause: str
    source: expr.Expr

    def priced(self, collateral: Token, loan: Token) -> Price | Unpriced:
        """Return the price of a collateral token in its loan token.

        A token without decimals counts in base units, and so does its price, which says so.
        """
        if self.oracle is None:
            return Unpriced(collateral.address, str(self.source), self.cause)
        problems = self.oracle.problems
        if collateral.decimals is None or loan.decimals is None:
            problems += ("a token does not tell its decimals: the price counts in base units",)
        return Price(
            token=collateral.address,
            quote=loan.address,
            raw=self.oracle.price,
            decimals=36 + (loan.decimals or 0) - (collateral.decimals or 0),
            source=str(self.source),
            factor=expr.factor(self.source),
            updated_at=self.oracle.updated_at,
            heartbeat_s=self.oracle.heartbeat_s,
            label=self.oracle.label,
            problems=problems,
        )


def reads(oracle: Address) -> tuple[Read, ...]:
    """Return the reads that `shape` decodes, in its order."""
    behind = (read for getter in FEEDS for read in feed.reads(getter.pointer(oracle)))
    return (*(function.at(oracle) for function in _OWN), *behind)


def shape(oracle: Address, results: Sequence[Result], at: BlockRef) -> Shape:
    """Return what the oracle says about itself. Never raises.

    A price of zero is no price: Morpho would let the collateral go for nothing.
    """
    named = dict(zip(_OWN, results, strict=False))
    price = PRICE.known(named[PRICE])
    if isinstance(price, Unknown):
        return Shape(oracle, None, price.reason)
    if price == 0:
        return Shape(oracle, None, "price: the oracle answers zero")
    lost = tuple(
        f"oracle {function.name}: {result.reason}"
        for function, result in named.items()
        if isinstance(result, Unknown)
    )
    try:
        scale = SCALE_FACTOR.decode(named[SCALE_FACTOR])
        addresses = [getter.decode(named[getter]) for getter in FEEDS]
        if isinstance(named[BASE_VAULT], Ok):
            base = _vault(BASE_VAULT.decode(named[BASE_VAULT]), BASE_SAMPLE, named)
            quote = _vault(QUOTE_VAULT.decode(named[QUOTE_VAULT]), QUOTE_SAMPLE, named)
        else:
            base, quote = _vault(V1_VAULT.decode(named[V1_VAULT]), V1_SAMPLE, named), None
    except ReadFailed:
        return Shape(oracle, price, problems=lost[:1])
    feeds: list[tuple[int, Address, FeedLeaf | None]] = []
    for i, address in enumerate(addresses):
        if address != ZERO_ADDRESS:
            start = len(_OWN) + i * feed.READS
            leaf, trouble = _leaf(address, results[start : start + feed.READS], at)
            lost += trouble
            feeds.append((i, address, leaf))
    return Shape(oracle, price, "", scale, tuple(feeds), base, quote, lost)


def _vault(
    address: Address, sample: Function, named: dict[Function, Result]
) -> tuple[Address, int] | None:
    return None if address == ZERO_ADDRESS else (address, sample.decode(named[sample]))


def _leaf(
    address: Address, results: Sequence[Result], at: BlockRef
) -> tuple[FeedLeaf | None, tuple[str, ...]]:
    facts = feed.facts(results, at)
    name = facts.label or short(address)
    decoded = feed.LATEST.known(results[0])
    if isinstance(decoded, Unknown):
        return None, (f"{name}: {decoded.reason}",)
    problems = tuple(f"{name}: {problem}" for problem in facts.problems)
    if facts.cause:
        problems = (f"{name}: {facts.cause}", *problems)
    leaf = FeedLeaf(
        feed=address,
        answer=decoded[1],
        decimals=facts.decimals or 0,
        label=facts.label,
        updated_at=facts.updated_at,
        heartbeat_s=facts.heartbeat_s,
        problems=problems,
    )
    return leaf, problems


def vault_reads(found: Shape) -> tuple[Call, ...]:
    """Return the reads of the vaults' share prices, base first, for `answer`."""
    return tuple(CONVERT.at(*vault) for vault in (found.base, found.quote) if vault is not None)


def answer(found: Shape, results: Sequence[Result]) -> OracleAnswer:
    """Return the price with its expression, factor and age. Never raises.

    `results` answer `vault_reads`. Parts that do not give the price make it an opaque one.
    """
    if found.price is None:
        return OracleAnswer(None, found.cause, expr.Opaque(found.address))
    problems = found.problems
    rest = iter(results)
    base, quote = _share_price(found.base, rest), _share_price(found.quote, rest)
    problems += tuple(vault.reason for vault in (base, quote) if isinstance(vault, Unknown))
    leaves = [(side, leaf) for side, _, leaf in found.feeds if leaf is not None]
    whole = found.scale is not None and len(leaves) == len(found.feeds)
    if whole and not isinstance(base, Unknown) and not isinstance(quote, Unknown):
        parts = OracleParts(
            scale=found.scale or 0,
            base_vault=base,
            base_feeds=tuple(leaf for side, leaf in leaves if side < 2),
            quote_vault=quote,
            quote_feeds=tuple(leaf for side, leaf in leaves if side >= 2),
        )
        if parts.price() == found.price:
            return _composed(found, parts, problems)
        problems += (
            f"the oracle answers {found.price}, but its feeds and vaults give {parts.price()}",
        )
    opaque = MorphoOracle(found.address, found.price, None, problems=problems)
    return OracleAnswer(opaque, "", expr.Opaque(found.address))


def _share_price(
    vault: tuple[Address, int] | None, results: Iterator[Result]
) -> VaultLeaf | Unknown | None:
    if vault is None:
        return None
    assets = CONVERT.known(next(results))
    if isinstance(assets, Unknown):
        return Unknown(f"vault {short(vault[0])}: {assets.reason}")
    return VaultLeaf(vault[0], assets, vault[1])


def _composed(found: Shape, parts: OracleParts, problems: tuple[str, ...]) -> OracleAnswer:
    over = [*_vaults(parts.base_vault), *(expr.Feed(leaf.feed) for leaf in parts.base_feeds)]
    under = [*_vaults(parts.quote_vault), *(expr.Feed(leaf.feed) for leaf in parts.quote_feeds)]
    source: expr.Expr = _product(over)
    if under:
        source = expr.Quotient(source, _product(under))
    leaves = (*parts.base_feeds, *parts.quote_feeds)
    oldest = min(
        (leaf for leaf in leaves if leaf.updated_at is not None),
        key=lambda leaf: leaf.updated_at or 0,
        default=None,
    )
    told = MorphoOracle(
        address=found.address,
        price=found.price or 0,
        parts=parts,
        label=leaves[0].label if len(leaves) == 1 else "",
        updated_at=oldest.updated_at if oldest else None,
        heartbeat_s=oldest.heartbeat_s if oldest else None,
        problems=problems,
    )
    return OracleAnswer(told, "", source)


def _vaults(leaf: VaultLeaf | None) -> list[expr.Expr]:
    return [expr.Ratio(leaf.vault)] if leaf else []


def _product(parts: Sequence[expr.Expr]) -> expr.Expr:
    if not parts:
        return expr.Constant(1)
    return parts[0] if len(parts) == 1 else expr.Product(tuple(parts))
