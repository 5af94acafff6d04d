"""Positions as the `risk` document has them, small."""

from typing import Any

from tests.fixtures_store import BEGIN

OWNER = "0x" + "11" * 20
TOKEN = "0x" + "22" * 20


def leg(side: str = "debt", amount: int = 10**18, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "asset": TOKEN, "symbol": "TKN", "name": "", "amount_raw": str(amount), "decimals": "18",
        "side": side, "oracle_expr": "chainlink(0xabc)", "price_raw": "200000000",
        "price_decimals": "8", "price_quote": "USD", "price_age_s": "12", "price_problems": [],
        "value_usd": -2.0,
    }  # fmt: skip
    return made | changes


def position(
    at: float = 0.0, *legs: dict[str, Any], status: str = "safe", **changes: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": "1:aave-v3:root:owner", "chain": "ethereum", "protocol": "aave-v3", "version": "3",
        "market": "core", "root": TOKEN, "owner": OWNER, "owner_name": "main", "kind": "lending",
        "legs": list(legs or (leg("collateral", 2**256 - 1), leg())), "equity_usd": 7.5,
        "verified": True, "notes": [], "unknown": [], "allowances": [],
        "liquidation": {"status": status, "health_raw": "15", "health_scale": "10", "causes": []},
        "provenance": {
            "chain_id": "1", "block_number": str(int(at)), "block_hash": f"0x{int(at):064x}",
            "timestamp": str(int(BEGIN + at)),
        },
    }  # fmt: skip
    return made | changes


def document(
    *positions: dict[str, Any], unknown: bool = False, status: str = "ok"
) -> dict[str, Any]:
    return {
        "schema": "underkeel.risk/1", "positions": list(positions),
        "unknown": [{"cause": "down"}] if unknown else [], "chains": [{"status": status}],
    }  # fmt: skip
