"""Documents as a monitor would have written them: two chains, every kind of position and doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from underkeel.documents.exposure import ExposureDocument
from underkeel.documents.ladder import LadderDocument
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


STEPS = [-0.5, -0.4, -0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2]


def ladder(at: int, held: RiskDocument) -> LadderDocument:
    """Return what moving ether and bitcoin would do."""
    owed = [p for p in held.positions if p.liquidation.health_raw is not None]
    rows = []
    for one in owed:
        level = int(one.liquidation.health_raw or 0) / WAD
        health = [level * (1 + step) for step in STEPS]
        rows.append(
            {
                "id": one.id,
                "chain": one.chain,
                "protocol": one.protocol,
                "market": one.market,
                "owner": one.owner,
                "owner_name": one.owner_name,
                "status": one.liquidation.status,
                "health": level,
                "health_raw": one.liquidation.health_raw,
                "health_scale": str(WAD),
                "debt_usd": -sum(leg.value_usd or 0 for leg in one.legs if leg.side == "debt"),
                "equity_usd": one.equity_usd,
                "curves": [
                    {
                        "factor": "ETH",
                        "health": health,
                        "status": ["liquidatable" if h < 1 else "safe" for h in health],
                        "boundary": one.liquidation.boundary[0].model_dump(),
                        "cause": None,
                    }
                ],
                "chances": [
                    {
                        "horizon_s": str(horizon),
                        "p": min(1.0, 0.02 * days / max(level - 0.99, 0.005)),
                        "ci_lo": 0.001,
                        "ci_hi": 0.9,
                        "method": "simulation",
                        "cause": None,
                    }
                    for days, horizon in ((0.3, 86_400), (1.0, 604_800))
                ],
                "chances_cause": None,
            }
        )
    worst = min(int(one.liquidation.health_raw or 0) for one in owed) / WAD
    grid = [[worst * (1 + x) * (1 + y / 4) for x in STEPS] for y in STEPS]
    return LadderDocument.model_validate(
        {
            "schema": "underkeel.ladder/1",
            "generated_at": moment(at),
            "engine_version": "underkeel 0.1.0",
            "model_version": "liquidation/1",
            "chains": [
                {
                    "name": "ethereum",
                    "chain_id": "1",
                    "block_number": "21400000",
                    "block_hash": HASH,
                    "timestamp": str(at),
                    "cause": None,
                }
            ],
            "steps": STEPS,
            "factors": [
                {
                    "name": "ETH",
                    "feeds": [
                        {
                            "chain": "ethereum",
                            "factor": FEED,
                            "label": "ETH / USD",
                            "current_raw": "300000000000",
                            "decimals": "8",
                        }
                    ],
                    "positions": str(len(owed)),
                    "debt_usd": 400_000.0,
                }
            ],
            "positions": rows,
            "left_out": "0",
            "left_out_health": None,
            "heat": {
                "x": "ETH",
                "y": "BTC",
                "x_steps": STEPS,
                "y_steps": STEPS,
                "equity_usd": [[1e6 * (1 + x) for x in STEPS] for _ in STEPS],
                "liquidatable": [[sum(h < 1 for h in (c, c * 1.4)) for c in row] for row in grid],
                "unknown": [[0 for _ in STEPS] for _ in STEPS],
                "worst": grid,
                "positions": str(len(owed)),
                "left_out": "0",
                "equity_cause": None,
            },
            "heat_cause": None,
            "unknown": ["ethereum: compound-v2 Benqi: its price is stale"],
            "took_s": 1.2,
        }
    )


def _node(id: str, kind: str, label: str, admin: str | None, delay: str, hazard: float) -> Any:
    address = POOL if kind != "position" else None
    return {
        "chain": "ethereum",
        "id": id,
        "kind": kind,
        "label": label,
        "address": address,
        "codehash": None,
        "answers_as": "contract" if address else None,
        "proxies": [],
        "admin_kind": admin,
        "delay_s": delay if admin else None,
        "ways": [
            {"verb": "upgrade", "kind": admin, "end": OPS, "delay_s": delay, "steps": [POOL, OPS]}
        ]
        if admin
        else [],
        "hazard_annual": hazard,
        "pd_annual": hazard * 0.97,
        "base": 0.01,
        "factors": [],
        "unknown": [] if admin != "unknown" else ["its admin slot does not answer"],
    }


def exposure(at: int, held: RiskDocument) -> ExposureDocument:
    """Return what the positions stand on."""
    nodes = [
        _node("pool", "code", "Aave v3 Pool", "timelocked-governance", "86400", 0.02),
        _node("oracle", "oracle", "ETH / USD", "safe", "0", 0.03),
        _node("vault", "code", "Steakhouse USDC", "eoa", "0", 0.09),
        _node("usdc", "token", "USDC", "eoa", "0", 0.01),
        _node("bridge", "code", "Bridge", "unknown", "0", 0.11),
        _node("gov", "control", "Aave governance", None, "0", 0.01),
    ]
    edges = []
    for one in held.positions:
        names = ("vault", "usdc") if one.protocol == "erc4626" else ("pool", "oracle", "usdc")
        edges += [(one.id, name) for name in names]
    edges += [("pool", "gov"), ("oracle", "gov"), ("vault", "bridge")]
    stake = {one.id: max(one.equity_usd or 0.0, 0.0) for one in held.positions}
    return ExposureDocument.model_validate(
        {
            "schema": "underkeel.exposure/1",
            "generated_at": utc(at),
            "horizon_years": 1.0,
            "chains": [
                {
                    "name": "ethereum",
                    "chain_id": "1",
                    "block_number": "21400000",
                    "block_hash": HASH,
                    "timestamp": str(at),
                }
            ],
            "accounts": [TREASURY, OPS],
            "positions": [
                {
                    "id": one.id,
                    "chain": "ethereum",
                    "protocol": one.protocol,
                    "ead_usd": None if one.equity_usd is None else stake[one.id],
                    "el_usd": None if one.equity_usd is None else stake[one.id] * 0.03,
                    "failure_frac": 0.03,
                    "admin_kind": "eoa",
                    "delay_s": "0",
                    "exits": [],
                    "unknown": [],
                }
                for one in held.positions
            ],
            "nodes": nodes,
            "edges": [
                {
                    "chain": "ethereum",
                    "source": source,
                    "target": target,
                    "kind": "stands-on",
                    "lgd": 1.0,
                    "evidence": "read",
                }
                for source, target in edges
            ],
            "el_usd": None,
            "el_known_usd": 41_250.0,
            "net_el_usd": None,
            "worst": [
                {
                    "node": f"ethereum/{name}",
                    "nodes": [f"ethereum/{name}"],
                    "loss_usd": loss,
                    "pd_annual": 0.02,
                    "positions": list(stake)[:2],
                    "unknown": [],
                }
                for name, loss in (
                    ("usdc", 1_390_000.0),
                    ("vault", 1_250_000.0),
                    ("pool", 140_000.0),
                    ("oracle", 96_000.0),
                    ("bridge", 31_000.0),
                )
            ],
            "hhi": {
                "protocol": 0.61, "codehash": 0.5, "oracle": 0.8,
                "admin": 0.44, "bridge": None, "chain": 1.0,
            },
            "allowances": [
                {
                    "chain": "ethereum",
                    "position": next(p.id for p in held.positions if p.allowances),
                    "asset": USDC,
                    "symbol": "USDC",
                    "spender": MORPHO,
                    "allowance_raw": str(2**256 - 1),
                    "takes_raw": "0",
                    "takes_usd": 0.0,
                }
            ],
            "takeable_usd": 0.0,
            "cover": [],
            "unknown": ["ethereum: who rules Bridge"],
        }
    )  # fmt: skip
