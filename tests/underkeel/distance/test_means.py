"""What is learned of wallets and caps, and what stays unknown."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chain.calls import Ok, Unknown
from chain.errors import Unreachable
from chain.types import Address
from protocols.types import Side
from tests.underkeel.distance import scene
from tests.underkeel.distance.test_remedies import DAI, T0, borrower
from underkeel.config.load import Config, load
from underkeel.distance.means import Means, read_means

CONFIG = """
version = 1
[chains.c]
chain_id = 1
rpc = ["http://127.0.0.1:9"]
"""


def config(folder: Path) -> Config:
    path = folder / "underkeel.toml"
    path.write_text(CONFIG)
    return load(path, {})


class Answers:
    """A client whose snapshot answers every read with words, or not."""

    def __init__(self, *results: Any) -> None:
        self.results = results

    def snapshot(self, _at: object) -> "Answers":
        return self

    def run(self, program: Any) -> Any:
        next(program)
        try:
            program.send(self.results)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("more than one batch")


def means(folder: Path, *results: Any) -> Means:
    @contextmanager
    def opener(_spec: object) -> Iterator[Any]:
        yield Answers(*results)

    return read_means(config(folder), borrower(), opener)


def words(*values: int) -> Ok:
    return Ok(b"".join(value.to_bytes(32, "big") for value in values))


RESERVE = words(*range(1, 13), 7, 0, 0)
OWNER, ROOT = scene.OWNER, Address(borrower().assessments[0].position.root)


def test_read_means__all_answers__balances_and_what_counts_against_the_cap(tmp_path: Path) -> None:
    found = means(tmp_path, words(5), words(6), RESERVE, words(100))
    assert found.balances == {("c", OWNER, T0.address): 5, ("c", OWNER, DAI.address): 6}
    assert found.supplied == {("c", ROOT, T0.address): 107}


def test_read_means__no_answer__is_unknown_and_not_zero(tmp_path: Path) -> None:
    found = means(tmp_path, words(5), Unknown("reverted"), RESERVE, Unknown("reverted"))
    assert found.balances == {("c", OWNER, T0.address): 5}
    assert found.supplied == {}


def test_read_means__chain_down__all_is_unknown(tmp_path: Path) -> None:
    @contextmanager
    def opener(_spec: object) -> Iterator[Any]:
        raise Unreachable("127.0.0.1:9", "refused")
        yield

    assert read_means(config(tmp_path), borrower(), opener) == Means()


def test_read_means__no_debt__asks_nothing(tmp_path: Path) -> None:
    portfolio = scene.portfolio(scene.held(None, scene.priced(T0, 1, Side.ASSET, "feed")))

    def opener(_spec: object) -> Any:
        raise AssertionError

    assert read_means(config(tmp_path), portfolio, opener) == Means()
