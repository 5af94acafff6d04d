"""Read Aave v3 pools and their forks, from a `PoolAddressesProvider`.

Reads, in three rounds whatever the number of accounts: the pool's parts, rules and reserve list
with each account's flags (`market`, `account`); every reserve with its price and the source of it,
and the e-modes in use (`market`, `prices`); every balance and claimable reward (`account`,
`rewards`).
Scales: the contracts' own; prices in the oracle's base currency.
Rounds: see `protocols.aave_v3.math` and `rules`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chain.calls import ReadFailed, Reads, Unknown
from chain.types import Address, BlockRef
from protocols.aave_v3 import account, contracts, rewards
from protocols.aave_v3 import market as markets
from protocols.aave_v3.batch import Batch
from protocols.aave_v3.market import Broken, Listed, Pool
from protocols.aave_v3.position import PROTOCOL, Found, assemble
from protocols.aave_v3.prices import Sourced
from protocols.adapter import Market
from protocols.root import check_root
from protocols.types import Position, Price, Reading, Unpriced, Unreadable


@dataclass(frozen=True, slots=True)
class AaveV3:
    """The adapter; see the module."""

    name: ClassVar[str] = PROTOCOL
    root_key: ClassVar[str | None] = "pool_addresses_provider"
    keys: ClassVar[Mapping[str, str]] = {}

    def read(self, market: Market, accounts: Sequence[Address], at: BlockRef) -> Reads[Reading]:
        """Read the accounts' positions in one pool; see `Adapter.read`."""
        first = Batch()
        facts = first.add(*markets.market_reads(market.root))
        asked = [(owner, first.add(*account.user_reads(market.root, owner))) for owner in accounts]
        results = yield first.reads
        answers = results[facts]
        check_root(market.root, "PoolAddressesProvider", contracts.GET_POOL, answers[0])
        pool = markets.market(answers)
        users, positions = [], list[Position | Unreadable]()
        for owner, where in asked:
            try:
                users.append(account.user(owner, results[where]))
            except ReadFailed as failure:
                positions.append(
                    Unreadable(PROTOCOL, market.name, market.root, owner, failure.cause, at)
                )

        second = Batch()
        listed_at = [
            (asset, second.add(*markets.reserve_reads(pool, asset))) for asset in pool.assets
        ]
        numbers = sorted({user.category for user in users if user.category})
        emode_at = [(n, second.add(*account.emode_reads(pool, n))) for n in numbers]
        results = yield second.reads
        prices: dict[Address, Price | Unpriced] = {}
        reserves, broken = list[Listed](), list[Broken]()
        for asset, where in listed_at:
            sourced = markets.read_price(pool, asset, results[where], at)
            prices[asset] = sourced.price
            one = markets.listed(pool, asset, results[where], sourced)
            if isinstance(one, Listed):
                reserves.append(one)
            else:
                broken.append(one)
        categories: dict[int, account.Category | Unknown] = {}
        for number, where in emode_at:
            try:
                categories[number] = account.category(pool, number, results[where])
            except ReadFailed as failure:
                categories[number] = Unknown(failure.cause)

        positions += yield from self._accounts(
            market, at, pool, reserves, broken, prices, users, categories
        )
        return Reading(tuple(positions), tuple(prices.values()))

    def _accounts(
        self,
        market: Market,
        at: BlockRef,
        pool: Pool,
        reserves: Sequence[Listed],
        broken: Sequence[Broken],
        prices: Mapping[Address, Price | Unpriced],
        users: Sequence[account.User],
        categories: Mapping[int, account.Category | Unknown],
    ) -> Reads[list[Position | Unreadable]]:
        """Read every account's balances and rewards in one round; put positions together."""
        third = Batch()
        replaced = {
            number: (source, third.add(*account.emode_price_reads(pool, source)))
            for number, one in categories.items()
            if not isinstance(one, Unknown) and (source := one.price_source) is not None
        }
        paying = rewards.controllers(reserves) if users else ()
        named_at = [third.add(*rewards.token_reads(controller)) for controller in paying]
        balances_at = [
            [third.add(*account.holding_reads(pool.rules, user, one)) for one in reserves]
            for user in users
        ]
        claims_at = [
            [third.add(rewards.claim_read(controller, user.owner)) for controller in paying]
            for user in users
        ]
        results = (yield third.reads) if third.reads else ()

        emode_prices: dict[int, Sourced | Unknown | None] = {}
        for number, (source, where) in replaced.items():
            try:
                emode_prices[number] = account.emode_price(pool, source, results[where], at)
            except ReadFailed as failure:
                emode_prices[number] = Unknown(failure.cause)
        emodes = account.emodes(categories, emode_prices)
        named = {}
        for where in named_at:
            named.update(rewards.reward_tokens(results[where]))
        unheard = [
            rewards.Claimable(unknown=(f"{one.token.symbol} rewards: {one.controller.reason}",))
            for one in reserves
            if isinstance(one.controller, Unknown)
        ]

        positions: list[Position | Unreadable] = []
        for user, balances, claims in zip(users, balances_at, claims_at, strict=True):
            holdings, failed = [], {}
            for one, where in zip(reserves, balances, strict=True):
                try:
                    holdings.append(account.holding(pool.rules, user, one, results[where]))
                except ReadFailed as failure:
                    failed[one.reserve.id] = f"{one.token.symbol}: {failure.cause}"
            priced = emode_prices.get(user.category)
            found = Found(
                user,
                holdings,
                failed,
                emodes.get(user.category),
                priced.price if isinstance(priced, Sourced) else None,
                [
                    *unheard,
                    *(rewards.claimable(results[where][0], named, prices) for where in claims),
                ],
            )
            position = assemble(market, at, pool, reserves, broken, prices, found)
            if position is not None:
                positions.append(position)
        return positions
