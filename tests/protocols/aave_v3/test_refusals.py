"""Refusals in words: the codes and names are those of the published sources."""

import re

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world import install

from executor.plan.lab import reverted
from protocols.aave_v3.refusals import WORDS

ERRORS = "protocol/libraries/helpers/Errors.sol"


def test_refusals__every_row__is_in_the_sources_of_both_releases() -> None:
    modules = install.node_modules()
    old = (modules / "@aave/core-v3/contracts" / ERRORS).read_text()
    new = (modules / "@aave-dao/aave-v3-origin/src/contracts" / ERRORS).read_text()
    for code, name in WORDS:
        found = re.search(rf"constant (\w+) = '{code}';", old)
        assert found is not None
        assert found[1].replace("_", "").casefold() == name.removesuffix("()").casefold()
        assert f"error {name};" in new


def test_reverted__code_or_error__is_told_in_words() -> None:
    words = "health would fall below 1"
    reason = keccak(text="Error(string)")[:4] + encode(["string"], ["35"])
    assert reverted(reason) == f"reverted: 35 (of Aave: {words})"
    error = keccak(text="HealthFactorLowerThanLiquidationThreshold()")[:4]
    assert words in reverted(error)
    assert reverted(b"") == "reverted without a reason"
