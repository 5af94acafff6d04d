"""`doctor`: look at everything a reading needs, and say what to do about what is wrong."""

import importlib.metadata
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from rich.table import Table
from rich.text import Text

from chain.calls import Code, Ok
from chain.client import Client, connect
from chain.errors import ChainError
from chain.heads import WebSocketBell
from chain.networks import by_id
from chain.types import Address, BlockRef
from underkeel.cli import format as fmt
from underkeel.cli.doctor_channels import channel_checks, heartbeat_checks
from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document, progress
from underkeel.config.load import Config, load
from underkeel.config.model import ChainTable
from underkeel.documents.build import utc
from underkeel.documents.models import Check, DoctorDocument
from underkeel.errors import ConfigError, Exit
from underkeel.ownership import ForeignRoom, check_rooms
from underkeel.portfolio import Open, spec_of

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
OLDEST_PYTHON: Final = (3, 11)
SKEW_S: Final = 30
"""How far ahead of our clock a block may be before the clock is suspected."""
ICONS: Final = {OK: ("✔", "green"), WARNING: ("!", "yellow"), FAILED: ("✖", "bold red")}
READS: Final = {
    "override": "one request per round, by a program put in place for the call (eth_call override)",
    "initcode": "one request per round, by a program that runs as if deployed (eth_call)",
    "multicall3": "one request per level of a round, by Multicall3",
    "single": "one call at a time, many to a request",
    "unknown": "not tried yet",
}
"""How reads travel, by the path's name."""
NEEDED: Final = ("eth-abi", "pydantic", "rich", "typer", "web3", "websockets")


def run_doctor(options: Globals, opener: Open = connect) -> Exit:
    """Print every check; exit 4 for config and channels, 5 when a chain fails, 1 for the rest."""
    checks: list[Check] = list(installation())
    code = Exit.ERROR if _failed(checks) else Exit.OK
    try:
        config = load(options.config)
    except ConfigError as error:
        checks += [check("config", FAILED, str(p)) for p in error.problems]
        code = Exit.CONFIG
    else:
        checks.append(check("config", OK, str(config.path)))
        telling = [*channel_checks(config), *heartbeat_checks(config)]
        checks += telling
        if _failed(telling):
            code = Exit.CONFIG
        with progress(options) as tell:
            for name in config.settings.chains:
                tell(f"asking {name}", 0, 1)
                found = list(chain_checks(name, config, opener))
                tell(f"asking {name}", 1, 1)
                checks += found
                if _failed(found):
                    code = Exit.CHAIN
    if options.json:
        document = DoctorDocument(
            schema="underkeel.doctor/1", generated_at=utc(time.time()), checks=checks
        )
        print_document(document)
    else:
        console(options).print(_table(checks))
    return code


def check(name: str, status: str, found: str, todo: str | None = None) -> Check:
    """Return one finding."""
    return Check.model_validate({"name": name, "status": status, "found": found, "todo": todo})


def installation() -> Iterator[Check]:
    """Look at Python, the packages, and whether our top-level modules are ours."""
    version = platform.python_version()
    new_enough = sys.version_info >= OLDEST_PYTHON
    yield check(
        "python", OK if new_enough else FAILED, version, None if new_enough else "use 3.11 or newer"
    )
    missing = [name for name in NEEDED if not _version(name)]
    if missing:
        yield check("packages", FAILED, "missing: " + ", ".join(missing), "install underkeel again")
    else:
        yield check("packages", OK, ", ".join(f"{n} {_version(n)}" for n in NEEDED))
    try:
        check_rooms()
    except ForeignRoom as error:
        yield check("modules", FAILED, str(error), "see above")
    else:
        yield check("modules", OK, "chain, protocols and risk are underkeel's own")


def chain_checks(name: str, config: Config, opener: Open) -> Iterator[Check]:
    """Look at one chain: each endpoint by itself, then what it is read through."""
    table = config.settings.chains[name]
    spec = spec_of(name, table, config)
    alive = False
    for url in spec.urls:
        with opener(replace(spec, urls=(url,), quorum=1, retries=1)) as client:
            found = list(endpoint_checks(name, table, config, client))
        alive = alive or not _failed(found)
        yield from found
    if spec.max_block_age_s is None:
        todo = f'set max_block_age in [chains.{name}], e.g. "60s"'
        yield check(f"{name} watchdog", WARNING, "a stale head would not be noticed", todo)
    if not alive:
        return
    if spec.ws:
        yield _websocket(name, spec.ws, spec.chain_id, config)
    with opener(spec) as client:
        yield from wallet_checks(name, config, client)


def endpoint_checks(
    name: str, table: ChainTable, config: Config, client: Client
) -> Iterator[Check]:
    """Look at one endpoint: chain id, head, clock, Multicall3, read path."""
    label = client.pool.endpoints[0].label
    title = f"{name} {label}"
    began, asked = time.monotonic(), time.time()
    try:
        head = client.head()
    except ChainError as error:
        said = config.scrub(str(error).removeprefix(f"{label}: "))  # the title has it
        yield check(title, FAILED, said, "fix the RPC, or remove it from rpc")
        return
    took = (time.monotonic() - began) * 1000
    age = int(asked) - head.timestamp
    what = f"chain {head.chain_id}, block {head.number:,}, {fmt.age(age)}, {took:.0f} ms"
    yield check(title, OK, what)
    if age < -SKEW_S:
        todo = "set this machine's clock (NTP), or the local chain's"
        yield check(f"{name} clock", WARNING, f"the head is {-age} s ahead of it", todo)
    try:
        yield _multicall(name, table, client, head)
    except ChainError as error:
        yield check(f"{name} reads", FAILED, config.scrub(str(error)), "use another RPC")
        return
    paths = sorted(set(client.paths().values()))
    yield check(f"{name} reads", OK, "; ".join(READS.get(path, path) for path in paths))


def _multicall(name: str, table: ChainTable, client: Client, head: BlockRef) -> Check:
    network = by_id(table.chain_id)
    where = table.multicall3 or (network.multicall3 if network else None)
    title = f"{name} multicall3"
    if where is None:
        found = "none is known; reads go one by one where the node cannot run ours"
        return check(title, WARNING, found, f"set multicall3 in [chains.{name}] if there is one")
    (code,) = client.snapshot(head).read([Code(Address(where))])
    if isinstance(code, Ok) and code.data:
        return check(title, OK, f"{where}, {len(code.data)} bytes")
    return check(title, WARNING, f"no code at {where}", "correct multicall3, or leave it out")


def wallet_checks(name: str, config: Config, client: Client) -> Iterator[Check]:
    """Look whether each wallet is of the kind that the config says."""
    wallets = {n: w for n, w in config.settings.wallets.items() if w.kind != "watch"}
    if not wallets:
        return
    try:
        reads = [Code(Address(wallet.address)) for wallet in wallets.values()]
        codes = client.at_head(lambda snapshot: snapshot.read(reads))
    except ChainError as error:
        yield check(f"{name} wallets", FAILED, config.scrub(str(error)), "use another RPC")
        return
    for (wallet, row), code in zip(wallets.items(), codes, strict=True):
        title = f"{name} wallet {wallet}"
        if not isinstance(code, Ok):
            yield check(title, WARNING, "its code could not be read", "try again")
            continue
        delegated = code.data.startswith(b"\xef\x01\x00")
        is_contract = bool(code.data) and not delegated
        kind = "contract" if is_contract else "EIP-7702 account" if delegated else "no code"
        agrees = is_contract == (row.kind in ("safe", "contract"))
        todo = None if agrees else f"correct kind in [wallets.{wallet}]; fine if only elsewhere"
        yield check(title, OK if agrees else WARNING, f"kind {row.kind!r}: {kind}", todo)


def _websocket(name: str, url: str, chain_id: int, config: Config) -> Check:
    title = f"{name} ws"
    try:
        WebSocketBell(url, chain_id).close()
    except ChainError as error:
        return check(title, FAILED, config.scrub(str(error)), "fix ws, or leave it out to poll")
    return check(title, OK, "announces new heads")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _failed(checks: list[Check]) -> bool:
    return any(c.status == FAILED for c in checks)


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(overflow="fold")
    for one in checks:
        icon, style = ICONS[one.status]
        found = Text(one.found)
        if one.todo:
            found.append(f"\n→ {one.todo}", style="bold")
        table.add_row(Text(f"{icon} {one.status}", style=style), Text(one.name), found)
    return table
