"""Each person's file holds what they may see and nothing else, decoded and as raw bytes.

Hours around a midnight of two homes in two zones, where people move at that midnight. What a file must
hold is asked of the admin's file by UTC minutes that are written here by hand.
"""

import shutil
import stat
import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from domotic_assets.errors import ContractError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import people as operate_people
from domotic_assets.orchestration import publications
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve import failing_checks, publish
from domotic_assets.serve.failing_checks import FailingCheck
from domotic_assets.serve.people import files as people_files
from domotic_assets.serve.people.scopes import Scope, scopes_of
from domotic_assets.simulator.register import personal_values
from domotic_assets_tests.support import builders, leaks, published
from domotic_assets_tests.support.admin_file import install

SEED = 5
ZURICH_MIDNIGHT, LONDON_MIDNIGHT, END = 202309142200, 202309142300, 202309150000

HOMES = builders.REGISTRY.partition("people:")[0].replace(
    "    weather_site: Visp\n", "    weather_site: Visp\n    time_zone: Europe/London\n"
)
PEOPLE = """\
people:
  - {user: u-admin, role: admin}
  - {user: u-moved-out, role: owner, homes: [jimmy], lives_there: true, to: 2023-09-15}
  - {user: u-moved-in, role: renter, homes: [jimmy], from: 2023-09-15}
  - {user: u-old, role: renter, homes: [jeremie], from: 2023-01-01, to: 2023-09-15}
  - {user: u-new, role: renter, homes: [jeremie], from: 2023-09-15}
  - {user: u-later, role: renter, homes: [jeremie], from: 2024-01-01}
  - {user: u-landlord, role: owner, homes: [jeremie]}
  - {user: u-technician, role: technician, homes: [jimmy]}
"""
OTHER_HOME = {
    "u-moved-out": "jeremie", "u-moved-in": "jeremie", "u-technician": "jeremie",
    "u-old": "jimmy", "u-new": "jimmy", "u-later": "jimmy", "u-landlord": "jimmy",
}  # fmt: skip
# UTC minutes, from … until before, of which a person may see readings.
MINUTES_SEEN = {
    "u-moved-out": (0, ZURICH_MIDNIGHT), "u-moved-in": (ZURICH_MIDNIGHT, END),
    "u-old": (0, LONDON_MIDNIGHT), "u-new": (LONDON_MIDNIGHT, END), "u-later": (0, 0),
    "u-technician": (0, END), "u-landlord": (0, 0),
}  # fmt: skip
PUBLIC = ("dim_datetime", "dim_date", "fact_weather_hour", "fact_weather_day", "mart_daily_weather_summary")

HOMES_AND_NONE = ("jimmy", "jeremie", None)

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An admin's file of both homes, and the files of these people."""
    folder = tmp_path_factory.mktemp("installation")
    opened = install(folder, HOMES + PEOPLE)
    assert operate_people.are_behind(opened)
    operate_people.publish_scopes(opened)
    return opened


@pytest.fixture
def serve(work: Workspace, tmp_path: Path) -> Path:
    """A folder of its own with the admin's file of that build."""
    return published.put_in(tmp_path / "serve", publish.published_file(work.serve)).parent


def people(text: str) -> tuple[Scope, ...]:
    return scopes_of(builders.registry(HOMES + text))


def person(user: str, text: str = PEOPLE) -> Scope:
    return next(scope for scope in people(text) if scope.user == user)


def ask(file: Path, sql: str) -> Rows:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def change(file: Path, *statements: str) -> None:
    """Change the admin's file as Gold might, or another file as it is."""
    is_published = file == publish.published_file(file.parent)
    with published.changing(file.parent) if is_published else duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)


def columns(file: Path) -> Iterable[tuple[str, str, str]]:
    """Schema, table and column of every table in a file."""
    return ask(file, "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal")


def keys_of(admin: Path, home: str) -> dict[str, int]:
    """Every surrogate key that is about a home alone, by what it is the key of."""
    rows = ask(
        admin,
        f"SELECT apartment_id, apartment_key FROM gold.dim_apartment WHERE apartment_id = '{home}' "  # noqa: S608
        f"UNION SELECT room_id, room_key FROM gold.dim_room WHERE room_id LIKE '{home}/%' "
        f"UNION SELECT device_id, device_key FROM gold.dim_device WHERE device_id LIKE '{home}/%' "
        "UNION SELECT site_code, site_key FROM gold.dim_apartment JOIN gold.dim_weather_site "
        f"ON weather_site_key = site_key WHERE apartment_id = '{home}'",
    )
    return dict(rows)


def forbidden(work: Workspace, user: str) -> dict[str, str]:
    """What must stand nowhere in a person's file: the other home, and everything personal."""
    home = OTHER_HOME[user]
    [other] = [found for found in work.registry.homes if found.id == home]
    keys = keys_of(publish.published_file(work.serve), home)
    values = {
        "id": f"{home}/",
        "name": other.name,
        "building": other.building_name,
        "feed user": other.feed_user,
    }
    values |= {f"key of {name}": str(key) for name, key in keys.items()}
    values |= {f"personal {n}": v for n, v in enumerate(personal_values(SEED, work.registry.homes))}
    return values | {"home": f"{home}"}


def raw_findings(file: Path, keys: dict[str, int]) -> set[str]:
    """Names of the keys whose eight bytes stand anywhere in a file, in use or freed."""
    content = file.read_bytes()
    return {name for name, key in keys.items() if struct.pack("<q", key) in content}


def findings(work: Workspace, file: Path, user: str) -> list[Any]:
    """All that a person's file must not hold, decoded and raw."""
    alone = file.parent / "alone"
    alone.mkdir()
    shutil.copyfile(file, alone / "file")
    found: list[Any] = leaks.scan(alone, forbidden(work, user))
    shutil.rmtree(alone)
    keys = keys_of(publish.published_file(work.serve), OTHER_HOME[user])
    return found + sorted(raw_findings(file, keys))


USERS = sorted(OTHER_HOME)


class TestLeaks:
    @pytest.mark.parametrize("user", USERS)
    def test_nothing_of_another_home_and_nothing_personal(
        self, work: Workspace, user: str, tmp_path: Path
    ) -> None:
        file = Path(shutil.copy(publish.published_file(work.serve, user), tmp_path))
        assert findings(work, file, user) == []

    def test_the_admins_file_would_be_found_out(self, work: Workspace, tmp_path: Path) -> None:
        """The scan searches for values that do stand in the file that the others are made of."""
        admin = Path(shutil.copy(publish.published_file(work.serve), tmp_path))
        labels = {finding.label for finding in findings(work, admin, "u-new") if not isinstance(finding, str)}
        personal = {label for label in forbidden(work, "u-new") if label.startswith(("personal", "feed"))}
        assert labels == forbidden(work, "u-new").keys() - personal

    @pytest.mark.parametrize(
        ("statements", "label"),
        [
            (["CREATE TABLE t AS SELECT 'jimmy/office' AS c FROM range(5000)"], "id"),
            (["COMMENT ON TABLE gold.dim_room IS 'not of jimmy'"], "home"),
            (
                ["CREATE TABLE t AS SELECT {key} + (i % 2) AS c FROM range(5000) r(i)"],
                "key of jimmy/office",
            ),
            (
                [
                    "PRAGMA force_compression = 'uncompressed'",
                    "CREATE TABLE t AS SELECT CASE WHEN i % 2 = 0 THEN {key} ELSE i END AS c "
                    "FROM range(50000) r(i)",
                    "CHECKPOINT",
                    # Behind it, or the file would end before it.
                    "CREATE TABLE u AS SELECT i * 7 AS c FROM range(50000) r(i)",
                    "CHECKPOINT",
                    "DROP TABLE t",
                    "CHECKPOINT",
                ],
                "jimmy/office",
            ),
        ],
        ids=["value", "comment", "compressed key", "freed block"],
    )
    def test_a_planted_value_is_found(
        self, work: Workspace, tmp_path: Path, statements: list[str], label: str
    ) -> None:
        file = Path(shutil.copy(publish.published_file(work.serve, "u-new"), tmp_path))
        change(file, *(statement.format(key=surrogate_key("jimmy/office")) for statement in statements))
        found = findings(work, file, "u-new")
        assert label in {one if isinstance(one, str) else one.label for one in found}

    @pytest.mark.parametrize("user", ["u-landlord", "u-technician"])
    def test_no_table_and_no_column_tells_of_presence(self, work: Workspace, user: str) -> None:
        file = publish.published_file(work.serve, user)
        told = [found for found in columns(file) if {"presence", "motion"} & set("_".join(found).split("_"))]
        assert told == []
        assert [c for c in columns(publish.published_file(work.serve)) if "presence" in c[1]] != []

    def test_a_landlords_file_has_no_minutes_and_no_day_or_month_that_goes_on(self, work: Workspace) -> None:
        file = publish.published_file(work.serve, "u-landlord")
        tables = {table for schema, table, _ in columns(file) if schema != "meta"}
        assert tables == {
            "dim_datetime", "dim_date", "dim_apartment", "dim_room", "dim_device", "dim_tariff",
            "dim_weather_site", "dim_model", "dim_horizon", "dim_target", "fact_device_health_day",
            "fact_weather_hour", "fact_weather_day", "mart_energy_monthly", "mart_comfort_monthly",
            "mart_device_health", "mart_daily_weather_summary", "mart_gold_tables", "mart_feed_freshness",
        }  # fmt: skip
        assert ask(file, "SELECT count(*) FROM marts.mart_energy_monthly") == [(0,)]
        assert ask(file, "SELECT count(*) FROM gold.fact_device_health_day") == [(9,)]


class TestTenancy:
    @pytest.mark.parametrize("user", ["u-moved-out", "u-moved-in", "u-old", "u-new", "u-technician"])
    @pytest.mark.parametrize(
        "fact", ["fact_environment_minute", "fact_energy_minute", "fact_presence_minute"]
    )
    def test_a_person_sees_exactly_the_minutes_of_their_dates(
        self, work: Workspace, user: str, fact: str
    ) -> None:
        """In London midnight is 23:00 UTC in September, in Zurich it is 22:00."""
        if user == "u-technician" and fact != "fact_environment_minute":
            return
        home = surrogate_key("jimmy" if OTHER_HOME[user] == "jeremie" else "jeremie")
        first, end = MINUTES_SEEN[user]
        admin = publish.published_file(work.serve)
        expected = ask(
            admin,
            f"FROM gold.{fact} WHERE apartment_key = {home} AND datetime_key >= {first} "
            f"AND datetime_key < {end} ORDER BY ALL",
        )
        assert len(expected) >= 60
        held = publish.published_file(work.serve, user)
        assert ask(held, f"FROM gold.{fact} ORDER BY ALL") == expected

    def test_the_minute_before_midnight_is_the_old_tenants_and_midnight_the_new_ones(
        self, work: Workspace
    ) -> None:
        newest = "SELECT max(datetime_key), max(date_key) FROM gold.fact_environment_minute"
        oldest = newest.replace("max", "min")
        old, new, out, moved_in = (
            publish.published_file(work.serve, user)
            for user in ("u-old", "u-new", "u-moved-out", "u-moved-in")
        )
        assert ask(old, newest) == [(202309142259, 20230914)]
        assert ask(new, oldest) == [(202309142300, 20230915)]
        assert ask(out, newest) == [(202309142159, 20230914)]
        assert ask(moved_in, oldest) == [(202309142200, 20230915)]

    @pytest.mark.parametrize("user", USERS)
    def test_no_table_holds_a_row_of_other_dates_or_homes(self, work: Workspace, user: str) -> None:
        """Every table with the column, so that one added later is looked at too."""
        file = publish.published_file(work.serve, user)
        home = surrogate_key("jimmy" if OTHER_HOME[user] == "jeremie" else "jeremie")
        dates = {
            "u-moved-out": (0, 20230914), "u-old": (0, 20230914), "u-moved-in": (20230915, 20230915),
            "u-new": (20230915, 20230915), "u-later": (20240101, 20240101),
        }  # fmt: skip
        low, high = dates.get(user, (0, 99991231))
        months = [low // 100, high // 100]
        seen = [(f"{s}.{t}", c) for s, t, c in columns(file) if t not in PUBLIC and s != "meta"]
        wrong = []
        for table, column in seen:
            bounds = {
                "apartment_key": f"{column} <> {home}",
                "date_key": f"{column} NOT BETWEEN {low} AND {high}",
                "first_date_key": f"table_name LIKE 'fact_e%' AND {column} < {low}",
                "last_date_key": f"table_name LIKE 'fact_e%' AND {column} > {high}",
                "month_key": f"{column} NOT BETWEEN {months[0]} AND {months[1]}",
                "first_date": f"strftime({column}, '%Y%m%d')::INT < {low}",
                "last_date": f"strftime({column}, '%Y%m%d')::INT > {high}",
                "battery_date": f"strftime({column}, '%Y%m%d')::INT NOT BETWEEN {low} AND {high}",
                "last_reading_date": f"strftime({column}, '%Y%m%d')::INT NOT BETWEEN {low} AND {high}",
            }
            if column in bounds:
                wrong += ask(file, f"SELECT '{table}.{column}' FROM {table} WHERE {bounds[column]}")  # noqa: S608
        assert wrong == []

    def test_who_moves_in_next_year_sees_nothing_yet(self, work: Workspace) -> None:
        file = publish.published_file(work.serve, "u-later")
        counted = dict(ask(file, "SELECT table_name, row_count FROM marts.mart_gold_tables"))
        facts = ("energy_minute", "environment_minute", "presence_minute", "device_health_day")
        assert [counted[f"fact_{name}"] for name in facts] == [0, 0, 0, 0]
        assert (counted["dim_apartment"], counted["dim_room"], counted["dim_device"]) == (0, 0, 0)

    def test_a_months_energy_is_ones_own_days_alone(self, work: Workspace) -> None:
        """Both renters' September, summed by hand from the minutes on either side of midnight."""
        jeremie = surrogate_key("jeremie")
        for user in ("u-old", "u-new"):
            first, end = MINUTES_SEEN[user]
            expected = ask(
                publish.published_file(work.serve),
                "SELECT device_key, sum(energy_kwh), count(*) FROM gold.fact_energy_minute "  # noqa: S608
                f"WHERE apartment_key = {jeremie} AND datetime_key >= {first} AND datetime_key < {end} "
                "GROUP BY ALL ORDER BY ALL",
            )
            held = ask(
                publish.published_file(work.serve, user),
                "SELECT device_key, energy_kwh, minutes FROM marts.mart_energy_monthly "
                "WHERE month_key = 202309 ORDER BY ALL",
            )
            assert held == expected

    def test_a_device_that_only_the_old_tenant_had_is_not_the_new_ones(self, serve: Path) -> None:
        """It has health rows on the new tenant's date too, without a reading."""
        sauna, room = 4711, surrogate_key("jeremie/office")
        home = surrogate_key("jeremie")
        with published.changing(serve) as connection:
            connection.execute(
                "INSERT INTO gold.dim_device "
                "VALUES (?, 'jeremie/office/plugs/9', ?, 'Sauna', 'plug', 'plug', false)",
                [sauna, room],
            )
            connection.executemany(
                "INSERT INTO gold.fact_device_health_day VALUES (?, ?, ?, ?, 0, ?, ?, NULL, NULL)",
                [(20230914, sauna, room, home, 0, 100), (20230915, sauna, room, home, 60, 0)],
            )
        people_files.publish_scopes(serve, people(PEOPLE))
        names = f"SELECT count(*) FROM gold.dim_device WHERE device_key = {sauna}"  # noqa: S608
        health = f"SELECT date_key FROM gold.fact_device_health_day WHERE device_key = {sauna} ORDER BY 1"  # noqa: S608
        held = {user: publish.published_file(serve, user) for user in USERS}
        assert {user: ask(held[user], names) for user in ("u-old", "u-new", "u-landlord", "u-moved-in")} == {
            "u-old": [(1,)], "u-new": [(0,)], "u-landlord": [(1,)], "u-moved-in": [(0,)],
        }  # fmt: skip
        assert ask(held["u-old"], health) == [(20230914,)]
        assert ask(held["u-new"], health) == []
        assert ask(held["u-landlord"], health) == [(20230914,), (20230915,)]
        assert ask(
            held["u-new"], "SELECT count(*) FROM marts.mart_device_health WHERE device_key = 4711"
        ) == [(0,)]


class TestRoles:
    def test_the_owner_of_a_home_is_named_to_owners_only(self, work: Workspace) -> None:
        owner = "SELECT owner_user_id FROM gold.dim_apartment"
        held = {user: ask(publish.published_file(work.serve, user), owner) for user in USERS}
        told = {user: rows for user, rows in held.items() if rows != [(None,)]}
        # Gold names others: u-owner-of-jimmy and u-owner-of-jeremie.
        assert told == {"u-landlord": [("u-landlord",)], "u-moved-out": [("u-moved-out",)], "u-later": []}

    def test_a_technician_sees_24_hours_up_to_the_newest_minute_of_the_data(self, serve: Path) -> None:
        """The newest minute is 23:59 UTC of the 14th, so 23:59 of the 13th is out and midnight is in."""
        admin, room, home = (
            publish.published_file(serve),
            surrogate_key("jimmy/office"),
            surrogate_key("jimmy"),
        )
        change(
            admin,
            *(
                f"INSERT INTO gold.fact_environment_minute BY NAME SELECT {minute} AS datetime_key, 20230914 "
                f"AS date_key, {room} AS room_key, {home} AS apartment_key, false AS is_anomaly"
                for minute in (202309132359, 202309140000)
            ),
        )
        people_files.publish_scopes(serve, people(PEOPLE))
        first = "SELECT min(datetime_key) FROM gold.fact_environment_minute"
        assert ask(publish.published_file(serve, "u-technician"), first) == [(202309140000,)]

    def test_a_landlord_sees_a_month_that_is_over_and_days_by_consent(self, serve: Path) -> None:
        """October has begun: September shows, October does not. The 15th is the last day that is over."""
        admin, meter = publish.published_file(serve), surrogate_key("jeremie/house/consumptions/1")
        keys = (
            f"{meter} AS device_key, {surrogate_key('jeremie/house')} AS room_key, {surrogate_key('jeremie')}"
        )
        change(
            admin,
            "INSERT INTO gold.dim_date SELECT 20231001, '2023-10-01', 7, 39, 10, 2023, true, false, NULL",
            "INSERT INTO gold.fact_energy_minute BY NAME SELECT 202310011200 AS datetime_key, 20231001 AS "
            f"date_key, {keys} AS apartment_key, 5.0 AS energy_kwh, true AS is_valid",
        )
        consenting = PEOPLE.replace(
            "u-new, role: renter, homes: [jeremie],",
            "u-new, role: renter, homes: [jeremie], to: 2024-01-01, consents: {daily_energy_to_owner: true, "
            "presence_to_owner: true},",
        )
        people_files.publish_scopes(serve, people(consenting))
        held = publish.published_file(serve, "u-landlord")
        assert ask(held, "SELECT DISTINCT month_key FROM marts.mart_energy_monthly") == [(202309,)]
        total = "SELECT sum(energy_kwh) FROM {} WHERE device_key = {} AND date_key < 20231001"
        [(september,)] = ask(admin, total.format("gold.fact_energy_minute", meter))
        assert ask(
            held,
            f"SELECT energy_kwh FROM marts.mart_energy_monthly WHERE device_key = {meter}",  # noqa: S608
        ) == [(september,)]
        assert ask(held, "SELECT DISTINCT date_key FROM marts.mart_energy_daily") == [(20230915,)]
        assert ask(held, "SELECT min(datetime_key) FROM gold.fact_presence_minute") == [(202309142300,)]
        assert ask(held, "SELECT sum(minutes) FROM marts.mart_occupancy_hourly") == ask(
            admin,
            "SELECT count(presence_flag) FROM gold.fact_presence_minute "  # noqa: S608
            f"WHERE apartment_key = {surrogate_key('jeremie')} AND datetime_key >= 202309142300",
        )


def tell(serve: Path, *checks: FailingCheck) -> None:
    """Make the admin's file say that these checks fail."""
    with published.changing(serve) as connection:
        failing_checks.replace(connection, failing_checks.rows(checks))


class TestFiles:
    def test_the_build_published_one_for_each_person(self, work: Workspace) -> None:
        assert publish.published_scopes(work.serve) == {"admin", *USERS}
        assert not operate_people.are_behind(work)

    def test_only_the_builder_can_read_them(self, work: Workspace) -> None:
        files = list(work.serve.glob("*.duckdb"))
        assert len(files) == 2 * len(USERS) + 2
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    def test_tables_are_native_described_and_in_the_pinned_format(self, work: Workspace) -> None:
        for user in USERS:
            file = publish.published_file(work.serve, user)
            assert ask(file, "SELECT count(*) FROM duckdb_views() WHERE NOT internal") == [(0,)]
            assert (
                ask(
                    file,
                    "SELECT table_name, column_name FROM duckdb_columns() "
                    "WHERE schema_name IN ('gold', 'marts') AND coalesce(comment, '') = ''",
                )
                == []
            )
            assert ask(
                file,
                "SELECT tags['storage_version'] FROM duckdb_databases() "
                "WHERE path IS NOT NULL AND NOT internal",
            ) == [("v1.0.0+",)]
            assert ask(file, "SELECT DISTINCT scope, version FROM meta.published") == [(user, 1)]

    def test_marts_of_a_whole_home_are_the_admins(self, serve: Path) -> None:
        """Who lives in a home for all time sees of it what the admin does."""
        text = "people:\n  - {user: u-1, role: owner, homes: [jimmy], lives_there: true}\n"
        people_files.publish_scopes(serve, people(text))
        names = [
            table for schema, table, _ in columns(publish.published_file(serve, "u-1")) if schema == "marts"
        ]
        for mart in set(names) - {"mart_gold_tables"}:
            whose = "site_code = 'sio'" if "weather" in mart else "apartment_id = 'jimmy'"
            question = f"FROM marts.{mart} WHERE {whose} ORDER BY ALL"
            admins = ask(publish.published_file(serve), question)
            assert ask(publish.published_file(serve, "u-1"), question) == admins, mart
            assert admins

    def test_a_changed_date_rebuilds_that_person_only(self, serve: Path) -> None:
        people_files.publish_scopes(serve, people(PEOPLE))
        assert people_files.publish_scopes(serve, people(PEOPLE)).built == ()
        moved = PEOPLE.replace(
            "u-new, role: renter, homes: [jeremie], from: 2023-09-15",
            "u-new, role: renter, homes: [jeremie], from: 2023-09-16",
        )
        assert not people_files.are_current(serve, people(moved))
        done = people_files.publish_scopes(serve, people(moved))
        assert [file.name for file in done.built] == ["domotic-u-new-000001.duckdb"]
        assert sorted(file.name for file in serve.glob("*u-new*")) == [
            "domotic-u-new-000001.duckdb",
            "domotic-u-new.duckdb",
        ]
        assert ask(
            publish.published_file(serve, "u-new"), "SELECT count(*) FROM gold.fact_energy_minute"
        ) == [(0,)]

    def test_a_consent_that_ends_takes_the_presence_away(self, serve: Path) -> None:
        consenting = PEOPLE.replace(
            "from: 2023-09-15}", "from: 2023-09-15, consents: {presence_to_owner: true}}"
        )
        people_files.publish_scopes(serve, people(consenting))
        presence = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'fact_presence_minute'"
        # u-later, who has not consented, only moves in next year.
        assert ask(publish.published_file(serve, "u-landlord"), presence) == [(1,)]
        people_files.publish_scopes(serve, people(PEOPLE))
        assert ask(publish.published_file(serve, "u-landlord"), presence) == [(0,)]

    def test_a_newer_admins_file_makes_a_version_only_for_whom_it_holds_more(self, serve: Path) -> None:
        """A version, or the time of a file, would tell that somebody else has new data."""
        people_files.publish_scopes(serve, people(PEOPLE))
        before = {file: file.stat().st_mtime_ns for file in serve.glob("domotic-u-*")}
        change(
            publish.published_file(serve),
            "UPDATE meta.published SET delta_version = 99 WHERE table_name = 'fact_energy_minute'",
            "UPDATE gold.fact_energy_minute SET power_w = 0 "  # noqa: S608
            f"WHERE datetime_key = 202309142159 AND apartment_key = {surrogate_key('jimmy')}",
        )
        assert not people_files.are_current(serve, people(PEOPLE))
        done = people_files.publish_scopes(serve, people(PEOPLE))
        assert [file.name for file in done.built] == ["domotic-u-moved-out-000002.duckdb"]
        assert people_files.are_current(serve, people(PEOPLE))
        others = {file for file in before if "moved-out" not in file.name}
        assert {file: file.stat().st_mtime_ns for file in others} == {file: before[file] for file in others}
        told = "SELECT DISTINCT version, delta_version FROM meta.published"
        assert ask(publish.published_file(serve, "u-moved-out"), told) == [(2, None)]

    def test_failing_checks_are_told_to_who_lives_in_that_home_now(self, serve: Path) -> None:
        since = datetime(2023, 9, 14, 21, tzinfo=UTC)
        tell(serve, *(FailingCheck("silver/a", "stuck", "WARN", home, 2, since) for home in HOMES_AND_NONE))
        people_files.publish_scopes(serve, people(PEOPLE))
        told = {user: ask(publish.published_file(serve, user), "FROM meta.failing_checks") for user in USERS}
        # It began an hour before they moved in, at midnight in Zurich and in London: for them, at midnight.
        for user, home, hour in (("u-moved-in", "jimmy", 22), ("u-new", "jeremie", 23)):
            began = datetime(2023, 9, 14, hour)
            assert told.pop(user) == [("silver/a", "stuck", "WARN", surrogate_key(home), 2, began)]
        assert set(map(tuple, told.values())) == {()}

    def test_a_check_that_fails_or_is_over_rebuilds_the_files_of_its_home_only(self, serve: Path) -> None:
        people_files.publish_scopes(serve, people(PEOPLE))
        tell(serve, FailingCheck("silver/a", "stuck", "WARN", "jimmy", 2, datetime(2023, 9, 14, tzinfo=UTC)))
        rebuilt = people_files.publish_scopes(serve, people(PEOPLE)).built
        assert [file.name for file in rebuilt] == ["domotic-u-moved-in-000002.duckdb"]
        tell(serve)
        rebuilt = people_files.publish_scopes(serve, people(PEOPLE)).built
        assert [file.name for file in rebuilt] == ["domotic-u-moved-in-000003.duckdb"]

    def test_every_file_of_who_is_no_longer_named_goes(self, serve: Path) -> None:
        for _ in range(2):
            change(
                publish.published_file(serve),
                "UPDATE meta.published SET delta_version = delta_version + 1",
                "UPDATE gold.fact_energy_minute SET power_w = power_w + 1",
            )
            people_files.publish_scopes(serve, people(PEOPLE))
        assert len(list(serve.glob("domotic-u-old*"))) == 3
        left = "".join(line for line in PEOPLE.splitlines(keepends=True) if "u-old," not in line)
        assert not people_files.are_current(serve, people(left))
        assert people_files.publish_scopes(serve, people(left)).removed == 1
        assert list(serve.glob("domotic-u-old*")) == []
        assert publish.published_scopes(serve) == {"admin", *USERS} - {"u-old"}

    def test_before_the_first_reading_files_are_empty(self, serve: Path) -> None:
        facts = ("energy_minute", "environment_minute", "presence_minute")
        change(publish.published_file(serve), *(f"TRUNCATE gold.fact_{name}" for name in facts))
        assert len(people_files.publish_scopes(serve, people(PEOPLE)).built) == len(USERS)
        rooms = "SELECT count(*) FROM gold.dim_room"
        assert ask(publish.published_file(serve, "u-technician"), rooms) == [(2,)]

    def test_a_mart_without_a_rule_gives_nobody_a_file(self, serve: Path) -> None:
        change(publish.published_file(serve), "CREATE VIEW marts.mart_new AS FROM gold.fact_presence_minute")
        with pytest.raises(ContractError, match="mart_new"):
            people_files.publish_scopes(serve, people(PEOPLE))
        assert publish.published_scopes(serve) == {"admin"}


class TestSensor:
    def tick(self, work: Workspace, home: Path) -> dg.SensorResult:
        with dg.DagsterInstance.ephemeral(tempdir=str(home)) as instance:
            return publications.scopes_tick(work, instance)

    def test_it_asks_for_a_run_only_while_a_file_is_behind(self, work: Workspace, tmp_path: Path) -> None:
        assert not self.tick(work, tmp_path).run_requests
        sites_file = work.settings.sites_file
        text = sites_file.read_text(encoding="utf-8")
        try:
            sites_file.write_text(text.replace("from: 2024-01-01", "from: 2025-01-01"), encoding="utf-8")
            [request] = self.tick(work, tmp_path).run_requests or []
            assert request.job_name == "people"
            sites_file.write_text("half a fi", encoding="utf-8")
            broken = self.tick(work, tmp_path)
            assert not broken.run_requests
            assert "sites.yaml" in str(broken.skip_reason)
        finally:
            sites_file.write_text(text, encoding="utf-8")

    def test_a_mart_without_a_rule_stops_the_build_of_the_published_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "models/new").mkdir(parents=True)
        (tmp_path / "models/new/mart_new.sql").write_text("select 1")
        monkeypatch.setattr(operate_people, "DBT_PROJECT", tmp_path)
        with pytest.raises(ContractError, match="mart_new"):
            operate_people.refuse_tables_without_rule()
