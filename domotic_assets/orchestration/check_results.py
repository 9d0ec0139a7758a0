"""Translates a verdict into a Dagster check result: severity, figures, a sample and a query for rows.

Dagster's pages read a result's description, and what is declared so in its metadata, as Markdown. Both are
made here alone, and of `Markdown` only: names in a verdict come from feeds.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

from domotic_assets.escaping import Markdown, markdown, markdown_table, markdown_text, visible_line
from domotic_assets.quality.verdict import Breach, Verdict

BREACHES_SHOWN = 20

IN_WORDS = "in words"
"""Label of the metadata that holds what a check found as text, for alerts and the command."""

_Text = TypeVar("_Text", bound=str)
_Write = Callable[..., _Text]
"""Fills the `{}` of a template with values: as text, or as Markdown."""


def markdown_value(text: Markdown) -> dg.MarkdownMetadataValue:
    """Make metadata that Dagster's pages show as Markdown."""
    return dg.MetadataValue.md(text)


def described(
    text: str, description: Markdown | None = None, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments `description` and `metadata` of a check's result.

    text: what was found, in words. description: the same as Markdown, if it can be told better than as text.
    """
    return {
        "description": markdown(text) if description is None else description,
        "metadata": {IN_WORDS: dg.MetadataValue.text(visible_line(text)), **(metadata or {})},
    }


def in_words(evaluation: dg.AssetCheckEvaluation | dg.AssetCheckResult) -> str:
    """Return what a check found as text; of results from before there was such text, the description."""
    value = (evaluation.metadata or {}).get(IN_WORDS)
    return str(value.value) if isinstance(value, dg.TextMetadataValue) else evaluation.description or ""


def as_evaluation(result: dg.AssetCheckResult, asset: dg.AssetKey, name: str) -> dg.AssetCheckEvaluation:
    """Make the evaluation that a sensor reports from the result of a check."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


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
            "breaches": markdown_value(_as_markdown(verdict)),
            "homes": dg.MetadataValue.json(dict(homes)),
            "since": dg.MetadataValue.json(since),
            "rows": markdown_value(_rows_of(uri, verdict.breaches[0])),
        }
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity[verdict.severity],
        **described(
            _in_words(verdict, str.format),
            _in_words(verdict, markdown_text),
            {**verdict.figures, **more},
        ),
    )


def _in_words(verdict: Verdict, write: _Write[_Text]) -> _Text:
    """Describe a verdict in one line: its three worst breaches, and the number of the others."""
    if verdict.passed:
        return write("nothing wrong")
    worst = sorted(verdict.breaches, key=lambda breach: breach.severity)
    first = _joined([_breach_in_words(breach, write) for breach in worst[:3]], "; ", write)
    others = len(worst) - 3
    return write("{}; and {} more", first, f"{others:,}") if others > 0 else first


def _breach_in_words(breach: Breach, write: _Write[_Text]) -> _Text:
    """Describe a breach in one line: what is wrong, the reason, and the figures that are known."""
    figures = [write("{} {}", name, figure) for name, figure in breach.figures.items() if figure is not None]
    if not figures:
        return write("{}: {}", breach.subject, breach.reason)
    return write("{}: {} ({})", breach.subject, breach.reason, _joined(figures, ", ", write))


def _joined(parts: Sequence[_Text], between: str, write: _Write[_Text]) -> _Text:
    """Join parts that are written already. between: a separator of ours."""
    return write(between.join(["{}"] * len(parts)), *parts)


def _as_markdown(verdict: Verdict) -> Markdown:
    """Render the first BREACHES_SHOWN breaches as a Markdown table, with the number of the others."""
    rows: list[list[object]] = []
    for breach in verdict.breaches[:BREACHES_SHOWN]:
        figures = [markdown_text("{}: {}", name, figure) for name, figure in breach.figures.items()]
        rows.append([breach.severity, breach.subject, breach.reason, _joined(figures, ", ", markdown_text)])
    if len(verdict.breaches) > BREACHES_SHOWN:
        rows.append(["", f"and {len(verdict.breaches) - BREACHES_SHOWN:,} more", "", ""])
    return markdown_table(["severity", "what", "reason", "figures"], rows)


def _rows_of(uri: str, breach: Breach) -> Markdown:
    """Return a line of Polars that shows the table of a breach, filtered by its home if it has one."""
    home = "" if breach.home is None else f".filter(home={json.dumps(breach.home)})"
    return markdown(f"pl.scan_delta({json.dumps(uri, ensure_ascii=False)}){home}")
