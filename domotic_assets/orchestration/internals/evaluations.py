"""Reads the newest evaluations of asset checks from Dagster's records."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
    AssetCheckExecutionRecord,
)

from domotic_assets.orchestration.check_results import in_words


@dataclass(frozen=True)
class Failed:
    """A failed check, once for each home that it names.

    home: None if the check names none. breaches: those of the home; 1 if none is named.
    since: when the problem began, otherwise when it was found; UTC.
    """

    check: dg.AssetCheckKey
    severity: dg.AssetCheckSeverity
    home: str | None
    breaches: int
    since: datetime
    description: str


def failed(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> Iterator[Failed]:
    """Yield the failures in the newest evaluation of each of these checks, one per home that it names."""
    for check, record in _newest(instance, checks).items():
        evaluation = record.evaluation
        if evaluation is None or evaluation.passed:
            continue
        homes, since = (_by_home(evaluation, name) for name in ("homes", "since"))
        found_at = datetime.fromtimestamp(record.create_timestamp, UTC)
        for home, breaches in (homes or {None: 1}).items():
            yield Failed(
                check,
                evaluation.severity,
                home,
                breaches,
                _moment(since.get(home)) or found_at,
                in_words(evaluation),
            )


def _newest(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]
) -> Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord]:
    """Return the newest completed evaluation of each check; a check that never completed is left out."""
    storage = instance.event_log_storage
    newest = dict(storage.get_latest_asset_check_execution_by_key(list(checks)))
    for check in checks:
        record = newest.get(check)
        if record is None or record.status in COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES:
            continue
        done = storage.get_asset_check_execution_history(
            check, limit=1, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
        )
        del newest[check]
        newest.update((check, one) for one in done)
    return newest


def _by_home(evaluation: dg.AssetCheckEvaluation, name: str) -> Mapping[str | None, Any]:
    """Return a check's JSON metadata of this name, by home id; empty if it has none.

    No key is None: to look up None, for a check that names no home, finds nothing.
    """
    value = evaluation.metadata.get(name)
    return value.value if isinstance(value, dg.JsonMetadataValue) and isinstance(value.value, dict) else {}


def _moment(text: Any) -> datetime | None:
    """Parse an ISO 8601 time into UTC; None if it is no such text."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        return None
