"""Hands the sample domain to the product: the lines that a domain adds, and a dbt project with its models.

Imported before anything that reads these lists, by a process of its own.
"""

import shutil
from pathlib import Path

from domotic_assets.schemas import ALL_TABLES, gold
from domotic_assets.schemas.table import Cadence
from domotic_assets_tests.sample_domain.schema import FACT_BATTERY_MINUTE

MODELS = Path(__file__).with_name("models")


def hand_in(dbt_project: Path) -> None:
    """Add the lines; dbt_project: a new folder, which becomes the project that dbt works on."""
    # The layer list, and what schemas/gold.py and schemas/__init__.py make of it.
    gold.FACTS = (*gold.FACTS, FACT_BATTERY_MINUTE)  # type: ignore[assignment]
    gold.MINUTE_FACTS = tuple(table for table in gold.FACTS if table.cadence is Cadence.MINUTE)
    gold.TABLES = (*gold.DIMS, *gold.FACTS)  # type: ignore[assignment]
    ALL_TABLES[FACT_BATTERY_MINUTE.id] = FACT_BATTERY_MINUTE

    from domotic_assets.serve.people import matrix

    dates = matrix.Reach.DATES
    rule = matrix.Rule(dates, dates, matrix.Reach.NOTHING, dates)
    matrix.MATRIX = {**matrix.MATRIX, FACT_BATTERY_MINUTE.name: rule, "mart_batteries": rule}

    from domotic_assets.flow import workspace
    from domotic_assets.pages import dbt_sources

    shutil.copytree(workspace.DBT_PROJECT, dbt_project)
    shutil.copytree(MODELS, dbt_project / "models/sample")
    (dbt_project / "models/gold/sources.yml").write_text(dbt_sources.render_sources(), encoding="utf-8")
    (dbt_project / "models/gold/mart_gold_tables.sql").write_text(dbt_sources.render_tables(), "utf-8")
    workspace.DBT_PROJECT = dbt_project

    from domotic_assets.domains import all_domains
    from domotic_assets_tests.sample_domain import checks, flows

    all_domains.FLOWS = (*all_domains.FLOWS, *flows.FLOWS)
    all_domains.CHECKS = (*all_domains.CHECKS, *checks.CHECKS)
