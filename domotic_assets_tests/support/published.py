"""Published files as tests prepare them: put into a folder, and changed as Gold might change them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from domotic_assets.serve import publish


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
