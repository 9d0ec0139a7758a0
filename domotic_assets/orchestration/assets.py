"""Builds Dagster's assets from the flows of the domains, one asset per table. No logic belongs here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from domotic_assets.flow.clock import refuse_a_clock_behind
from domotic_assets.flow.flow import Asked, Flow, Partition
from domotic_assets.flow.windows import Window, read_keys
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.check_results import check_result
from domotic_assets.quality import stored
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.table import Table
from domotic_assets.serve.publish import published_file
from domotic_assets.serve.refresh import Refreshed

WORK = "work"
WorkspaceResource = dg.ResourceParam[Workspace]

WINDOW = dg.DynamicPartitionsDefinition(name=tags.WINDOW)

SINGLE_RUN = dg.BackfillPolicy.single_run()
_KINDS = {"bronze": {"deltalake"}, "silver": {"deltalake", "polars"}, "gold": {"deltalake", "polars"}}
OWNERS = ["team:data"]


def key(table: Table) -> dg.AssetKey:
    """Return the asset key of a table, such as `silver/sensor_events`."""
    return dg.AssetKey([table.layer, table.name])


def all_of(table: Table) -> dg.AssetDep:
    """Make a dependency on every partition of a table."""
    return dg.AssetDep(key(table), partition_mapping=dg.AllPartitionMapping())


def spec(
    table: Table,
    deps: list[Any],
    partitions: dg.PartitionsDefinition[str] | None = None,
    *,
    skippable: bool = False,
    freshness: dg.FreshnessPolicy | None = None,
) -> dg.AssetSpec:
    """Make the asset spec of a table: its grain, columns and place in the graph."""
    return dg.AssetSpec(
        key(table),
        deps=deps,
        description=f"{table.grain[0].upper()}{table.grain[1:]}. Key: {', '.join(table.primary_key)}.",
        group_name=table.layer,
        kinds=_KINDS[table.layer],
        owners=OWNERS,
        partitions_def=partitions,
        skippable=skippable,
        freshness_policy=freshness,
        metadata={"dagster/column_schema": _columns(table), "dagster/table_name": table.id},
    )


def _columns(table: Table) -> dg.TableSchema:
    """Describe a table's columns for Dagster: name, type, meaning with unit, whether nulls are allowed."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                str(column.dtype),
                description=f"{column.description} [{column.unit}]" if column.unit else column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


GRAIN = "grain"
GRAIN_RULE = "In the windows just written a key stands twice or is null, or a column is not the one declared."


def grain_specs(tables: Iterable[Table]) -> list[dg.AssetCheckSpec]:
    """Declare the check `grain` for each table.

    It blocks: a failure stops the run, since later steps would build on the rows just written.
    """
    return [
        dg.AssetCheckSpec(
            GRAIN,
            asset=key(table),
            blocking=True,
            description=f"{GRAIN_RULE} (ERROR, blocks)",
        )
        for table in tables
    ]


def result(work: Workspace, table: Table, **metadata: Any) -> dg.MaterializeResult[Any]:
    """Report a table as materialised: its location, its Delta version (-1 for none) and the step's counts."""
    return dg.MaterializeResult(
        asset_key=key(table),
        metadata={
            "dagster/uri": work.lake.uri(table),
            "delta version": dg.MetadataValue.int(-1 if (v := work.lake.version(table)) is None else v),
            **{name.replace("_", " "): value for name, value in metadata.items()},
        },
    )


def grain_result(work: Workspace, table: Table, windows: Sequence[Window]) -> dg.AssetCheckResult:
    """Run the check `grain` on the windows that a run has just written."""
    verdict = stored.written_keys(work, table, windows)
    return check_result(key(table), GRAIN, verdict, work.lake.uri(table))


def publication(work: Workspace, done: Refreshed) -> dict[str, Any]:
    """Return the metadata of a publication: path, version, bytes, rows written and partitions changed."""
    return {
        "path": dg.MetadataValue.path(str(published_file(work.serve))),
        "version": done.file.name,
        "bytes": done.file.stat().st_size,
        "rows written": sum(done.rows.values()),
        "partitions touched": done.parts,
    }


Partitions = Mapping[Partition, dg.PartitionsDefinition[str]]


def partitions_of(registry: Registry) -> Partitions:
    """Define the partitions that flows use: windows, dates of issue and local dates."""
    # A reading may be dated a day after its arrival, and its arrival a day after now; a home's date may
    # differ from the UTC date by one.
    start = (registry.history_start - timedelta(days=1)).isoformat()
    zone = registry.calendar_time_zone
    return {
        "window": WINDOW,
        "issue": dg.DailyPartitionsDefinition(start_date=start, end_offset=4),
        "local date": dg.DailyPartitionsDefinition(start_date=start, timezone=zone, end_offset=4),
    }


def assets_of(flows: Sequence[Flow], partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Build one Dagster definition per flow, with an asset for each table that the flow writes."""
    cut_by = {table: flow.partition for flow in flows for table in flow.writes}
    return [_definition(flow, partitions, cut_by) for flow in flows]


def grain_checks(flows: Sequence[Flow]) -> list[dg.AssetCheckKey]:
    """List the checks `grain` that the flows run on the rows just written."""
    return [dg.AssetCheckKey(key(table), GRAIN) for flow in flows for table in flow.proved]


def _definition(
    flow: Flow, partitions: Partitions, cut_by: Mapping[Table, Partition | None]
) -> dg.AssetsDefinition:
    """Build the Dagster definition of one flow, with an asset for each table that the flow writes.

    cut_by: how each table of all flows is partitioned; None if it is not.
    """

    def dep(source: Table) -> dg.AssetDep:
        """Depend on a table; on all its partitions if it is partitioned differently from this flow."""
        other = cut_by[source] is not None and cut_by[source] != flow.partition
        return all_of(source) if other else dg.AssetDep(key(source))

    @dg.multi_asset(
        name=flow.name,
        description=flow.about,
        specs=[
            spec(
                table,
                [dep(source) for source in flow.inputs_of(table)],
                None if flow.partition is None else partitions[flow.partition],
                skippable=flow.apart,
                freshness=_freshness(flow),
            )
            for table in flow.writes
        ],
        check_specs=grain_specs(flow.proved),
        can_subset=flow.apart,
        backfill_policy=None if flow.partition is None else SINGLE_RUN,
    )
    def definition(
        context: dg.AssetExecutionContext, work: WorkspaceResource
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        asked = _asked(flow, context)
        if flow.source is not None:
            refuse_a_clock_behind(work, flow.writes)
        for table, counts in flow.run(work, asked):
            yield result(work, table, **counts)
            if table in flow.proved:
                yield grain_result(work, table, asked.windows)

    return definition


def _asked(flow: Flow, context: dg.AssetExecutionContext) -> Asked:
    """Translate a Dagster run into the tables, windows and dates that it asks of a flow.

    Raises PartitionError for a flow by windows if the run has no key, or a key that is not a window.
    """
    return Asked(
        [table for table in flow.writes if key(table) in context.selected_asset_keys],
        windows_of(context) if flow.partition == "window" else (),
        [date.fromisoformat(day) for day in context.partition_keys] if _is_by_date(flow) else (),
        by_name=context.run.tags.get(tags.LISTING) == tags.BY_NAME,
    )


def windows_of(context: dg.AssetExecutionContext) -> list[Window]:
    """Return the windows of a run; raise PartitionError if it has no key, or a key that is not a window."""
    return read_keys(context.partition_keys)


def _is_by_date(flow: Flow) -> bool:
    """Return whether a flow's partition keys are dates: dates of issue or local dates."""
    return flow.partition in ("issue", "local date")


def _freshness(flow: Flow) -> dg.FreshnessPolicy | None:
    """Make Dagster's freshness policy for the tables of a flow; None if the flow sets no time limits."""
    if flow.fresh_within is None:
        return None
    warn, fail = flow.fresh_within
    return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=warn)
