"""What lies in a dated file is as it was at its end: compared, cell by cell, with that of the time.

Two homes send a file every two hours for four weeks. People leave one of them at a midnight; then rooms,
devices, names, owners, prices and sites change, the home falls silent, and the other one goes on.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.operate import people as operate_people
from domotic_assets.operate.publish import gold_snapshot
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve import failing_checks, publish
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets.serve.failing_checks import FailingCheck
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.admin_file import add_marts
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.copies import copy_installation
from domotic_assets_tests.support.lakes import open_lake

pytestmark = pytest.mark.untraced

FIRST, LAST = datetime(2023, 8, 25, tzinfo=UTC), datetime(2023, 9, 20, tzinfo=UTC)
MOVE = datetime(2023, 9, 3, 22, tzinfo=UTC)
"""Midnight of 4 September in Zurich."""
SILENT = datetime(2023, 9, 7, tzinfo=UTC)
GAP = (datetime(2023, 8, 29, 22, tzinfo=UTC), datetime(2023, 9, 5, 22, tzinfo=UTC))
HEADER = "Time,Value,Prediction,Site,Measurement,Unit"

PEOPLE = """\
people:
  - {user: u-admin, role: admin}
  - {user: u-former, role: owner, homes: [jeremie], to: 2023-09-04}
  - {user: u-buyer, role: owner, homes: [jeremie], from: 2023-09-04}
  - {user: u-ex, role: renter, homes: [jeremie], from: 2023-08-28, to: 2023-09-04}
  - {user: u-next, role: renter, homes: [jeremie], from: 2023-09-04}
  - {user: u-tech, role: technician, homes: [jeremie], from: 2023-08-28, to: 2023-09-04}
  - {user: u-first, role: owner, homes: [jimmy]}
  - {user: u-second, role: owner, homes: [jimmy], lives_there: true}
  - {user: u-gap, role: renter, homes: [jimmy], from: 2023-08-28, to: 2023-08-30}
  - {user: u-gap, role: renter, homes: [jimmy], from: 2023-09-06}
  - {user: u-two, role: owner, homes: [jimmy], lives_there: true}
  - {user: u-two, role: renter, homes: [jeremie], from: 2023-08-28, to: 2023-09-04}
  - {user: u-far, role: renter, homes: [jeremie], from: 2030-01-01}
  - {user: u-serves, role: renter, homes: [jeremie], from: 2023-08-28, to: 2023-09-04}
  - {user: u-serves, role: technician, homes: [jeremie], from: 2023-09-04}
"""
USERS = ("u-former", "u-buyer", "u-ex", "u-next", "u-tech", "u-first", "u-second", "u-gap", "u-two", "u-far",
         "u-serves")  # fmt: skip
BEFORE = builders.REGISTRY.partition("people:")[0] + PEOPLE
AFTER = (
    BEFORE.replace("    name: Apartment Jeremie\n", "    name: Home of the Next\n")
    .replace("    building_name: Residence B\n    floor: 1\n", "    building_name: Tower\n    floor: 9\n")
    .replace("    weather_site: Visp\n    tariff: oiken\n", "    weather_site: Sion\n    tariff: newpower\n")
    .replace("    rooms: *rooms\n", "    rooms:\n" + builders.ROOMS.replace("name: Office", "name: Nursery"))
    .replace("valid_to: 2024-01-01", "valid_to: 2023-09-10")
    .replace(
        "homes:\n  - id: jimmy",
        "  - provider: newpower\n    valid_from: 2023-01-01\n    bands:\n"
        '      - {name: all, days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00", '
        "chf_per_kwh: 0.5}\nhomes:\n  - id: jimmy",
    )
)
lines = {line.split(",")[0]: line for line in AFTER.splitlines() if "user: u-" in line}
AFTER = AFTER.replace(lines["  - {user: u-buyer"] + "\n", "").replace(
    lines["  - {user: u-former"] + "\n",
    lines["  - {user: u-buyer"] + "\n" + lines["  - {user: u-former"] + "\n",
)

Rows = list[tuple[Any, ...]]


def moments(first: datetime, until: datetime) -> Iterator[datetime]:
    while first < until:
        yield first
        first += timedelta(hours=2)


def sensor_file(home: str, at: datetime) -> builders.ShareFile:
    """A plug counts 2 Wh in two hours; what else is there depends on the dates."""
    counted = int((at - FIRST) / timedelta(hours=2)) * 2
    sections: dict[str, Any] = {
        "plugs": {"Office": builders.plug(at, total=5000 + counted, power=1.0)},
        "motions": {"Office": builders.motion(at.hour % 6 == 0)},
        "doorsWindows": {"Livingroom": [builders.opening("Window")]},
        "humidities": None,
        "consumptions": None,
    }
    if home == "jeremie" and at < datetime(2023, 8, 26, tzinfo=UTC):
        sections["plugs"]["Cellar"] = builders.plug(at, total=7000 + counted, power=1.0)
    if home == "jeremie" and at >= MOVE:
        # A plug replaced by two in another room, a window that is a door now, rooms that are new.
        sections["plugs"] = {"Kitchen": [builders.plug(at, total=10), builders.plug(at, total=20)]}
        sections["doorsWindows"] = {"Livingroom": [builders.opening("Door"), builders.opening("Window")]}
        sections["motions"] = {"Office": [builders.motion(), builders.motion()], "Attic": builders.motion()}
        sections["consumptions"] = {"House": builders.house_meter(at)}
    if home == "jimmy" and GAP[0] <= at < GAP[1]:
        sections["plugs"]["Laundry"] = builders.plug(at, total=9000 + counted, power=1.0)
    return builders.share_file(home, at, **sections)


def forecast(issued: date) -> bytes:
    """Two sites, for the evening before, the date of issue, and two days on."""
    hours = [(-1, 22), (0, 6), (0, 12), (2, 12)]
    return "\n".join(
        [
            HEADER,
            *(
                f"{issued + timedelta(days=day)} {hour:02}:00:00+00:00,{value + issued.day},{step:02},{site},"
                "PRED_T_2M_ctrl,°C"
                for site, value in (("Sion", 10), ("Visp", 12))
                for step, (day, hour) in enumerate(hours)
            ),
        ]
    ).encode()


def send(folder: Path, first: datetime, until: datetime) -> None:
    """What the two homes and the forecasts send in a stretch of time; one home falls silent."""
    files = [
        sensor_file(home, at)
        for at in moments(first, until)
        for home in builders.HOMES
        if home == "jimmy" or at < SILENT
    ]
    builders.write_share(folder / "share", files)
    for day in sorted({at.date() for at in moments(first, until)}):
        (folder / "weather" / f"Pred_{day}.csv").write_bytes(forecast(day))


@dataclass
class Installation:
    """A folder with sources, sites.yaml and a lake."""

    folder: Path

    def work(self) -> Workspace:
        return open_lake(self.folder / "sites.yaml", self.folder / "lake")

    def publish(self, *checks: FailingCheck) -> None:
        """Carry what was sent to Gold, and publish the admin's file and people's."""
        work = self.work()
        carry(work)
        found = gold_snapshot(work)
        definition = fingerprint_of(DBT_PROJECT)
        built = publish.build_file(work.serve, found.files, found.versions, definition, purpose="test")
        add_marts(built)
        with duckdb.connect(str(built)) as connection:
            failing_checks.replace(connection, failing_checks.rows(checks))
        publish.swap_in(built, work.serve)
        operate_people.publish_scopes(work)

    def file(self, user: str) -> Path:
        return publish.published_file(self.work().serve, user)


@pytest.fixture(scope="module")
def then(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """All data until the first minute of the day on which people left, and sites.yaml of that time."""
    made = Installation(tmp_path_factory.mktemp("then"))
    builders.write_sites(made.folder, BEFORE)
    write_register(made.folder / "register.sqlite", 5, (), FIRST)
    send(made.folder, FIRST, MOVE + timedelta(minutes=1))
    made.publish(FailingCheck("silver/a", "stuck", "WARN", "jeremie", 2, datetime(2023, 8, 20, tzinfo=UTC)))
    return made


@pytest.fixture(scope="module")
def now(then: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same lake two weeks later: everything changed that could."""
    made = Installation(tmp_path_factory.mktemp("now") / "installation")
    copy_installation(then.folder, made.folder)
    builders.write_sites(made.folder, AFTER)
    send(made.folder, MOVE + timedelta(hours=2), LAST)
    write_register(made.folder / "register.sqlite", 5, made.work().registry.homes, LAST)
    made.publish(FailingCheck("silver/a", "stuck", "WARN", "jeremie", 2, datetime(2023, 8, 20, tzinfo=UTC)))
    return made


def ask(file: Path, sql: str) -> Rows:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def tables(file: Path) -> list[str]:
    return [
        f"{schema}.{name}"
        for schema, name in ask(file, "SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL")
    ]


def contents(file: Path, *, without: tuple[str, ...] = ()) -> dict[str, Rows]:
    """Every cell of every table, but for the moment at which the file was built."""
    columns = {"meta.published": "* EXCLUDE (built_at_utc)"}
    return {
        name: ask(file, f"SELECT {columns.get(name, '*')} FROM {name} ORDER BY ALL")  # noqa: S608
        for name in tables(file)
        if name not in without
    }


def assert_same_cells(found: dict[str, Rows], expected: dict[str, Rows]) -> None:
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, name


@pytest.mark.parametrize("user", ["u-ex", "u-former"])
def test_a_file_is_as_it_was_when_they_left(then: Installation, now: Installation, user: str) -> None:
    """Every table, mart and `meta`, all columns, and the file itself: nothing tells that time went on."""
    old, new = then.file(user), now.file(user)
    assert_same_cells(contents(new), contents(old))
    assert ask(new, "SELECT DISTINCT version, built_at_utc FROM meta.published") == ask(
        old, "SELECT DISTINCT version, built_at_utc FROM meta.published"
    )
    assert (new.stat().st_mtime_ns, new.stat().st_size) == (old.stat().st_mtime_ns, old.stat().st_size)
    assert [f.name for f in sorted(new.parent.glob(f"*{user}*"))] == [
        f"domotic-{user}-000001.duckdb",
        f"domotic-{user}.duckdb",
    ]
    # And it is no empty file that stays the same.
    assert ask(new, "SELECT count(*) > 30 FROM gold.fact_device_health_day" if user == "u-former" else
               "SELECT count(*) = 84 FROM gold.fact_energy_minute") == [(True,)]  # fmt: skip


def test_a_lake_built_at_once_says_the_same(then: Installation, now: Installation, tmp_path: Path) -> None:
    """A file of who left does not depend on when it was built, or on which files were built before."""
    made = Installation(tmp_path)
    # A home has one provider for all time, so days that are built anew cost what that one asks.
    builders.write_sites(made.folder, AFTER.replace("tariff: newpower", "tariff: oiken"))
    send(made.folder, FIRST, LAST)
    shutil.copy(now.folder / "register.sqlite", made.folder)
    made.publish()
    for user in ("u-ex", "u-former"):
        assert_same_cells(contents(made.file(user)), contents(then.file(user)))


def test_a_technician_who_left_keeps_the_same_without_the_last_24_hours(
    then: Installation, now: Installation
) -> None:
    moving = ("gold.fact_environment_minute", "marts.mart_environment_hourly", "marts.mart_feed_freshness",
              "marts.mart_gold_tables")  # fmt: skip
    old, new = then.file("u-tech"), now.file("u-tech")
    assert ask(old, "SELECT count(*) > 0 FROM gold.fact_environment_minute") == [(True,)]
    assert ask(new, "SELECT count(*) FROM gold.fact_environment_minute") == [(0,)]
    found, expected = (contents(file, without=(*moving, "meta.published")) for file in (new, old))
    assert_same_cells(found, expected)


def test_of_two_homes_the_one_that_was_left_is_as_it_was(then: Installation, now: Installation) -> None:
    home = surrogate_key("jeremie")
    compared = 0
    for name in tables(now.file("u-two")):
        names = {column for (column,) in ask(now.file("u-two"), f"SELECT column_name FROM (DESCRIBE {name})")}  # noqa: S608
        if "apartment_key" in names:
            question = f"FROM {name} WHERE apartment_key = {home} ORDER BY ALL"
            assert ask(now.file("u-two"), question) == ask(then.file("u-two"), question), name
            compared += 1
    assert compared > 10
    # The home where the dates go on has gone on.
    newest = f"SELECT max(datetime_key) FROM gold.fact_energy_minute WHERE apartment_key <> {home}"  # noqa: S608
    assert ask(now.file("u-two"), newest) == [(202309192200,)]


def test_the_calendar_is_that_of_ones_own_readings(now: Installation) -> None:
    """From 22:00 UTC of 27 August, the 28th at home, until 20:00 UTC of 3 September and eight days on."""
    minutes = "SELECT min(datetime_key), max(datetime_key), count(*) FROM gold.dim_datetime"
    assert ask(now.file("u-ex"), minutes) == [(202308270000, 202309112359, 16 * 1440)]
    dates = "SELECT min(date_key), max(date_key), count(*) FROM gold.dim_date"
    assert ask(now.file("u-ex"), dates) == [(20230827, 20230912, 17)]
    assert ask(now.file("u-far"), minutes) == [(None, None, 0)]


@pytest.mark.parametrize("user", USERS)
def test_every_key_finds_its_row(now: Installation, user: str) -> None:
    """Nothing that is shown refers to a row that is left out."""
    file = now.file(user)
    keys = ask(
        file,
        "SELECT table_name, column_name, references_table, references_column FROM meta.keys "
        "WHERE key = 'foreign'",
    )
    assert len(keys) > 10
    lost = [
        key
        for key in keys
        for (number,) in ask(
            file,
            f"SELECT count(*) FROM gold.{key[0]} AS own WHERE own.{key[1]} <> -1 AND own.{key[1]} NOT IN "  # noqa: S608
            f"(SELECT {key[3]} FROM gold.{key[2]})",
        )
        if number
    ]
    assert lost == []


@pytest.mark.parametrize("user", USERS)
def test_no_cell_names_another_person_or_what_was_before_or_after(now: Installation, user: str) -> None:
    """What the registry and the rooms of other dates are called; the admin's file names all of it."""
    foreign = {other for other in USERS if other != user}
    foreign |= {"u-admin"}
    if user in ("u-ex", "u-former", "u-tech"):
        foreign |= {"Next", "Tower", "Nursery", "newpower", "ttic", "itchen", "Apartment", "Sion", "Visp"}
    if user in ("u-ex", "u-tech", "u-next", "u-buyer", "u-two"):
        foreign |= {"ellar"}
    if user in ("u-gap",):
        foreign |= {"aundry"}

    def told(file: Path) -> set[str]:
        cells = [str(value) for rows in contents(file).values() for row in rows for value in row]
        return {word for word in foreign if any(word in cell for cell in cells)}

    assert told(now.file(user)) == set()
    assert told(now.file("admin")) >= foreign - {"u-admin", "u-ex", *USERS}


def test_each_owner_sees_their_own_login_alone(now: Installation) -> None:
    owner = "SELECT DISTINCT owner_user_id FROM gold.dim_apartment ORDER BY ALL"
    found = {user: [login for (login,) in ask(now.file(user), owner)] for user in USERS}
    assert found == {
        **{user: [user] for user in ("u-former", "u-buyer", "u-first", "u-second")},
        **{user: [None] for user in ("u-ex", "u-next", "u-tech", "u-gap")},
        "u-two": ["u-two", None], "u-far": [], "u-serves": [None],
    }  # fmt: skip


def test_who_stays_sees_what_is_known_today(now: Installation) -> None:
    home = "SELECT name, building_name, floor FROM gold.dim_apartment"
    assert ask(now.file("u-next"), home) == [("Home of the Next", "Tower", 9)]
    rooms = "SELECT room_name FROM gold.dim_room WHERE room_id = 'jeremie/office'"
    assert ask(now.file("u-next"), rooms) == [("Nursery",)]
    assert ask(now.file("u-next"), "SELECT DISTINCT provider FROM gold.dim_tariff") == [("newpower",)]
    assert ask(now.file("u-next"), "SELECT name FROM gold.dim_weather_site") == [("Sion",)]
    # 4 to 19 September, and no forecast of the days before.
    issues = "SELECT min(issue_date_key), max(issue_date_key) FROM gold.fact_weather_hour"
    assert ask(now.file("u-next"), issues) == [(20230904, 20230919)]
    assert ask(now.file("u-next"), "SELECT since_utc FROM meta.failing_checks") == [
        (datetime(2023, 9, 3, 22),)
    ]


def test_a_device_is_active_by_ones_own_dates(now: Installation) -> None:
    """The home has been silent for two weeks; on the last day of who left all of its devices were read."""
    active = "SELECT is_active, count(*) FROM gold.dim_device GROUP BY ALL"
    assert [state for state, _ in ask(now.file("u-ex"), active)] == [True]
    assert [state for state, _ in ask(now.file("u-next"), active)] == [False]
    assert [state for state, _ in ask(now.file("u-gap"), active)] == [True]


def test_an_entry_that_goes_on_brings_nothing_back_of_one_that_is_over(now: Installation) -> None:
    """A renter left and looks after the devices: no prices, and no forecasts of the time as a renter."""
    file = now.file("u-serves")
    prices = "SELECT count(*) > 0 FROM gold.dim_tariff"
    assert [ask(now.file(user), prices) for user in ("u-next", "u-serves")] == [[(True,)], [(False,)]]
    for fact, issue in (("fact_weather_hour", "issue_date_key"), ("fact_weather_day", "date_key")):
        issues = f"SELECT min({issue}) FROM gold.{fact}"  # noqa: S608
        assert ask(file, issues) == [(20230904,)], fact
    home = "SELECT name FROM gold.dim_apartment"
    assert ask(file, home) == [("Home of the Next",)], "a technician sees what it is called"
    # Twice a renter with a week between: the first stay is over, whatever came later.
    gap = "SELECT min(issue_date_key) FROM gold.fact_weather_hour"
    assert ask(now.file("u-gap"), gap) == [(20230906,)]
