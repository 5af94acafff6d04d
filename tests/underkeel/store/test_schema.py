"""Migrations, the version of the tables, and the stamp."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from executor.journal.journal import Journal
from tests.fixtures_store import CHAINS
from underkeel.errors import Exit
from underkeel.store import schema, stamp
from underkeel.store.errors import StoreError, WrongSchema, WrongStamp
from underkeel.store.store import Store
from underkeel.store.tables import metadata

STEP = '''"""A later step."""
from alembic import op
import sqlalchemy as sa
revision = "later"
down_revision = "{head}"
def upgrade():
    op.create_table("later", sa.Column("n", sa.Integer, primary_key=True))
    {more}
'''


def test_migrations__all_of_them__make_what_tables_say(store: Store) -> None:
    with store.reading() as db:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(db, opts=options), metadata) == []


def test_migrations__sqlite__ddl_is_the_same_word_for_word(tmp_path: Path) -> None:
    # what a comparison does not see: WITHOUT ROWID, AUTOINCREMENT, ON DELETE
    def ddl(store: Store) -> dict[str, str]:
        with store.reading() as db:
            found = db.execute(text("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
            return {
                name: "".join(sql.split())
                for name, sql in found
                if not name.startswith("sqlite_") and name != schema.VERSION_TABLE
            }

    migrated = Store.open(f"sqlite:///{tmp_path / 'a'}", mode="live", chains={})
    made = Store.attach(f"sqlite:///{tmp_path / 'b'}", mode="live")
    with made.writing() as db:
        metadata.create_all(db)
    assert ddl(migrated) == ddl(made)
    migrated.close()
    made.close()


def test_head__is_the_newest_step() -> None:
    assert schema.steps()[-1] == schema.HEAD


def test_open__twice__same_instance(store: Store, store_url: str) -> None:
    again = Store.open(store_url, mode="dry-run", chains=CHAINS)
    with store.reading() as one, again.reading() as other:
        assert stamp.read(one) == stamp.read(other)
    again.close()


def later(folder: Path, more: str = "pass") -> Path:
    """Return a folder of migrations with one step more."""
    import shutil

    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    step = STEP.format(head=schema.HEAD, more=more)
    (folder / "versions" / "later.py").write_text(step)
    return folder


def test_open__older_tables__are_refused_until_upgraded(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = later(tmp_path / "migrations")
    monkeypatch.setattr(schema, "HEAD", "later")
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    monkeypatch.setattr(schema.upgrade, "__defaults__", (folder,))
    monkeypatch.setattr(schema.steps, "__defaults__", (folder,))
    with pytest.raises(WrongSchema, match="run `underkeel db upgrade`") as caught:
        Store.open(store_url, mode="dry-run", chains=CHAINS)
    assert caught.value.code == Exit.CONFIG
    assert not caught.value.newer
    upgraded = Store.open(store_url, mode="dry-run", chains=CHAINS, upgrade=True)
    with upgraded.reading() as db:
        assert schema.version(db) == "later"
        assert inspect(db).has_table("later")
    upgraded.close()
    Store.open(store_url, mode="dry-run", chains=CHAINS).close()


def test_upgrade__fails_half_way__leaves_everything_as_it_was(store: Store, tmp_path: Path) -> None:
    folder = later(tmp_path / "migrations", more="raise RuntimeError('half way')")
    with pytest.raises(RuntimeError), store.writing() as db:
        schema.upgrade(db, folder)
    with store.reading() as db:
        assert schema.version(db) == schema.HEAD
        assert not inspect(db).has_table("later")


def test_open__newer_tables__are_refused(store: Store, store_url: str) -> None:
    with store.writing() as db:
        db.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = 'of-next-year'"))
    for upgrade in (False, True):
        with pytest.raises(WrongSchema, match="newer version: install that") as caught:
            Store.open(store_url, mode="dry-run", chains=CHAINS, upgrade=upgrade)
        assert caught.value.newer


@pytest.mark.parametrize(
    ("mode", "chains", "words"),
    [
        ("live", CHAINS, "mode is dry-run, not live"),
        ("dry-run", {"ethereum": 5}, "chain id of 'ethereum' is 1, not 5"),
    ],
    ids=["mode", "chain"],
)
def test_open__another_stamp__is_refused_and_says_what_to_do(
    store: Store, store_url: str, mode: str, chains: dict[str, int], words: str
) -> None:
    with pytest.raises(WrongStamp, match=words) as caught:
        Store.open(store_url, mode=mode, chains=chains)
    assert caught.value.code == Exit.CONFIG
    assert "set storage.url" in str(caught.value)


def test_open__a_chain_more_or_less__is_taken(store: Store, store_url: str) -> None:
    Store.open(store_url, mode="dry-run", chains={"optimism": 10}).close()
    with store.reading() as db:
        names = {name for name in stamp.read(db) if name.startswith("chain:")}
    assert names == {"chain:ethereum", "chain:base", "chain:optimism"}


def test_open__by_many_at_once__one_of_them_makes_it(store_url: str) -> None:
    def instance(_: int) -> str:
        opened = Store.open(store_url, mode="dry-run", chains=CHAINS)
        with opened.reading() as db:
            found = stamp.read(db)["instance"]
        opened.close()
        return found

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(instance, range(6)))) == 1


def test_check_genesis__another_one__is_refused(store: Store) -> None:
    with store.writing() as db:
        stamp.check_genesis(db, 1, "0xaa")
        stamp.check_genesis(db, 1, "0xaa")
        stamp.check_genesis(db, 10, "0xbb")
    words = "genesis of chain 1 is 0xaa, not 0xbb"
    with pytest.raises(WrongStamp, match=words), store.writing() as db:
        stamp.check_genesis(db, 1, "0xbb")


def test_journal__in_the_same_database__neither_touches_the_other(store_url: str) -> None:
    journal = Journal.open(store_url, mode="live")
    journal.stamp_chain(1, "0xaa")
    opened = Store.open(store_url, mode="live", chains={"ethereum": 1})
    with opened.writing() as db:
        stamp.check_genesis(db, 1, "0xbb")
    journal.stamp_chain(1, "0xaa")
    assert journal.sequence() == 0
    with opened.reading() as db:
        options = {"version_table": schema.VERSION_TABLE}
        names = set(inspect(db).get_table_names())
        differences = compare_metadata(MigrationContext.configure(db, opts=options), metadata)
    assert {"intents", "documents"} <= names
    assert all(
        kind.startswith("remove_") for kind, *_ in differences
    )  # the journal's, unknown here
    opened.close()
    journal.close()


def test_stamped_mode__of_a_journal_alone__is_none(store_url: str) -> None:
    Journal.open(store_url, mode="live").close()
    assert stamp.stamped_mode(store_url) is None
    Store.open(store_url, mode="live", chains={}).close()
    assert stamp.stamped_mode(store_url) == "live"


@pytest.mark.parametrize("url", ["mysql://x", "nonsense", "sqlite:////nowhere/at/all"])
def test_open__no_database__says_so_without_the_url(url: str) -> None:
    with pytest.raises(StoreError, match="the database cannot be used") as caught:
        Store.open(url, mode="live", chains={})
    assert url not in str(caught.value)
