"""`init` and `config`: write a config, check it, show it, describe it."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer

from chain.networks import Network, all_networks, by_id, by_key
from chain.types import InvalidAddress, parse_address
from underkeel.cli.options import Globals
from underkeel.config.load import Config, decode_toml, load
from underkeel.config.model import json_schema
from underkeel.config.problems import did_you_mean
from underkeel.config.secrets import looks_secret, redact
from underkeel.config.template import config_text
from underkeel.config.values import url_problem
from underkeel.errors import AppError, ConfigError, Exit, UsageError

CHAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
FILE_MODE: Final = 0o600
"""A config may hold URLs with keys in them."""


def write_config(
    options: Globals,
    chain: str | None,
    rpc: Sequence[str],
    addresses: Sequence[str],
    *,
    force: bool,
    chain_id: int | None = None,
) -> Exit:
    """Write a commented config; ask for what is missing, or fail and name the flag."""
    target = options.config or Path(os.environ.get("UNDERKEEL_CONFIG", "underkeel.toml"))
    if target.exists() and not force:
        raise UsageError(f"{target} exists; --force overwrites it, --config names another place")
    if chain_id is None:
        network = _network(chain or _ask(options, "Network", "ethereum", "--chain"))
        chain, chain_id = network.key, network.chain_id
    else:
        chain = _named(chain, chain_id)
    rpc = [_rpc(u) for u in rpc] or [
        _rpc(_ask(options, "RPC URL, env:NAME or file:PATH", None, "--rpc"))
    ]
    if not addresses and options.may_ask:
        typed = typer.prompt("Account to watch (empty for none)", default="", err=True)
        addresses = [typed] if typed else []
    checked = list(dict.fromkeys(_account(a) for a in addresses))
    names = ["main", *(f"wallet{i}" for i in range(2, len(checked) + 1))]
    text = config_text(chain, chain_id, rpc, dict(zip(names, checked, strict=False)))
    decode_toml(text.encode(), str(target))  # what we write, we can read
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
        with os.fdopen(os.open(target, flags, FILE_MODE), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise AppError(f"cannot write {target}: {error.strerror}") from None
    if options.json:
        print(json.dumps({"schema": "underkeel.init/1", "config": str(target)}))
    else:
        print(f"wrote {target}; next: underkeel doctor --config {target}")
    return Exit.OK


def check_config(options: Globals) -> Exit:
    """Check the config without any network."""
    try:
        config = load(options.config)
    except ConfigError as error:
        if options.json:
            problems = [str(problem) for problem in error.problems]
            print(json.dumps({"schema": "underkeel.config/1", "ok": False, "problems": problems}))
        raise
    if options.json:
        document = {"schema": "underkeel.config/1", "ok": True, "problems": []}
        print(json.dumps({**document, "config": str(config.path)}))
    else:
        given = config.settings
        counts = {
            "chain": len(given.chains), "wallet": len(given.wallets),
            "channel": len(given.channels), "alert rule": len(given.alert), "plan": len(given.plan),
        }  # fmt: skip
        found = [f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items() if n]
        print(f"{config.path}: ok: {', '.join(found)}")
    return Exit.OK


def show_config(options: Globals) -> Exit:
    """Print the config as it is understood; URLs lose everything that may be a key."""
    config = load(options.config)
    shown = {"config": str(config.path), **shown_settings(config)}
    sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    return Exit.OK


def shown_settings(config: Config) -> dict[str, Any]:
    """Return the settings with durations in seconds and URLs redacted."""
    data: dict[str, Any] = {}
    settings = config.settings
    data |= {"version": settings.version, "mode": settings.mode, "timezone": settings.timezone}
    data["chains"] = {}
    for name, table in settings.chains.items():
        shown = table.model_dump(mode="json", exclude={"markets", "venues"}, exclude_none=True)
        shown["rpc"] = [redact(url) for url in table.rpc]
        if table.ws:
            shown["ws"] = redact(table.ws)
        shown["markets"] = [
            {"adapter": row.market.adapter, "name": row.market.name, **row.market.params}
            for row in table.markets
        ]
        shown["venues"] = [dict(row.given) for row in table.venues]
        data["chains"][name] = shown
    data["history"] = settings.history.model_dump(mode="json")
    data["alert"] = [
        row.model_dump(mode="json", by_alias=True, exclude_none=True) for row in settings.alert
    ]
    data["wallets"] = {n: w.model_dump(mode="json") for n, w in settings.wallets.items()}
    return data


def print_schema(document: str | None) -> Exit:
    """Print the JSON schema of the config, or of a document by the name in its `schema`."""
    from underkeel.documents.registry import DOCUMENTS

    if document is not None and document not in DOCUMENTS:
        hint = did_you_mean(document, DOCUMENTS)
        raise UsageError(f"{document!r} is no document; {hint}")
    schema = DOCUMENTS[document].model_json_schema() if document else json_schema()
    sys.stdout.write(json.dumps(schema, indent=2) + "\n")
    return Exit.OK


def _ask(options: Globals, question: str, default: str | None, flag: str) -> str:
    if default is not None and not options.may_ask:
        return default
    if not options.may_ask:
        raise UsageError(f"{flag} is missing, and there is no terminal to ask on; give {flag}")
    return str(typer.prompt(question, default=default, err=True))


def _network(text: str) -> Network:
    found = by_id(int(text)) if text.isascii() and text.isdigit() else by_key(text)
    if found is None:
        keys = [network.key for network in all_networks()]
        raise UsageError(
            f"--chain {text!r} is no known network; {did_you_mean(text, keys)} "
            "(any other chain needs --chain-id, and --chain as your name for it)"
        )
    return found


def _named(name: str | None, chain_id: int) -> str:
    """Return the name of a chain given by its id: yours, else the known network's."""
    known = by_id(chain_id)
    if name is None:
        if known is None:
            raise UsageError(f"--chain is missing: a name for chain {chain_id}, e.g. --chain mine")
        return known.key
    if not CHAIN_NAME.fullmatch(name):
        raise UsageError(f"--chain {name!r} cannot be a name; use letters, digits, - and _")
    other = by_key(name)
    if other is not None and other.chain_id != chain_id:
        raise UsageError(f"--chain {name!r} has chain id {other.chain_id}, not {chain_id}")
    return name


def _rpc(text: str) -> str:
    if not text.startswith(("env:", "file:")) and (what := url_problem(text, ("http", "https"))):
        raise UsageError(f"--rpc {what}; give http(s)://…, env:NAME or file:PATH")
    return text


def _account(text: str) -> str:
    if looks_secret((), text):
        raise UsageError("--address looks like a private key: treat it as exposed, and use another")
    try:
        return parse_address(text)
    except InvalidAddress as error:
        raise UsageError(f"--address {error}") from None


__all__ = ["check_config", "print_schema", "show_config", "shown_settings", "write_config"]
