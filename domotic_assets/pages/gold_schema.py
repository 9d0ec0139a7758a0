"""Renders the page about the Gold schema: entity-relationship diagrams and a listing, from the schemas.

`python -m domotic_assets.pages.gold_schema` writes `docs/gold_schema.md`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from domotic_assets.schemas import gold
from domotic_assets.schemas import weather as schemas_weather
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.table import Column, ForeignKey, Table
from domotic_assets.serve.catalog import describe_table, published_columns, sql_type

SCHEMA_PAGE = Path(__file__).parents[2] / "docs" / "gold_schema.md"

_TABLES = {table.name: table for table in gold.TABLES}
# A diagram shows one column for the four variants of a forecast measurement; the listing has all.
_UNDRAWN_ENDINGS = tuple(f"_{variant}" for variant in schemas_weather.WEATHER_VARIANTS if variant != "ctrl")

_INTRODUCTION = """\
<!-- Written by `python -m domotic_assets.pages.gold_schema` from the schemas: change those. -->
# The Gold schema

What the published DuckDB file holds in its schema `gold`. Names end in their unit; `datetime_key` is a UTC
minute, `date_key` a local date; other keys are hashes of natural ids, -1 is "none". Keys are checked before a
file is published, and `meta.keys` lists them; the file declares none, as drivers of DuckDB 1.0 could not
open it.
"""


def render_page() -> str:
    """Return the text of docs/gold_schema.md: a diagram per group of facts, then every table's columns."""
    home = [fact for fact in gold.FACTS if _refers_to(fact, homes_gold.DIM_APARTMENT)]
    weather = [fact for fact in gold.FACTS if fact not in home]
    drawn = _with_dimensions([*home, *weather])
    alone = [f"`{table.name}`" for table in gold.TABLES if table not in drawn]
    parts = [
        _INTRODUCTION,
        f"## Homes\n\n{_diagram(_with_dimensions(home))}",
        f"## Weather\n\n{_diagram(_with_dimensions(weather))}",
        f"No fact refers to {', '.join(alone)}.\n",
        "## Tables\n",
        *(_listing(table) for table in gold.TABLES),
    ]
    return "\n".join(parts)


def _refers_to(table: Table, target: Table) -> bool:
    """Return whether `table` has a foreign key to `target`."""
    return any(key.table == target.name for key in table.foreign_keys)


def _with_dimensions(facts: Iterable[Table]) -> list[Table]:
    """Return facts and the dimensions that they reach, in the order of the schema."""
    reached: set[str] = set()
    waiting = [fact.name for fact in facts]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [key.table for key in _TABLES[name].foreign_keys]
    return [table for table in gold.TABLES if table.name in reached]


def _diagram(tables: Sequence[Table]) -> str:
    """Draw an entity-relationship diagram of tables and their foreign keys, as a Mermaid block.

    Columns that end in one of _UNDRAWN_ENDINGS are left out.
    """
    lines = ["```mermaid", "erDiagram"]
    lines += [f"    {_relation(table, key)}" for table in tables for key in table.foreign_keys]
    for table in tables:
        lines.append(f"    {table.name} {{")
        lines += [
            f"        {sql_type(column)} {column.name}{_key_marks(table, column)}"
            for column in published_columns(table)
            if not column.name.endswith(_UNDRAWN_ENDINGS)
        ]
        lines.append("    }")
    return "\n".join([*lines, "```", ""])


def _relation(table: Table, key: ForeignKey) -> str:
    """Draw a foreign key: one row of the target (or none, if -1 is allowed) has any number of table rows."""
    end = "|o" if key.allow_none else "||"
    return f'{key.table} {end}--o{{ {table.name} : "{key.column}"'


def _key_marks(table: Table, column: Column) -> str:
    """Return ` PK`, ` FK` or ` PK, FK` for a column of the primary key, of a foreign key, or of both.

    The text is empty for any other column.
    """
    marks = ["PK"] if column.name in table.primary_key else []
    marks += ["FK"] if any(key.column == column.name for key in table.foreign_keys) else []
    return f" {', '.join(marks)}" if marks else ""


def _listing(table: Table) -> str:
    """Write a table's section of the page in Markdown: its description and its columns."""
    lines = [f"### {table.name}", "", describe_table(table), "", "| column | type | unit | meaning | key |"]
    lines.append("|---|---|---|---|---|")
    for column in published_columns(table):
        kind = f"{sql_type(column)}{'' if column.nullable else ' not null'}"
        keys = _key_marks(table, column).replace("PK", "primary").replace("FK", "foreign").strip()
        references = "".join(f" → `{key.table}`" for key in table.foreign_keys if key.column == column.name)
        lines.append(
            f"| `{column.name}` | {kind} | {column.unit or ''} | {column.description} | {keys}{references} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    SCHEMA_PAGE.write_text(render_page(), encoding="utf-8")
