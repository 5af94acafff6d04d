"""A root that is not what the config takes it for is named in words, by every adapter."""

from typing import Any

import pytest

from chain.abi import Function
from chain.calls import NoCode, Ok, ReadFailed, Result, Reverted, Unknown
from protocols.aave_v3 import AaveV3
from protocols.adapter import Market
from protocols.compound_v2 import CompoundV2
from protocols.morpho_blue import MorphoBlue
from protocols.root import check_root
from protocols.uniswap_v3 import UniswapV3
from tests.support import referee
from tests.support.fake_chain import AT, address

ROOT, OWNER = address(1), address(2)
ADAPTERS: tuple[tuple[Any, str], ...] = (
    (AaveV3(), "is no PoolAddressesProvider: it has no getPool()"),
    (CompoundV2(), "is no Comptroller: it has no getAllMarkets()"),
    (MorphoBlue(), "is no Morpho: it has no feeRecipient()"),
    (UniswapV3(), "is no position manager: it has no factory()"),
)


@pytest.mark.parametrize(("adapter", "words"), ADAPTERS)
@pytest.mark.parametrize("silence", [Reverted(b""), Ok(b"")])
def test_read__root_of_another_kind__says_what_it_is_not(
    adapter: Any, words: str, silence: Result
) -> None:
    market = Market(adapter.name, "m", ROOT, {"market_ids": ("0x" + "11" * 32,)})
    with pytest.raises(ReadFailed, match=f"{ROOT} {words[:-2]}"):
        referee.drive(adapter.read(market, [OWNER], AT), lambda batch: [silence for _ in batch])


@pytest.mark.parametrize(("adapter", "words"), ADAPTERS)
def test_read__nothing_there__says_so(adapter: Any, words: str) -> None:
    what = words.removeprefix("is no ").split(":")[0]
    market = Market(adapter.name, "m", ROOT, {"market_ids": ("0x" + "11" * 32,)})
    with pytest.raises(ReadFailed, match=f"no {what} at {ROOT}: no contract"):
        referee.drive(adapter.read(market, [OWNER], AT), lambda batch: [NoCode() for _ in batch])


def test_check_root__answered_or_not_asked__passes() -> None:
    for fine in (Ok(bytes(32)), Ok(b"odd"), Unknown("timed out")):
        check_root(ROOT, "thing", Function("f()(address)"), fine)
