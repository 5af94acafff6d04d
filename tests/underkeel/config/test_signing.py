"""Signers and policies in the config: what is taken, what is refused, and in which words."""

from decimal import Decimal
from pathlib import Path

import pytest

from chain.types import Address, checksum
from underkeel.config.edit import add_wallet, remove_wallet
from underkeel.config.load import Config, load
from underkeel.errors import AppError, ConfigError

WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
OTHER = checksum("0x" + "11" * 20)
HEAD = f"""version = 1
mode = "live"
[chains.a]
chain_id = 1
rpc = ["http://127.0.0.1:1"]
[wallets.ops]  # mine
address = "{WALLET}"
"""
KEYSTORE = HEAD + 'signer = { kind = "keystore", path = "ops.json", password = "env:PW" }\n'
POLICY = "[policy.ops]\nmax_tx_usd = 10\nmax_day_usd = 20\nmax_fee_gwei = 1.5\nallow = []\n"


def loaded(text: str, tmp_path: Path) -> Config:
    path = tmp_path / "underkeel.toml"
    path.write_text(text)
    return load(path, {})


def test_load__live_with_signer_and_policy__is_understood(tmp_path: Path) -> None:
    more = 'min_gas_balance_eth = 0.05\nheartbeat = "x"\nmax_silence = "1d"\nguards = []\n'
    targets = f'targets = {{ "{OTHER}" = ["claim(address,uint256)"] }}\n'
    settings = loaded(KEYSTORE + POLICY + more + targets, tmp_path).settings
    policy = settings.policy["ops"]
    assert settings.mode == "live"
    assert policy.max_fee_gwei == Decimal("1.5")
    assert policy.min_gas_balance_eth == Decimal("0.05")
    assert settings.wallets["ops"].own
    assert settings.storage.url == "sqlite"


def signer(text: str) -> str:
    return HEAD + f"signer = {{ {text} }}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (signer('kind = "keystor"'), "did you mean 'keystore'?"),
        (signer('kind = "keystore"'), 'kind = "keystore" needs path; add path'),
        (signer('kind = "keystore", path = "x", pth = 1'), "pth: unknown key; did you mean 'path'"),
        (signer('kind = "keystore", path = "x", url = "http://x"'), "url is not a key of keystore"),
        (signer('kind = "cast", device = "legder"'), "did you mean 'ledger'?"),
        (signer('kind = "cast", device = "aws", path = "x"'), "path is not a key of cast with aws"),
        (
            signer('kind = "cast", device = "keystore", path = "x", password = "env:PW"'),
            "cast takes a password from a file only",
        ),
        (signer('kind = "web3signer", url = "ftp://x"'), "is not a URL of the kind http"),
        (
            KEYSTORE.replace("[wallets.ops]", "[wallets.ops]\nkind = 'safe'"),
            'kind = "safe" has no key',
        ),
        (KEYSTORE + POLICY.replace("ops", "opps"), "is for no wallet; did you mean 'ops'?"),
        (KEYSTORE + POLICY + "chains = ['b']\n", "names the chain 'b', which is not there"),
        (KEYSTORE + POLICY + "max_tx_us = 1\n", "did you mean 'max_tx_usd'?"),
        (KEYSTORE + POLICY.replace("[]", "['aave']"), "'aave' cannot be allowed; did you mean"),
        (KEYSTORE + POLICY.replace("20", "5"), "max_tx_usd ≤ max_hour_usd ≤ max_day_usd does not"),
        (KEYSTORE + POLICY.replace("1.5", "-1"), "is not a sensible amount"),
        (KEYSTORE + POLICY.replace("1.5", "true"), "is not a number"),
        (KEYSTORE + POLICY.replace("1.5", "'x'"), "is not a number"),
        (KEYSTORE + POLICY.replace("1.5", "0.0000000001"), "has more than 9 places"),
        (KEYSTORE + POLICY + "heartbeat = 'x'\n", "heartbeat and max_silence go together"),
        (KEYSTORE + POLICY + f"targets = {{ '{OTHER}' = ['f('] }}\n", "is not a function that can"),
        (
            KEYSTORE + POLICY + f"targets = {{ '{OTHER}' = ['f(address[])'] }}\n",
            "address[] among its arguments cannot be checked",
        ),
        (KEYSTORE + POLICY + "approvals = 'infinite'\n", "policy.ops.approvals: 'infinite' is not"),
        (KEYSTORE + "max_tx_usd = 1\n", "it belongs in [policy.NAME]"),
    ],
)
def test_load__bad_signer_or_policy__one_line_that_says_what_to_do(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text, tmp_path)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == len(caught.value.problems)


@pytest.mark.parametrize(
    "text",
    [
        signer('kind = "keystore", path = "x", password = "hunter2hunter2"'),
        signer('kind = "keystore", path = "x", pasword = "hunter2hunter2"'),
        signer('kind = "env", name = "hunter2hunter2", private_key = "hunter2hunter2"'),
        signer('kind = "web3signer", url = "htp://me:hunter2hunter2@x"'),
        HEAD + 'password = "hunter2hunter2"\n',
        HEAD + 'key = "' + "4c08" * 16 + '"\n',
    ],
    ids=["password", "mistyped", "key", "login", "elsewhere", "raw"],
)
def test_load__secret_in_the_config__refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text, tmp_path)
    assert "hunter2" not in str(caught.value)
    assert "4c08" * 4 not in str(caught.value)


def test_edit__add_and_remove__leave_all_other_lines(tmp_path: Path) -> None:
    before = KEYSTORE + POLICY + "\n# the end\n[storage]\nurl = 'sqlite'\n"
    path = loaded(before, tmp_path).path
    path.chmod(0o600)
    add_wallet(path, "new", Address(OTHER), "new.json")
    assert path.read_text().startswith(before)
    table = load(path, {}).settings.wallets["new"]
    assert table.signer is not None
    assert (table.signer.path, table.kind) == ("new.json", "eoa")
    assert path.stat().st_mode & 0o777 == 0o600
    remove_wallet(path, "new")
    assert path.read_text().rstrip() == before.rstrip()
    remove_wallet(path, "ops")
    left = path.read_text()
    assert "policy" not in left
    assert WALLET not in left
    assert "[storage]" in left
    assert [p.name for p in tmp_path.iterdir()] == ["underkeel.toml"]


def test_edit__what_would_break_the_config__leaves_it(tmp_path: Path) -> None:
    path = loaded(KEYSTORE, tmp_path).path
    with pytest.raises(ConfigError):
        add_wallet(path, "again", Address(WALLET), None)
    with pytest.raises(AppError, match="remove it by hand"):
        remove_wallet(path, "none")
    assert path.read_text() == KEYSTORE
