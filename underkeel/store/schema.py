"""Which version the tables have, and bringing them up to this program's."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSION_TABLE: Final = "store_version"
MIGRATIONS: Final = Path(__file__).parent / "migrations"


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def wanted(folder: Path = MIGRATIONS) -> str:
    """Return the version that this program needs."""
    head = ScriptDirectory.from_config(_config(folder)).get_current_head()
    assert head is not None
    return head


def version(db: Connection) -> str | None:
    """Return the version of the tables; None where there are none."""
    context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def known(name: str, folder: Path = MIGRATIONS) -> bool:
    """Whether a version is one that this program can bring up to its own."""
    script = ScriptDirectory.from_config(_config(folder))
    return any(step.revision == name for step in script.walk_revisions())


def upgrade(db: Connection, folder: Path = MIGRATIONS) -> None:
    """Run every step that is missing, in the transaction of `db`."""
    config = _config(folder)
    config.attributes["connection"] = db
    command.upgrade(config, "head")
