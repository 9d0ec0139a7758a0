"""Opens a SQLite file as a database, read-only."""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domotic_assets.errors import SourceError
from domotic_assets.schemas.records import RecordTable
from domotic_assets.sources.files.opened_folder import opened_folder
from domotic_assets.sources.sql import snapshots
from domotic_assets.sources.sql.snapshots import Catalogue, RelationalSource

_MOST_BYTES = 1 << 20
"""Of one value; a function of a longer one can take hours, and nothing stops it before its end."""
_MOST_PATTERN = 1000
_STEPS = 100_000
"""After so many steps of the database it is asked whether time is up; they take a few milliseconds."""


def sqlite_source(
    file: Path, tables: Mapping[str, RecordTable], *, follow_links: bool = False
) -> RelationalSource:
    """Return the tables of a SQLite file, opened read-only; raise SourceError if there is no such file.

    Raises SourceError as well if the file is a link, or another account's link leads to it, and follow_links
    is false.
    """
    with suppress(OSError), opened_folder(file.parent, follow_links=follow_links):
        # No link of another account leads to it.
        pass
    if file.is_symlink() and not follow_links:
        raise SourceError(
            "the file is a link, which may lead anywhere",
            where=str(file),
            expected="the SQLite file itself",
            remedy="correct its address in sites.yaml, or set follow_links: true there",
        )
    if not file.is_file():
        raise SourceError(
            "no such file",
            where=str(file),
            expected="the SQLite file of a source",
            remedy="create it with `domotic simulate`, or correct its address in sites.yaml",
        )
    url = sa.URL.create("sqlite", database=file.resolve().as_uri(), query={"mode": "ro", "uri": "true"})
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _read_damaged_text)
    sa.event.listen(engine, "connect", _bound)
    return RelationalSource(engine, str(file), tables, ("BEGIN",), partial(_catalogue, tables), _explain)


def _read_damaged_text(connection: Any, _record: object) -> None:
    """Read a byte that is not UTF-8 as U+FFFD; by default it would stop the whole read."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _bound(connection: Any, _record: object) -> None:
    """Bound what the file's own views can make us do: time, memory, and what functions may reach."""
    end = time.monotonic() + snapshots.MOST_SECONDS
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _MOST_PATTERN)
    for setting in ("trusted_schema = OFF", "query_only = ON"):
        connection.execute(f"PRAGMA {setting}")
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)


def _explain(error: SQLAlchemyError, place: str) -> SourceError | None:
    """Translate an error for a bound that was met; None for any other."""
    original = error.orig if isinstance(error, DBAPIError) else None
    match getattr(original, "sqlite_errorcode", None):
        case sqlite3.SQLITE_INTERRUPT:
            what = f"the database takes longer than {snapshots.MOST_SECONDS} s to be read"
        case sqlite3.SQLITE_TOOBIG:
            what = f"a value is larger than {_MOST_BYTES:,} bytes"
        case _:
            return None
    return SourceError(
        what,
        where=place,
        expected="tables or views of a register, with values of usual size",
        remedy="look for a view without an end or a value that does not belong there",
    )


def _catalogue(tables: Mapping[str, RecordTable], connection: sa.Connection) -> Catalogue:
    """List the tables and views; columns are listed only for tables that are read."""
    inspector = sa.inspect(connection)
    return {
        name: [column["name"] for column in inspector.get_columns(name)] if name.lower() in tables else []
        for name in (*inspector.get_table_names(), *inspector.get_view_names())
    }
