"""Configs that are nearly right: a whole one with any of its parts replaced, moved or taken out.

The parser gives a config or problems, one line each, that repeat no secret; never a traceback.
`make soak` (UNDERKEEL_SOAK=N) tries N times as many.
"""

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underkeel.cli.configure import shown_settings
from underkeel.config.load import Config, decode_toml, parse
from underkeel.config.model import Settings, json_schema
from underkeel.errors import ConfigError

SOAK = int(os.environ.get("UNDERKEEL_SOAK", "1"))
ADDRESS = "0x" + "11" * 20
SECRET = "PLANTED-Zq7-secret"
WHOLE = f"""
version = 1
mode = "dry-run"
timezone = "UTC"
[chains.main]
chain_id = 1
rpc = ["http://127.0.0.1:1/{SECRET}", "https://b.example/{SECRET}"]
ws = "wss://c.example/{SECRET}"
quorum = 2
max_block_age = "60s"
head_lag = 1
defaults = false
[[chains.main.markets]]
adapter = "aave-v3"
pool_addresses_provider = "{ADDRESS}"
[[chains.main.prices]]
token = "{ADDRESS}"
feed = "{ADDRESS}"
quote = "USD"
heartbeat = "1h"
[wallets.ops]
address = "{ADDRESS}"
kind = "eoa"
signer = {{ kind = "keystore", path = "ops.json", password = "file:some-file" }}
[policy.ops]
max_tx_usd = 1
max_day_usd = 2
max_fee_gwei = 3
allow = ["aave-v3"]
[storage]
url = "postgresql+psycopg://keel:{SECRET}@db/keel"
retain = {{ raw = "30d", hourly = "2y" }}
[web]
bind = "0.0.0.0:8899"
token = "env:SOME_NAME"
hosts = ["keel.example.org"]
proxies = ["10.0.0.0/8"]
session = "12h"
max_streams = 64
[mcp]
bind = "127.0.0.1:8898"
token = "file:some-file"
[channels.ops]
apprise = "env:SOME_NAME"
[channels.hook]
webhook = "https://hook.example/{SECRET}"
secret = "file:some-file"
timeout = "5s"
[heartbeat]
url = "https://hc.example/{SECRET}"
every = "60s"
[history]
days = 30
files = {{ ETH = "eth.csv" }}
[monitor]
calm_every = "60s"
near = 1.5
[[plan]]
name = "rescue"
kind = "restore-health"
match = {{ protocol = "aave-v3" }}
restore_to = 1.8
[[alert]]
id = "hf-low"
expr = "health_factor"
match = {{ wallet = "ops" }}
levels = [
  {{ severity = "warning", fire_below = 1.5, clear_above = 1.6 }},
  {{ severity = "critical", fire_below = 1.15, clear_above = 1.25 }},
]
for = "2 blocks"
on_stale = {{ after = "90s", severity = "critical" }}
group_by = ["wallet", "chain"]
repeat = {{ every = "1h", backoff = 2, max = 6 }}
notify = {{ warning = ["ops"], critical = ["ops", "hook"] }}
escalate = {{ after = "10m", unless = "ack", to = ["hook"] }}
action = {{ plan = "rescue", mode = "propose" }}
"""
TREE = decode_toml(WHOLE.encode(), "c.toml")
KEYS = sorted(
    {
        *Settings.model_fields,
        *(k for d in json_schema()["$defs"].values() for k in d.get("properties", ())),
    }
)
ATOMS: tuple[Any, ...] = (
    "", "x", "0", "-1", "1d", "1s", "999999999d", "2 blocks", "999999 blocks", "ETH", "USD",
    ADDRESS,
    "env:NOWHERE", "file:/nowhere", "env:", "http://", "http://[", "http://x:99999", "127.0.0.1:1",
    "[::1]:1", ":::", "0.0.0.0:0", "safe", "critical", "*", "\x00", "\ud800", "a" * 5_000, "ops",
    "main", "hook", "rescue", "health_factor", "🔑", "\n", 0, 1, -1, 2**63, 2**64, 10**400, 0.0,
    -0.5, 1.5, 1e308, float("inf"), float("nan"), True, False, [], {}, [[]], [{}], {"": ""},
    ["ops", "ops"], {"ops": {}}, [1, "a", None], None,
)  # fmt: skip

Path_ = tuple[str | int, ...]


def paths(tree: Any, at: Path_ = ()) -> list[Path_]:
    """Return the place of everything in a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found: list[Path_] = []
    for key, value in inner:
        found.append((*at, key))
        if isinstance(value, dict | list):
            found += paths(value, (*at, key))
    return found


PLACES = paths(TREE)
values = st.sampled_from(ATOMS) | st.text(max_size=12) | st.integers() | st.floats()
trees = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=6,
)
changes = st.tuples(
    st.sampled_from(["put", "drop", "add", "wrap", "copy"]),
    st.sampled_from(PLACES),
    st.sampled_from(PLACES),
    st.sampled_from(KEYS) | st.text(max_size=6),
    trees,
)


def at(tree: Any, path: Path_) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def change(tree: Any, what: str, place: Path_, other: Path_, name: str, value: Any) -> None:
    """Change a tree at a place, if that is still there."""
    try:
        inside = at(tree, place[:-1])
        if what == "put":
            inside[place[-1]] = value
        elif what == "drop":
            del inside[place[-1]]
        elif what == "add":
            at(tree, place)[name] = value
        elif what == "wrap":
            inside[place[-1]] = [inside[place[-1]]]
        else:
            inside[place[-1]] = copy.deepcopy(at(tree, other))
    except (KeyError, IndexError, TypeError):
        return


def read(tree: Any, environ: Mapping[str, str] | None = None) -> Config | list[str]:
    """Return the config, or what is wrong with it."""
    try:
        return parse(tree, Path("c.toml"), environ or {})
    except ConfigError as error:
        return [str(problem) for problem in error.problems] or ["no problem named"]


def test_whole__as_it_is__only_its_secrets_are_missing() -> None:
    found = read(TREE)
    assert isinstance(found, Config)
    assert found.settings.web is not None


def test_url__in_a_place_that_takes_none__is_not_repeated() -> None:
    tree = copy.deepcopy(TREE)
    tree["chains"]["main"]["prices"][0]["feed"] = tree["chains"]["main"]["rpc"][0]
    found = read(tree)
    assert isinstance(found, list)
    (said,) = found
    assert "is not a price source" in said
    assert SECRET not in said


@settings(max_examples=100 * SOAK, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changes, min_size=1, max_size=4))
def test_whole__changed_in_places__is_a_config_or_problems_of_one_line(found: list[Any]) -> None:
    tree = copy.deepcopy(TREE)
    for one in found:
        change(tree, *one)
    said = read(tree)
    if isinstance(said, Config):
        assert SECRET not in json.dumps(shown_settings(said))
        return
    for problem in said:
        assert "\n" not in problem
        assert problem.isprintable()
        assert SECRET not in problem


@settings(max_examples=30 * SOAK, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), trees, max_size=5))
def test_tree__of_anything__is_a_config_or_problems_of_one_line(tree: dict[str, Any]) -> None:
    said = read({"version": 1, **tree})
    assert isinstance(said, Config) or all("\n" not in problem for problem in said)


@settings(max_examples=30 * SOAK, deadline=None)
@given(
    st.dictionaries(
        st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(
            lambda names: "UNDERKEEL_" + "__".join(names).upper()
        ),
        st.text(max_size=20) | st.sampled_from(["[", "{}", "[1]", '{"a": 1}', "null", "1e999"]),
        max_size=3,
    )
)
def test_environment__anything_over_a_config__is_a_config_or_problems(
    environ: dict[str, str],
) -> None:
    said = read(copy.deepcopy(TREE), environ)
    assert isinstance(said, Config) or all("\n" not in problem for problem in said)
