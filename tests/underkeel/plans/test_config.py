"""`[[plan]]` rows and questions that make no sense are refused with the nearest name."""

import re
from pathlib import Path

import pytest

from underkeel.config.load import Config, load
from underkeel.errors import ConfigError, UsageError
from underkeel.plans.wanted import Asked, wanted

OWNER = "0x52908400098527886E0F7030069857D2E4169EE7"
HEAD = f"""
version = 1
[chains.demo]
chain_id = 7
rpc = ["https://a.example"]
[wallets.daring]
address = "{OWNER}"
"""


def written(folder: Path, rows: str) -> Config:
    path = folder / "underkeel.toml"
    path.write_text(HEAD + rows + "\n")
    return load(path, {})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('[[plan]]\nname = "a"\nkind = "repai"', "did you mean 'repay'?"),
        ('[[plan]]\nname = "a"\nrestor_to = 1.5', "did you mean 'restore_to'?"),
        ('[[plan]]\nname = "a"\naccount = "darin"', "did you mean 'daring'?"),
        ('[[plan]]\nname = "a"\nmatch = { protocl = "x" }', "did you mean 'protocol'?"),
        ('[[plan]]\nname = "a"\nfire_below = 1.5\nrestore_to = 1.4', "is not above fire_below"),
        ('[[plan]]\nname = "a"\nactions = ["top-upp"]', "did you mean 'top-up'?"),
        ('[[plan]]\nname = "a"\nweights = { USDC = 0.4 }', "add up to 0.4"),
        ('[[plan]]\nname = "a"\n[[plan]]\nname = "a"', "two plans are called 'a'"),
        ('[[plan]]\nname = "a"\nrestore_to = 0.9', "is below 1"),
        ('[[plan]]\nname = "a"\nvalid_for = "1s"', "write 30s to 1d"),
    ],
)
def test_plan_row__that_makes_no_sense__is_named(rows: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        written(tmp_path, rows)


def test_plan_row__numbers__are_exact(tmp_path: Path) -> None:
    (row,) = written(tmp_path, '[[plan]]\nname = "a"\nrestore_to = 1.1').settings.plan
    assert str(row.restore_to) == "1.1"
    assert row.kind == "restore-health"
    for bad in ("true", '"x"', "inf", "[]"):
        with pytest.raises(ConfigError, match="is not a number"):
            written(tmp_path, f'[[plan]]\nname = "a"\nband = {bad}')


def test_wanted__row_kind_or_nothing(tmp_path: Path) -> None:
    config = written(tmp_path, '[[plan]]\nname = "a"\naccount = "daring"\nfire_below = 1.2')
    by_row = wanted(config, "a", Asked(target_health="1.8", position="5"))
    assert (by_row.account, by_row.wallet) == (OWNER, OWNER)
    assert by_row.forced
    assert str(by_row.row.restore_to) == "1.8"
    assert by_row.row.match.position == "5"
    by_kind = wanted(config, "repay", Asked())  # there is but one wallet
    assert by_kind.account == OWNER
    assert not by_kind.forced
    for name, asked, said in (
        ("repai", Asked(), "did you mean 'repay'?"),
        ("a", Asked(target_health="no"), "no health to aim at"),
        ("a", Asked(target_health="0.9"), "no health to aim at"),
        ("a", Asked(wallet="darling"), "did you mean 'daring'?"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            wanted(config, name, asked)
