"""Every table as a Dagster asset: load, call a step, return with metadata. No logic belongs here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from domotic_assets.domains import all_domains
from domotic_assets.domains.homes.flows import facts, health, landing, reading
from domotic_assets.domains.register import flows as register_flows
from domotic_assets.domains.weather import flows as weather_flows
from domotic_assets.flow.windows import Window, read_keys
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.check_results import check_result
from domotic_assets.quality import stored
from domotic_assets.schemas import gold as schemas_gold
from domotic_assets.schemas import refusals, register, weather
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.register import SILVER_REGISTER, SILVER_REGISTER_HISTORY
from domotic_assets.schemas.table import Table
from domotic_assets.serve.publish import published_file
from domotic_assets.serve.refresh import Refreshed

WORK = "work"
Work = dg.ResourceParam[Workspace]

WINDOW = dg.DynamicPartitionsDefinition(name=tags.WINDOW)

_SINGLE_RUN = dg.BackfillPolicy.single_run()
_KINDS = {"bronze": {"deltalake"}, "silver": {"deltalake", "polars"}, "gold": {"deltalake", "polars"}}
_GROUPS = {"bronze": "bronze", "silver": "silver", "gold": "gold"}
OWNERS = ["team:data"]


def key(table: Table) -> dg.AssetKey:
    """`silver/sensor_events` as an asset key."""
    return dg.AssetKey([table.layer, table.name])


def spec(
    table: Table,
    deps: list[Any],
    partitions: dg.PartitionsDefinition[str] | None = None,
    *,
    skippable: bool = False,
    freshness: dg.FreshnessPolicy | None = None,
) -> dg.AssetSpec:
    """The asset of a table: its grain, columns and place in the graph."""
    return dg.AssetSpec(
        key(table),
        deps=deps,
        description=f"{table.grain[0].upper()}{table.grain[1:]}. Key: {', '.join(table.primary_key)}.",
        group_name=_GROUPS[table.layer],
        kinds=_KINDS[table.layer],
        owners=OWNERS,
        partitions_def=partitions,
        skippable=skippable,
        freshness_policy=freshness,
        metadata={"dagster/column_schema": _columns(table), "dagster/table_name": table.id},
    )


def _columns(table: Table) -> dg.TableSchema:
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
    """The check of rows just written, which stops a run where it fails: what follows would build on them."""
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
    """A table's materialisation: where it is, its Delta version, and what the step counted."""
    return dg.MaterializeResult(
        asset_key=key(table),
        metadata={
            "dagster/uri": work.lake.uri(table),
            "delta version": dg.MetadataValue.int(-1 if (v := work.lake.version(table)) is None else v),
            **{name.replace("_", " "): value for name, value in metadata.items()},
        },
    )


def grain_result(work: Workspace, table: Table, windows: Sequence[Window]) -> dg.AssetCheckResult:
    """The check `grain` of what a run has just written."""
    verdict = stored.written_keys(work, table, windows)
    return check_result(key(table), GRAIN, verdict, work.lake.uri(table))


def publication(work: Workspace, done: Refreshed) -> dict[str, Any]:
    """What an asset says of a publication: where it is, its version and size, and what was written."""
    return {
        "path": dg.MetadataValue.path(str(published_file(work.serve))),
        "version": done.file.name,
        "bytes": done.file.stat().st_size,
        "rows written": sum(done.rows.values()),
        "partitions touched": done.parts,
    }


def windows_of(context: dg.AssetExecutionContext) -> list[Window]:
    """The windows of a run; raises PartitionError for none or for a key that is no window."""
    return read_keys(context.partition_keys)


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The dates of a run of a daily asset."""
    return [date.fromisoformat(day) for day in context.partition_keys]


_NOTHING_COMES = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=1), warn_window=timedelta(minutes=20)
)
"""When nothing comes at all, the processes of the feed being gone among the reasons; one silent home is
what the check `freshness` finds."""


@dg.multi_asset(
    name="sensor_files",
    specs=[spec(bronze.SENSOR_FILES, [], WINDOW, freshness=_NOTHING_COMES)],
    backfill_policy=_SINGLE_RUN,
)
def bronze_sensor_files(context: dg.AssetExecutionContext, work: Work) -> dg.MaterializeResult[Any]:
    """Files of the share, exactly as received."""
    by_name = context.run.tags.get(tags.LISTING) == tags.BY_NAME
    outcome = landing.land_sensor_files(work, windows_of(context), by_name=by_name)
    return result(work, bronze.SENSOR_FILES, **outcome.counts)


SENSOR_SILVER = (
    silver.SENSOR_EVENTS,
    silver.DEVICES,
    silver.VARIABLES,
    silver.DEVICE_TYPES,
    refusals.REJECTS,
    silver.SENSOR_FILES,
)
_GRAIN_IN_SILVER = (silver.SENSOR_EVENTS, silver.SENSOR_FILES)


@dg.multi_asset(
    name="sensor_silver",
    specs=[spec(table, [key(bronze.SENSOR_FILES)], WINDOW) for table in SENSOR_SILVER],
    check_specs=grain_specs(_GRAIN_IN_SILVER),
    backfill_policy=_SINGLE_RUN,
)
def silver_sensor_tables(
    context: dg.AssetExecutionContext, work: Work
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Clean events, the definitions read off them, refused values and what became of each file."""
    windows = windows_of(context)
    outcome = reading.flatten_sensor_files(work, windows)
    for table in SENSOR_SILVER:
        yield result(work, table, **outcome.counts)
    for table in _GRAIN_IN_SILVER:
        yield grain_result(work, table, windows)


_FACT_STEPS = {
    homes_gold.FACT_ENERGY_MINUTE: facts.energy_facts,
    homes_gold.FACT_ENVIRONMENT_MINUTE: facts.environment_facts,
    homes_gold.FACT_PRESENCE_MINUTE: facts.presence_facts,
}
_FACT_INPUTS = [key(table) for table in (silver.SENSOR_EVENTS, silver.SENSOR_FILES, silver.DEVICES)]


@dg.multi_asset(
    name="minute_facts",
    specs=[spec(table, _FACT_INPUTS, WINDOW, skippable=True) for table in _FACT_STEPS],
    check_specs=grain_specs(_FACT_STEPS),
    can_subset=True,
    backfill_policy=_SINGLE_RUN,
)
def gold_minute_facts(
    context: dg.AssetExecutionContext, work: Work
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Energy, environment and presence of each minute."""
    for table, step in _FACT_STEPS.items():
        if key(table) in context.selected_asset_keys:
            windows = windows_of(context)
            yield result(work, table, rows=step(work, windows))
            yield grain_result(work, table, windows)


GRAIN_CHECKS = [*silver_sensor_tables.check_keys, *gold_minute_facts.check_keys]


def daily_assets(history_start: date, calendar_time_zone: str) -> list[dg.AssetsDefinition]:
    """Assets by date: forecasts by date of issue, device health by local date."""
    # A reading may lie a day ahead of its arrival and that a day ahead of now; a home's date may
    # differ from UTC's by one.
    start = (history_start - timedelta(days=1)).isoformat()
    issues = dg.DailyPartitionsDefinition(start_date=start, end_offset=4)
    local_days = dg.DailyPartitionsDefinition(start_date=start, timezone=calendar_time_zone, end_offset=4)

    daily = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=27))

    @dg.multi_asset(
        name="weather_files",
        specs=[spec(weather.WEATHER_FILES, [], issues, freshness=daily)],
        backfill_policy=_SINGLE_RUN,
    )
    def weather_files(context: dg.AssetExecutionContext, work: Work) -> dg.MaterializeResult[Any]:
        """Forecast files, exactly as received."""
        return result(
            work, weather.WEATHER_FILES, **weather_flows.land_forecast_files(work, days_of(context))
        )

    @dg.multi_asset(
        name="weather_forecasts",
        specs=[spec(weather.WEATHER_FORECASTS, [key(weather.WEATHER_FILES)], issues)],
        backfill_policy=_SINGLE_RUN,
    )
    def weather_forecasts(context: dg.AssetExecutionContext, work: Work) -> dg.MaterializeResult[Any]:
        """Forecast values of every variant, step and issue."""
        return result(work, weather.WEATHER_FORECASTS, **weather_flows.read_forecasts(work, days_of(context)))

    def weather_fact(table: Table, step: Any) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=table.name,
            specs=[spec(table, [key(weather.WEATHER_FORECASTS)], issues)],
            backfill_policy=_SINGLE_RUN,
        )
        def fact(context: dg.AssetExecutionContext, work: Work) -> dg.MaterializeResult[Any]:
            return result(work, table, rows=step(work, days_of(context)))

        return fact

    whole = dg.AllPartitionMapping()
    inputs = [silver.SENSOR_EVENTS, refusals.REJECTS, silver.DEVICES]

    @dg.multi_asset(
        name=homes_gold.FACT_DEVICE_HEALTH_DAY.name,
        specs=[
            spec(
                homes_gold.FACT_DEVICE_HEALTH_DAY,
                [dg.AssetDep(key(table), partition_mapping=whole) for table in inputs],
                local_days,
            )
        ],
        backfill_policy=_SINGLE_RUN,
    )
    def device_health(context: dg.AssetExecutionContext, work: Work) -> dg.MaterializeResult[Any]:
        """What was expected of each device, what came, and what was wrong with it."""
        days = days_of(context)
        rows = health.health_facts(work, days)
        work.worklist.change(lambda held: held.health_days.difference_update(days))
        return result(work, homes_gold.FACT_DEVICE_HEALTH_DAY, rows=rows)

    return [
        weather_files,
        weather_forecasts,
        weather_fact(weather.FACT_WEATHER_HOUR, weather_flows.weather_hour_facts),
        weather_fact(weather.FACT_WEATHER_DAY, weather_flows.weather_day_facts),
        device_health,
    ]


@dg.multi_asset(name="register_rows", specs=[spec(register.REGISTER_ROWS, [])])
def bronze_register_rows(work: Work) -> dg.MaterializeResult[Any]:
    """Changes of the building register; allowed tables and columns only."""
    return result(work, register.REGISTER_ROWS, **register_flows.land_register(work, datetime.now(UTC)))


REGISTER_TABLES = (*SILVER_REGISTER.values(), *SILVER_REGISTER_HISTORY.values())


@dg.multi_asset(
    name="register_silver",
    specs=[spec(table, [key(register.REGISTER_ROWS)]) for table in REGISTER_TABLES],
)
def silver_register_tables(work: Work) -> Iterator[dg.MaterializeResult[Any]]:
    """The register's tables as they stand and as they stood, without what is personal."""
    rows = register_flows.read_register(work)
    for table in REGISTER_TABLES:
        yield result(work, table, **{"dagster/row_count": rows[table.name]})


_DIM_INPUTS: Mapping[str, list[Table]] = {
    "dim_datetime": [silver.SENSOR_EVENTS, weather.WEATHER_FORECASTS],
    "dim_date": [silver.SENSOR_EVENTS, weather.WEATHER_FORECASTS],
    "dim_apartment": [SILVER_REGISTER["buildings"]],
    "dim_room": [silver.DEVICES],
    "dim_device": [silver.DEVICES, *(SILVER_REGISTER[name] for name in ("rooms", "sensors", "devices"))],
    "dim_weather_site": [weather.WEATHER_FORECASTS],
}


def _dim_spec(table: Table) -> dg.AssetSpec:
    inputs = _DIM_INPUTS.get(table.name, [])
    deps = [dg.AssetDep(key(source), partition_mapping=_mapping(source)) for source in inputs]
    return spec(table, deps)


def _mapping(source: Table) -> dg.PartitionMapping | None:
    return dg.AllPartitionMapping() if source.partition else None


@dg.multi_asset(name="gold_dims", specs=[_dim_spec(table) for table in schemas_gold.DIMS])
def gold_dims(work: Work) -> Iterator[dg.MaterializeResult[Any]]:
    """Dimensions: current state, written only when they differ."""
    written = all_domains.write_dims(work)
    for table in schemas_gold.DIMS:
        one = written[table.name]
        yield result(work, table, **{"dagster/row_count": one.rows, "changed": one.changed, **one.counts})
