"""The signer of a wallet of the config. Only commands that act import this."""

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from chain.types import Address
from chain.wallet import keystore
from chain.wallet.cast import CastSigner, Device
from chain.wallet.env import EnvSigner
from chain.wallet.errors import WalletError
from chain.wallet.signer import Signer
from chain.wallet.web3signer import Web3Signer
from underkeel.config.load import Config
from underkeel.config.model import WalletTable
from underkeel.config.problems import Problem, did_you_mean
from underkeel.config.secrets import SecretMissing, Secrets
from underkeel.config.signing import SignerTable
from underkeel.config.values import url_problem
from underkeel.errors import ConfigError, UsageError
from underkeel.state import keys_folder

Ask = Callable[[str], str]
"""Asks a person for a password, given what for."""


def no_one(what: str) -> str:
    """Refuse to ask: there is nobody."""
    raise UsageError(
        f"the password of {what} is missing: there is no terminal to ask on; "
        'write password = "file:PATH" into the signer\'s table, or give --password-file'
    )


def on_terminal(what: str) -> str:
    """Ask on the terminal, without an echo."""
    return getpass.getpass(f"password of {what}: ", stream=sys.stderr)


def wallet_named(config: Config, name: str) -> tuple[WalletTable, SignerTable]:
    """Return a wallet that can sign; raises `UsageError` or `ConfigError`."""
    wallets = config.settings.wallets
    table = wallets.get(name)
    if table is None:
        raise UsageError(f"{name!r} is no wallet of the config; {did_you_mean(name, wallets)}")
    if table.signer is None:
        todo = f'add one, such as signer = {{ kind = "keystore", path = "{name}.json" }}'
        raise ConfigError([Problem(str(config.path), f"wallets.{name}", "has no signer", todo)])
    return table, table.signer


def wallet_of(config: Config, address: Address) -> str | None:
    """Return the name of the wallet with this address."""
    wallets = config.settings.wallets
    return next((name for name, table in wallets.items() if table.address == address), None)


def signer_for(
    config: Config,
    name: str,
    chain_id: int,
    ask: Ask,
    environ: Mapping[str, str] | None = None,
) -> Signer:
    """Load the signer of a wallet; asks for a password where the config names none.

    Raises `ConfigError` for what is wrong with the config or a secret, wrong passwords included.
    """
    environ = os.environ if environ is None else environ
    table, signer = wallet_named(config, name)
    address = Address(table.address)
    secrets = Secrets.beside(config.path.parent, environ)
    where = f"wallets.{name}.signer"
    try:
        match signer.kind:
            case "keystore":
                path = keys_folder(config.path, environ) / (signer.path or "")
                password = (
                    secrets.resolve(signer.password) if signer.password else ask(f"{path.name}")
                )
                found: Signer = keystore.unlock(path, password, address)
            case "env":
                found = EnvSigner(
                    signer.name or "", secrets.environment, chain_id, insist=signer.insist
                )
            case "web3signer":
                url = secrets.resolve(signer.url or "")
                if what := url_problem(url, ("http", "https")):
                    raise SecretMissing(f"the signer's URL {what}")
                found = Web3Signer(url, address, public_key=signer.public_key)
            case "cast":
                found = CastSigner(
                    _device(config, signer, environ), address, program=signer.program
                )
    except (WalletError, SecretMissing) as error:
        raise ConfigError([Problem(str(config.path), where, str(error))]) from None
    if found.address != address:
        what = f"signs for {found.address}, and the wallet is {address}"
        raise ConfigError([Problem(str(config.path), where, what, "correct one of them")])
    return found


def _device(config: Config, signer: SignerTable, environ: Mapping[str, str]) -> Device:
    path, password = signer.path, None
    if signer.device == "keystore":
        path = str(keys_folder(config.path, environ) / (path or ""))
        if signer.password:
            password = str(_password_file(config.path.parent, signer.password, environ))
    return Device(signer.device or "", path, password)


def _password_file(base: Path, reference: str, environ: Mapping[str, str]) -> Path:
    name = reference.partition(":")[2]
    given = environ.get("UNDERKEEL_SECRETS_DIR") or environ.get("CREDENTIALS_DIRECTORY")
    places = [*([Path(given) / name] if given else []), base / name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise SecretMissing(f"there is no readable file {name}; create it with the value in it")
    return found.resolve()
