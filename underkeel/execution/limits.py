"""From the config's tables to the limits of one wallet on one chain."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from chain.calls import Reads
from chain.networks import by_id
from chain.types import ZERO_ADDRESS, Address
from executor.policy.grants import resolve, written
from executor.policy.limits import Limits
from protocols.adapter import Market
from underkeel.config.load import Config
from underkeel.config.signing import PolicyTable

USD_PLACES: Final = 6
COIN_PLACES: Final = 18
GWEI_PLACES: Final = 9


def limits_of(
    config: Config,
    name: str,
    chain: str,
    markets: Iterable[Market],
    tokens: Iterable[Address],
    routers: Mapping[Address, str] | None = None,
) -> Reads[Limits | None]:
    """Yield one batch of reads, return what a wallet may do there; None without a policy for it.

    `tokens` may be approved. Raises `ReadFailed` where a market's root does not tell its pool.
    """
    policy = config.settings.policy.get(name)
    table = config.settings.chains[chain]
    if policy is None or (policy.chains and chain not in policy.chains):
        yield []
        return None
    wallet = Address(config.settings.wallets[name].address)
    guards = tuple(Address(guard) for guard in policy.guards)
    network = by_id(table.chain_id)
    owned = own_accounts(config)
    grants = yield from resolve(
        policy.allow,
        tuple(markets),
        routers=routers,
        tokens=[token for token in tokens if token != ZERO_ADDRESS],
        wrapped=network.native.wrapped if network else None,
        guards=(*guards, *owned) if guards else (),
        extra={
            Address(target): [written(signature) for signature in signatures]
            for target, signatures in policy.targets.items()
        },
    )
    return Limits(
        name=name,
        wallet=wallet,
        accounts=owned | {wallet},
        chain_id=table.chain_id,
        max_tx_usd_e6=scaled(policy.max_tx_usd, USD_PLACES),
        max_day_usd_e6=scaled(policy.max_day_usd, USD_PLACES),
        max_hour_usd_e6=_maybe(policy.max_hour_usd, USD_PLACES),
        max_fee=max_fee(policy),
        max_gas=policy.max_gas,
        max_tx_wei=_maybe(policy.max_tx_eth, COIN_PLACES),
        max_hour_wei=_maybe(policy.max_hour_eth, COIN_PLACES),
        max_day_wei=_maybe(policy.max_day_eth, COIN_PLACES),
        max_per_hour=policy.max_per_hour,
        floor_wei=scaled(policy.min_gas_balance_eth, COIN_PLACES),
        max_price_age_s=policy.max_price_age,
        max_gap_bps=policy.max_oracle_gap_bps,
        require_market=policy.require_market,
        max_silence_s=policy.max_silence,
        delegates=frozenset(guards),
        grants=grants,
    )


def own_accounts(config: Config) -> frozenset[Address]:
    """Return the wallets that are the owner's: a watched one may be anybody's."""
    wallets = config.settings.wallets.values()
    return frozenset(Address(wallet.address) for wallet in wallets if wallet.own)


def max_fee(policy: PolicyTable) -> int:
    """Return the owner's cap in wei per gas."""
    return scaled(policy.max_fee_gwei, GWEI_PLACES)


def scaled(number: Decimal, places: int) -> int:
    """Return a number of few enough places as an integer."""
    return int(number.scaleb(places))


def _maybe(number: Decimal | None, places: int) -> int | None:
    return None if number is None else scaled(number, places)
