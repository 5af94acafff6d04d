"""`pause` and `resume`: the kill switch by hand."""

from executor.policy.switch import Switch
from underkeel.cli.options import Globals
from underkeel.cli.output import print_document
from underkeel.documents.wallets import PauseDocument
from underkeel.errors import AppError, Exit
from underkeel.state import state_folder


def pause_all(options: Globals, reason: str) -> Exit:
    """Make the pause file: nothing new is signed from now on."""
    switch = Switch(state_folder())
    try:
        switch.pause(reason)
    except OSError as error:
        raise AppError(f"cannot write {switch.path}: {error.strerror}; end the executor") from None
    return _said(options, switch, f"paused: nothing new is signed while {switch.path} exists")


def resume_all(options: Globals) -> Exit:
    """Remove the pause file."""
    switch = Switch(state_folder())
    try:
        was = switch.resume()
    except OSError as error:
        raise AppError(f"cannot remove {switch.path}: {error.strerror}") from None
    return _said(options, switch, "resumed" if was else "nothing was paused")


def _said(options: Globals, switch: Switch, text: str) -> Exit:
    if options.json:
        paused = switch.paused()
        print_document(
            PauseDocument(
                schema="underkeel.pause/1",
                paused=paused is not None,
                reason=paused,
                file=str(switch.path),
            )
        )
    else:
        print(text)
    return Exit.OK
