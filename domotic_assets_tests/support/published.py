"""Published files as tests prepare them: put into a folder, and changed as Gold might change them."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from domotic_assets.serve import publish
from domotic_assets_tests.support import processes


def put_in(serve: Path, admin_file: Path) -> Path:
    """Publish a copy of an admin's file in a folder, as the others' source too; return its stable name."""
    built = publish.clear_staging(serve, "test")
    shutil.copyfile(admin_file, built)
    publish.swap_in(built, serve)
    return publish.published_file(serve)


@contextmanager
def changing(serve: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Publish the admin's file again, with what is done on the connection."""
    built = publish.clear_staging(serve, "test")
    shutil.copyfile(publish.source_file(serve), built)
    with duckdb.connect(str(built)) as connection:
        yield connection
    publish.swap_in(built, serve)


def leave_log(file: Path, change: str) -> None:
    """Die with a change of a file that is only in the log beside it: a process of its own does."""
    assert processes.run(_change_and_die, file, change) == -signal.SIGKILL


def _change_and_die(file: Path, change: str) -> None:
    """Change a file, and be killed before the change is in it."""
    connection = duckdb.connect(str(file))
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
    connection.execute(change)
    os.kill(os.getpid(), signal.SIGKILL)
