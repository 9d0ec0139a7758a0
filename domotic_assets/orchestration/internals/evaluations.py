"""What the newest evaluations of asset checks say, read from Dagster's records."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
    AssetCheckExecutionRecord,
)


@dataclass(frozen=True)
class Failed:
    """A check that failed, once for each home that it names. breaches: of that home, 1 where it names none.

    since: when it began, else when it was found; UTC.
    """

    check: dg.AssetCheckKey
    severity: dg.AssetCheckSeverity
    home: str | None
    breaches: int
    since: datetime
    description: str


def failed(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> Iterator[Failed]:
    """What the newest evaluation of each of these checks finds wrong."""
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
                evaluation.description or "",
            )


def _newest(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]
) -> Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord]:
    """The newest evaluation of each check; one that is only planned or at work has none yet."""
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
    """A check's JSON by home; nothing where it has none."""
    value = evaluation.metadata.get(name)
    return value.value if isinstance(value, dg.JsonMetadataValue) and isinstance(value.value, dict) else {}


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        return None
