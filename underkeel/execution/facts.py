"""What is known when something is about to be signed: prices, markets, a simulation, switches.

Everything is of the newest block, and read again as soon as there is a newer one. What cannot be
read is missing from the facts; the policy then refuses.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from chain.abi import Function
from chain.calls import ReadFailed, Reads, Unknown, gather
from chain.client import Client, connect
from chain.errors import ChainError
from chain.networks import by_id
from chain.simulation import Message, NotSimulated, Outcome, Override, simulate
from chain.transactions import SignedAuthorization
from chain.types import ZERO_ADDRESS, Address, BlockRef, address_of_word
from executor.plan.lab import reverted
from executor.policy.effects import flows, taken
from executor.policy.limits import Facts, Limits, Price, Simulated
from executor.policy.switch import Switch
from executor.swaps.balancer_v2 import BalancerV2
from executor.swaps.uniswap_v2 import UniswapV2
from executor.swaps.uniswap_v3 import UniswapV3
from executor.types import Intent
from protocols.prices.book import PriceBook
from protocols.prices.pools import FACTORY, PoolQuote, read_quotes
from protocols.types import Price as Quoted
from protocols.wallet.actions import APPROVE
from underkeel.config.load import Config
from underkeel.config.venues import venues_of
from underkeel.execution.limits import limits_of
from underkeel.portfolio import ChainReport, Open, read_portfolio

log = logging.getLogger(__name__)

DECIMALS: Final = Function("decimals()(uint8)")
SOON_S: Final = 12
"""The simulated block is so long after the newest one."""
RED_HEALTH: Final = Fraction(105, 100)
DEEP_USD: Final = 10_000
"""What moving a pool by 1 % must cost before its opinion counts."""
MOST_TOKENS: Final = 16
DESIGNATOR: Final = bytes.fromhex("ef0100")
"""The code of an account that is delegated, before the delegate's address."""


@dataclass(frozen=True, slots=True)
class Known:
    """One chain at one block."""

    at: BlockRef
    limits: Limits | None
    prices: dict[Address, Price]
    red: bool
    cause: str = ""
    """Why less is known than should be."""


@dataclass(slots=True)
class Observer:
    """Gathers facts about one wallet on one chain."""

    config: Config
    chain: str
    name: str
    """The config's name of the wallet."""
    client: Client
    switch: Switch
    accounts: tuple[Address, ...]
    """Whose positions matter: the plan's account and the wallet."""
    left: Callable[[Intent], Sequence[Intent]] = lambda intent: (intent,)
    """What of the intent's plan is still to be done, the intent itself first."""
    opener: Open = connect
    max_usd: int | None = None
    """A lower cap per transaction for this one run, in millionths."""
    _known: Known | None = None

    def at_head(self) -> Known:
        """Return what is known at the newest block; raises `ChainError` without one."""
        at = self.client.head()
        if self._known is None or self._known.at.hash != at.hash:
            self._known = self._read(at)
        return self._known

    def limits(self) -> Limits | None:
        """Return the limits at the newest block; None where nothing may be signed."""
        try:
            return self.at_head().limits
        except ChainError:
            return None

    def now(self) -> int:
        """Return the time of the newest block that was read."""
        return self._known.at.timestamp if self._known is not None else 0

    def facts(self, intent: Intent) -> Facts:
        """Return the facts for one signature; never raises for what a chain does."""
        return self.many([intent], self.left(intent))[0]

    def many(self, wanted: Sequence[Intent], left: Sequence[Intent]) -> list[Facts]:
        """Return the facts for each wanted intent, `left` being carried out in its order."""
        try:
            known = self.at_head()
            ran = self._ran(known, left)
        except ChainError as error:
            log.warning("%s: %s", self.chain, self.config.scrub(str(error)))
            return [self._nothing() for _ in wanted]
        return [self._facts(known, ran, left, intent) for intent in wanted]

    def _nothing(self) -> Facts:
        return Facts(0, {}, None, self.switch.paused() or "the chain could not be read")

    def _facts(self, known: Known, ran: "Ran", left: Sequence[Intent], intent: Intent) -> Facts:
        index = next(i for i, one in enumerate(left) if one.id == intent.id)
        return Facts(
            now=known.at.timestamp,
            prices=known.prices,
            simulated=self._simulated(known, ran, intent, index),
            paused=self.switch.paused(),
            alive_at=self._alive_at(),
            red_zone=known.red,
            needed=_needed(ran, left, intent, index),
        )

    def _simulated(self, known: Known, ran: "Ran", intent: Intent, index: int) -> Simulated | None:
        if ran.reason:
            return Simulated(False, known.at.number, reason=ran.reason)
        failed = next((o for o in ran.outcomes[index:] if not o.ok), None)
        if failed is not None:
            return Simulated(False, known.at.number, reason=reverted(failed.output))
        events = ran.outcomes[index].events
        if events is None:
            odd = ("something (the node tells no logs of a simulation)",)
            return Simulated(True, known.at.number, uncountable=odd)
        owned = self._owned(known)
        value = 0 if intent.call.to in owned else intent.call.value
        found = flows(events, owned, known.prices, value=value)
        return Simulated(True, known.at.number, found.out, found.touched, found.uncountable)

    def _owned(self, known: Known) -> frozenset[Address]:
        limits = known.limits
        return limits.accounts | limits.delegates if limits is not None else frozenset()

    def _ran(self, known: Known, left: Sequence[Intent]) -> "Ran":
        overrides = {
            signed.authority: Override(
                code=DESIGNATOR + bytes.fromhex(signed.authorization.delegate[2:])
            )
            for intent in left
            for signed in map(SignedAuthorization.from_rlp, intent.authorizations)
        }
        messages = [
            Message(one.wallet, one.call.to, one.call.data, one.call.value, one.gas_limit)
            for one in left
        ]
        ran = simulate(
            self.client,
            known.at,
            messages,
            _no_reads,
            time=known.at.timestamp + SOON_S,
            overrides=overrides,
        )
        if isinstance(ran, NotSimulated):
            return Ran(reason=f"it cannot be simulated: {ran.reason}")
        return Ran(ran.outcomes)

    def _alive_at(self) -> int | None:
        policy = self.config.settings.policy.get(self.name)
        if policy is None or policy.heartbeat is None:
            return None
        path = self.config.path.parent / Path(policy.heartbeat).expanduser()
        try:
            return int(path.stat().st_mtime)
        except OSError:
            return None

    def _read(self, at: BlockRef) -> Known:
        chains = {self.chain: self.config.settings.chains[self.chain]}
        narrowed = replace(
            self.config, settings=self.config.settings.model_copy(update={"chains": chains})
        )
        (report,) = read_portfolio(narrowed, self.accounts, opener=self.opener).chains
        if report.at is None or report.valuation is None:
            return Known(at, None, {}, red=False, cause=report.cause)
        snapshot = self.client.snapshot(report.at)
        try:
            prices, limits = snapshot.run(self._priced(report, report.valuation.book))
        except ReadFailed as failed:
            return Known(at, None, {}, red=False, cause=self.config.scrub(str(failed)))
        if limits is not None and self.max_usd is not None:
            limits = replace(limits, max_tx_usd_e6=min(limits.max_tx_usd_e6, self.max_usd))
        return Known(report.at, limits, prices, _red(report))

    def _routers(self) -> dict[Address, str]:
        """Return the routers of known venues, with their kind."""
        found: dict[Address, str] = {}
        for venue in venues_of(self.config.settings.chains[self.chain]):
            match venue:
                case UniswapV2():
                    found[venue.router] = "uniswap-v2"
                case UniswapV3():
                    found[venue.router] = "uniswap-v3"
                case BalancerV2():
                    found[venue.vault] = "balancer-v2"
        return found

    def _priced(
        self, report: ChainReport, book: PriceBook
    ) -> Reads[tuple[dict[Address, Price], Limits | None]]:
        tokens = _tokens(report)
        roots = [m.root for m in report.markets if m.adapter == "uniswap-v3"]
        results = yield [*(DECIMALS.at(t) for t in tokens), *(FACTORY.at(r) for r in roots)]
        told = zip(tokens, results[: len(tokens)], strict=True)
        scales = [(t, int(d)) for t, r in told if not isinstance(d := DECIMALS.known(r), Unknown)]
        factories = [FACTORY.known(result) for result in results[len(tokens) :]]
        programs = [
            read_quotes(factory, scales[:MOST_TOKENS])
            for factory in factories
            if not isinstance(factory, Unknown)
        ]
        quoted = yield from gather(programs)
        quotes = [q for some in quoted if not isinstance(some, ReadFailed) for q in some]
        prices = {
            token: found
            for token, decimals in (*scales, (ZERO_ADDRESS, 18))
            if (found := _price(book, token, decimals, quotes)) is not None
        }
        limits = yield from limits_of(
            self.config, self.name, self.chain, report.markets, prices, self._routers()
        )
        return prices, limits


@dataclass(frozen=True, slots=True)
class Ran:
    """How the transactions that are left go, one after the other."""

    outcomes: tuple[Outcome, ...] = ()
    reason: str = ""


def _no_reads(_block: BlockRef) -> Reads[None]:
    yield from ()
    return None


def _needed(
    ran: Ran, left: Sequence[Intent], intent: Intent, index: int
) -> dict[tuple[Address, Address], int] | None:
    """Return what later steps take by the allowance that this one gives."""
    call = intent.call
    if call.data[:4] != APPROVE.selector or len(call.data) != 68 or not ran.outcomes:
        return None
    spender = address_of_word(call.data[4:36])
    total = 0
    for later, outcome in zip(left[index + 1 :], ran.outcomes[index + 1 :], strict=True):
        if later.call.to == call.to and later.call.data[:36] == call.data[:36]:
            break  # the allowance is set anew
        if later.call.to == spender and outcome.events is not None:
            total += taken(outcome.events, intent.wallet).get(call.to, 0)
    return {(call.to, spender): total}


def _price(
    book: PriceBook, token: Address, decimals: int, quotes: Sequence[PoolQuote]
) -> Price | None:
    found = book.usd(token)
    if not isinstance(found, Quoted) or found.raw <= 0:
        return None
    usd_e8 = -(-found.raw * 10**8 // 10**found.decimals)
    sound = [text for text in found.problems if "twap(" not in text]  # the gap tells of those
    return Price(
        usd_e8,
        decimals,
        found.updated_at,
        found.heartbeat_s,
        _gap_bps(book, token, quotes),
        tuple(sound),
    )


def _gap_bps(book: PriceBook, token: Address, quotes: Sequence[PoolQuote]) -> int | None:
    """Return how far the closest deep pool's mean is from the oracle; None where there is none."""
    own = book.wrapped_native if token == ZERO_ADDRESS else token
    gaps: list[int] = []
    for quote in quotes:
        check = quote.check
        if own not in (check.token0, check.token1):
            continue
        usd0, usd1 = (_usd(book, side) for side in (check.token0, check.token1))
        if usd0 is None or usd1 is None:
            continue
        if Fraction(check.depth1, 10**check.decimals1) * usd1 < DEEP_USD:
            continue
        off = check.ratio * usd1 / usd0 - 1
        gaps.append(int(off * 10_000) if own == check.token0 else -int(off * 10_000))
    return min(gaps, key=abs, default=None)


def _usd(book: PriceBook, token: Address) -> Fraction | None:
    found = book.usd(token)
    if not isinstance(found, Quoted) or found.raw <= 0:
        return None
    return Fraction(found.raw, 10**found.decimals)


def _tokens(report: ChainReport) -> tuple[Address, ...]:
    network = by_id(report.chain_id)
    held = [leg.token.address for a in report.positions for leg in a.position.legs]
    priced = [price.token for price in report.prices if isinstance(price, Quoted)]
    wrapped = [network.native.wrapped] if network else []
    found = dict.fromkeys((*held, *wrapped, *priced))
    return tuple(token for token in found if token != ZERO_ADDRESS)


def _red(report: ChainReport) -> bool:
    """Whether a position may soon be liquidated."""
    for assessed in report.positions:
        found = assessed.liquidation
        raw = found.health_raw
        if raw is not None and Fraction(raw, found.health_scale) < RED_HEALTH:
            return True
    return False
