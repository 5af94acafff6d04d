"""What can go wrong with the journal.

JournalError
├── Damaged           the file is no journal, or its pages do not check out
├── WrongStamp        it is of another mode, version or chain
├── IntentConflict    another intent has this id
├── LeaseLost         another process acts for the wallet now: stop
├── RowChanged        the row is not as it was read: read again
└── NotWritten        disk full, lock, connection: nothing may be sent on the strength of it
"""


class JournalError(Exception):
    """Base of everything the journal raises on purpose."""


class Damaged(JournalError):
    """The journal cannot be trusted as it is on disk."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the journal is damaged ({cause}); restore a backup and start again")
        self.cause = cause


class WrongStamp(JournalError):
    """The journal belongs to something else."""

    def __init__(self, what: str, has: str, wanted: str) -> None:
        super().__init__(f"the journal's {what} is {has}, not {wanted}; use another journal")
        self.what = what
        self.has = has
        self.wanted = wanted


class IntentConflict(JournalError):
    """The id is taken by an intent that says something else."""

    def __init__(self, intent: str) -> None:
        super().__init__(f"another intent is recorded as {intent[:10]}")
        self.intent = intent


class LeaseLost(JournalError):
    """The epoch is not the wallet's any more."""

    def __init__(self, wallet: str, epoch: int) -> None:
        super().__init__(f"epoch {epoch} of {wallet} is over: another process acts for it")
        self.wallet = wallet
        self.epoch = epoch


class RowChanged(JournalError):
    """The row has another version than the one that was read."""

    def __init__(self, intent: str) -> None:
        super().__init__(f"intent {intent[:10]} was changed meanwhile")
        self.intent = intent


class NotWritten(JournalError):
    """The database did not confirm the commit."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the journal could not be written ({cause}); nothing is sent until it is")
        self.cause = cause
