"""Markets known without configuration."""

from collections.abc import Mapping
from typing import Any

import pytest

from chain.types import ZERO_ADDRESS
from protocols import deployments
from protocols.deployments import BadRow, Deployment
from protocols.prices import expr
from protocols.registry import ADAPTERS, BY_NAME
from tests.protocols.prices.build import address

ROOT = address(0xAA)
ID = "0x" + "Ab" * 32
UNISWAP: Mapping[str, Any] = {"chain_id": 1, "name": "x", "position_manager": ROOT}
MORPHO: Mapping[str, Any] = {"chain_id": 1, "name": "x", "morpho": ROOT}
PRICE: Mapping[str, Any] = {"chain_id": 1, "token": ZERO_ADDRESS, "feed": ROOT, "quote": "USD"}


def test_deployments__all_our_rows__are_sound() -> None:
    found = deployments.deployments()
    assert {d.market.adapter for d in found} <= set(BY_NAME)
    assert all((d.market.root == ZERO_ADDRESS) is (d.market.adapter == "wallet") for d in found)


def test_markets__major_chains__have_uniswap() -> None:
    for chain_id in (1, 10, 56, 137, 8453, 42161, 43114):
        assert "uniswap-v3" in {market.adapter for market in deployments.markets(chain_id)}
    assert deployments.markets(31337) == ()


def test_prices__ethereum__knows_its_coin() -> None:
    assert all(isinstance(row.feed, expr.Feed) for row in deployments.prices(1))
    assert ZERO_ADDRESS in {row.token for row in deployments.prices(1)}
    assert deployments.prices(31337) == ()


def test_deployment__adapter__is_the_files_name_unless_said() -> None:
    by_file = deployments.deployment("uniswap_v3.toml", UNISWAP)
    by_key = deployments.deployment("forks.toml", {"adapter": "uniswap-v3", **UNISWAP})
    assert by_file == by_key
    assert by_file.market.root == ROOT
    assert by_file.market.params == {}


def test_deployment__further_keys__are_parsed_by_their_kinds() -> None:
    row = {**MORPHO, "market_ids": [ID], "from_block": 5}
    params = deployments.deployment("morpho_blue.toml", row).market.params
    assert params == {"market_ids": (ID.lower(),), "from_block": 5}
    wallet = {"chain_id": 1, "name": "x", "tokens": [ROOT.lower()], "discover": False}
    market = deployments.deployment("wallet.toml", wallet).market
    assert (market.root, market.params) == (ZERO_ADDRESS, {"tokens": (ROOT,), "discover": False})


@pytest.mark.parametrize(
    ("file", "row", "reason"),
    [
        ("nothing.toml", UNISWAP, "its adapter is none of"),
        ("uniswap_v3.toml", {**UNISWAP, "chain_id": 0}, "chain_id must be"),
        ("uniswap_v3.toml", {**UNISWAP, "chain_id": "1"}, "chain_id must be"),
        ("uniswap_v3.toml", {**UNISWAP, "name": ""}, "name is missing"),
        ("uniswap_v3.toml", {"chain_id": 1, "name": "x"}, "position_manager"),
        ("uniswap_v3.toml", {**UNISWAP, "position_manager": "0x12"}, "is not an address"),
        ("uniswap_v3.toml", {**UNISWAP, "position_manager": 12}, "not of kind address"),
        ("uniswap_v3.toml", {**UNISWAP, "position_manger": ROOT}, "no key 'position_manger'"),
        ("uniswap_v3.toml", {**UNISWAP, "from_block": -1}, "not of kind integer"),
        ("morpho_blue.toml", {**MORPHO, "market_ids": ["0x12"]}, "not of kind ids"),
        ("morpho_blue.toml", {**MORPHO, "market_ids": [5]}, "not of kind ids"),
        ("morpho_blue.toml", {**MORPHO, "market_ids": ["0x" + "zz" * 32]}, "not of kind ids"),
    ],
)
def test_deployment__wrong_row__says_which_and_why(
    file: str, row: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(BadRow, match=reason) as raised:
        deployments.deployment(file, row)
    assert file in str(raised.value)


def test_price__row__is_parsed() -> None:
    chain_id, row = deployments.price("prices.toml", {**PRICE, "heartbeat": 3600})
    assert (chain_id, row.feed, row.quote, row.heartbeat_s) == (1, expr.Feed(ROOT), "USD", 3600)


@pytest.mark.parametrize("change", [{"chain_id": None}, {"feed": "x"}, {"more": 1}])
def test_price__wrong_row__says_which(change: dict[str, Any]) -> None:
    with pytest.raises(BadRow, match=r"prices\.toml"):
        deployments.price("prices.toml", {**PRICE, **change})


def test_check__same_market_twice__is_refused() -> None:
    row = deployments.deployment("uniswap_v3.toml", UNISWAP)
    other = Deployment(2, row.market)
    assert deployments.check([("a", row), ("b", other)]) == (row, other)
    with pytest.raises(BadRow, match="twice"):
        deployments.check([("a", row), ("b", row)])


def test_registry__order__is_that_of_the_tuple() -> None:
    assert list(BY_NAME) == [adapter.name for adapter in ADAPTERS]
