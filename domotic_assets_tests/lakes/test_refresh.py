"""A refreshed file equals one built from nothing, whatever happened to Gold in between."""

import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl
import pytest

from domotic_assets.errors import ContractError
from domotic_assets.lake.store import Lake
from domotic_assets.schemas import calendar, gold, weather
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve import base, publish, refresh
from domotic_assets.serve.failing_checks import FailingCheck
from domotic_assets_tests.support import processes
from domotic_assets_tests.support.gold_snapshot import (
    HOUSE_METER,
    JIMMY,
    OFFICE,
    OFFICE_PLUG,
    SION,
    datetime_key,
    energy,
    sample_rows,
)

DEFINITION = "as written"
DAY = datetime(2023, 10, 28, tzinfo=UTC)


class Gold:
    """A Gold layer on Delta, written as the steps write it."""

    checks: Sequence[FailingCheck] = ()

    def __init__(self, root: Path) -> None:
        self.lake = Lake(str(root))
        self.serve = root / "serve"
        for table in gold.TABLES:
            self.lake.replace_all(table, frame(table, sample_rows().get(table.name, [])))

    def snapshot(self) -> refresh.Snapshot:
        found = {table.name: self.lake.snapshot(table) for table in gold.TABLES}
        files, versions = ({n: pair[which] for n, pair in found.items()} for which in (1, 0))
        return refresh.Snapshot(files, versions, self.checks)

    def built(self, purpose: str) -> Path:
        found = self.snapshot()
        return publish.build_file(self.serve, found.files, found.versions, DEFINITION, purpose=purpose)

    def publish_present(self, **options: Any) -> refresh.Refreshed | None:
        return refresh.publish_present(self.serve, self.snapshot, DEFINITION, purpose="live", **options)

    def energy(self, *minutes: int, kwh: float = 0.5, device: int = OFFICE_PLUG) -> None:
        """Replace these minutes after DAY by a row of a device, as a run does."""
        moments = [DAY + timedelta(minutes=minute) for minute in minutes]
        rows = frame(
            homes_gold.FACT_ENERGY_MINUTE, [energy(at, device, OFFICE, JIMMY, kwh, 0.1) for at in moments]
        )
        self.replace_energy(rows, moments)

    def replace_energy(self, rows: pl.DataFrame, moments: list[datetime]) -> None:
        keys = pl.Series([datetime_key(at) for at in moments], dtype=pl.Int64)
        days = pl.Series([at.date() for at in moments], dtype=pl.Date)
        self.lake.replace_values(homes_gold.FACT_ENERGY_MINUTE, rows, "datetime_key", keys, days)

    def compact(self, table: Table) -> None:
        delta = self.lake.delta(table)
        assert delta is not None
        delta.optimize.compact()

    def change(self, table: Table, *expressions: pl.Expr, where: pl.Expr | None = None) -> None:
        """Rewrite rows of a dimension."""
        rows = self.lake.read(table)
        changed = rows.with_columns(*expressions)
        if where is not None:
            changed = pl.concat([rows.filter(~where), rows.filter(where).with_columns(*expressions)])
        self.lake.replace_all(table, changed)

    def add(self, table: Table, *rows: dict[str, Any]) -> None:
        """Add rows to a dimension, which is written whole."""
        self.lake.replace_all(table, pl.concat([self.lake.read(table), frame(table, list(rows))]))

    def health(self, day: date, errors: int) -> None:
        row = {
            "date_key": int(day.strftime("%Y%m%d")), "device_key": OFFICE_PLUG, "room_key": OFFICE,
            "apartment_key": JIMMY, "error_count": errors, "missing_readings": 0, "local_date": day,
        }  # fmt: skip
        self.lake.replace_dates(
            homes_gold.FACT_DEVICE_HEALTH_DAY, frame(homes_gold.FACT_DEVICE_HEALTH_DAY, [row]), [day]
        )

    def issue(self, day: date, value: float) -> None:
        """Replace the forecast of a date of issue: today's and the next two days' rows."""
        reached = [day + timedelta(days=ahead) for ahead in range(3)]
        of_day = [
            {"date_key": int(at.strftime("%Y%m%d")), "site_key": SION, "horizon_days": ahead,
             "temperature_c_avg": value, "hours": 24.0, "utc_date": day}
            for ahead, at in enumerate(reached)
        ]  # fmt: skip
        of_hour = [
            {"datetime_key": int(at.strftime("%Y%m%d")) * 10000, "date_key": int(at.strftime("%Y%m%d")),
             "site_key": SION, "issue_date_key": int(day.strftime("%Y%m%d")), "step": 0,
             "temperature_c_ctrl": value, "utc_date": day}
            for at in reached
        ]  # fmt: skip
        for table, rows in ((weather.FACT_WEATHER_DAY, of_day), (weather.FACT_WEATHER_HOUR, of_hour)):
            self.lake.replace_dates(table, frame(table, rows), [day])


def frame(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=table.schema)


def contents(file: Path) -> dict[str, Any]:
    """All that a file holds: its rows, in no order, and what is recorded of them; columns, keys, comments."""
    questions = {
        "columns": "SELECT schema_name, table_name, column_name, data_type, is_nullable, comment "
        "FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
        "comments": "SELECT table_name, comment FROM duckdb_tables() ORDER BY ALL",
        "constraints": "SELECT table_name, constraint_text FROM duckdb_constraints() ORDER BY ALL",
        "views": "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
        "published": "SELECT scope, table_name, delta_version, definition FROM meta.published ORDER BY ALL",
        "parts": "SELECT * FROM meta.parts ORDER BY ALL",
        **{table.name: f"SELECT * FROM gold.{table.name} ORDER BY ALL" for table in gold.TABLES},  # noqa: S608
    }
    with duckdb.connect(str(file), read_only=True) as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in questions.items()}


def assert_as_built(place: Gold) -> None:
    found = contents(publish.published_file(place.serve))
    expected = contents(place.built("oracle"))
    for name, rows in expected.items():
        assert found[name] == rows, name


@pytest.fixture
def place(tmp_path: Path) -> Gold:
    """Gold, published."""
    made = Gold(tmp_path)
    publish.swap_in(made.built("first"), made.serve)
    return made


def refreshed(place: Gold) -> refresh.Refreshed:
    """Refresh, and compare with a build from nothing."""
    done = place.publish_present()
    assert done is not None
    assert_as_built(place)
    return done


def test_a_check_that_fails_or_is_over_is_told_though_gold_stays_as_it_is(place: Gold) -> None:
    failing = FailingCheck(
        "silver/sensor_files", "freshness", "ERROR", None, 1, datetime(2023, 10, 29, tzinfo=UTC)
    )
    assert place.publish_present() == refresh.Refreshed(publish.published_file(place.serve), {}, 0)
    for checks, version in (([failing], 2), ([], 3)):
        place.checks = checks
        for _ in range(2):
            place.publish_present()
        with duckdb.connect(str(publish.published_file(place.serve)), read_only=True) as connection:
            told = connection.execute(
                "SELECT check_name, severity, since_utc FROM meta.failing_checks"
            ).fetchall()
            assert told == [("freshness", "ERROR", datetime(2023, 10, 29)) for _ in checks]
            assert connection.execute("SELECT DISTINCT version FROM meta.published").fetchall() == [
                (version,)
            ]


def settled(place: Gold) -> None:
    """Publish until both files that versions are made from hold all but the last minute."""
    for minute in (1700, 1701, 1702):
        place.energy(minute)
        refreshed(place)


def test_a_new_minute_is_added_and_nothing_else_is_written(place: Gold) -> None:
    place.energy(1500)
    done = refreshed(place)
    assert (done.rows, done.parts) == ({"fact_energy_minute": 1}, 1)
    assert done.file.name == "domotic-admin-000002.duckdb"


def test_a_corrected_minute_replaces_its_rows_without_those_around(place: Gold) -> None:
    place.energy(*range(1000, 1010))
    place.energy(1010)
    settled(place)
    place.energy(1010, kwh=0.75)
    # The corrected row, and that of the minute before, which the file that is brought up lacks.
    assert refreshed(place).rows == {"fact_energy_minute": 2}


def test_a_minute_within_a_larger_file_keeps_what_other_files_have_of_its_range(place: Gold) -> None:
    place.energy(1000, 1010)
    place.energy(1005, device=HOUSE_METER)
    refreshed(place)
    place.energy(1010, kwh=0.75)
    assert refreshed(place).rows == {"fact_energy_minute": 3}


def test_compaction_changes_no_row(place: Gold) -> None:
    for minute in range(1000, 1005):
        place.energy(minute)
    refreshed(place)
    place.compact(homes_gold.FACT_ENERGY_MINUTE)
    refreshed(place)


def test_compaction_and_a_minute_between_two_refreshes(place: Gold) -> None:
    for minute in range(1000, 1005):
        place.energy(minute)
    refreshed(place)
    place.compact(homes_gold.FACT_ENERGY_MINUTE)
    place.energy(1005)
    place.energy(1002, kwh=9.0)
    refreshed(place)


def test_rows_that_are_gone_go(place: Gold) -> None:
    place.replace_energy(frame(homes_gold.FACT_ENERGY_MINUTE, []), [DAY + timedelta(minutes=720)])
    place.lake.replace_all(homes_gold.FACT_ENVIRONMENT_MINUTE, frame(homes_gold.FACT_ENVIRONMENT_MINUTE, []))
    refreshed(place)
    rows = contents(publish.published_file(place.serve))
    assert [row[0] for row in rows["fact_energy_minute"]] == [
        202310281201, 202310281201, 202310281202, 202310282230,
    ]  # fmt: skip
    assert rows["fact_environment_minute"] == []


def test_a_day_of_device_health_and_an_issue_of_the_forecast_are_replaced(place: Gold) -> None:
    first, second = date(2023, 10, 28), date(2023, 10, 29)
    for day in (first, second):
        place.health(day, 1)
        place.issue(day, 4.0)
    settled(place)
    place.health(first, 2)
    place.issue(first, 5.0)
    assert refreshed(place).rows == {
        "fact_energy_minute": 1,
        "fact_device_health_day": 1, "fact_weather_hour": 3, "fact_weather_day": 3,
    }  # fmt: skip


def test_a_new_device_is_added_to_its_dimension(place: Gold) -> None:
    [row, *_] = place.lake.read(homes_gold.DIM_DEVICE).rows(named=True)
    place.add(homes_gold.DIM_DEVICE, row | {"device_key": 999, "device_id": "jimmy/office/plugs/2"})
    assert refreshed(place).rows == {"dim_device": 1}


def test_a_home_with_its_rooms_and_devices_comes_at_once(place: Gold) -> None:
    for table, own, other in (
        (homes_gold.DIM_DEVICE, "device", {"room_key": 31}),
        (homes_gold.DIM_ROOM, "room", {"apartment_key": 3}),
        (homes_gold.DIM_APARTMENT, "apartment", {}),
    ):
        [row, *_] = place.lake.read(table).rows(named=True)
        key = {"device": 311, "room": 31, "apartment": 3}[own]
        place.add(table, row | {f"{own}_key": key, f"{own}_id": f"new {own}"} | other)
    assert refreshed(place).rows == {"dim_apartment": 1, "dim_room": 1, "dim_device": 1}


def test_a_dimension_that_others_refer_to_changes_and_loses_rows(place: Gold) -> None:
    renamed = pl.lit("Another name").alias("name")
    place.change(homes_gold.DIM_APARTMENT, renamed, where=pl.col("apartment_key") == JIMMY)
    refreshed(place)
    for table in (homes_gold.DIM_DEVICE, homes_gold.DIM_ROOM):
        place.lake.replace_all(table, place.lake.read(table).filter(pl.col("room_key") == OFFICE))
    refreshed(place)
    assert len(contents(publish.published_file(place.serve))["dim_room"]) == 1


def test_a_new_date_comes_with_its_minutes(place: Gold) -> None:
    [day, *_] = place.lake.read(calendar.DIM_DATE).rows(named=True)
    [minute, *_] = place.lake.read(calendar.DIM_DATETIME).rows(named=True)
    new, key = date(2023, 10, 30), {"date_key": 20231030}
    place.add(calendar.DIM_DATE, day | key | {"date": new})
    place.add(calendar.DIM_DATETIME, minute | key | {"datetime_key": 202310300000, "utc_date": new})
    assert refreshed(place).rows == {"dim_date": 1, "dim_datetime": 1}


def test_marts_come_along_even_when_their_dimension_is_made_anew(place: Gold) -> None:
    built = place.built("marts")
    with duckdb.connect(str(built)) as connection:
        connection.execute("CREATE VIEW marts.homes AS SELECT name FROM gold.dim_apartment")
    publish.swap_in(built, place.serve)
    place.change(homes_gold.DIM_APARTMENT, pl.lit("Another name").alias("name"))
    done = place.publish_present()
    assert done is not None
    with duckdb.connect(str(done.file), read_only=True) as connection:
        assert connection.execute("FROM marts.homes").fetchall() == [("Another name",)] * 2


def test_a_room_of_no_home_is_refused_and_the_old_file_stays(place: Gold) -> None:
    before = publish.published_file(place.serve).read_bytes()
    place.change(homes_gold.DIM_ROOM, pl.lit(99, pl.Int64).alias("apartment_key"))
    with pytest.raises(ContractError, match=r"gold/dim_room: .*apartment_key"):
        place.publish_present()
    assert publish.published_file(place.serve).read_bytes() == before


def _twice(place: Gold) -> None:
    at = DAY + timedelta(minutes=722)
    place.replace_energy(
        frame(homes_gold.FACT_ENERGY_MINUTE, [energy(at, OFFICE_PLUG, OFFICE, JIMMY, 0.5, 0.1)] * 2), [at]
    )


def _out_of_range(place: Gold) -> None:
    place.health(date(2023, 10, 28), -1)


def _of_no_device(place: Gold) -> None:
    place.energy(722, device=999)


def _without_its_device(place: Gold) -> None:
    kept = place.lake.read(homes_gold.DIM_DEVICE).filter(pl.col("device_key") != OFFICE_PLUG)
    place.lake.replace_all(homes_gold.DIM_DEVICE, kept)


def _odd_site(place: Gold) -> None:
    place.change(weather.DIM_WEATHER_SITE, pl.lit(91.0).alias("lat"))


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_twice, rf"gold/fact_energy_minute: key \(202310281202, {OFFICE_PLUG}\) stands twice"),
        (_out_of_range, r"gold/fact_device_health_day: 1 values of error_count are out of range"),
        (_of_no_device, r"gold/fact_energy_minute: device_key 999 is not in dim_device"),
        (_without_its_device, rf"gold/fact_energy_minute: device_key {OFFICE_PLUG} is not in dim_device"),
        (_odd_site, r"gold/dim_weather_site: 1 values of lat are out of range"),
    ],
)
def test_what_breaks_a_rule_of_gold_is_refused_where_it_is_tested(
    place: Gold, plant: Callable[[Gold], None], said: str
) -> None:
    before = publish.published_file(place.serve).read_bytes()
    plant(place)
    with pytest.raises(ContractError, match=said):
        place.publish_present(tested=True)
    assert publish.published_file(place.serve).read_bytes() == before
    refreshed(place)


def test_a_tested_refresh_is_as_one_that_is_not(place: Gold) -> None:
    place.energy(721, 722, kwh=0.25)
    place.change(homes_gold.DIM_APARTMENT, pl.lit("Another name").alias("name"))
    done = place.publish_present(tested=True)
    assert done is not None
    assert done.rows == {"fact_energy_minute": 6, "dim_apartment": 2}
    assert_as_built(place)


def test_a_date_that_a_file_holds_nothing_of_is_seen(place: Gold) -> None:
    file = publish.published_file(place.serve)
    place.energy(1000, 1010)
    assert not refresh.lacks_dates(file, place.snapshot().files)
    place.health(date(2023, 10, 31), 0)
    assert not refresh.lacks_dates(file, place.snapshot().files)
    place.energy(1500)
    assert refresh.lacks_dates(file, place.snapshot().files)
    refreshed(place)
    assert not refresh.lacks_dates(file, place.snapshot().files)


def test_what_is_published_already_stays_as_it_is(place: Gold) -> None:
    done = place.publish_present()
    assert done is not None
    assert (done.file, done.rows) == (publish.published_file(place.serve), {})
    assert len(list(place.serve.glob("*-0*"))) == 1


def test_without_a_file_or_by_another_definition_there_is_nothing_to_refresh(tmp_path: Path) -> None:
    place = Gold(tmp_path)
    assert place.publish_present() is None
    publish.swap_in(place.built("first"), place.serve)
    other = refresh.publish_present(place.serve, place.snapshot, "another mart", purpose="live")
    assert other is None
    publish.source_file(place.serve).write_bytes(b"no database" * 1000)
    assert place.publish_present() is None


def test_a_file_built_from_nothing_takes_in_what_came_while_it_was_tested(place: Gold) -> None:
    slow = place.built("marts")
    place.energy(1500)
    assert refreshed(place).file.name == "domotic-admin-000002.duckdb"
    done = place.publish_present(built=slow)
    assert done is not None
    assert (done.file.name, done.rows) == ("domotic-admin-000003.duckdb", {"fact_energy_minute": 1})
    assert_as_built(place)


def test_a_reader_keeps_its_file(place: Gold) -> None:
    count = "SELECT count(*) FROM gold.fact_energy_minute"
    with duckdb.connect(str(publish.published_file(place.serve)), read_only=True) as reader:
        [before] = reader.execute(count).fetchall()
        for minute in range(1500, 1505):
            place.energy(minute)
            place.publish_present()
        assert reader.execute(count).fetchall() == [before]
    assert len(contents(publish.published_file(place.serve))["fact_energy_minute"]) == before[0] + 5


def test_the_storage_format_stays_pinned(place: Gold) -> None:
    place.energy(1500)
    place.publish_present()
    with duckdb.connect(str(publish.published_file(place.serve)), read_only=True) as connection:
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags == [({"storage_version": "v1.0.0+"},)]


def _random_change(place: Gold, rng: Random) -> None:
    """One of the things that happen to Gold."""
    now = rng.randrange(900, 1800)
    several = sorted(rng.sample(range(900, 1800), rng.randint(2, 6)))
    day = date(2023, 10, 28) + timedelta(days=rng.randrange(3))
    changes: list[Callable[[], None]] = [
        lambda: place.energy(now, kwh=rng.random()),
        lambda: place.energy(now, now + 1, kwh=rng.random(), device=HOUSE_METER),
        lambda: place.energy(*several, kwh=rng.random()),
        lambda: place.replace_energy(
            frame(homes_gold.FACT_ENERGY_MINUTE, []), [DAY + timedelta(minutes=minute) for minute in several]
        ),
        lambda: place.compact(homes_gold.FACT_ENERGY_MINUTE),
        lambda: place.health(day, rng.randrange(9)),
        lambda: place.issue(day, rng.random()),
        lambda: place.change(homes_gold.DIM_APARTMENT, pl.lit(str(now)).alias("name")),
        lambda: place.change(
            homes_gold.DIM_DEVICE, pl.lit(now % 2 == 0).alias("is_active"), where=pl.col("room_key") == OFFICE
        ),
    ]
    rng.choice(changes)()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_a_refreshed_file_is_as_one_built_from_nothing(place: Gold, seed: int) -> None:
    rng = Random(seed)
    for _ in range(8):
        for _ in range(rng.randint(1, 4)):
            _random_change(place, rng)
        refreshed(place)


def test_a_refresh_killed_at_any_moment_leaves_a_whole_file(place: Gold) -> None:
    """Each of some moments of a refresh, and what a next one makes of what is left."""
    ended, moment = -signal.SIGKILL, 0
    while ended == -signal.SIGKILL:
        place.energy(1500 + moment)
        before = contents(publish.published_file(place.serve))
        ended = processes.run(_refresh_and_die, Path(place.lake.root), moment)
        found = contents(publish.published_file(place.serve))
        if found["fact_energy_minute"] == before["fact_energy_minute"]:
            assert found == before
        else:
            assert_as_built(place)
        refreshed(place)
        moment += 1
    assert ended == 0
    assert moment > 14
    assert base.changed_files(place.serve) == base.read_record(place.serve).told == []


def _refresh_and_die(root: Path, moment: int) -> None:
    """Publish, and die before the step of that number."""
    left = [moment]

    def before(step: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **options: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return step(*arguments, **options)

        return dying

    base.shutil.copyfile = before(base.shutil.copyfile)
    for module, names in {
        refresh: ["bring_up", "insert_files"],
        refresh.file_index: ["record"],
        publish: ["_next_version", "sync"],
        base: ["write_whole"],
        Path: ["hardlink_to", "replace", "unlink"],
    }.items():
        for name in names:
            setattr(module, name, before(getattr(module, name)))
    place = Gold.__new__(Gold)
    place.lake, place.serve = Lake(str(root)), root / "serve"
    place.publish_present()
