"""Cases from public reports: small feeds that once gave a wrong figure, with the right one."""

import json
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pytest

from domotic_assets.domains.homes.checks import rounds
from domotic_assets.domains.homes.flows import arrivals, landing
from domotic_assets.domains.weather.checks import CHECKS
from domotic_assets.flow.windows import date_window
from domotic_assets.flow.worklist import WINDOWS, Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.lake.bulk_append import write_files
from domotic_assets.lake.traces import Needles, in_parquet
from domotic_assets.operate import upkeep
from domotic_assets.quality import installed_contract
from domotic_assets.schemas import gold, refusals, silver, weather
from domotic_assets.schemas.homes import bronze
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve import publish
from domotic_assets_tests.support.admin_file import add_marts
from domotic_assets_tests.support.builders import SAMPLE_TIME, share_file, write_share, write_sites
from domotic_assets_tests.support.carry import FORECASTS, TO_SILVER, carry
from domotic_assets_tests.support.lakes import RIGHT_OF_BRONZE, open_lake

pytestmark = pytest.mark.untraced
TO_ROOMS = ("sensor_files", "sensor_silver", "minute_facts", "homes_dims")


def delivered(shared: Path, folder: Path, name: str) -> Path:
    """The folder of a case, each file last written when its list says."""
    case = folder / name
    shutil.copytree(shared / "cases" / "2026-11" / name, case)
    for line in (case / "arrivals.tsv").read_text().splitlines():
        file, written = line.split("\t")
        seconds = datetime.fromisoformat(written).timestamp()
        os.utime(case / file, (seconds, seconds))
    return case


def carried(shared: Path, folder: Path, name: str) -> Workspace:
    """A lake with a case's files."""
    case = delivered(shared, folder, name)
    work = open_lake(case / "sites.yaml", case / "lake")
    carry(work, flows=TO_ROOMS)
    return work


def energy_by_room(work: Workspace) -> dict[str, float]:
    """Wh by room id."""
    rows = work.lake.read(gold.FACT_ENERGY_MINUTE).join(work.lake.read(gold.DIM_ROOM), on="room_key")
    summed = rows.group_by("room_id").agg(pl.col("energy_kwh").sum() * 1000)
    return {room: round(energy, 6) for room, energy in summed.iter_rows()}


def texts(work: Workspace) -> Iterator[str]:
    """Every text right of bronze, that of lists included."""
    for table in RIGHT_OF_BRONZE:
        for column in work.lake.read(table):
            flat = column.explode() if isinstance(column.dtype, pl.List) else column
            if flat.dtype == pl.String:
                yield from flat.drop_nulls().unique()


@pytest.mark.rule(8)
def test_a_room_is_one_in_whatever_form_its_name_comes(shared: Path, tmp_path: Path) -> None:
    """Of ten and of six minutes at 600 W, the first has no reading before it: 9 and 5 times 10 Wh."""
    found = energy_by_room(carried(shared, tmp_path, "room_decomposed"))
    assert found == {"nfdroom/sejour": 90, "spaceroom/bureau": 50}


@pytest.mark.rule(11)
def test_a_user_is_known_and_masked_in_either_form(shared: Path, tmp_path: Path) -> None:
    work = carried(shared, tmp_path, "user_decomposed")
    assert work.lake.read(silver.SENSOR_FILES)["status"].str.contains("^(loaded|partial)$").all()
    user = work.registry.homes[0].feed_user.casefold()
    found = [unicodedata.normalize("NFC", text).casefold() for text in texts(work)]
    assert {text.split("-")[0] for text in found if "user_decomposed" in text} == set()
    assert any(text.startswith("hidden-") or "/hidden-" in text for text in found)
    assert not [text for text in found if user in text]


@pytest.mark.rule(4)
def test_a_last_write_before_the_history_makes_no_window_there(shared: Path, tmp_path: Path) -> None:
    """Neither of a file of another kind, nor of a home's own whose clock was not set."""
    case = delivered(shared, tmp_path, "stray_old_file")
    late = case / "share" / "18.11.2026 0904_GoodX_received.json"
    os.utime(late, (0, 0))
    work = open_lake(case / "sites.yaml", case / "lake")
    # A window that an earlier version put there, and that could never run.
    work.worklist.change(lambda held: held.add(WINDOWS, {"2019-05-01": Task(1), "2026-11-18": Task(5)}))
    arrivals.look(work, [], work.now())
    assert [*work.worklist.read().windows] == ["2026-11-18"]
    carry(work, flows=TO_ROOMS)
    files = work.lake.read(silver.SENSOR_FILES).sort("window")
    assert files["status"].to_list() == ["loaded"] * 5
    assert files["minute"].dt.strftime("%H:%M").to_list() == [f"08:0{n}" for n in range(5)]
    found = landing.discover_sensor_files(work)
    assert (found.files, dict(found.left)) == (0, {"without a time": 1})


def test_files_of_before_the_history_are_counted_and_left(shared: Path, tmp_path: Path) -> None:
    case = delivered(shared, tmp_path, "stray_old_file")
    (case / "share" / "settings.json").rename(case / "share" / "01.05.2019 0900_GoodX_received.json")
    found = landing.discover_sensor_files(open_lake(case / "sites.yaml", case / "lake"))
    assert (found.files, dict(found.left)) == (5, {"before history_start": 1})


# Energy


def energy_of_plugs(work: Workspace) -> tuple[float, list[str]]:
    """Wh of all plugs, and what their counters did, in order of time."""
    rows = work.lake.read(gold.FACT_ENERGY_MINUTE).sort("datetime_key")
    return round(rows["energy_wh"].sum(), 6), rows["counter_note"].drop_nulls().to_list()


@pytest.mark.rule(1)
@pytest.mark.parametrize(
    ("name", "energy_wh", "notes"),
    [
        pytest.param("counter_restored_after_power_cut", 0.16 + 0.25, ["set_back"], id="restored"),
        pytest.param("plug_replaced", 0.1 + 0.1 + 0.1, ["jump"], id="replaced"),
        pytest.param("young_counter_dips", 0.16 + 0.59, ["set_back"], id="young"),
        pytest.param(
            "zeros_for_twelve_hours", 413_728 - 397_090, ["dip"] * 4 + ["return"], id="zeros for hours"
        ),
        pytest.param("zeros_then_gap", 9_006 - 9_000, ["dip", "dip", "return"], id="zeros and a gap"),
    ],
)
def test_what_a_counter_did_is_told_and_adds_what_it_should(
    shared: Path, tmp_path: Path, name: str, energy_wh: float, notes: list[str]
) -> None:
    found, did = energy_of_plugs(carried(shared, tmp_path, name))
    assert found == pytest.approx(energy_wh)
    assert did == notes


@pytest.mark.rule(7)
def test_a_house_without_a_total_has_the_sum_of_its_phases(shared: Path, tmp_path: Path) -> None:
    """Four minutes of 408 W: stated, null, missing, and as a text."""
    rows = carried(shared, tmp_path, "house_total_missing").lake.read(gold.FACT_ENERGY_MINUTE)
    assert rows["power_w"].to_list() == [408.0] * 4
    assert rows["energy_wh"].sum() == pytest.approx(27.2)


@pytest.mark.rule(1)
def test_what_is_fed_in_is_told_apart_and_earns_the_feed_in_price(shared: Path, tmp_path: Path) -> None:
    """Four minutes of -3,000 W and four of 1,500 W; no feed-in price is given, then 0.08 CHF/kWh."""
    case = delivered(shared, tmp_path, "export_at_import_price")
    sites = case / "sites.yaml"
    for feed_in, cost in ((None, 0.1 * 0.30), (0.08, 0.1 * 0.30 - 0.2 * 0.08)):
        if feed_in is not None:
            priced = f"valid_from: 2026-01-01\n    feed_in_chf_per_kwh: {feed_in}"
            sites.write_text(sites.read_text().replace("valid_from: 2026-01-01", priced))
        work = open_lake(sites, case / f"lake {feed_in}")
        carry(work, flows=TO_ROOMS)
        sums = work.lake.read(gold.FACT_ENERGY_MINUTE).select(
            pl.col("energy_kwh", "energy_import_kwh", "energy_export_kwh", "cost_chf").sum()
        )
        assert sums.row(0) == pytest.approx((-0.1, 0.1, 0.2, cost))


# Weather


@pytest.mark.rule(10)
def test_a_forecast_counts_in_the_unit_that_it_states_and_contradictions_are_told(
    shared: Path, tmp_path: Path
) -> None:
    """50 °F are 10 °C and 0.001 m are 1 mm; of 10 and then 30 °C the last counts."""
    work = open_lake(delivered(shared, tmp_path, "forecast_unit") / "sites.yaml", tmp_path / "lake")
    carry(work, flows=(*TO_ROOMS, *FORECASTS, "weather_dims"))
    days = work.lake.read(weather.FACT_WEATHER_DAY).filter(horizon_days=0).sort("date_key")
    assert days.select("date_key", "temperature_c_avg").rows() == [(20261116, 10.0), (20261117, 30.0)]
    rain = work.lake.read(weather.FACT_WEATHER_HOUR)["precipitation_mm_ctrl"].drop_nulls().unique().to_list()
    assert rain == [1.0]
    rejects = work.lake.read(refusals.REJECTS, where=pl.col("source") == "weather_files")
    lines = work.lake.read(weather.WEATHER_FORECASTS, dates=[date(2026, 11, 17)]).height
    assert rejects.select("utc_date", "raw_text", "reason").unique().rows() == [
        (date(2026, 11, 17), "10.0", "contradicted")
    ]
    assert rejects.height == lines
    [check] = [check for check in CHECKS if check.name == "refused"]
    verdict = check.judge(rounds.present_round(work))
    assert [breach.subject for breach in verdict.breaches] == ["forecast of 2026-11-17"]


# Forms


def refused(work: Workspace, home: str) -> Counter[tuple[str, str]]:
    """How many rejects of a home have a variable and a reason."""
    rows = work.lake.read(refusals.REJECTS).filter(home=home)
    return Counter(rows.select("variable", "reason").iter_rows())


def flags(work: Workspace, home: str, flag: str) -> list[bool | None]:
    """A flag of a home's only room with openings, by minute."""
    rows = work.lake.read(gold.FACT_ENVIRONMENT_MINUTE).filter(pl.col("apartment_key") == surrogate_key(home))
    return rows.sort("datetime_key")[flag].to_list()


@pytest.mark.rule(5)
def test_a_room_that_stands_twice_costs_no_reading_in_silence(shared: Path, tmp_path: Path) -> None:
    """Each file has a room twice with other readings; the last counts, and counts agree with the tables."""
    work = carried(shared, tmp_path, "duplicate_keys")
    files = work.lake.read(silver.SENSOR_FILES)
    for home in ("dupkeys", "twospell"):
        mine = files.filter(home=home)
        assert mine["status"].to_list() == ["partial"] * 6
        said = refused(work, home)
        assert said == {("plugs.power", "duplicate_reading"): 6, ("plugs.total", "duplicate_reading"): 6}
        assert mine["rejects"].sum() == said.total()
        assert mine["events"].sum() == work.lake.read(silver.SENSOR_EVENTS).filter(home=home).height


@pytest.mark.rule(3)
def test_a_list_as_an_object_and_an_empty_one_are_lists(shared: Path, tmp_path: Path) -> None:
    work = carried(shared, tmp_path, "list_as_object")
    assert flags(work, "phpindex", "window_open_flag") == [True] * 6
    assert work.lake.read(refusals.REJECTS).is_empty()
    assert set(work.lake.read(silver.SENSOR_FILES)["status"]) == {"loaded"}


@pytest.mark.rule(3)
def test_an_opening_is_what_it_says_in_any_word_or_what_it_last_was(shared: Path, tmp_path: Path) -> None:
    """Window, window, WINDOW, "Window ", Fenster and null: open all the time."""
    work = carried(shared, tmp_path, "word_of_an_opening")
    assert flags(work, "typecase", "window_open_flag") == [True] * 6
    assert flags(work, "typecase", "door_open_flag") == [None] * 6
    assert work.lake.read(refusals.REJECTS).is_empty()


# Time


def minutes_by_home(work: Workspace) -> dict[str, list[str]]:
    """The minutes (UTC) that files of each home were taken for, in order."""
    counting = work.lake.read(silver.SENSOR_FILES).filter(pl.col("status").is_in(["loaded", "partial"]))
    return {
        home: files["minute"].sort().dt.strftime("%H:%M").to_list()
        for (home,), files in counting.group_by("home")
    }


@pytest.mark.rule(4)
def test_a_time_inside_half_a_day_ahead_gives_way_to_the_name(shared: Path, tmp_path: Path) -> None:
    """The counter rises by 10 Wh a minute, 50 in six minutes."""
    work = carried(shared, tmp_path, "inside_half_a_day_ahead")
    assert minutes_by_home(work) == {"rtc": [f"08:0{n}" for n in range(6)]}
    assert energy_by_room(work) == {"rtc/office": 50}
    notes = work.lake.read(silver.SENSOR_FILES).sort("window")["time_note"].to_list()
    assert notes == [None, None, None, "inside_far", None, None]


@pytest.mark.rule(4)
def test_a_time_inside_that_stands_still_gives_way_to_the_names(shared: Path, tmp_path: Path) -> None:
    work = carried(shared, tmp_path, "time_inside_stands_still")
    assert minutes_by_home(work) == {"frozen": [f"08:{n:02}" for n in range(12)]}
    motion = work.lake.read(silver.SENSOR_EVENTS, where=pl.col("variable") == "motions.motion")
    assert motion.filter(value=1.0)["ts"].dt.strftime("%H:%M").to_list() == ["08:08"]
    assert energy_by_room(work) == {"frozen/office": 110}


@pytest.mark.rule(2)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_plug_an_hour_ahead_moves_no_pass_of_the_autumn_hour(
    shared: Path, tmp_path: Path, at_once: bool
) -> None:
    """Three minutes of each pass, under the same names; the second delivery replaces the first."""
    case = delivered(shared, tmp_path, "autumn_one_plug_an_hour_ahead")
    work = open_lake(case / "sites.yaml", case / "lake")
    for part in ("pass1", "pass2"):
        shutil.copytree(case / part, case / "share", dirs_exist_ok=True)
        if at_once:
            landing.land_sensor_files(work, [date_window(date(2026, 10, 25))])
        else:
            carry(work, flows=TO_ROOMS)
    if at_once:
        carry(work, [date_window(date(2026, 10, 25))], flows=TO_ROOMS)
    both = ["00:05", "00:06", "00:07", "01:05", "01:06", "01:07"]
    assert minutes_by_home(work) == {"onehour": both, "right": both}
    # The counters rise by 620 and 62 Wh from the first reading to the last; the meter adds 11 a minute.
    assert energy_by_room(work) == {
        f"{home}/{room}": energy
        for home in ("onehour", "right")
        for room, energy in {"office": 620, "kitchen": 62, "house": 66}.items()
    }


@pytest.mark.rule(4)
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this disk ends in the year 2446")
def test_a_last_write_of_the_year_10000_is_kept_and_read_wherever_the_lake_is(shared: Path) -> None:
    """It is kept to the microsecond, known to the next listing, and goes through compaction and erasure."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        case = delivered(shared, Path(folder), "time_inside_stands_still")
        far_ns = 253_402_300_800_000_007_000
        os.utime(case / "share" / "18.11.2026 0909_FrozenX_received.json", ns=(far_ns, far_ns))
        work = open_lake(case / "sites.yaml", case / "lake")
        carry(work, flows=TO_ROOMS)
        assert minutes_by_home(work) == {"frozen": [f"08:{n:02}" for n in range(12)]}
        assert landing.discover_sensor_files(work).files == 0
        upkeep.keep_lake_up(work, datetime(2026, 11, 18, 12, tzinfo=UTC))
        held = work.lake.read(bronze.SENSOR_FILES)
        assert held["modified_at"].to_physical().max() == far_ns // 1000
        assert held["arrived_at"].max() < datetime(2026, 11, 18, 9, tzinfo=UTC)
        (case / "files").mkdir()
        [added] = write_files(case / "files", bronze.SENSOR_FILES, held)
        assert "modified_at" not in json.loads(added.stats)["maxValues"]
        needles = Needles((), ["FrozenX"], ())
        assert "column name" in [*in_parquet(needles, case / "files" / added.path)]


@pytest.mark.rule(4)
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this disk ends in the year 2446")
@pytest.mark.parametrize("written", [253_402_300_800, -62_135_596_801], ids=["year 10000", "year 0"])
def test_files_of_a_last_write_that_no_date_can_hold_are_read_like_others(written: int) -> None:
    """A minute with its name, one without, and a forecast; twice, as the second build reads what is held."""
    line = "2023-08-31 03:00:00+00:00,11.5,03,Sion,PRED_T_2M_ctrl,°C"
    forecast = f"Time,Value,Prediction,Site,Measurement,Unit\n{line}\n"
    following = SAMPLE_TIME + timedelta(minutes=1)
    odd = replace(share_file(at=following), name="99.99.2023 2145_JimmyLoup_received.json")
    with TemporaryDirectory(dir="/dev/shm") as place:
        folder = Path(place)
        work = open_lake(write_sites(folder), folder / "lake")
        csv = folder / "weather" / "Pred_2023-08-31.csv"
        csv.write_text(forecast)
        for path in (*write_share(folder / "share", [share_file(), odd]), csv):
            os.utime(path, (written, written))
        for _ in range(2):
            carry(work, flows=(*TO_SILVER, *FORECASTS))
        files = work.lake.read(silver.SENSOR_FILES).sort("minute")
        assert files["minute"].to_list() == [SAMPLE_TIME, following]
        assert work.lake.read(weather.WEATHER_FORECASTS)["value"].to_list() == [11.5]
        assert installed_contract.observe_forecast(work, SAMPLE_TIME.date()).measurements
        held = work.lake.read(bronze.SENSOR_FILES)["modified_at"].to_physical().unique().to_list()
        assert held == [written * 1_000_000]


# Totals


def totals(work: Workspace, folder: Path) -> dict[tuple[str, str], float]:
    """Wh of each home and local date as the mart of energy adds them up."""
    files = {}
    for table in gold.TABLES:
        files[table.name] = work.lake.files(table)
        if not files[table.name]:
            empty = folder / f"{table.name}.parquet"
            table.empty().write_parquet(empty)
            files[table.name] = [str(empty)]
    built = publish.build_file(folder / "serve", files, dict.fromkeys(files, 0), "any", purpose="test")
    add_marts(built)
    with duckdb.connect(str(built), read_only=True) as connection:
        rows = connection.execute(
            "SELECT apartment_id, strftime(local_date, '%d.'), round(sum(energy_kwh) * 1000, 3) "
            "FROM marts.mart_energy_daily WHERE is_total GROUP BY ALL"
        ).fetchall()
    return {(home, day): energy for home, day, energy in rows}


@pytest.mark.rule(1)
def test_a_homes_total_is_its_plugs_until_its_house_meter_speaks(shared: Path, tmp_path: Path) -> None:
    """Neither a switch among consumptions, nor zeros beside a plug that draws, nor a room's meter is one."""
    case = delivered(shared, tmp_path, "house_meter_comes_later")
    work = open_lake(case / "sites.yaml", case / "lake")
    carry(work, flows=(*TO_ROOMS, "calendar_dims", "weather_dims"))
    assert totals(work, tmp_path) == {
        ("metered", "17."): 60,
        # The plug's 5,000 Wh of the day between the files end where the meter begins.
        ("metered", "18."): 4 * 1_500 / 60,
        ("stray", "17."): 60,
        ("stray", "18."): 5_000,
        ("absent", "18."): 60,
        ("submeter", "18."): 200,
    }
