"""Opens a SQLite file as a database, read-only."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from domotic_assets.errors import SourceError
from domotic_assets.schemas.records import RecordTable
from domotic_assets.sources.files.opened_folder import opened_folder
from domotic_assets.sources.sql.snapshots import Catalogue, RelationalSource


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
    return RelationalSource(engine, str(file), tables, ("BEGIN",), partial(_catalogue, tables))


def _read_damaged_text(connection: Any, _record: object) -> None:
    """Read a byte that is not UTF-8 as U+FFFD; by default it would stop the whole read."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _catalogue(tables: Mapping[str, RecordTable], connection: sa.Connection) -> Catalogue:
    """List the tables and views; columns are listed only for tables that are read."""
    inspector = sa.inspect(connection)
    return {
        name: [column["name"] for column in inspector.get_columns(name)] if name.lower() in tables else []
        for name in (*inspector.get_table_names(), *inspector.get_view_names())
    }
