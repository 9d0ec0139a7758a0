"""Renders the page about the checks, from their definitions.

`python -m domotic_assets.pages.checks` writes `docs/checks.md`.
"""

from pathlib import Path

from domotic_assets.domains.all_domains import CHECKS, FLOWS
from domotic_assets.orchestration.assets import GRAIN_RULE, grain_checks
from domotic_assets.orchestration.sensors import REACHABLE, REACHABLE_RULE

CHECKS_PAGE = Path(__file__).parents[2] / "docs" / "checks.md"

_HEAD = """# Checks

Written by `python -m domotic_assets.pages.checks` from the definitions; a test compares.

WARN shows on the asset's page, ERROR also alerts (docs/alerts.md). What a feed sent never stops a run;
only a breach of our own tables does, in the run that wrote it (`grain`). A round of checks looks at the
last day of the feed's own time, home by home: hourly, after a day was closed, at the end of `domotic
build`, and whenever somebody runs the job `checks`. Beside that `freshness` of homes is told within two
minutes, and `reachable` at once. A result carries figures, the breaches with their homes, and where the
rows stand.

| check | table | severity | rule |
|---|---|---|---|
"""

_TAIL = """
Beside these, the published file is tested by dbt when a build brings a new date or other models, and after a
day was closed: keys, relations, accepted values and units of Gold and its marts (`dbt/models`). What other
builds change is tested by the same rules of Gold before it is published.
"""


def page() -> str:
    """Return the text of docs/checks.md: one line per check and rule, with the tables that it applies to."""
    tables: dict[tuple[str, str, str], list[str]] = {}
    for check in CHECKS:
        # The rule of `keys` names each table's key columns in brackets; without them it is one rule.
        rule = (
            check.rule.split(" (", 1)[0] + check.rule.split(")", 1)[1] if check.name == "keys" else check.rule
        )
        tables.setdefault((check.name, check.severities, rule), []).append(check.table.id)
    grain = sorted(check.asset_key.to_user_string() for check in grain_checks(FLOWS))
    tables["grain", "ERROR, blocks", GRAIN_RULE] = grain
    tables[REACHABLE, "ERROR", REACHABLE_RULE] = [flow.writes[0].id for flow in FLOWS if flow.look]
    rows = [
        f"| `{name}` | {', '.join(f'`{table}`' for table in held)} | {severities} | {rule} |"
        for (name, severities, rule), held in tables.items()
    ]
    return _HEAD + "\n".join(rows) + "\n" + _TAIL


if __name__ == "__main__":
    CHECKS_PAGE.write_text(page(), encoding="utf-8")
