"""Which version the tables have, and bringing them up to this program's.

Alembic is imported only where there is something to do: most commands find tables that fit.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0002"
"""The version that this program needs: the newest file of migrations/versions."""
VERSION_TABLE: Final = "store_version"
MIGRATIONS: Final = Path(__file__).parent / "migrations"


def version(db: Connection) -> str | None:
    """Return the version of the tables; None where there are none."""
    if not inspect(db).has_table(VERSION_TABLE):
        return None
    return db.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def steps(folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """Return every version that can be brought up to this program's, oldest first."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_config(folder))
    return tuple(step.revision for step in script.walk_revisions())[::-1]


def upgrade(db: Connection, folder: Path = MIGRATIONS) -> None:
    """Run every step that is missing, in the transaction of `db`."""
    from alembic import command

    config = _config(folder)
    config.attributes["connection"] = db
    command.upgrade(config, "head")


def _config(folder: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
