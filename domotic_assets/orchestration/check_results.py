"""Translates a verdict into a Dagster check result: severity, figures, a sample and a query for rows."""

from collections import Counter
from typing import Any

import dagster as dg

from domotic_assets.quality.verdict import Breach, Verdict

BREACHES_SHOWN = 20


def check_result(asset: dg.AssetKey, name: str, verdict: Verdict, uri: str) -> dg.AssetCheckResult:
    """Make the check result that the asset's page and the alerts use.

    It holds a description in one line, figures, homes, a sample of breaches and a query that shows the rows.
    Homes are those with breaches of the worst severity, with the number of their breaches and, if known, when
    they began.
    uri: location of the asset's table.
    """
    homes: Counter[str] = Counter()
    since: dict[str, str] = {}
    for breach in verdict.breaches:
        if breach.home is not None and breach.severity == verdict.severity:
            homes[breach.home] += 1
            if breach.since is not None:
                since[breach.home] = breach.since.isoformat()
    more: dict[str, Any] = {}
    if verdict.breaches:
        more = {
            "breaches": dg.MetadataValue.md(_as_markdown(verdict)),
            "homes": dg.MetadataValue.json(dict(homes)),
            "since": dg.MetadataValue.json(since),
            "rows": dg.MetadataValue.md(_rows_of(uri, verdict.breaches[0])),
        }
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity[verdict.severity],
        description=_in_words(verdict),
        metadata={**verdict.figures, **more},
    )


def _in_words(verdict: Verdict) -> str:
    """Describe a verdict in one line: its three worst breaches, and the number of the others."""
    if verdict.passed:
        return "nothing wrong"
    worst = sorted(verdict.breaches, key=lambda breach: breach.severity)
    first = "; ".join(_breach_in_words(breach) for breach in worst[:3])
    others = len(worst) - 3
    return f"{first}; and {others:,} more" if others > 0 else first


def _breach_in_words(breach: Breach) -> str:
    """Describe a breach in one line: what is wrong, the reason, and the figures that are known."""
    figures = ", ".join(f"{name} {figure}" for name, figure in breach.figures.items() if figure is not None)
    return f"{breach.subject}: {breach.reason}" + (f" ({figures})" if figures else "")


def _as_markdown(verdict: Verdict) -> str:
    """Render the first BREACHES_SHOWN breaches as a Markdown table, with the number of the others."""
    lines = ["| severity | what | reason | figures |", "|---|---|---|---|"]
    for breach in verdict.breaches[:BREACHES_SHOWN]:
        figures = ", ".join(f"{name}: {figure}" for name, figure in breach.figures.items())
        lines.append(f"| {breach.severity} | {breach.subject} | {breach.reason} | {figures} |")
    if len(verdict.breaches) > BREACHES_SHOWN:
        lines.append(f"| | and {len(verdict.breaches) - BREACHES_SHOWN:,} more | | |")
    return "\n".join(lines)


def _rows_of(uri: str, breach: Breach) -> str:
    """Return a line of Polars that shows the table of a breach, filtered by its home if it has one."""
    home = f'.filter(home="{breach.home}")' if breach.home is not None else ""
    return f'`pl.scan_delta("{uri}"){home}`'
