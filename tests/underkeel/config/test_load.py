"""The config: what is taken, what is refused, and in which words."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underkeel.config.load import Config, decode_toml, load, parse
from underkeel.config.model import json_schema
from underkeel.errors import ConfigError, Exit

ROOT = "0x2f39d218133AFaB8F2B819B1066c7E434Ad94E9e"
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

WHOLE = f"""
version = 1
mode = "dry-run"
timezone = "Europe/Berlin"
[chains.ethereum]
chain_id = 1
rpc = ["env:ETH_RPC_A", "https://b.example/v2/very-secret-key"]
ws = "wss://b.example/ws"
quorum = 2
max_block_age = "60s"
multicall3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
head_lag = 2
max_price_age = "1d"
defaults = false
discover = false
[[chains.ethereum.markets]]
adapter = "aave-v3"
name = "my fork"
pool_addresses_provider = "{ROOT}"
[[chains.ethereum.markets]]
adapter = "morpho-blue"
morpho = "0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb"
market_ids = []
[[chains.ethereum.markets]]
adapter = "wallet"
tokens = ["0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"]
[[chains.ethereum.prices]]
token = "0x0000000000000000000000000000000000000000"
feed = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
quote = "usd"
heartbeat = "1h"
[wallets.treasury]
address = "{WALLET}"
kind = "safe"
"""
MINIMAL = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['http://127.0.0.1:1']\n"


def loaded(text: str, tmp_path: Path, **environ: str) -> Config:
    path = tmp_path / "underkeel.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ)


def problems(text: str, tmp_path: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(text, tmp_path, **environ)
    assert caught.value.code is Exit.CONFIG
    assert len(str(caught.value).splitlines()) == len(caught.value.problems)
    return str(caught.value)


def test_load__every_key__is_understood(tmp_path: Path) -> None:
    config = loaded(WHOLE, tmp_path, ETH_RPC_A="https://a.example/")
    chain = config.settings.chains["ethereum"]
    assert config.endpoints["ethereum"].rpc[0] == "https://a.example/"
    assert (chain.max_block_age, chain.max_price_age, chain.quorum) == (60, 86_400, 2)
    assert [row.market.adapter for row in chain.markets] == ["aave-v3", "morpho-blue", "wallet"]
    assert chain.markets[0].market.root == ROOT
    assert chain.markets[1].market.params["market_ids"] == ()
    assert (chain.prices[0].quote, chain.prices[0].heartbeat) == ("USD", 3600)
    assert chain.prices[0].feed == "feed(0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timezon = 'UTC'\n" + MINIMAL, "timezon: unknown key; did you mean 'timezone'?"),
        ("timezone = 'Europe/Berln'\n" + MINIMAL, "did you mean 'Europe/Berlin'?"),
        ("mode = 'dryrun'\n" + MINIMAL, "did you mean 'dry-run'?"),
        (MINIMAL + "quorom = 1\n", "chains.a.quorom: unknown key; did you mean 'quorum'?"),
        (MINIMAL + "quorum = 2\n", "needs as many endpoints, and rpc has 1"),
        (MINIMAL + "quorum = true\n", "chains.a.quorum: True is not a whole number"),
        (MINIMAL + "token = 'x'\n", "it belongs in [[chains.NAME.prices]]"),
        (MINIMAL + "max_block_age = 60\n", "60 is not a duration; write a whole number and"),
        (MINIMAL + "head_lag = -1\n", "chains.a.head_lag: input should be greater than"),
        (MINIMAL + "multicall3 = '0x12'\n", "expected 0x and 40 hex digits"),
        (MINIMAL + "ws = 'https://x.example'\n", "is not a URL of the kind ws or wss"),
        (MINIMAL + "[web]\nbind = 'x'\n", "is no address and port"),
        (MINIMAL + "[[alert]]\nid = 'x'\n", "alert[0].expr: is missing"),
        ("version = 2\n", "version: 2 is not 1"),
        ("[chains.a]\nchain_id = 1\nrpc = ['http://x']\n", "version: is missing; add it"),
        ("version = 1\n[chains.a]\nchain_id = 1\nrpc = []\n", "chains.a.rpc"),
        ("version = 1\n[chains.a]\nchain_id = 0\nrpc = 'http://x'\n", "chains.a.chain_id"),
        (MINIMAL + "[chains.b]\nchain_id = 1\nrpc = 'http://x'\n", "have the same chain_id"),
        (
            MINIMAL + f"[wallets.a]\naddress = '{WALLET}'\n[wallets.b]\naddress = '{WALLET}'\n",
            "'a' and 'b' have the same address",
        ),
        (
            MINIMAL + "[wallets.a]\naddress = '0x52908400098527886E0F7030069857D2E4169Ee7'\n",
            f"its checksum is wrong; if the digits are right, write {WALLET}",
        ),
        (MINIMAL + f"[wallets.a]\naddress = '{WALLET}'\nkind = 'saef'\n", "did you mean 'safe'?"),
        (MINIMAL + "[wallets.a]\naddress = 5\n", "wallets.a.address: 5 is not text"),
        ("version = 1\n[chains.a\n", "is not TOML"),
        ("version = 1\nversion = 1\n", "is not TOML"),
        (f"version = {'9' * 5000}\n", "is not TOML"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("x = " + "[" * 200 + "]" * 200 + "\n" + MINIMAL, "nested too deeply"),
        ("version = 1\nchains = 5\n", "chains: input should be a valid dictionary"),
    ],
)
def test_load__bad_key_or_value__one_line_that_says_what_to_do(
    text: str, said: str, tmp_path: Path
) -> None:
    assert said in problems(text, tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "adapter = 'aave'\n",
            "markets[0].adapter: 'aave' is not an adapter; did you mean 'aave-v3'?",
        ),
        ("name = 'x'\n", "markets[0].adapter: is missing"),
        ("adapter = 'aave-v3'\n", "pool_addresses_provider: is missing"),
        (
            f"adapter = 'aave-v3'\npool_address_provider = '{ROOT}'\n",
            "is not a key of aave-v3; did you mean 'pool_addresses_provider'?",
        ),
        ("adapter = 'erc4626'\nvault = '0x12'\n", "vault: '0x12' is not an address"),
        ("adapter = 'wallet'\ntokens = '0x12'\n", "tokens: is not a list"),
        ("adapter = 'wallet'\ntokens = ['0x12']\n", "tokens[0]: '0x12' is not an address"),
        (f"adapter = 'wallet'\ntokens = ['{ROOT}', '{ROOT}']\n", "names one thing twice"),
        (f"adapter = 'morpho-blue'\nmorpho = '{ROOT}'\nmarket_ids = ['0x12']\n", "is not an id"),
        (f"adapter = 'erc4626'\nvault = '{ROOT}'\nname = ''\n", "name: is not a name"),
        ("adapter = 'wallet'\nfrom_block = -1\n", "from_block: -1 is not a block number"),
        ("adapter = 'wallet'\nfrom_block = true\n", "from_block: True is not a block number"),
    ],
)
def test_load__bad_market__names_the_adapters_own_key(row: str, said: str, tmp_path: Path) -> None:
    assert said in problems(MINIMAL + "[[chains.a.markets]]\n" + row, tmp_path)


def test_load__market_that_is_no_table__says_so(tmp_path: Path) -> None:
    assert "is not a table" in problems(MINIMAL + "markets = [5]\n", tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("feed = '0x12'\nquote = 'USD'\n", "prices[0].feed"),
        (f"feed = '{ROOT}'\nquote = '!'\n", "prices[0].quote"),
        (f"feed = '{ROOT}'\nquote = 'USD'\nheartbeat = '0s'\n", "prices[0].heartbeat"),
    ],
)
def test_load__bad_price__names_the_key(row: str, said: str, tmp_path: Path) -> None:
    text = MINIMAL + f"[[chains.a.prices]]\ntoken = '{ROOT}'\n" + row
    assert said in problems(text, tmp_path)


def test_load__many_problems__are_all_reported(tmp_path: Path) -> None:
    said = problems("modee = 'x'\n[chains.a]\nrpc = 'ftp://x'\n", tmp_path)
    for part in ("version: is missing", "chain_id: is missing", "modee: unknown key", "rpc[0]"):
        assert part in said


@pytest.mark.parametrize(
    "line",
    [
        f"private_key = '{KEY}'",
        f"anything = '0x{KEY}'",
        "mnemonic = 'correct horse'",
        "note = 'test test test test test test test test test test test junk'",
    ],
)
def test_load__key_in_the_config__refused_and_never_repeated(line: str, tmp_path: Path) -> None:
    said = problems(MINIMAL + f"[wallets.a]\naddress = '{WALLET}'\n{line}\n", tmp_path)
    assert "treat the key as exposed" in said
    assert KEY not in said
    assert "correct horse" not in said
    assert "junk" not in said


def test_load__market_id__is_no_key(tmp_path: Path) -> None:
    text = MINIMAL + f"[[chains.a.markets]]\nadapter = 'morpho-blue'\nmorpho = '{ROOT}'\n"
    config = loaded(text + f"market_ids = ['0x{KEY}']\n", tmp_path)
    assert config.settings.chains["a"].markets[0].market.params["market_ids"] == ("0x" + KEY,)


@pytest.mark.parametrize("key", ["rpc", "ws"])
def test_load__mistyped_url__is_not_quoted(key: str, tmp_path: Path) -> None:
    line = f"{key} = 'https//x.example/very-secret-key'\n"
    text = "version = 1\n[chains.a]\nchain_id = 1\n" + line
    said = problems(text if key == "rpc" else text + "rpc = 'http://x'\n", tmp_path)
    assert "is not a URL of the kind" in said
    assert "very-secret-key" not in said


def test_load__url_with_key_in_bad_place__is_not_repeated(tmp_path: Path) -> None:
    text = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['ftp://x.example/very-secret-key']\n"
    assert "very-secret-key" not in problems(text, tmp_path)


def test_load__environment__overrides_the_file_and_is_named_in_errors(tmp_path: Path) -> None:
    config = loaded(
        MINIMAL, tmp_path, UNDERKEEL_CHAINS__A__CHAIN_ID="5", UNDERKEEL_TIMEZONE="Asia/Tokyo"
    )
    assert config.settings.chains["a"].chain_id == 5
    assert config.settings.timezone == "Asia/Tokyo"
    said = problems(MINIMAL, tmp_path, UNDERKEEL_CHAINS__A__CHAIN_ID="x")
    assert "$UNDERKEEL_CHAINS__A__CHAIN_ID: chains.a.chain_id" in said
    rpc = (
        loaded(MINIMAL, tmp_path, UNDERKEEL_CHAINS__A__RPC='["http://y.example"]')
        .endpoints["a"]
        .rpc
    )
    assert rpc == ("http://y.example",)
    assert "looks like a secret" in problems(MINIMAL, tmp_path, UNDERKEEL_CHAINS__A__RPC=KEY)
    slip = problems(MINIMAL, tmp_path, UNDERKEEL_TIMEZON="Asia/Tokyo")
    assert slip == "$UNDERKEEL_TIMEZON: timezon: unknown key; did you mean 'timezone'?"
    assert "'chains'" in problems(MINIMAL, tmp_path, UNDERKEEL_CHAINZ__A__QUORUM="1")
    assert "version is no table" in problems(MINIMAL, tmp_path, UNDERKEEL_VERSION__X="1")


def test_load__variables_of_other_things__are_left_alone(tmp_path: Path) -> None:
    config = loaded(
        MINIMAL,
        tmp_path,
        UNDERKEEL_WORLD_CACHE="x",
        UNDERKEEL_ANVIL="x",
        UNDERKEEL_CONFIG="y",
        HOME="/",
    )
    assert config.settings.version == 1


def test_references__env_dotenv_and_secrets_directory__in_that_order(tmp_path: Path) -> None:
    text = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['env:A_RPC', 'file:b.url']\n"
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "A_RPC").write_text("http://from-secrets\n")
    (folder / "b.url").write_text("http://b-from-secrets\n")
    (tmp_path / "b.url").write_text("http://b-beside\n")
    here = {"UNDERKEEL_SECRETS_DIR": str(folder)}
    config = loaded(text, tmp_path, **here)
    assert config.endpoints["a"].rpc == ("http://from-secrets", "http://b-from-secrets")
    (tmp_path / ".env").write_text("A_RPC=http://from-dotenv\n")
    assert loaded(text, tmp_path, **here).endpoints["a"].rpc[0] == "http://from-dotenv"
    here["A_RPC"] = "http://from-env"
    assert loaded(text, tmp_path, **here).endpoints["a"].rpc[0] == "http://from-env"
    assert loaded(text, tmp_path, A_RPC="http://z").endpoints["a"].rpc[1] == "http://b-beside"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "the environment has no A_RPC; export it or write it in .env"),
        ({"A_RCP": "http://x"}, "did you mean 'A_RCP'?"),
        ({"A_RPC": " "}, "env:A_RPC is empty"),
        ({"A_RPC": "nonsense/very-secret-key"}, "env:A_RPC is not a URL"),
    ],
)
def test_references__missing_or_bad__say_where_to_put_it(
    environ: dict[str, str], said: str, tmp_path: Path
) -> None:
    text = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['env:A_RPC']\n"
    found = problems(text, tmp_path, **environ)
    assert said in found
    assert "very-secret-key" not in found


def test_references__file_missing__named(tmp_path: Path) -> None:
    text = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['file:none', 'env:']\n"
    assert "names nothing" in problems(text, tmp_path)
    text = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['file:none']\n"
    assert "there is no readable file none" in problems(text, tmp_path)


def test_references__one_endpoint_twice__would_fake_a_quorum(tmp_path: Path) -> None:
    text = "version = 1\n[chains.a]\nchain_id = 1\nrpc = ['env:A', 'http://x']\nquorum = 2\n"
    assert "names one endpoint twice" in problems(text, tmp_path, A="http://x")


def test_load__unreadable_dotenv__is_as_if_absent(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe=\x00")
    assert loaded(MINIMAL, tmp_path).settings.version == 1


def test_load__not_text_or_too_large__says_so(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"version = 1\n\xff\n")
    with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
        load(path, {})
    path.write_bytes(b"#" * (5 << 20))
    with pytest.raises(ConfigError, match="larger than 4 MB"):
        load(path, {})


def test_find__order__named_then_environment_then_folders(tmp_path: Path) -> None:
    here, home, named = tmp_path / "here", tmp_path / "home", tmp_path / "named.toml"
    (home / "underkeel").mkdir(parents=True)
    here.mkdir()
    environ = {"XDG_CONFIG_HOME": str(home)}
    with pytest.raises(ConfigError, match=r"no config found.*underkeel init.*underkeel demo"):
        load(None, environ, here)
    (home / "underkeel" / "underkeel.toml").write_text(MINIMAL)
    assert load(None, environ, here).path.is_relative_to(home)
    (here / "underkeel.toml").write_text(MINIMAL)
    assert load(None, environ, here).path.is_relative_to(here)
    named.write_text(MINIMAL)
    assert load(None, {**environ, "UNDERKEEL_CONFIG": str(named)}, here).path == named
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "absent.toml", environ, here)


def test_config_scrub__causes_from_below__lose_their_keys(tmp_path: Path) -> None:
    config = loaded(WHOLE, tmp_path, ETH_RPC_A="https://u:pass-word-1@a.example/?key=0123456789")
    text = "https://b.example/v2/very-secret-key failed; /v2/very-secret-key; key=0123456789"
    cleaned = config.scrub(text + "; pass-word-1")
    for secret in ("very-secret-key", "0123456789", "pass-word-1"):
        assert secret not in cleaned


def test_schema__names_every_adapter_and_key(tmp_path: Path) -> None:
    schema = json_schema()
    text = json.dumps(schema)
    rows = schema["$defs"]["ChainTable"]["properties"]["markets"]["items"]["oneOf"]
    assert {row["title"] for row in rows} >= {"aave-v3", "morpho-blue", "erc4626", "uniswap-v3"}
    for key in ("pool_addresses_provider", "market_ids", "vault", "position_manager", "heartbeat"):
        assert f'"{key}"' in text


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["chains", "a", "rpc", "chain_id", "markets", "adapter", "prices", "x"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["version", "mode", "timezone", "chains", "wallets", "q"]), values
    )
)
def test_parse__any_values__a_config_or_problems_never_a_traceback(data: dict[str, object]) -> None:
    for problem in problems_of(lambda: parse(data, Path("c.toml"), {})):
        assert "\n" not in problem


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: (MINIMAL + t).encode()))
def test_decode__any_bytes__toml_or_a_problem(raw: bytes) -> None:
    for problem in problems_of(lambda: parse(decode_toml(raw, "c.toml"), Path("c.toml"), {})):
        assert "\n" not in problem


def problems_of(read: Callable[[], Config]) -> list[str]:
    try:
        read()
    except ConfigError as error:
        return [str(problem) for problem in error.problems] or ["\n no problem named"]
    return []


def test_load__variable_nested_without_end__is_refused_whatever_the_recursion_limit(
    tmp_path: Path,
) -> None:
    """A library may raise the limit, and then only the C stack bounds a parser that recurses."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1_000_000))
    try:
        said = problems(MINIMAL, tmp_path, UNDERKEEL_CHAINS="[" * 500_000)
    finally:
        sys.setrecursionlimit(limit)
    assert "$UNDERKEEL_CHAINS: chains" in said
