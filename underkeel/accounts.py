"""Whose positions are asked for: addresses, wallets of the config, ENS names."""

from collections.abc import Sequence
from typing import Final

from chain.client import connect
from chain.errors import ChainError, NameNotResolved
from chain.types import Address, InvalidAddress, parse_address
from underkeel.config.load import Config
from underkeel.config.problems import Problem, did_you_mean
from underkeel.config.secrets import looks_secret
from underkeel.errors import AppError, ChainDown, ConfigError, UsageError
from underkeel.portfolio import Open, spec_of

MAINNET: Final = 1


def accounts_of(
    given: Sequence[str], config: Config, opener: Open = connect
) -> tuple[Address, ...]:
    """Return the accounts, each once; all wallets of the config when none is given.

    Raises `UsageError` for what is no account, `ChainDown` where names cannot be looked up.
    """
    wallets = {name: Address(w.address) for name, w in config.settings.wallets.items()}
    if not given and not wallets:
        raise UsageError(
            f"no account: {config.path} has no [wallets.NAME]; add one, or give an ADDRESS"
        )
    if not given:
        return tuple(wallets.values())
    found: list[Address] = []
    for text in given:
        if looks_secret((), text):
            raise UsageError(
                "that looks like a private key, not an address: it is in your shell's history "
                "now, so treat it as exposed and move what it holds"
            )
        if text in wallets:
            found.append(wallets[text])
        elif text[:2].lower() == "0x":
            found.append(_address(text))
        elif "." in text:
            found.append(_name(text, config, opener))
        else:
            hint = f"; {did_you_mean(text, wallets)}" if wallets else ""
            raise UsageError(f"{text!r} is no address, ENS name or wallet of the config{hint}")
    return tuple(dict.fromkeys(found))


def require_chains(config: Config) -> None:
    """Raise `ConfigError` where the config names no chain to read."""
    if not config.settings.chains:
        todo = "add [chains.ethereum] with chain_id and rpc, or run `underkeel init`"
        raise ConfigError([Problem(str(config.path), "chains", "is empty", todo)])


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except InvalidAddress as error:
        raise UsageError(str(error)) from None


def _name(name: str, config: Config, opener: Open) -> Address:
    tables = config.settings.chains
    mainnet = next((c for c, table in tables.items() if table.chain_id == MAINNET), None)
    if mainnet is None:
        raise UsageError(
            f"{name!r} is an ENS name, and the config has no chain with chain_id = 1 to look it "
            "up on; add one, or give the address"
        )
    from chain.ens import resolve

    try:
        with opener(spec_of(mainnet, tables[mainnet], config)) as client:
            return client.at_head(lambda snapshot: resolve(snapshot, name))
    except NameNotResolved as error:
        raise AppError(str(error)) from None
    except ChainError as error:
        raise ChainDown(config.scrub(f"cannot look up {name!r}: {error}")) from None
