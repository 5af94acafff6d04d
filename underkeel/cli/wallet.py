"""`wallet`: make, import, list, watch and remove wallets. No key is ever an argument."""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from chain.types import Address, InvalidAddress, parse_address
from chain.wallet import keystore
from chain.wallet.errors import KeyUnreadable, WalletError
from chain.wallet.local import Key
from underkeel.cli import format as fmt
from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document
from underkeel.config.edit import add_wallet, remove_wallet
from underkeel.config.load import Config, load
from underkeel.config.problems import did_you_mean
from underkeel.config.secrets import RAW_KEY, SEED_PHRASE
from underkeel.documents.wallets import WalletDocument, WalletRow, WalletsDocument
from underkeel.errors import AppError, ConfigError, Exit, UsageError
from underkeel.signers import no_one, on_terminal
from underkeel.state import keys_folder

MOST: Final = 65_536
NAME_TODO: Final = "letters, digits, - and _, at most 40 of them"


def create_wallet(options: Globals, name: str, password_file: Path | None) -> Exit:
    """Make a new key, and write it encrypted beside the config."""
    config, path = _place(options, name)
    password = _new_password(options, name, password_file)
    with _as_config_error():
        key = Key.fresh()
        keystore.write(path, key, password)
    return _made(options, config, name, path, key.address)


def import_wallet(
    options: Globals,
    name: str,
    *,
    file: Path | None,
    stdin: bool,
    password_file: Path | None,
) -> Exit:
    """Write an existing key encrypted beside the config.

    From another keystore (checked with its password, copied as it is), from standard input, or
    typed without an echo.
    """
    config, path = _place(options, name)
    with _as_config_error():
        if file is not None:
            ask = _one_password(options, password_file)
            document = file.read_bytes() if file.is_file() else b""
            parsed = keystore.parse(document, str(file))
            address = keystore.decrypt(parsed, ask(file.name), str(file)).address
            keystore.save(path, document)
        else:
            key = Key.parse(_raw_key(options, stdin=stdin), "what was given")
            keystore.write(path, key, _new_password(options, name, password_file))
            address = key.address
    return _made(options, config, name, path, address)


def list_wallets(options: Globals) -> Exit:
    """Print the wallets of the config, and keystores that belong to none."""
    config = load(options.config)
    rows = wallet_rows(config)
    if options.json:
        print_document(WalletsDocument(schema="underkeel.wallets/1", wallets=rows))
        return Exit.OK
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for title in ("Wallet", "Address", "Kind", "Signer", "Policy"):
        table.add_column(title)
    for row in rows:
        address = Text(fmt.short(Address(row.address)) if row.address else "?")
        table.add_row(
            row.name or "–",
            address,
            row.kind or "–",
            row.signer or "–",
            "yes" if row.policy else "–",
        )
    screen = console(options)
    screen.print(table if rows else Text("no wallets"))
    for row in rows:
        if row.problem:
            screen.print(Text(f"! {row.name or row.keystore}: {row.problem}", style="yellow"))
    return Exit.OK


def wallet_rows(config: Config) -> list[WalletRow]:
    """Return a row per wallet, then one per keystore that no wallet names."""
    folder = keys_folder(config.path)
    files = {listed.path.name: listed for listed in keystore.listed(folder)}
    rows = []
    for name, table in config.settings.wallets.items():
        signer = table.signer
        path = signer.path if signer and signer.kind == "keystore" else None
        problem = None
        if path is not None:
            listed = files.pop(path, None)
            problem = listed.problem if listed else None
            if listed is None and not (folder / path).is_file():
                problem = f"there is no {folder / path}"
            elif listed and listed.address not in (None, Address(table.address)):
                problem = f"{path} says that it is of {listed.address}"
        kind: str | None = signer.kind if signer else None
        if signer and signer.device:
            kind = f"{signer.kind} {signer.device}"
        rows.append(
            WalletRow(
                name=name,
                address=table.address,
                kind=table.kind,
                signer=kind,
                policy=name in config.settings.policy,
                keystore=path,
                problem=problem,
            )
        )
    rows += [
        WalletRow(
            name=None,
            address=listed.address,
            kind=None,
            signer=None,
            policy=False,
            keystore=file,
            problem=listed.problem or "no wallet of the config names it",
        )
        for file, listed in files.items()
    ]
    return rows


def watch_wallet(options: Globals, address: str, name: str | None) -> Exit:
    """Add an account to the config, to be watched."""
    refuse_secrets([address, name or ""])
    config = load(options.config)
    try:
        account = parse_address(address)
    except InvalidAddress as error:
        raise UsageError(str(error)) from None
    wallets = config.settings.wallets
    taken = next((n for n, t in wallets.items() if t.address == account), None)
    if taken is not None:
        raise UsageError(f"{account} is in the config already: it is {taken!r}")
    if name is None:
        numbers = range(1, len(wallets) + 2)
        name = next(f"wallet{i}" for i in numbers if f"wallet{i}" not in wallets)
    _checked_name(config, name)
    add_wallet(config.path, name, account, None)
    return _changed(options, config, name, account, f"{name} is watched now")


def remove_wallet_(options: Globals, name: str, *, yes: bool) -> Exit:
    """Take a wallet out of the config; its keystore is put aside, never deleted."""
    refuse_secrets([name])
    config = load(options.config)
    wallets = config.settings.wallets
    table = wallets.get(name)
    if table is None:
        raise UsageError(f"{name!r} is no wallet of the config; {did_you_mean(name, wallets)}")
    if not yes:
        if not options.may_ask:
            raise UsageError("removing a wallet is asked about: give --yes where nobody answers")
        print(
            f"remove {name} ({table.address}) from {config.path}? [y/N] ", end="", file=sys.stderr
        )
        if input().strip().lower() not in ("y", "yes"):
            raise AppError("nothing was changed")
    remove_wallet(config.path, name)
    said = f"{name} is out of the config"
    if table.signer is not None and table.signer.kind == "keystore":
        source = keys_folder(config.path) / (table.signer.path or "")
        if source.is_file():
            aside = source.parent / "removed" / f"{source.stem}-{int(time.time())}.json"
            aside.parent.mkdir(mode=0o700, exist_ok=True)
            source.rename(aside)
            said += f"; its keystore is {aside}"
    return _changed(options, config, name, Address(table.address), said)


def refuse_secrets(values: Sequence[str]) -> None:
    """Raise `UsageError` where an argument looks like a key, without repeating it."""
    if any(RAW_KEY.fullmatch(value) or SEED_PHRASE.fullmatch(value) for value in values):
        raise UsageError(
            "that looks like a private key: arguments are seen by everybody on this machine and "
            "stay in your shell's history, so treat it as exposed and move what it holds"
        )


def _place(options: Globals, name: str) -> tuple[Config, Path]:
    refuse_secrets([name])
    config = load(options.config)
    _checked_name(config, name, new=False)
    path = keys_folder(config.path) / f"{name}.json"
    if path.exists():  # said before anything is asked or a key is stretched
        raise ConfigError([f"{path} exists already; choose another name"])
    return config, path


def _checked_name(config: Config, name: str, *, new: bool = True) -> None:
    plain = name.replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and len(name) <= 40):
        raise UsageError(f"{name!r} cannot be a wallet's name; {NAME_TODO}")
    if new and name in config.settings.wallets:
        raise UsageError(f"there is a wallet {name!r} already; choose another name")


def _made(options: Globals, config: Config, name: str, path: Path, address: Address) -> Exit:
    """Add the wallet to the config if it is not there, and say so."""
    table = config.settings.wallets.get(name)
    if table is None:
        add_wallet(config.path, name, address, path.name)
        said = f"{path} holds the key of {address}; {name} is in the config now"
    else:
        said = f"{path} holds the key of {address}"
        if table.address != address or table.signer is None:
            said += f"; [wallets.{name}] of the config is another: correct address and signer"
    return _changed(options, config, name, address, said)


def _changed(options: Globals, config: Config, name: str, address: Address, said: str) -> Exit:
    if options.json:
        document: dict[str, Any] = {"name": name, "address": address, "config": str(config.path)}
        print_document(WalletDocument(schema="underkeel.wallet/1", **document))
    else:
        print(said)
    return Exit.OK


def _new_password(options: Globals, name: str, file: Path | None) -> str:
    if file is not None:
        return _from_file(file)
    if not options.may_ask:
        raise UsageError("--password-file is missing: there is no terminal to ask on")
    first = on_terminal(f"{name} (new)")
    if on_terminal(f"{name} (again)") != first:
        raise UsageError("the two passwords differ; nothing was written")
    return first


def _one_password(options: Globals, file: Path | None) -> Callable[[str], str]:
    if file is not None:
        return lambda _: _from_file(file)
    return on_terminal if options.may_ask else no_one


def _from_file(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST).decode("utf-8").strip()
    except (OSError, ValueError):
        raise UsageError(f"--password-file {file} cannot be read as text") from None
    if not text:
        raise UsageError(f"--password-file {file} is empty")
    return text


def _raw_key(options: Globals, *, stdin: bool) -> str:
    if stdin:
        return sys.stdin.read(MOST)
    if not options.may_ask:
        raise UsageError("nothing to import: give --keystore FILE, or pipe the key in with --stdin")
    return on_terminal("nobody, but the private key itself (64 hex digits, not shown)")


@contextlib.contextmanager
def _as_config_error() -> Any:
    """Turn what keystores refuse into an error of the command."""
    try:
        yield
    except KeyUnreadable as error:
        raise ConfigError([str(error)]) from None
    except WalletError as error:
        raise ConfigError([str(error)]) from None
