"""What can go wrong with the store. Every one is an `AppError`, so a command ends as it says.

::

    StoreError           1
    ├── NoStore          1  there is no database yet, and this command makes none
    ├── Damaged          1  the file is no database, or its pages do not check out
    ├── NotWritten       1  the database refused; nothing of the transaction was kept
    │   ├── Locked       1  another process held it for too long
    │   ├── Full         1  there is no space left
    │   ├── Moved        1  its file was removed or replaced while it was open
    │   ├── ReadOnly     1  the file, the folder or the server lets us write nothing
    │   └── Unreachable  1  the server is not there, or went away
    ├── LockLost         1  another service has taken over: stop
    ├── WrongSchema      4  the tables are older or newer than this program
    └── WrongStamp       4  it is of another mode or chain
"""

from underkeel.errors import AppError, Exit


class StoreError(AppError):
    """Base of everything the store raises on purpose."""


class NoStore(StoreError):
    """Nothing was ever stored."""

    def __init__(self) -> None:
        super().__init__("there is no database yet; `underkeel run` makes it")


class Damaged(StoreError):
    """The database cannot be trusted as it is on disk."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the database is damaged ({cause}); put it aside, restore a backup, start again"
        )
        self.cause = cause


class NotWritten(StoreError):
    """The database did not do what was asked.

    Where the connection broke at the very end a server may have kept the whole of it, never a part.
    """

    todo = ""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the database cannot be used ({cause})" + (f"; {self.todo}" if self.todo else "")
        )
        self.cause = cause


class Locked(NotWritten):
    """Another process held the database for too long; trying again is right."""

    todo = "another process holds it; try again"


class Full(NotWritten):
    """There is no space left."""

    todo = "make space on its disk, or shorten storage.retain and run `underkeel db prune`"


class Moved(NotWritten):
    """Another file, or none, is where the database was opened."""

    todo = "put it back, or stop every process that has it open and start again"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was removed or replaced while it was open")


class ReadOnly(NotWritten):
    """Writing is not allowed."""

    todo = "its file, folder or role must be writable by this user"


class Unreachable(NotWritten):
    """The server is not there, or the connection broke."""

    todo = "start it, or correct storage.url"


class LockLost(StoreError):
    """The epoch is over: another service writes now."""

    def __init__(self, name: str, epoch: int, holder: str) -> None:
        super().__init__(
            f"another {name} service has taken over ({holder or 'unknown'}); this one stops"
        )
        self.name = name
        self.epoch = epoch
        self.holder = holder


class WrongSchema(StoreError):
    """The tables are not as this program needs them."""

    code = Exit.CONFIG

    def __init__(self, has: str, wanted: str, *, newer: bool) -> None:
        todo = (
            "it was written by a newer version: install that"
            if newer
            else "make a backup with `underkeel db backup PATH`, then run `underkeel db upgrade`"
        )
        super().__init__(f"the database's tables are of version {has}, not {wanted}; {todo}")
        self.has = has
        self.wanted = wanted
        self.newer = newer


class WrongStamp(StoreError):
    """The database belongs to something else."""

    code = Exit.CONFIG

    def __init__(self, what: str, has: str, wanted: str) -> None:
        super().__init__(
            f"the database's {what} is {has}, not {wanted}: numbers of both must never mix; "
            "set storage.url to another database, or correct the config"
        )
        self.what = what
        self.has = has
        self.wanted = wanted
