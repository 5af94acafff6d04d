"""Read the config: TOML, then the environment over it, checked as a whole.

Every problem is reported, each on one line; nothing a config can hold ends in a traceback, and
no message repeats a value that could be a secret.
"""

import copy
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError

from underkeel.config.find import find_config
from underkeel.config.markets import row_problems
from underkeel.config.model import Settings
from underkeel.config.problems import Problem, did_you_mean, dotted, nearest
from underkeel.config.secrets import SecretMissing, Secrets, looks_secret, redact, scrub
from underkeel.config.values import url_problem
from underkeel.errors import ConfigError

PREFIX: Final = "UNDERKEEL_"
OWN: Final = ("config", "secrets_dir", "cache_dir", "state_dir", "keys_dir")
"""Environment variables of ours that are no settings."""
MAX_BYTES: Final = 4 << 20
MAX_DEPTH: Final = 64
URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]*")

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of one chain, with every reference resolved. Never printed."""

    rpc: tuple[str, ...]
    ws: str | None


@dataclass(frozen=True, slots=True)
class Config:
    """A config that passed every check that needs no network."""

    path: Path
    settings: Settings
    endpoints: Mapping[str, Endpoints]

    def scrub(self, text: str) -> str:
        """Return a message without the keys inside the configured URLs."""
        urls = [u for e in self.endpoints.values() for u in (*e.rpc, *([e.ws] if e.ws else []))]
        return scrub(text, urls)


def load(
    named: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Config:
    """Find, read and check the config; raise `ConfigError` with every problem."""
    environ = os.environ if environ is None else environ
    path = find_config(named, environ, cwd or Path.cwd())
    return parse(read_toml(path), path, environ)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what the file holds, or raise `ConfigError` with the line that is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise ConfigError([Problem(str(path), "", what, "make it a readable file")]) from None
    return decode_toml(raw, str(path))


def decode_toml(raw: bytes, where: str) -> dict[str, Any]:
    """Return the TOML in `raw`."""
    if len(raw) > MAX_BYTES:
        raise ConfigError([Problem(where, "", "is larger than 4 MB", "is it the right file?")])
    try:
        data = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problem = Problem(where, "", f"line {line} is not UTF-8 text", "save it as UTF-8")
    except RecursionError:
        problem = Problem(where, "", "is nested too deeply", "flatten it")
    except ValueError as error:  # a syntax error, or a number that Python will not read
        problem = Problem(where, "", f"is not TOML: {error}", "correct that line")
    else:
        return data
    raise ConfigError([problem])


def parse(data: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> Config:
    """Check what a file held, with the environment over it."""
    secrets = Secrets.beside(path.parent, environ)
    where = Places(str(path), {})
    if _depth(data) > MAX_DEPTH:
        raise ConfigError([Problem(str(path), "", "is nested too deeply", "flatten it")])
    problems = [Problem(str(path), dotted(loc), what, _KEY_TODO) for loc, what in _secret(data, ())]
    if problems:
        raise ConfigError(problems)
    merged = _overlay(data, secrets.environment, where, problems)
    settings: Settings | None = None
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        problems += _explain(error, merged, where)
    if settings is None or problems:
        raise ConfigError(problems)
    return Config(path, settings, _endpoints(settings, secrets, where))


_KEY_TODO: Final = (
    "remove it and treat the key as exposed: keys live in an encrypted keystore, never in a config"
)


@dataclass(frozen=True, slots=True)
class Places:
    """Which source each key came from."""

    file: str
    overridden: dict[Loc, str]

    def of(self, loc: Loc) -> str:
        """Return the file, or the environment variable that set this key."""
        for n in range(len(loc), 0, -1):
            if loc[:n] in self.overridden:
                return f"${self.overridden[loc[:n]]}"
        return self.file


def _secret(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield every value that must not be in a config."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secret(inner, (*loc, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _secret(inner, (*loc, i))
    elif isinstance(value, str) and (why := looks_secret(loc, value)):
        yield loc, why


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        tables = [v for v in level if isinstance(v, dict | list)]
        level = [i for v in tables for i in (v.values() if isinstance(v, dict) else v)]
    return depth


def _overlay(
    data: Mapping[str, Any],
    environment: Mapping[str, str],
    where: Places,
    problems: list[Problem],
) -> dict[str, Any]:
    """Return the data with `UNDERKEEL_A__B=value` put over `a.b`; a value may be JSON."""
    merged = copy.deepcopy(dict(data))
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        loc = tuple(part.lower() for part in name[len(PREFIX) :].split("__"))
        if loc[0] in OWN or not all(loc):
            continue
        if loc[0] not in Settings.model_fields:
            if nearest(loc[0], Settings.model_fields):  # else it is another program's
                hint = did_you_mean(loc[0], Settings.model_fields)
                problems.append(Problem(f"${name}", loc[0], "unknown key", hint))
            continue
        if looks_secret(loc, text):
            problems.append(Problem(f"${name}", dotted(loc), "looks like a secret", _KEY_TODO))
            continue
        table = merged
        for part in loc[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                problems.append(Problem(f"${name}", dotted(loc), f"{part} is no table", "unset it"))
                break
            table = inner
        else:
            table[loc[-1]] = _json_or_text(text)
            where.overridden[loc] = name
    return merged


def _json_or_text(text: str) -> Any:
    try:
        return orjson.loads(text)  # bounds its own depth, whatever Python's recursion limit is
    except ValueError:
        return text


def _endpoints(settings: Settings, secrets: Secrets, where: Places) -> dict[str, Endpoints]:
    problems: list[Problem] = []
    found: dict[str, Endpoints] = {}

    def url(reference: str, loc: Loc, schemes: tuple[str, ...]) -> str:
        try:
            text = secrets.resolve(reference)
        except SecretMissing as missing:
            problems.append(Problem(where.of(loc), dotted(loc), str(missing)))
            return ""
        if what := url_problem(text, schemes):
            problems.append(Problem(where.of(loc), dotted(loc), f"{reference} {what}"))
        return text

    for name, chain in settings.chains.items():
        loc: Loc = ("chains", name, "rpc")
        rpc = tuple(url(r, (*loc, i), ("http", "https")) for i, r in enumerate(chain.rpc))
        if len(set(rpc)) < len(rpc) and all(rpc):
            problems.append(
                Problem(where.of(loc), dotted(loc), "names one endpoint twice", "remove one")
            )
        ws = url(chain.ws, ("chains", name, "ws"), ("ws", "wss")) if chain.ws else None
        found[name] = Endpoints(rpc, ws)
    if problems:
        raise ConfigError(problems)
    return found


def _explain(error: ValidationError, data: Mapping[str, Any], where: Places) -> list[Problem]:
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        loc = tuple(part for part in item["loc"] if part != "[key]")
        place, key, kind = where.of(loc), dotted(loc), item["type"]
        context = item.get("ctx", {})
        if kind == "underkeel_row":
            problems += row_problems(place, loc, context)
        elif kind == "underkeel":
            shown = "" if _may_be_url(loc) else _shown(item.get("input"))
            what = context["what"]
            text = f"{shown} {what}" if shown and what.startswith("is not") else what
            problems.append(Problem(place, key, text, context["todo"]))
        elif kind == "extra_forbidden":
            problems.append(_unknown_key(place, loc))
        elif kind == "missing":
            problems.append(Problem(place, key, "is missing", "add it"))
        elif kind == "literal_error":
            problems.append(_not_a_choice(place, key, item.get("input"), context["expected"]))
        else:
            problems.append(Problem(place, key, item["msg"][:1].lower() + item["msg"][1:]))
    return [_without_urls(problem) for problem in problems]


def _without_urls(problem: Problem) -> Problem:
    """Return the problem with every URL in it redacted: one in a wrong place can hold a key."""
    hidden = URL.sub(lambda found: redact(found[0]), problem.what)
    return replace(problem, what=hidden, todo=URL.sub("…", problem.todo))


def _unknown_key(where: str, loc: Loc) -> Problem:
    name = str(loc[-1])
    model = _model_at(loc[:-1])
    names = [f.alias or key for key, f in model.model_fields.items()] if model else []
    elsewhere = "" if nearest(name, names) else _home_of(name)
    return Problem(where, dotted(loc), "unknown key", elsewhere or did_you_mean(name, names))


def _home_of(name: str) -> str:
    """Say in which table a key belongs, if it is one of ours."""
    from underkeel.config.alerts import AlertTable, EscalateTable, LevelTable, RepeatTable
    from underkeel.config.channels import ChannelTable, HeartbeatTable
    from underkeel.config.model import ChainTable, HistoryTable, PriceTable, WalletTable
    from underkeel.config.plans import MatchTable, PlanTable
    from underkeel.config.signing import PolicyTable, SignerTable
    from underkeel.config.storage import RetainTable, StorageTable
    from underkeel.config.web import WebTable

    tables: dict[str, type[BaseModel]] = {
        "[chains.NAME]": ChainTable,
        "[wallets.NAME]": WalletTable,
        "[policy.NAME]": PolicyTable,
        "[wallets.NAME.signer]": SignerTable,
        "[storage]": StorageTable,
        "retain of [storage]": RetainTable,
        "[channels.NAME]": ChannelTable,
        "[heartbeat]": HeartbeatTable,
        "[history]": HistoryTable,
        "[[chains.NAME.prices]]": PriceTable,
        "[web]": WebTable,
        "[[plan]]": PlanTable,
        "match of a [[plan]]": MatchTable,
        "[[alert]]": AlertTable,
        "levels of an [[alert]]": LevelTable,
        "repeat of an [[alert]]": RepeatTable,
        "escalate of an [[alert]]": EscalateTable,
    }
    homes = [table for table, model in tables.items() if name in model.model_fields]
    return f"it belongs in {homes[0]}" if homes else ""


def _not_a_choice(where: str, key: str, given: object, expected: str) -> Problem:
    names = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
    shown = _shown(given) or "the value"
    todo = did_you_mean(given, names) if isinstance(given, str) else f"write {expected}"
    return Problem(where, key, f"{shown} is not {expected}", todo)


def _may_be_url(loc: Loc) -> bool:
    """Say whether a place holds URLs or keys: a mistyped one, without ://, can hold a key too."""
    return loc[:2] in (("web", "token"), ("mcp", "token")) or any(
        part in ("rpc", "ws", "url", "password", "apprise", "webhook", "secret") for part in loc
    )


def _shown(value: object) -> str:
    """Return a short form of a bad value, unless it may hold a key."""
    if not isinstance(value, str | int | float) or "://" in str(value):
        return ""
    text = repr(value)
    return text if len(text) <= 80 else text[:60] + "…"


def _model_at(loc: Loc) -> type[BaseModel] | None:
    """Return the model that describes the table at a path."""
    found: Any = Settings
    for part in loc:
        found = _bare(found)
        if isinstance(found, type) and issubclass(found, BaseModel):
            field = found.model_fields.get(str(part))
            found = field.annotation if field else None
        elif get_origin(found) in (dict, tuple):
            found = get_args(found)[1 if get_origin(found) is dict else 0]
        else:
            return None
    found = _bare(found)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _bare(kind: Any) -> Any:
    """Return a type without what is said beside it, and without None."""
    while get_origin(kind) in (Union, UnionType, Annotated):
        kind = next(a for a in get_args(kind) if a is not type(None))
    return kind
