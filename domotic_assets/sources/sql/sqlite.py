"""Opens a register that lies in a SQLite file, read-only."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from domotic_assets.errors import SourceError
from domotic_assets.schemas.register import REGISTER
from domotic_assets.sources.sql.snapshots import Catalogue, RelationalSource


def sqlite_source(file: Path) -> RelationalSource:
    """The register in a SQLite file, opened read-only; raises SourceError when there is no such file."""
    if not file.is_file():
        raise SourceError(
            "no such file",
            where=str(file),
            expected="the SQLite file of the building register",
            remedy="create it with `domotic simulate`, or mend sources.register_rows in sites.yaml",
        )
    url = sa.URL.create("sqlite", database=file.resolve().as_uri(), query={"mode": "ro", "uri": "true"})
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _read_damaged_text)
    return RelationalSource(engine, str(file), ("BEGIN",), _sqlite_catalogue)


def _read_damaged_text(connection: Any, _record: object) -> None:
    """A byte that is no UTF-8 becomes U+FFFD; by default it would stop the whole read."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _sqlite_catalogue(connection: sa.Connection) -> Catalogue:
    inspector = sa.inspect(connection)
    return {
        name: [column["name"] for column in inspector.get_columns(name)] if name.lower() in REGISTER else []
        for name in (*inspector.get_table_names(), *inspector.get_view_names())
    }
