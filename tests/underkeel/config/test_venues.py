"""The venues of a config, and the known ones beside them."""

from pathlib import Path

import pytest

from executor.swaps.uniswap_v2 import UniswapV2
from underkeel.config.load import load
from underkeel.config.model import ChainTable
from underkeel.config.problems import one_line
from underkeel.config.venues import venues_of
from underkeel.errors import ConfigError

HEAD = 'version = 1\n[chains.ethereum]\nchain_id = 1\nrpc = ["https://a.example"]\n'
ROW = """
[[chains.ethereum.venues]]
kind = "uniswap-v2"
name = "Uniswap v2"
factory = "0x1111111111111111111111111111111111111111"
router = "0x2222222222222222222222222222222222222222"
"""


def chain(tmp_path: Path, text: str) -> ChainTable:
    path = tmp_path / "underkeel.toml"
    path.write_text(text)
    return load(path, {}).settings.chains["ethereum"]


def test_venues__of_a_config__stand_before_the_known_ones_and_replace_them(
    tmp_path: Path,
) -> None:
    found = venues_of(chain(tmp_path, HEAD + ROW))
    assert [venue.name for venue in found] == ["Uniswap v2", "Uniswap v3", "Uniswap v4"]
    assert isinstance(found[0], UniswapV2)
    assert found[0].factory == "0x" + "1" * 40


def test_venues__without_defaults__are_the_configs_alone(tmp_path: Path) -> None:
    text = HEAD + "defaults = false\n"
    assert venues_of(chain(tmp_path, text)) == ()
    assert len(venues_of(chain(tmp_path, text + ROW))) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "uniswap-v2"', 'kind = "uniswap-v5"', "did you mean 'uniswap-v4'"),
        ('kind = "uniswap-v2"', "", "kind is missing"),
        ('router = "0x2222222222222222222222222222222222222222"', "", "router is missing"),
        ("0x2222222222222222222222222222222222222222", "0x12", "router: "),
        ("[[chains.ethereum.venues]]", "[chains.ethereum.venues]", "venues"),
    ],
    ids=["other-kind", "no-kind", "no-router", "no-address", "no-list"],
)
def test_venues__that_are_none__are_named_with_what_to_do(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        chain(tmp_path, HEAD + ROW.replace(old, new))
    assert said in one_line(str(caught.value))
