"""Which positions are kept, on both databases."""

import pytest

from tests.fixtures_store import BEGIN, StoreClock
from tests.underkeel.store.past import document, leg, position
from underkeel.config.storage import RetainTable
from underkeel.store import documents, history
from underkeel.store.history import Keeper, Past
from underkeel.store.prune import prune
from underkeel.store.store import Store

FOREVER = BEGIN * 2


def keep(store: Store, keeper: Keeper, body: dict[str, object], at: float = 0) -> int:
    with store.writing() as db:
        documents.put(db, "risk", "ethereum", body, at=BEGIN + at)
    return again(store, keeper, at)


def again(store: Store, keeper: Keeper, at: float = 0) -> int:
    with store.reading() as db:
        due = keeper.due(db, BEGIN + at)
    with store.writing() as db:
        return keeper.keep(db, due)


def read(store: Store) -> list[Past]:
    with store.reading() as db:
        return list(history.between(db, 0, FOREVER))


def test_keep__calm__once_an_hour_at_the_blocks_time(store: Store) -> None:
    keeper = Keeper()
    kept = [keep(store, keeper, document(position(at))) for at in (0, 600, 3599, 3600, 4000)]
    assert kept == [1, 0, 0, 1, 0]
    found = read(store)
    assert [(p.at - BEGIN, p.block_number) for p in found] == [(0, 0), (3600, 3600)]
    assert found[0].value == position(0)


def test_keep__by_another_process__is_thinned_all_the_same(store: Store) -> None:
    kept = [keep(store, Keeper(), document(position(at))) for at in (0, 600, 3599, 3600, 4000)]
    assert kept == [1, 0, 0, 1, 0]


def test_keep__same_document__is_not_even_read(store: Store) -> None:
    keeper = Keeper()
    keep(store, keeper, document(position(0)))
    assert again(store, keeper, 9_000) == 0


@pytest.mark.parametrize(
    "changed",
    [
        position(60, status="liquidatable"),
        position(60, leg("collateral", 2**256 - 1), leg(amount=94 * 10**16)),
        position(60, leg("collateral", 2**256 - 1), leg(price_raw=None)),
        position(60, leg("collateral", 2**256 - 1)),
        position(60, unknown=["debt: reverted"]),
    ],
    ids=["status", "amount", "price unknown", "leg gone", "unknown"],
)
def test_keep__something_changed__at_once(store: Store, changed: dict[str, object]) -> None:
    keeper = Keeper()
    keep(store, keeper, document(position(0)))
    assert keep(store, keeper, document(changed), 60) == 1


def test_keep__a_position_is_gone__says_so_once(store: Store) -> None:
    keeper = Keeper()
    keep(store, keeper, document(position(0)))
    assert keep(store, keeper, document(unknown=True), 60) == 0  # hidden is not gone
    assert keep(store, keeper, document(status="down"), 80) == 0
    assert keep(store, keeper, document(), 100) == 1
    assert keep(store, keeper, document(), 120) == 0
    last = read(store)[-1]
    assert (last.at - BEGIN, last.value, last.chain) == (100, None, "ethereum")


def test_between__more_than_a_piece__all_in_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PIECE", 3)
    many = [position(at // 2, id=f"{at:02}") for at in range(10)]
    keep(store, Keeper(), document(*many))
    assert [p.position for p in read(store)] == [p["id"] for p in many]
    with store.reading() as db:
        (one,) = history.between(db, 0, FOREVER, position="04")
    assert one.position == "04"


def test_prune__old_positions__one_a_day_is_left_then_none(
    store: Store, store_clock: StoreClock
) -> None:
    keeper, day = Keeper(), 86_400
    start = (BEGIN // day + 1) * day - BEGIN
    for hour in range(0, 72, 6):
        keep(store, keeper, document(position(start + hour * 3600)))
    retain = RetainTable.model_validate({"raw": "1d", "hourly": "10d"})
    with store.writing() as db:
        while prune(db, retain, BEGIN + start + 3 * day):
            pass
    hours = [(p.at - BEGIN - start) / 3600 for p in read(store)]
    assert hours == [18, 42, 48, 54, 60, 66]
    with store.writing() as db:
        while prune(db, retain, BEGIN + start + 40 * day):
            pass
    assert read(store) == []
