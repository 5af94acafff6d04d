"""Documents as a monitor would have written them: two chains, every kind of position and doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from underkeel.documents.models import RiskDocument

WAD = 10**18
ZERO = "0x" + "0" * 40
TREASURY = "0x1111111111111111111111111111111111111111"
OPS = "0x2222222222222222222222222222222222222222"
POOL = "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2"
MORPHO = "0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WBTC = "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"
FEED = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
CHAINS = {"ethereum": 1, "base": 8453}
HASH = "0x" + "ab" * 32


def utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def leg(
    symbol: str, asset: str, amount: int, decimals: int, side: str, price: float | None
) -> dict[str, Any]:
    """One amount; without a price it says why."""
    value = None if price is None else amount / 10**decimals * price
    return {
        "asset": asset,
        "symbol": symbol,
        "name": "",
        "amount_raw": str(amount),
        "decimals": str(decimals),
        "side": side,
        "oracle_expr": None if price is None else FEED,
        "price_raw": None if price is None else str(int(price * 10**8)),
        "price_decimals": None if price is None else "8",
        "price_quote": None if price is None else "USD",
        "price_age_s": None if price is None else "340",
        "price_problems": ["no feed is known for it"] if price is None else [],
        "value_usd": None if value is None else -value if side == "debt" else value,
    }


def edge(now: float, at: float, label: str = "ETH / USD") -> dict[str, Any]:
    """Where one price liquidates."""
    return {
        "factor": FEED,
        "label": label,
        "price_raw": str(int(at * 10**8)),
        "safe_price_raw": str(int(at * 10**8) + 1),
        "current_raw": str(int(now * 10**8)),
        "decimals": "8",
        "distance_frac": at / now - 1,
        "direction": "down" if at < now else "up",
        "mode": "spot",
        "exact": True,
    }


def position(
    protocol: str,
    market: str,
    owner: str,
    health: int | None,
    legs: list[dict[str, Any]],
    *,
    chain: str = "ethereum",
    status: str | None = None,
    block: int = 21_400_000,
    at: int = 0,
    part: str = "",
    owner_name: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One position; its status follows from its health unless it is given."""
    values = [one["value_usd"] for one in legs]
    if status is None:
        status = (
            "not_liquidatable" if health is None else "liquidatable" if health < WAD else "safe"
        )
    identity = ":".join(
        p for p in (str(CHAINS[chain]), protocol, POOL.lower(), owner.lower(), part) if p
    )
    boundary = [] if health is None else [edge(3_000.0, 3_000.0 * WAD / health)]
    liquidation = {
        "status": status,
        "health_raw": None if health is None else str(health),
        "health_scale": str(WAD),
        "boundary": boundary,
        "time_to_liq_s": None if health is None else "0" if health < WAD else "8640000",
        "time_exact": True,
        "close_factor_frac": None if health is None else 0.5,
        "penalty_frac": None if health is None else 0.05,
        "expected_loss_usd": None,
        "oracle": None,
        "blocked_by": [],
        "causes": more.pop("causes", []),
    }
    return {
        "id": identity,
        "chain": chain,
        "protocol": protocol,
        "version": "3.2",
        "market": market,
        "root": POOL,
        "owner": owner,
        "owner_name": owner_name or {TREASURY: "treasury", OPS: "ops"}.get(owner),
        "kind": "lending",
        "legs": legs,
        "equity_usd": None if None in values else sum(values),
        "verified": True,
        "notes": [],
        "unknown": [],
        "allowances": [],
        "liquidation": liquidation,
        "facts": None,
        "provenance": {
            "chain_id": str(CHAINS[chain]),
            "block_number": str(block),
            "block_hash": HASH,
            "timestamp": str(at),
            "engine_version": "underkeel 0.1.0",
            "model_version": "liquidation/1",
            "inputs_hash": HASH,
        },
        **more,
    }


def risk(
    chain: str,
    at: int,
    positions: list[dict[str, Any]],
    *,
    block: int = 21_400_000,
    unknown: list[dict[str, Any]] | None = None,
) -> RiskDocument:
    """Return one chain's document."""
    values = [p["equity_usd"] for p in positions]
    unread = unknown or []
    return RiskDocument.model_validate(
        {
            "schema": "underkeel.risk/1",
            "generated_at": utc(at),
            "chains": [
                {
                    "name": chain,
                    "chain_id": str(CHAINS[chain]),
                    "status": "ok",
                    "cause": None,
                    "block_number": str(block),
                    "block_hash": HASH,
                    "timestamp": str(at),
                    "age_s": "2",
                    "engine_version": "underkeel 0.1.0",
                    "model_version": "liquidation/1",
                    "inputs_hash": HASH,
                    "requests": "9",
                }
            ],
            "accounts": [TREASURY, OPS],
            "unknown": unread,
            "totals": {
                "equity_usd": None if None in values or unread else sum(values),
                "priced_usd": sum(v or 0 for v in values),
                "partial": None in values or bool(unread),
                "unpriced": [],
                "positions": str(len(positions)),
                "liquidatable": str(
                    sum(p["liquidation"]["status"] == "liquidatable" for p in positions)
                ),
                "unknown": str(len(unread)),
            },
            "positions": positions,
        }
    )


def lending(owner: str, health: float | int, **more: Any) -> dict[str, Any]:
    """A position on Aave with ether against dollars."""
    raw = health if isinstance(health, int) else round(health * 10**6) * 10**12
    debt = int(40 * 3_000 * 0.83 * WAD / raw * 10**6)
    return position(
        "aave-v3",
        more.pop("market", "Aave v3"),
        owner,
        raw,
        [
            leg("WETH", WETH, 40 * WAD, 18, "collateral", 3_000.0),
            leg("USDC", USDC, debt, 6, "debt", 1.0),
        ],
        **more,
    )


def ethereum(at: int, health: float = 1.0412, block: int = 21_400_000) -> RiskDocument:
    """Return the chain that is read well; the first position's health can be set."""
    allowance = {"asset": USDC, "symbol": "USDC", "decimals": "6"}
    positions = [
        lending(TREASURY, health, at=at, block=block),
        lending(OPS, WAD - 2_900_000_000_000_000, market="Spark", part="spark", at=at, block=block),
        lending(OPS, 1_010_000_000_000_000_001, market="Aave v3", at=at, block=block),
        position(
            "morpho-blue",
            "wstETH / USDC 86 %",
            TREASURY,
            1_384_000_000_000_000_000,
            [
                leg("wstETH", WETH, 25 * WAD, 18, "collateral", 3_550.0),
                leg("USDC", USDC, 52_000 * 10**6, 6, "debt", 1.0),
            ],
            part="0x" + "c5" * 32,
            at=at,
            block=block,
        ),
        position(
            "compound-v2",
            "Benqi",
            TREASURY,
            None,
            [leg("QI", WBTC, 9 * WAD, 18, "collateral", None)],
            status="unknown",
            causes=["the price of QI is stale: 26 h old, it promises 24 h"],
            at=at,
            block=block,
        ),
        lending(TREASURY, 2.41, market="Spark", part="2", at=at, block=block),
        position(
            "erc4626",
            "Steakhouse USDC",
            TREASURY,
            None,
            [leg("USDC", USDC, 1_250_000 * 10**6, 6, "asset", 1.0)],
            kind="vault",
            at=at,
            block=block,
        ),
        position(
            "wallet",
            "wallet",
            OPS,
            None,
            [leg("ETH", ZERO, 31 * WAD // 10, 18, "asset", 3_000.0)],
            kind="wallet",
            at=at,
            block=block,
            allowances=[
                {
                    **allowance,
                    "spender": MORPHO,
                    "amount_raw": str(2**256 - 1),
                    "unlimited": True,
                },
                {**allowance, "spender": POOL, "amount_raw": "5000000000", "unlimited": False},
            ],
        ),
    ]
    unread = [
        {
            "chain": "ethereum",
            "protocol": "uniswap-v3",
            "market": "Uniswap v3",
            "root": POOL,
            "owner": OPS,
            "cause": "execution reverted at the position manager",
        }
    ]
    return risk("ethereum", at, positions, block=block, unknown=unread)


def base(at: int) -> RiskDocument:
    """Return the chain that fell silent."""
    return risk("base", at, [lending(OPS, 1.62, chain="base", at=at, block=23_100)], block=23_100)
