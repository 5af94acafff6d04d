"""What was asked last time is kept on disk, and its loss costs nothing but time."""

from pathlib import Path

import pytest

from chain.calls import Code
from chain.prefetch import Foresight
from chain.types import Address
from underkeel.foresight import MOST_BYTES, name_of, remember, remembered

WHO = Address("0x52908400098527886E0F7030069857D2E4169EE7")


def some() -> Foresight:
    return Foresight({"a": {Code(WHO): 0}}, changed=True)


def test_remember__then_remembered__is_the_same(tmp_path: Path) -> None:
    memory = some()
    remember(tmp_path / "new", 5, memory)
    assert not memory.changed
    assert remembered(tmp_path / "new", 5) == memory
    assert remembered(tmp_path / "new", 6) == Foresight()
    assert [path.name for path in (tmp_path / "new" / "reads").iterdir()] == ["5.json"]


def test_remember__nothing_new__writes_nothing(tmp_path: Path) -> None:
    memory = some()
    memory.changed = False
    remember(tmp_path, 5, memory)
    assert list(tmp_path.iterdir()) == []


def test_remembered__damaged_or_huge__is_empty(tmp_path: Path) -> None:
    remember(tmp_path, 5, some())
    file = tmp_path / "reads" / "5.json"
    for content in (b"", file.read_bytes()[:-3], b"\xff" * 10, b"0" * (MOST_BYTES + 1)):
        file.write_bytes(content)
        assert remembered(tmp_path, 5) == Foresight()


def test_remember__folder_cannot_be_made__is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "reads").write_text("a file")
    memory = some()
    remember(tmp_path, 5, memory)
    assert memory.changed
    assert remembered(tmp_path, 5) == Foresight()


def test_remember__disk_full__keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, 5, some())

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    remember(tmp_path, 5, Foresight(changed=True))
    assert remembered(tmp_path, 5).runs == some().runs
    assert [path.name for path in (tmp_path / "reads").iterdir()] == ["5.json"]


def test_name_of__accounts__is_of_the_set_of_them() -> None:
    other = Address("0x" + "11" * 20)
    assert name_of([WHO, other]) == name_of([other, WHO])
    assert name_of([WHO]) != name_of([WHO, other])
