"""Lists the tables and columns of a database, with the kind of their type. Rows are never read."""

import re

from sqlalchemy.exc import SQLAlchemyError

from domotic_assets.errors import SourceError
from domotic_assets.sources.sql.snapshots import RelationalSource

_CATALOGUE = {
    "sqlite": (
        "SELECT t.name, c.name, c.type FROM sqlite_master t JOIN pragma_table_info(t.name) c"
        " WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        " ORDER BY t.name, c.cid"
    ),
    "mysql": (
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
    ),
}
"""By dialect: the query for table, column and declared type of all that this account may see, views
included."""

_KINDS = {
    "integer": "int integer tinyint smallint mediumint bigint bit bool boolean year",
    "number": "real float double decimal numeric",
    "text": "char varchar nchar nvarchar tinytext text mediumtext longtext clob enum set",
    "time": "date time datetime timestamp",
}
_KIND_OF_TYPE = {name: kind for kind, names in _KINDS.items() for name in names.split()}
OTHER = "other"


def columns_of(source: RelationalSource) -> dict[str, dict[str, str]]:
    """Return table to column to kind of type; raise SourceError if the database cannot be read."""
    found: dict[str, dict[str, str]] = {}
    try:
        with source.engine.connect() as connection:
            for table, column, declared in connection.exec_driver_sql(_CATALOGUE[source.engine.dialect.name]):
                found.setdefault(str(table), {})[str(column)] = _kind(str(declared))
    except SQLAlchemyError as error:
        raise source.explain(error, source.place) or SourceError(
            f"the database's columns cannot be listed ({type(error).__name__})",
            where=source.place,
            expected="a readable database with the source's tables",
            remedy="check that it is the right one and that nobody holds it locked",
        ) from None
    return found


def _kind(declared: str) -> str:
    """Return the kind of a declared type.

    `VARCHAR(45)` and `longtext` are both text: installations differ in sizes, not in kinds.
    """
    word = re.match(r"\s*([A-Za-z]+)", declared)
    return _KIND_OF_TYPE.get(word[1].lower(), OTHER) if word else OTHER
