"""Renders dbt's declaration of the Gold tables, with their tests, from the schemas.

`python -m domotic_assets.pages.dbt_sources` writes `dbt/models/gold/sources.yml`. A table's columns share
one test of each kind, as each test costs a query and a Dagster event. Each foreign key has a test of its own,
as each failure has another cause.
"""

from pathlib import Path
from typing import Any

from domotic_assets.escaping import yaml_text
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import NO_KEY, ForeignKey, Table
from domotic_assets.serve.catalog import GOLD_SCHEMA, describe_column, describe_table, published_columns

SOURCES_FILE = Path(__file__).parents[2] / "dbt" / "models" / "gold" / "sources.yml"
TABLES_FILE = SOURCES_FILE.with_name("mart_gold_tables.sql")
_WRITTEN = "Written by `python -m domotic_assets.pages.dbt_sources` from the schemas: change those.\n"


def render_sources() -> str:
    """Return the text of sources.yml: every Gold table with descriptions and tests."""
    source = {
        "name": GOLD_SCHEMA,
        "schema": GOLD_SCHEMA,
        "description": "The star schema as published: dims are current state, facts fill nothing in.",
        "tables": [_table(table) for table in gold.TABLES],
    }
    body = yaml_text({"version": 2, "sources": [source]}, width=110)
    return f"# {_WRITTEN}{body}"


def _table(table: Table) -> dict[str, Any]:
    """Return dbt's declaration of a Gold table: its description, asset key, tests and columns."""
    return {
        "name": table.name,
        "description": describe_table(table),
        "config": {"meta": {"dagster": {"asset_key": table.id.split("/")}}},
        "data_tests": _table_tests(table),
        "columns": [
            {
                "name": column.name,
                "description": describe_column(table, column),
                **_reference_tests(table, column.name),
            }
            for column in published_columns(table)
        ],
    }


def _table_tests(table: Table) -> list[dict[str, Any]]:
    """Return the tests that a table's columns share: unique primary key, no nulls, values in range."""
    columns = published_columns(table)
    tests = [
        _test(f"{table.name}_unique", "unique_key", columns=list(table.primary_key)),
        _test(
            f"{table.name}_not_null", "columns_not_null", columns=[c.name for c in columns if not c.nullable]
        ),
    ]
    ranges = {
        c.name: [c.minimum, c.maximum] for c in columns if c.minimum is not None or c.maximum is not None
    }
    if ranges:
        tests.append(_test(f"{table.name}_in_range", "columns_in_range", ranges=ranges))
    return tests


def _reference_tests(table: Table, column: str) -> dict[str, Any]:
    """Return `data_tests` with a test per foreign key of this column; empty if it has none."""
    tests = [_reference_test(table, key) for key in table.foreign_keys if key.column == column]
    return {"data_tests": tests} if tests else {}


def _reference_test(table: Table, key: ForeignKey) -> dict[str, Any]:
    """Return the test that a foreign key's values exist in its target, or are NO_KEY where allowed."""
    none = {"none_key": NO_KEY} if key.allow_none else {}
    return _test(
        f"{table.name}_{key.column}_in_{key.table}",
        "key_in",
        table=f"{GOLD_SCHEMA}.{key.table}",
        field=key.target,
        **none,
    )


def _test(name: str, kind: str, **arguments: Any) -> dict[str, Any]:
    """Return dbt's declaration of a test.

    kind: the generic test that it uses, such as `key_in`. arguments: the arguments of the generic test.
    """
    return {kind: {"name": name, "arguments": arguments}}


def render_tables() -> str:
    """The text of mart_gold_tables.sql: rows and dates of every Gold table.

    It reads every Gold table, which makes Dagster show the tests of each as checks of its asset.
    """
    counts = [
        f"""select
    '{table.name}' as table_name,
    count(*) as row_count,
    {_date("min", table)} as first_date_key,
    {_date("max", table)} as last_date_key
from {{{{ source('gold', '{table.name}') }}}}
"""  # noqa: S608
        for table in gold.TABLES
    ]
    return f"-- {_WRITTEN}" + "union all\n".join(counts)


def _date(function: str, table: Table) -> str:
    """Return the SQL for a table's first or last `date_key`; null if it has no such column.

    function: `min` or `max`.
    """
    return f"{function}(date_key)" if "date_key" in table.schema else "null::integer"


if __name__ == "__main__":
    SOURCES_FILE.write_text(render_sources(), encoding="utf-8")
    TABLES_FILE.write_text(render_tables(), encoding="utf-8")
