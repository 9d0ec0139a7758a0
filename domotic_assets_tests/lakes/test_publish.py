"""The published file: what it holds, and that a reader never sees half of one."""

import os
import resource
import signal
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from domotic_assets.errors import ContractError, LakeError
from domotic_assets.schemas import gold
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.serve import publish
from domotic_assets_tests.support import processes
from domotic_assets_tests.support.gold_snapshot import (
    HOUSE_METER,
    JIMMY,
    KITCHEN_PLUG,
    OFFICE_PLUG,
    Snapshot,
    sample_frame,
    sample_rows,
    with_frame,
    write_snapshot,
)

DEFINITION = "as written"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return write_snapshot(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def serve(tmp_path: Path) -> Path:
    return tmp_path / "serve"


def build(serve: Path, snapshot: Snapshot, purpose: str = "test") -> Path:
    return publish.build_file(serve, snapshot.files, snapshot.versions, DEFINITION, purpose=purpose)


def publish_once(serve: Path, snapshot: Snapshot) -> Path:
    return publish.swap_in(build(serve, snapshot), serve)


def ask(file: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def file(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("serve"), snapshot)


class TestContents:
    def test_every_gold_table_is_there(self, file: Path) -> None:
        tables = ask(file, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'gold'")
        assert {name for (name,) in tables} == {table.name for table in gold.TABLES}

    def test_facts_are_sorted_and_whole(self, file: Path) -> None:
        rows = ask(file, "SELECT datetime_key, device_key, energy_kwh FROM gold.fact_energy_minute")
        assert rows == [
            (202310281200, OFFICE_PLUG, 0.5),
            (202310281200, HOUSE_METER, 0.5),
            (202310281200, KITCHEN_PLUG, 0.375),
            (202310281201, OFFICE_PLUG, None),
            (202310281201, HOUSE_METER, 0.25),
            (202310281202, OFFICE_PLUG, 0.125),
            (202310282230, HOUSE_METER, 1.0),
        ]

    def test_types_and_nulls_are_those_of_the_schema_without_the_partition(self, file: Path) -> None:
        columns = ask(
            file,
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE table_name = 'fact_presence_minute' ORDER BY column_index",
        )
        assert columns == [
            ("datetime_key", "BIGINT", False),
            ("date_key", "INTEGER", False),
            ("room_key", "BIGINT", False),
            ("apartment_key", "BIGINT", False),
            ("motion_count", "INTEGER", True),
            ("door_open_flag", "BOOLEAN", True),
            ("presence_flag", "BOOLEAN", True),
            ("presence_prob", "DOUBLE", True),
        ]

    def test_times_are_plain_timestamps_in_utc_and_local_time(self, file: Path) -> None:
        rows = ask(
            file,
            "SELECT typeof(timestamp_utc), timestamp_utc, typeof(timestamp_local), timestamp_local "
            "FROM gold.dim_datetime WHERE datetime_key = 202310282230",
        )
        expected = (datetime(2023, 10, 28, 22, 30), datetime(2023, 10, 29, 0, 30))
        assert rows == [("TIMESTAMP", expected[0], "TIMESTAMP", expected[1])]

    def test_dates_stay_dates(self, file: Path) -> None:
        assert ask(file, "SELECT date FROM gold.dim_date") == [(date(2023, 10, 28),), (date(2023, 10, 29),)]

    def test_no_key_is_declared_as_duckdb_1_0_opens_no_file_with_one(self, file: Path) -> None:
        declared = ask(file, "SELECT DISTINCT constraint_type FROM duckdb_constraints()")
        assert declared == [("NOT NULL",)]

    def test_keys_of_facts_stand_in_a_table(self, file: Path) -> None:
        rows = ask(
            file,
            "SELECT column_name, key, references_table, references_column FROM meta.keys "
            "WHERE table_name = 'fact_weather_day' ORDER BY ALL",
        )
        assert rows == [
            ("date_key", "foreign", "dim_date", "date_key"),
            ("date_key", "primary", None, None),
            ("horizon_days", "primary", None, None),
            ("site_key", "foreign", "dim_weather_site", "site_key"),
            ("site_key", "primary", None, None),
        ]

    def test_every_table_and_column_is_described(self, file: Path) -> None:
        for function in ("duckdb_tables()", "duckdb_columns()"):
            [(silent,)] = ask(
                file,
                f"SELECT count(*) FROM {function} "  # noqa: S608
                "WHERE schema_name = 'gold' AND coalesce(comment, '') = ''",
            )
            assert silent == 0

    def test_comments_say_grain_unit_reference_and_how_to_sum(self, file: Path) -> None:
        [(table,)] = ask(file, "SELECT comment FROM duckdb_tables() WHERE table_name = 'fact_energy_minute'")
        assert table == (
            "One row per plug or house meter and minute with a reading. "
            "Sum: energy_wh, energy_kwh, energy_import_kwh, energy_export_kwh, cost_chf. "
            "Average, never sum: power_w. "
            "Only difference, never sum or average: counter_total. "
            "House meter, sub-meters and plugs overlap: a home's total is its plugs before the house meter's "
            "first reading of a watt or more, and the house meter from then on."
        )
        columns = ask(
            file,
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'fact_energy_minute' "
            "AND column_name IN ('device_key', 'power_w') ORDER BY column_name",
        )
        assert columns == [
            ("plug or house meter -> dim_device.device_key",),
            ("power; null where invalid or out of bounds [W]",),
        ]

    def test_storage_format_is_pinned(self, file: Path) -> None:
        rows = ask(
            file,
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL AND NOT internal",
        )
        assert rows == [("v1.0.0+",)]


class TestInput:
    @pytest.mark.parametrize(
        "names", [{"fact_energy_minute"}, {"dim_room", "dim_date"}], ids=lambda names: "-".join(sorted(names))
    )
    def test_a_missing_table_is_named(self, snapshot: Snapshot, serve: Path, names: set[str]) -> None:
        files = {name: files for name, files in snapshot.files.items() if name not in names}
        with pytest.raises(ContractError) as refused:
            publish.build_file(serve, files, snapshot.versions, DEFINITION, purpose="test")
        assert str(sorted(names)) in str(refused.value)

    def test_a_duplicate_key_of_a_dimension_is_refused(
        self, snapshot: Snapshot, tmp_path: Path, serve: Path
    ) -> None:
        rooms = sample_rows()["dim_room"]
        frame = sample_frame(homes_gold.DIM_ROOM, [*rooms, rooms[0]])
        with pytest.raises(ContractError, match=r"gold/dim_room: key \(11,\) stands twice"):
            build(serve, with_frame(snapshot, "dim_room", frame, tmp_path / "rooms.parquet"))

    def test_a_room_of_no_home_is_refused(self, snapshot: Snapshot, tmp_path: Path, serve: Path) -> None:
        frame = sample_frame(homes_gold.DIM_ROOM, [sample_rows()["dim_room"][0] | {"apartment_key": 99}])
        with pytest.raises(ContractError, match=r"gold/dim_room: .*apartment_key"):
            build(serve, with_frame(snapshot, "dim_room", frame, tmp_path / "rooms.parquet"))

    def test_a_null_where_the_schema_forbids_it_is_refused(
        self, snapshot: Snapshot, tmp_path: Path, serve: Path
    ) -> None:
        frame = sample_frame(homes_gold.FACT_ENERGY_MINUTE).with_columns(room_key=pl.lit(None, pl.Int64))
        with pytest.raises(ContractError, match=r"gold/fact_energy_minute: .*room_key"):
            build(serve, with_frame(snapshot, "fact_energy_minute", frame, tmp_path / "energy.parquet"))

    def test_a_column_added_later_is_null_in_older_files(
        self, snapshot: Snapshot, tmp_path: Path, serve: Path
    ) -> None:
        older = sample_frame(homes_gold.FACT_ENERGY_MINUTE).drop("cost_chf")
        mixed = with_frame(snapshot, "fact_energy_minute", older, tmp_path / "older.parquet")
        mixed.files["fact_energy_minute"].extend(snapshot.files["fact_energy_minute"])
        rows = ask(build(serve, mixed), "SELECT count(*), count(cost_chf) FROM gold.fact_energy_minute")
        assert rows == [(14, 5)]

    def test_a_column_in_no_file_is_null_in_all_rows(
        self, snapshot: Snapshot, tmp_path: Path, serve: Path
    ) -> None:
        older = sample_frame(homes_gold.FACT_ENERGY_MINUTE).drop("cost_chf")
        file = build(serve, with_frame(snapshot, "fact_energy_minute", older, tmp_path / "older.parquet"))
        rows = ask(file, "SELECT count(*), count(cost_chf) FROM gold.fact_energy_minute")
        assert rows == [(older.height, 0)]

    def test_a_required_column_in_no_file_is_named(
        self, snapshot: Snapshot, tmp_path: Path, serve: Path
    ) -> None:
        older = sample_frame(homes_gold.FACT_ENERGY_MINUTE).drop("is_valid")
        with pytest.raises(ContractError, match=r"gold/fact_energy_minute: .*is_valid"):
            build(serve, with_frame(snapshot, "fact_energy_minute", older, tmp_path / "older.parquet"))

    def test_a_lake_may_lie_in_a_folder_with_spaces_and_umlauts(self, tmp_path: Path) -> None:
        folder = tmp_path / "Zähler im Büro's"
        file = publish_once(folder / "serve", write_snapshot(folder))
        assert ask(file, "SELECT count(*) FROM gold.dim_room") == [(3,)]

    def test_a_parquet_file_that_is_gone_is_reported(self, snapshot: Snapshot, serve: Path) -> None:
        files = snapshot.files | {"dim_room": ["/nowhere/part-0.parquet"]}
        with pytest.raises(LakeError, match=r"/nowhere/part-0\.parquet"):
            publish.build_file(serve, files, snapshot.versions, DEFINITION, purpose="test")


class TestCurrency:
    def test_the_same_versions_need_no_new_file(self, snapshot: Snapshot, serve: Path) -> None:
        publish_once(serve, snapshot)
        assert publish.is_current(serve, snapshot.versions, DEFINITION)

    @pytest.mark.parametrize("table", ["dim_room", "fact_energy_minute"])
    def test_one_newer_table_needs_one(self, snapshot: Snapshot, serve: Path, table: str) -> None:
        publish_once(serve, snapshot)
        newer = snapshot.versions | {table: snapshot.versions[table] + 1}
        assert not publish.is_current(serve, newer, DEFINITION)

    def test_another_definition_needs_one(self, snapshot: Snapshot, serve: Path) -> None:
        publish_once(serve, snapshot)
        assert not publish.is_current(serve, snapshot.versions, "another mart")

    def test_no_file_and_a_broken_file_need_one(self, snapshot: Snapshot, tmp_path: Path) -> None:
        file = tmp_path / "domotic-admin.duckdb"
        assert not publish.is_current(tmp_path, snapshot.versions, DEFINITION)
        file.write_bytes(b"no database" * 1000)
        assert not publish.is_current(tmp_path, snapshot.versions, DEFINITION)


class TestSwap:
    def test_stable_and_versioned_name_are_one_file(self, snapshot: Snapshot, serve: Path) -> None:
        versioned = publish_once(serve, snapshot)
        assert versioned == serve / "domotic-admin-000001.duckdb"
        assert versioned.samefile(serve / "domotic-admin.duckdb")
        assert sorted(file.name for file in serve.glob("*.duckdb*")) == [
            "domotic-admin-000001.duckdb",
            "domotic-admin.duckdb",
        ]

    def test_what_is_added_before_the_swap_is_published(self, snapshot: Snapshot, serve: Path) -> None:
        built = build(serve, snapshot)
        with duckdb.connect(str(built)) as connection:
            connection.execute("CREATE VIEW marts.rooms AS SELECT room_id FROM gold.dim_room")
        versioned = publish.swap_in(built, serve)
        assert ask(versioned, "SELECT count(*) FROM marts.rooms") == [(3,)]

    def test_the_newest_three_versions_stay(self, snapshot: Snapshot, serve: Path) -> None:
        for _ in range(5):
            publish_once(serve, snapshot)
        assert sorted(file.name for file in serve.glob("*-0*")) == [
            "domotic-admin-000003.duckdb",
            "domotic-admin-000004.duckdb",
            "domotic-admin-000005.duckdb",
        ]

    def test_an_open_reader_keeps_its_file(self, snapshot: Snapshot, tmp_path: Path, serve: Path) -> None:
        publish_once(serve, snapshot)
        valid = sample_frame(homes_gold.FACT_ENERGY_MINUTE).filter("is_valid")
        changed = with_frame(snapshot, "fact_energy_minute", valid, tmp_path / "valid.parquet")
        count = "SELECT count(*) FROM gold.fact_energy_minute"
        with duckdb.connect(str(publish.published_file(serve)), read_only=True) as reader:
            assert reader.execute(count).fetchall() == [(7,)]
            newest = publish_once(serve, changed)
            for _ in range(publish.KEPT_VERSIONS):
                newest = publish_once(serve, changed)
            assert reader.execute(count).fetchall() == [(7,)]
            assert reader.execute("SELECT name FROM gold.dim_apartment ORDER BY 1").fetchall() == [
                ("Home J",),
                ("Home V",),
            ]
        assert ask(newest, count) == [(6,)]
        assert ask(publish.published_file(serve), count) == [(6,)]

    def test_two_builders_neither_share_a_folder_nor_a_version(self, snapshot: Snapshot, serve: Path) -> None:
        first, second = (build(serve, snapshot, purpose) for purpose in ("marts", "live"))
        assert [publish.swap_in(built, serve).name for built in (second, first)] == [
            "domotic-admin-000001.duckdb",
            "domotic-admin-000002.duckdb",
        ]
        assert ask(publish.published_file(serve), "SELECT DISTINCT version FROM meta.published") == [(2,)]

    def test_a_file_says_when_it_was_published(self, snapshot: Snapshot, serve: Path) -> None:
        before = datetime.now(UTC).replace(tzinfo=None)
        publish_once(serve, snapshot)
        [(at,)] = ask(publish.published_file(serve), "SELECT DISTINCT built_at_utc FROM meta.published")
        assert before <= at <= datetime.now(UTC).replace(tzinfo=None)

    def test_who_swaps_waits_for_another_process_that_publishes(
        self, snapshot: Snapshot, tmp_path: Path, serve: Path
    ) -> None:
        built = build(serve, snapshot)
        holder = processes.begin(_hold_and_leave_a_version, serve, tmp_path / "held")
        while not (tmp_path / "held").exists():
            time.sleep(0.01)
        assert publish.swap_in(built, serve).name == "domotic-admin-000008.duckdb"
        holder.join(60)

    def test_a_publisher_that_is_killed_lets_the_next_one_in(self, snapshot: Snapshot, serve: Path) -> None:
        assert processes.run(_hold_and_die, serve) == -signal.SIGKILL
        assert publish_once(serve, snapshot).name == "domotic-admin-000001.duckdb"


class TestInterruption:
    def test_a_build_killed_half_way_leaves_the_old_file(self, snapshot: Snapshot, serve: Path) -> None:
        publish_once(serve, snapshot)
        before = publish.published_file(serve).read_bytes()

        assert processes.run(_build_and_die, serve, snapshot) == -signal.SIGKILL

        assert list((serve / ".building" / "test").iterdir())
        assert publish.published_file(serve).read_bytes() == before
        assert publish_once(serve, snapshot).name == "domotic-admin-000002.duckdb"
        assert not list((serve / ".building").iterdir())

    def test_a_swap_killed_half_way_leaves_the_old_file(self, snapshot: Snapshot, serve: Path) -> None:
        publish_once(serve, snapshot)
        before = publish.published_file(serve).read_bytes()

        assert processes.run(_swap_and_die, build(serve, snapshot), serve) == -signal.SIGKILL

        assert publish.published_file(serve).read_bytes() == before
        assert publish_once(serve, snapshot).name == "domotic-admin-000003.duckdb"
        assert ask(publish.published_file(serve), "SELECT DISTINCT version FROM meta.published") == [(3,)]

    def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(
        self, snapshot: Snapshot, serve: Path
    ) -> None:
        publish_once(serve, snapshot)
        before = publish.published_file(serve).read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        try:
            with pytest.raises(LakeError, match=r"cannot be written .*free space") as full:
                build(serve, snapshot)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "\n" not in str(full.value)
        assert publish.published_file(serve).read_bytes() == before

    def test_an_unwritable_folder_says_what_to_do(self, snapshot: Snapshot, tmp_path: Path) -> None:
        (tmp_path / "serve").write_text("a file where the folder belongs")
        with pytest.raises(LakeError, match="cannot be written"):
            build(tmp_path / "serve", snapshot)


def _build_and_die(serve: Path, snapshot: Snapshot) -> None:
    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    publish._record = die  # the last step of a build: every table is loaded by then
    build(serve, snapshot)


def _swap_and_die(built: Path, serve: Path) -> None:
    replace = Path.replace

    def die(file: Path, name: Path) -> Path:
        if name == publish.published_file(serve):
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(file, name)

    Path.replace = die  # type: ignore[assignment,method-assign]
    publish.swap_in(built, serve)


def _hold_and_leave_a_version(serve: Path, held: Path) -> None:
    with publish.publishing(serve):
        held.touch()
        time.sleep(1)
        (serve / "domotic-admin-000007.duckdb").touch()


def _hold_and_die(serve: Path) -> None:
    with publish.publishing(serve):
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_first_publication_needs_no_folder(snapshot: Snapshot, tmp_path: Path) -> None:
    file = publish_once(tmp_path / "new" / "lake" / "serve", snapshot)
    assert ask(file, f"SELECT name FROM gold.dim_apartment WHERE apartment_key = {JIMMY}") == [("Home J",)]  # noqa: S608
