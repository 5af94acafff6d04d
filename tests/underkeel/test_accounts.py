"""ENS names: looked up on mainnet, and what is said when that does not work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from chain import ens
from chain.client import ChainSpec
from chain.errors import AllEndpointsFailed, NameNotResolved, Unreachable
from chain.types import Address
from tests.support.fake_chain import AT
from underkeel.accounts import accounts_of
from underkeel.config.load import Config, parse
from underkeel.errors import AppError, ChainDown

OWNER = Address("0x52908400098527886E0F7030069857D2E4169EE7")
SECRET = "https://a.example/v2/very-secret-key"


def config() -> Config:
    chain = {"chain_id": 1, "rpc": [SECRET]}
    wallets = {"me": {"address": OWNER}}
    return parse({"version": 1, "chains": {"eth": chain}, "wallets": wallets}, Path("c"), {})


class Mainnet:
    """A client whose reads all end in one way."""

    def __init__(self, end: Callable[[], Address]) -> None:
        self.end = end
        self.specs: list[ChainSpec] = []

    def __call__(self, spec: ChainSpec, /) -> Any:
        self.specs.append(spec)
        return self

    def __enter__(self) -> Mainnet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def at_head(self, read: Callable[[Any], Address]) -> Address:
        return read(AT)


def resolving(monkeypatch: pytest.MonkeyPatch, end: Callable[[], Address]) -> Mainnet:
    monkeypatch.setattr(ens, "resolve", lambda _snapshot, _name: end())
    return Mainnet(end)


def test_accounts__name__is_looked_up_and_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mainnet = resolving(monkeypatch, lambda: OWNER)
    assert accounts_of(["me", "someone.eth", OWNER.lower()], config(), mainnet) == (OWNER,)
    assert mainnet.specs[0].chain_id == 1


def test_accounts__none_given__all_wallets() -> None:
    assert accounts_of([], config()) == (OWNER,)


def test_accounts__name_without_address__exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Address:
        raise NameNotResolved("no.eth", "it has no resolver")

    with pytest.raises(AppError, match=r"'no\.eth' does not resolve") as caught:
        accounts_of(["no.eth"], config(), resolving(monkeypatch, nobody))
    assert caught.value.code == 1


def test_accounts__mainnet_down__exit_5_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> Address:
        raise AllEndpointsFailed("eth", [Unreachable(SECRET, "refused")])

    with pytest.raises(ChainDown, match=r"cannot look up 'no\.eth'") as caught:
        accounts_of(["no.eth"], config(), resolving(monkeypatch, down))
    assert caught.value.code == 5
    assert "very-secret-key" not in str(caught.value)
