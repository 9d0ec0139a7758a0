"""Every check passes on a sound lake, and fails for its reason on one that was tampered with.

Faults of the feed are seeded in `test_seeded_faults`; here it is our own tables that are spoiled.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from deltalake import write_deltalake

from domotic_assets.domains.all_domains import CHECKS
from domotic_assets.domains.homes.checks import rounds
from domotic_assets.domains.homes.flows import reading
from domotic_assets.flow import flow
from domotic_assets.flow.windows import Window, day_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.assets import GRAIN, key
from domotic_assets.orchestration.definitions import feed_definitions, workspace_resource
from domotic_assets.pages.checks import CHECKS_PAGE, page
from domotic_assets.quality import round
from domotic_assets.quality.check import Check
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas import gold, weather
from domotic_assets.schemas.homes import bronze, silver
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.table import Table
from domotic_assets.simulator.defects import CLEAN
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.shared_data import REPOSITORY

START = datetime(2023, 9, 4, 4, tzinfo=UTC)
HOURS = 3
ISSUE = date(2023, 9, 4)
DUE_AGAIN = datetime(2023, 9, 5, 5, tzinfo=UTC)
"""07:00 in Sion on the day after the only forecast."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A morning of two homes, carried to every table."""
    folder = tmp_path_factory.mktemp("sound")
    work = open_lake(builders.write_sites(folder), folder / "lake")
    shutil.copy(REPOSITORY / "contract.yaml", folder)
    simulation = Simulation(work.registry, START, seed=2, defects=CLEAN, weather_sites=1)
    write_history(simulation, Folders.below(folder), HOURS * 60)
    carry(work, [day_window(START)], [ISSUE])
    return folder


@pytest.fixture
def work(sound: Path, tmp_path: Path) -> Workspace:
    """A copy of the sound lake to spoil; files of a Delta table never change, so they are shared."""
    for name in ("lake", "share", "weather"):
        shutil.copytree(sound / name, tmp_path / name, copy_function=os.link, dirs_exist_ok=True)
    for name in ("sites.yaml", "contract.yaml", "register.sqlite"):
        shutil.copy(sound / name, tmp_path)
    return open_lake(tmp_path / "sites.yaml", tmp_path / "lake")


def judge(work: Workspace, check: Check, now: datetime | None = None) -> Verdict:
    span = rounds.newest_span(work)
    assert span is not None
    return check.judge(round.Round(work, span, now or span.end))


def named(name: str, table: Table | None = None) -> Check:
    (found,) = [c for c in CHECKS if c.name == name and table in (None, c.table)]
    return found


def reasons(verdict: Verdict) -> set[tuple[str, str, str]]:
    return {(breach.severity, breach.reason, breach.subject) for breach in verdict.breaches}


def add(work: Workspace, table: Table, rows: pl.DataFrame) -> None:
    """Rows that no step of ours would write."""
    partitions = None if table.partition is None else [table.partition]
    write_deltalake(work.lake.uri(table), rows.to_arrow(), mode="append", partition_by=partitions)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_sound_lake_passes(work: Workspace, check: Check) -> None:
    assert reasons(judge(work, check)) == set()


KEYS = [check for check in CHECKS if check.name == "keys"]
REFERENCES = [check for check in CHECKS if check.name == "references"]


def test_a_key_is_found_twice_though_its_minute_lies_on_another_date_than_it_is_kept_under(
    work: Workspace,
) -> None:
    (check,) = (check for check in KEYS if check.table is silver.SENSOR_EVENTS)
    row = work.lake.read(silver.SENSOR_EVENTS, dates=[START.date()]).head(1)
    add(work, silver.SENSOR_EVENTS, row.with_columns(pl.col("ts").dt.offset_by("-400d")))
    assert reasons(judge(work, check)) == set()
    add(work, silver.SENSOR_EVENTS, row.with_columns(pl.col("ts").dt.offset_by("-400d")))
    assert reasons(judge(work, check)) == {("ERROR", "key_twice", silver.SENSOR_EVENTS.id)}


@pytest.mark.parametrize("check", KEYS, ids=lambda check: check.table.id)
def test_a_key_that_stands_twice_is_found(work: Workspace, check: Check) -> None:
    table = check.table
    judged_dates = None if table.partition is None else [START.date()]
    row = work.lake.read(table, dates=judged_dates).head(1)
    if row.is_empty():
        row = pl.DataFrame({name: [None] for name in table.schema}, schema=table.schema).with_columns(
            pl.lit("x").alias(column.name)
            if column.dtype == pl.String
            else pl.lit(START.date()).alias(column.name)
            for column in table.columns
            if not column.nullable
        )
        add(work, table, row)
    add(work, table, row)
    assert reasons(judge(work, check)) == {("ERROR", "key_twice", table.id)}


@pytest.mark.parametrize("check", REFERENCES, ids=lambda check: check.table.id)
def test_a_key_without_its_dimension_is_found(work: Workspace, check: Check) -> None:
    table = check.table
    for foreign in table.foreign_keys:
        lost = (
            work.lake.read(table)
            .tail(1)
            .with_columns(pl.lit(7).cast(table.schema[foreign.column]).alias(foreign.column))
        )
        add(work, table, lost)
    expected = {("ERROR", "no_such_key", f"{table.id}.{foreign.column}") for foreign in table.foreign_keys}
    assert reasons(judge(work, check)) == expected


def test_a_column_of_another_type_is_found(work: Workspace) -> None:
    table = homes_gold.DIM_ROOM
    odd = work.lake.read(table).with_columns(pl.lit(1).alias("extra"), pl.col("room_name").cast(pl.Binary))
    write_deltalake(work.lake.uri(table), odd.to_arrow(), mode="overwrite", schema_mode="overwrite")
    assert reasons(judge(work, named("keys", table))) == {
        ("ERROR", "column_unknown", "gold/dim_room.extra"),
        ("ERROR", "column_differs", "gold/dim_room.room_name"),
    }


def test_changed_bytes_are_found(work: Workspace) -> None:
    rows = work.lake.read(bronze.SENSOR_FILES).sort("name")
    content = [b"{}" if place == 3 else held for place, held in enumerate(rows["content"])]
    work.lake.replace_all(bronze.SENSOR_FILES, rows.with_columns(pl.Series("content", content)))
    verdict = judge(work, named("bytes_kept"))
    assert reasons(verdict) == {("ERROR", "bytes_changed", "bronze/sensor_files")}
    assert verdict.breaches[0].figures == {"files": 1, "first": rows["file_id"][3]}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (homes_gold.FACT_ENERGY_MINUTE, "counter_total"),
        (homes_gold.FACT_ENVIRONMENT_MINUTE, "co2_ppm"),
        (homes_gold.FACT_PRESENCE_MINUTE, "motion_count"),
    ],
    ids=["energy", "environment", "presence"],
)
def test_gold_that_differs_from_silver_is_found(work: Workspace, table: Table, column: str) -> None:
    rows = work.lake.read(table).sort(table.primary_key).with_row_index()
    struck = rows.filter(pl.col(column).is_not_null())["index"][5]
    one_more = pl.when(pl.col("index") == struck).then(pl.col(column) + 1).otherwise(column)
    work.lake.replace_all(table, rows.with_columns(one_more.cast(table.schema[column])).drop("index"))
    assert reasons(judge(work, named("as_in_silver", table))) == {
        ("ERROR", "differs_from_silver", f"{table.id}.{column}")
    }


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(1.9, set()), (2.1, {("WARN", "overdue", "forecast")}), (24.1, {("ERROR", "overdue", "forecast")})],
    ids=["on its way", "hours", "a day"],
)
def test_a_forecast_that_does_not_come_is_told(
    work: Workspace, hours: float, expected: set[tuple[str, str, str]]
) -> None:
    verdict = judge(work, named("freshness", weather.WEATHER_FILES), DUE_AGAIN + timedelta(hours=hours))
    assert reasons(verdict) == expected


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_dagster_shows_a_failed_check_with_figures_homes_and_rows(
    work: Workspace, instance: dg.DagsterInstance
) -> None:
    table = homes_gold.DIM_ROOM
    add(work, table, work.lake.read(table).head(1))
    job = feed_definitions(work, workspace_resource(work)).resolve_job_def(tags.CHECKS_JOB)
    found = {
        (evaluation.asset_key, evaluation.check_name): evaluation
        for evaluation in job.execute_in_process(instance=instance).get_asset_check_evaluations()
    }
    assert found.keys() == {(key(check.table), check.name) for check in CHECKS}
    twice = found[key(table), "keys"]
    assert not twice.passed
    assert twice.severity is dg.AssetCheckSeverity.ERROR
    assert (twice.description or "").startswith("gold/dim_room: key_twice (keys 1, rows 2, first ")
    assert "key_twice" in str(twice.metadata["breaches"].value)
    assert "gold/dim_room" in str(twice.metadata["rows"].value)
    # The feed of 2023 ended long ago.
    silent = found[dg.AssetKey(["silver", "sensor_files"]), "freshness"]
    assert silent.metadata["homes"].value == {"jimmy": 1, "jeremie": 1}


def test_a_breach_of_our_own_table_stops_the_run_that_wrote_it(
    work: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = silver.SENSOR_EVENTS
    sound_step = reading.flatten_sensor_files

    def faulty_step(work: Workspace, windows: Sequence[Window]) -> flow.Outcome:
        outcome = sound_step(work, windows)
        add(work, events, work.lake.read(events).head(1))
        return outcome

    monkeypatch.setattr(reading, "flatten_sensor_files", faulty_step)
    window = day_window(START).key
    instance.add_dynamic_partitions(tags.WINDOW, [window])
    job = feed_definitions(work, workspace_resource(work)).resolve_job_def(tags.BUILD_JOB)
    run = job.execute_in_process(
        instance=instance,
        tags={tags.RANGE_START: window, tags.RANGE_END: window},
        run_config=tags.QUIET,
        raise_on_error=False,
    )
    found = {(check.asset_key, check.check_name): check for check in run.get_asset_check_evaluations()}
    grain = found[key(events), GRAIN]
    assert not run.success
    assert (grain.passed, grain.blocking, grain.severity.value) == (False, True, "ERROR")
    assert "key_twice (keys 1, rows 2" in (grain.description or "")
    assert found[key(silver.SENSOR_FILES), GRAIN].passed
    # What would build on it did not run.
    materialized = {event.asset_key for event in run.get_asset_materialization_events()}
    assert not materialized & {key(table) for table in gold.MINUTE_FACTS}


def test_the_page_about_the_checks_is_that_of_the_definitions() -> None:
    assert CHECKS_PAGE.read_text(encoding="utf-8") == page()
