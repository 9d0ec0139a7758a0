"""Runs a query on the published file: read-only, and without access to anything outside it.

How results are shown belongs to the command line.
"""

from pathlib import Path
from typing import Any

import duckdb

from domotic_assets.errors import LakeError, QueryError
from domotic_assets.serve.catalog import GOLD_SCHEMA, MARTS_SCHEMA


def run_query(file: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query and return its column names and rows; Gold tables and marts need no schema prefix.

    SQL that is only comments returns neither. Raises LakeError if there is no file or it cannot be opened,
    QueryError for SQL that DuckDB refuses.
    """
    if not file.is_file():
        raise LakeError(
            "nothing is published yet",
            where=str(file),
            expected="a file that `domotic build` publishes",
            remedy="run `domotic build` first, or name its lake with --lake",
        )
    try:
        connection = duckdb.connect(str(file), read_only=True, config={"enable_external_access": "false"})
    except duckdb.Error as error:
        raise LakeError(
            f"cannot be opened ({_message(error)})",
            where=str(file),
            expected="a published DuckDB file",
            remedy="run `domotic build` to publish it again",
        ) from error
    with connection:
        connection.execute(f"SET search_path = '{GOLD_SCHEMA},{MARTS_SCHEMA}'")
        connection.execute("SET lock_configuration = true")
        try:
            connection.execute(sql)
            if connection.description is None:  # nothing but comments
                return [], []
            return [column[0] for column in connection.description], connection.fetchall()
        except duckdb.Error as error:
            raise QueryError(
                _message(error), where="query", remedy="`SHOW TABLES` lists what can be asked"
            ) from error


def _message(error: duckdb.Error) -> str:
    """Return DuckDB's message in one line, without the excerpt of the SQL that follows it."""
    return " ".join(str(error).partition("\n\n")[0].split())
