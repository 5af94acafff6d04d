"""Open the store that a config names: every command and the service do it here."""

import time
from collections.abc import Callable, Mapping

from underkeel.config.load import Config
from underkeel.store.errors import NoStore
from underkeel.store.place import place_of
from underkeel.store.store import Store


def open_store(
    config: Config,
    *,
    create: bool = True,
    upgrade: bool = False,
    clock: Callable[[], float] = time.time,
    environ: Mapping[str, str] | None = None,
) -> Store:
    """Open the store of a config.

    `create=False` raises `NoStore` where there is no file yet, `upgrade=True` brings older tables
    up to date instead of refusing them.

    Raises `ConfigError` and every `StoreError`; each is an `AppError` with its exit code.
    """
    place = place_of(config, environ=environ)
    if not create and place.file is not None and not place.file.exists():
        raise NoStore
    place.prepare()
    chains = {name: chain.chain_id for name, chain in config.settings.chains.items()}
    return Store.open(
        place.url, mode=config.settings.mode, chains=chains, clock=clock, upgrade=upgrade
    )
