"""Renders the page about the marts, their columns and their upstream tables, from their definitions.

`python -m domotic_assets.pages.marts` writes `docs/marts.md`.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster import AssetKey

from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.orchestration.definitions import build_definitions
from domotic_assets.settings import Settings

MARTS_PAGE = Path(__file__).parents[2] / "docs" / "marts.md"
_LAYERS = ("bronze", "silver", "gold", "marts")

_HEAD = """# The marts

Written by `python -m domotic_assets.pages.marts` from `dbt/models/` and the asset graph;
a test compares. Who sees which: [access.md](access.md). The star below: [gold_schema.md](gold_schema.md).

## From source file to mart

`bronze` holds what the sources sent, byte by byte: sensor files of the share, forecast files, rows of the
register.

"""


def page() -> str:
    """Return the text of docs/marts.md."""
    graph = _graph()
    models = sorted(_models(), key=lambda model: str(model["name"]))
    return "\n".join([_HEAD + _drawn(graph), *(_section(model, graph) for model in models)])


def _models() -> list[dict[str, Any]]:
    """Read the entries of dbt's models from every `schema.yml` of the dbt project."""
    described = [yaml.safe_load(file.read_text("utf-8")) for file in DBT_PROJECT.glob("models/*/schema.yml")]
    return [model for one in described for model in one["models"]]


def _graph() -> dict[AssetKey, frozenset[AssetKey]]:
    """Return the tables that each table is made from."""
    with tempfile.TemporaryDirectory() as folder:
        work = Workspace.open(Settings.of(DBT_PROJECT.parent / "sites.yaml", folder, {}))
        assets = build_definitions(work).resolve_asset_graph()
    tables = {found for found in assets.get_all_asset_keys() if found.path[0] in _LAYERS}
    return {found: frozenset(assets.get(found).parent_keys & tables) for found in tables}


def _upstream(graph: dict[AssetKey, frozenset[AssetKey]], found: AssetKey) -> set[AssetKey]:
    """Return all tables upstream of a table, however far."""
    return set().union(*({parent} | _upstream(graph, parent) for parent in graph[found]))


def _drawn(graph: dict[AssetKey, frozenset[AssetKey]]) -> str:
    """Draw what is upstream of the marts; an edge that a longer path implies is left out."""
    marts = {found for found in graph if found.path[0] == "marts" and found.path[-1] != "mart_gold_tables"}
    shown = marts.union(*(_upstream(graph, mart) for mart in marts))
    lines = ["```mermaid", "flowchart LR"]
    for layer in _LAYERS:
        held = sorted(found.path[-1] for found in shown if found.path[0] == layer)
        lines += [f"    subgraph {layer}", *(f"        {layer}_{name}[{name}]" for name in held), "    end"]
    for found in sorted(shown):
        direct = graph[found] - set().union(*(_upstream(graph, parent) for parent in graph[found]))
        lines += [f"    {'_'.join(parent.path)} --> {'_'.join(found.path)}" for parent in sorted(direct)]
    return "\n".join([*lines, "```", ""])


def _section(model: dict[str, Any], graph: dict[AssetKey, frozenset[AssetKey]]) -> str:
    """Write a mart's section of the page: its description, its sources and its columns.

    model: the mart's entry in `schema.yml`. graph: the tables that each table is made from.
    """
    mart = dg.AssetKey(["marts", str(model["name"])])
    columns = [f"| `{column['name']}` | {column['description']} |" for column in model["columns"]]
    sources = _names(found for found in _upstream(graph, mart) if found.path[0] == "bronze")
    return "\n".join(
        [
            f"## {model['name']}\n",
            f"{model['description']}\n",
            f"From {_names(graph[mart])}; in the end from {sources}.\n",
            "| column | meaning |\n|---|---|",
            *columns,
            "",
        ]
    )


def _names(found: Iterable[AssetKey]) -> str:
    """List tables as `layer/name` in backticks, sorted and separated by commas."""
    return ", ".join(f"`{'/'.join(one.path)}`" for one in sorted(found))


if __name__ == "__main__":
    MARTS_PAGE.write_text(page(), encoding="utf-8")
