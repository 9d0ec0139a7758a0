"""Withdraws the files of people in a thread of `domotic live`, within a minute of a change in sites.yaml."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from threading import Event

from domotic_assets.errors import DomoticError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import people
from domotic_assets.operate.background import in_background

LOOK_EVERY_SECONDS = 20.0


def withdrawing(
    work: Workspace, say: Callable[[str], None], every_seconds: float = LOOK_EVERY_SECONDS
) -> AbstractContextManager[None]:
    """Remove the files of people whose rights sites.yaml withdraws, until the block ends.

    Looks at once, and then three times a minute by a clock that nobody sets: no run, no sensor and no change
    of the machine's clock holds it up. say: is called with each line to tell.
    """
    return in_background(partial(_withdraw_until, work, say, every_seconds))


def _withdraw_until(work: Workspace, say: Callable[[str], None], every_seconds: float, ended: Event) -> None:
    """Withdraw until the event is set. The same failure is told once."""
    told = ""
    while not ended.is_set():
        failure = ""
        try:
            looked = people.withdraw(work)
            if looked.removed:
                say(f"rights were withdrawn: removed the files of {len(looked.removed)} people")
            looked.refuse_stuck(work.serve)
        except DomoticError as error:
            failure = str(error)
        except Exception as error:  # whatever happens, it looks again
            failure = (
                f"{work.settings.sites_file.name}: cannot look at people's rights ({type(error).__name__})"
            )
        if failure and failure != told:
            say(failure)
        told = failure
        ended.wait(every_seconds)
