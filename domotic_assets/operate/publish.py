"""Publishes the present Gold into the admin's file, and finds out whether that file is current."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from domotic_assets.flow.worklist import DAY_CLOSED, PUBLISHED_WHOLE
from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.schemas import gold
from domotic_assets.serve import base, publish, refresh
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets.serve.failing_checks import FailingCheck
from domotic_assets.serve.refresh import Refreshed, Snapshot

_TOLD_FOR = timedelta(days=7)


def gold_snapshot(work: Workspace) -> Snapshot:
    """Return every Gold table's Parquet files and Delta version; a missing table has no files and -1."""
    found = {table.name: work.lake.snapshot(table) for table in gold.TABLES}
    return Snapshot(
        {name: files for name, (_, files) in found.items()},
        {name: version for name, (version, _) in found.items()},
    )


def is_published(work: Workspace) -> bool:
    """Return whether the published file holds the present Gold, schemas and marts, and nobody changed it.

    True if none is wanted.
    """
    return not work.publishes or publish.is_current(
        work.serve, gold_snapshot(work).versions, fingerprint_of(DBT_PROJECT)
    )


def changed_files(work: Workspace) -> list[str]:
    """Return a line for each published file that somebody changed: those of now, those replaced lately."""
    now = [f"{name} is not as it was published; it is replaced" for name in base.changed_files(work.serve)]
    since = (work.now() - _TOLD_FOR).isoformat()
    told = base.read_record(work.serve).told
    return now + [
        f"{name} was not as it was published, and was replaced at {at}" for name, at in told if at > since
    ]


def is_day_untested(work: Workspace) -> bool:
    """Return whether a day was sealed since dbt was last asked to test the published file whole."""
    held, now = work.worklist.read(), work.now()
    tested, closed = held.mark(PUBLISHED_WHOLE, now), held.mark(DAY_CLOSED, now)
    return closed is not None and (tested is None or tested < closed)


def takes_changes(work: Workspace) -> bool:
    """Return whether the published file can be updated with what changed, not built from nothing.

    It can if its base is proved, has the present schemas and models and holds every date of Gold's minute
    facts. Otherwise it is built from nothing, so that dbt tests the whole file once for each date.
    """
    file = publish.source_file(work.serve)
    current = publish.is_of(file, fingerprint_of(DBT_PROJECT))
    return current and not refresh.lacks_dates(file, gold_snapshot(work).files)


def publish_present(
    work: Workspace,
    purpose: str,
    checks: Sequence[FailingCheck],
    *,
    built: Path | None = None,
    tested: bool = False,
) -> Refreshed | None:
    """Update a copy of the published file, or one built in staging, to the present Gold and swap it in.

    checks: failing checks that the file shows. purpose, built, tested: as in `refresh.publish_present`.
    Returns the new file and counts; None if a file must first be built from nothing.
    """

    def present() -> Snapshot:
        return replace(gold_snapshot(work), checks=checks)

    return refresh.publish_present(
        work.serve, present, fingerprint_of(DBT_PROJECT), purpose=purpose, built=built, tested=tested
    )
