"""Studies as the service would have computed them: the ladder with its heat map, the exposure."""

from __future__ import annotations

from typing import Any

from tests.e2e.web.documents import FEED, HASH, MORPHO, OPS, POOL, TREASURY, USDC, WAD, moment, utc
from underkeel.documents.exposure import ExposureDocument
from underkeel.documents.ladder import LadderDocument
from underkeel.documents.models import RiskDocument

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
