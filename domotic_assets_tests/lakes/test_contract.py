"""The contract against lakes: days of hand-made files, a simulated day, a real register, a real week."""

import shutil
import sqlite3
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domotic_assets.errors import LakeError, SourceError
from domotic_assets.flow.windows import Window, day_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.quality import installed_contract
from domotic_assets.quality.drift import describe
from domotic_assets.quality.verdict import Verdict
from domotic_assets.schemas import weather
from domotic_assets.simulator.register import MARKER, write_register
from domotic_assets.simulator.run import Folders, simulate_history
from domotic_assets_tests.support.builders import (
    API_TOKENS,
    FEED_USERS,
    HOMES,
    humidity,
    opening,
    payload,
    plug,
    share_file,
    station,
    write_share,
    write_sites,
)
from domotic_assets_tests.support.carry import FORECASTS, TO_SILVER, carry
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.shared_data import REPOSITORY

DAY = datetime(2023, 9, 4, 12, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
MINUTES = 10

HEADER = "Time,Value,Prediction,Site,Measurement,Unit"
ROW = "2023-09-04 00:00:00+00:00,{value},00,Sion,PRED_{measurement}_{variant},{unit}"


def forecast(header: str = HEADER, **units: str) -> bytes:
    """A forecast file of some measurements and their units: `T_2M="°C"`."""
    lines = [
        ROW.format(value=12.5, measurement=measurement, variant=variant, unit=unit)
        for measurement, unit in (units or {"T_2M": "°C", "GLOB": "Watt/m2"}).items()
        for variant in ("ctrl", "q10")
    ]
    return "\n".join([header, *lines, ""]).encode()


def carry_all(work: Workspace, *windows: Window) -> Workspace:
    """Land and flatten what the share and the forecast folder hold."""
    carry(work, windows, flows=(*TO_SILVER, *FORECASTS[:2]))
    return work


def send(work: Workspace, at: datetime, homes: Iterable[str] = HOMES, **sections: Any) -> None:
    """Ten minutes of files of homes, and silver of that day; a keyword replaces a category."""
    minutes = [at + timedelta(minutes=n) for n in range(MINUTES)]
    write_share(
        work.sites.folder / "share", [share_file(home, at, **sections) for at in minutes for home in homes]
    )
    carry_all(work, day_window(at))


def send_forecast(work: Workspace, content: bytes, issue: str = "2023-09-05") -> None:
    (work.sites.folder / "weather" / f"Pred_{issue}.csv").write_bytes(content)
    carry_all(work)


def run_sql(work: Workspace, *statements: str) -> None:
    connection = sqlite3.connect(work.sites.folder / "register.sqlite")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def words(verdict: Verdict) -> list[str]:
    return [f"{breach.severity} {describe(breach)}" for breach in verdict.breaches]


def forecast_drift(work: Workspace) -> Verdict:
    """What the newest forecast says."""
    return installed_contract.forecast_drift(work, work.lake.dates(weather.WEATHER_FILES)[-1:])


def every_drift(work: Workspace, day: datetime) -> list[str]:
    """What the three checks of the tables say."""
    return [
        *words(installed_contract.feed_drift(work, day.date())),
        *words(forecast_drift(work)),
        *words(installed_contract.register_drift(work)),
    ]


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation: two homes, a day's files, a forecast and a register."""
    folder = tmp_path_factory.mktemp("carried")
    work = open_lake(write_sites(folder), folder / "lake")
    write_register(folder / "register.sqlite", 1, work.registry.homes, DAY)
    send(work, DAY)
    send_forecast(work, forecast(), "2023-09-04")
    return folder


@pytest.fixture
def bare(carried: Path, tmp_path: Path) -> Workspace:
    """That installation; nothing is agreed on."""
    shutil.copytree(carried, tmp_path, dirs_exist_ok=True)
    return open_lake(tmp_path / "sites.yaml", tmp_path / "lake")


@pytest.fixture
def work(bare: Workspace) -> Workspace:
    """The same, agreed on."""
    installed_contract.accept(bare, DAY.date())
    return bare


def test_what_was_accepted_is_no_drift_that_day_and_the_next(work: Workspace) -> None:
    assert every_drift(work, DAY) == []
    send(work, NEXT)
    send_forecast(work, forecast())
    assert every_drift(work, NEXT) == []


def test_without_a_contract_every_check_warns(bare: Workspace) -> None:
    said = "WARN no contract yet: `domotic contract accept` writes what the sources look like now"
    assert every_drift(bare, DAY) == [said] * 3


def test_a_day_without_files_breaks_nothing_and_cannot_be_accepted(work: Workspace) -> None:
    assert installed_contract.feed_drift(work, NEXT.date()) == Verdict([], {})
    with pytest.raises(LakeError, match="no readings of 2023-09-05"):
        installed_contract.accept(work, NEXT.date())


NO_BATHROOM = ["ERROR removed room jeremie.bathroom", "ERROR removed room jimmy.bathroom"]
"""What goes with the humidity sensor: it is the bathroom's only device."""


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"plugs": {"Office": plug(NEXT, surge=3.5)}}, ["WARN added field plugs.surge (number)"]),
        (
            {"waters": {"Kitchen": {"flow": 2.5, "leak": "off"}}},
            ["WARN added category waters (flow, leak)"],
        ),
        (
            {"humidities": None},
            [*NO_BATHROOM, "ERROR removed category humidities (devicePower, humidity, temperature)"],
        ),
        (
            {"humidities": {"Bhroom": {"temperature": 20.5, "devicePower": 7}}},
            ["ERROR removed field humidities.humidity (number)"],
        ),
        (
            {"humidities": {"Bhroom": {"temperature": 20.5, "devicePower": 7, "humid": 55.5}}},
            [
                "ERROR removed field humidities.humidity (number), perhaps renamed to humid",
                "WARN added field humidities.humid (number), perhaps humidity renamed",
            ],
        ),
        (
            {"humidities": {"Bhroom": humidity(humidity="59,9")}},
            ["ERROR type of humidities.humidity: contract number, observed text"],
        ),
        (
            {"humidities": 59.9},
            [
                *NO_BATHROOM,
                "ERROR form of humidities: contract rooms with devices, observed a value (number)",
            ],
        ),
        (
            {"humidities": {"Bhroom": [humidity(), humidity()]}},
            ["ERROR form of humidities: contract one device a room, observed a list of devices"],
        ),
        (
            {"humidities": {"Laundry": humidity()}},
            [
                *(f"{line}, perhaps renamed to laundry" for line in NO_BATHROOM),
                "WARN added room jeremie.laundry, perhaps bathroom renamed",
                "WARN added room jimmy.laundry, perhaps bathroom renamed",
            ],
        ),
        ({"humidities": {"Bhroom": dict.fromkeys(humidity())}}, []),
        ({"meteos": payload()["meteos"]["meteo"]}, []),
        ({"doorsWindows": payload()["doorsWindows"] | {"Bdroom": opening()}}, []),
    ],
    ids=[
        "added field", "added category", "removed category", "removed field", "renamed field",
        "number as text", "bare value", "list", "renamed room", "null all day", "without the inner meteo",
        "single object",
    ],
)  # fmt: skip
def test_a_day_that_differs_is_named_exactly(
    work: Workspace, sections: dict[str, Any], expected: list[str]
) -> None:
    send(work, NEXT, **sections)
    assert sorted(words(installed_contract.feed_drift(work, NEXT.date()))) == sorted(expected)


def test_a_few_odd_values_are_no_change_of_kind(work: Workspace) -> None:
    """One reading in five is text."""
    send(work, NEXT, humidities={"Bhroom": humidity(humidity="59,9")})
    later = NEXT + timedelta(minutes=MINUTES)
    for start in range(4):
        send(work, later + timedelta(minutes=MINUTES * start))
    assert words(installed_contract.feed_drift(work, NEXT.date())) == []


def test_what_one_home_alone_has_is_not_missed_while_that_home_is_silent(work: Workspace) -> None:
    only = NEXT + timedelta(days=1)
    send(work, NEXT, humidities=None)
    send(work, NEXT, ["jeremie"])
    assert words(installed_contract.feed_drift(work, NEXT.date())) == [
        "ERROR removed room jimmy.bathroom",
    ]
    send(work, only, ["jimmy"], humidities=None)
    assert words(installed_contract.feed_drift(work, only.date())) == ["ERROR removed room jimmy.bathroom"]
    again = only + timedelta(days=1)
    send(work, again, ["jeremie"], humidities=None)
    assert words(installed_contract.feed_drift(work, again.date())) == [
        "ERROR removed category humidities (devicePower, humidity, temperature)",
        "ERROR removed room jeremie.bathroom",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            forecast("Time,Value,Prediction,Station,Measurement,Unit"),
            [
                "ERROR removed column forecast.Site, perhaps renamed to Station",
                "WARN added column forecast.Station, perhaps Site renamed",
            ],
        ),
        (
            forecast("Value,Time,Prediction,Site,Measurement,Unit"),
            [
                f"WARN order of the columns of forecast: contract {HEADER}, "
                "observed Value,Time,Prediction,Site,Measurement,Unit"
            ],
        ),
        (forecast("Time,Value,Prediction,Site,Measurement"), ["ERROR removed column forecast.Unit"]),
        (
            forecast(f"{HEADER},{FEED_USERS['jimmy']}"),
            ["WARN added column forecast.***"],
        ),
        (forecast(T_2M="°C"), ["ERROR removed measurement PRED_GLOB (ctrl, q10)"]),
        (
            forecast(T_2M="K", GLOB="Watt/m2"),
            [
                "WARN unit of PRED_T_2M.ctrl: contract °C, observed K, values read in °C",
                "WARN unit of PRED_T_2M.q10: contract °C, observed K, values read in °C",
            ],
        ),
        (
            forecast(T_2M="", GLOB="kJ/m2"),
            [
                "ERROR unit of PRED_GLOB.ctrl: contract Watt/m2, observed kJ/m2, values refused",
                "ERROR unit of PRED_GLOB.q10: contract Watt/m2, observed kJ/m2, values refused",
                "WARN unit of PRED_T_2M.ctrl: contract °C, observed none, values read in °C",
                "WARN unit of PRED_T_2M.q10: contract °C, observed none, values read in °C",
            ],
        ),
        (forecast("time,VALUE,Prediction,Site,Measurement,Unit"), []),
        (
            forecast(T_2M="°C", GLOB="Watt/m2", SNOW="cm"),
            ["WARN added measurement PRED_SNOW (ctrl, q10)"],
        ),
        (
            b"<html>not today</html>",
            ["ERROR removed header of the forecast: the first line holds none of its columns"],
        ),
        (b"", ["ERROR removed header of the forecast: the first line holds none of its columns"]),
    ],
)
def test_a_forecast_that_differs_is_named_exactly(
    work: Workspace, content: bytes, expected: list[str]
) -> None:
    send_forecast(work, content)
    assert words(forecast_drift(work)) == expected


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["ALTER TABLE devices ADD COLUMN brand VARCHAR(45)"], ["WARN added column devices.brand (text)"]),
        (["ALTER TABLE sensors DROP COLUMN type"], ["ERROR removed column sensors.type (text)"]),
        (
            ["ALTER TABLE devices RENAME COLUMN name TO deviceName"],
            [
                "ERROR removed column devices.name (text), perhaps renamed to deviceName",
                "WARN added column devices.deviceName (text), perhaps name renamed",
            ],
        ),
        (
            ["DROP TABLE profile",
             "CREATE TABLE Profile (idProfile INT, IDBUILDING INT, creationDate DATETIME, power DOUBLE)"],
            ["ERROR type of profile.creationDate: contract text, observed time"],
        ),
        (["DROP TABLE parameters"],
         ["ERROR removed table parameters (idBuilding, idParameter, idParameterType, value)"]),
        (["CREATE TABLE invoices (iban TEXT)"], ["WARN added table invoices (no column is read)"]),
        (["CREATE VIEW extra AS SELECT 1 AS one"], ["WARN added table extra (no column is read)"]),
        (["ALTER TABLE buildings DROP COLUMN lastName"], []),
        (["ALTER TABLE users ADD COLUMN iban TEXT", "DROP TABLE badges"], []),
    ],
)  # fmt: skip
def test_a_register_that_differs_is_named_exactly(
    work: Workspace, statements: list[str], expected: list[str]
) -> None:
    run_sql(work, *statements)
    assert words(installed_contract.register_drift(work)) == expected


def test_a_register_that_cannot_be_read_is_no_drift(work: Workspace) -> None:
    (work.sites.folder / "register.sqlite").write_bytes(b"this is no database, whatever its name may say")
    with pytest.raises(SourceError, match="the database's columns cannot be listed"):
        installed_contract.register_drift(work)


def test_an_installation_without_a_register_has_nothing_to_drift(tmp_path: Path) -> None:
    file = write_sites(tmp_path)
    lines = [line for line in file.read_text().splitlines() if "register_rows" not in line]
    file.write_text("\n".join(lines))
    work = open_lake(file, tmp_path / "lake")
    send(work, DAY)
    installed_contract.accept(work, DAY.date())
    assert installed_contract.register_drift(work) == Verdict([], {})


def test_accept_agrees_to_a_changed_day_and_says_what_it_keeps(work: Workspace) -> None:
    file = installed_contract.contract_file(work)
    file.write_text(file.read_text().replace("AbsolutePressure: number", "AbsolutePressure: optional number"))
    stations = {"meteo": {"Office": station()}}
    del stations["meteo"]["Office"]["AbsolutePressure"], stations["meteo"]["Office"]["CO2"]
    send(work, NEXT, ["jimmy"], meteos=stations)
    found, result = installed_contract.accept(work, NEXT.date())
    assert words(found) == ["ERROR removed room jimmy.outdoor"]
    assert "field meteos.AbsolutePressure (optional number)" in result.kept
    assert "field meteos.CO2 (number)" in result.kept  # jeremie sent it when last heard
    send(work, NEXT, ["jeremie"], meteos=stations)
    found, result = installed_contract.accept(work, NEXT.date())
    assert words(found) == ["ERROR removed field meteos.CO2 (number)", "ERROR removed room jeremie.outdoor"]
    assert result.kept == ("field meteos.AbsolutePressure (optional number)",)
    assert every_drift(work, NEXT) == []
    assert "AbsolutePressure: optional number" in file.read_text()
    assert not list(file.parent.glob(".contract*"))


def test_nothing_personal_is_written_into_the_contract(work: Workspace) -> None:
    text = installed_contract.contract_file(work).read_text(encoding="utf-8")
    secrets = [*FEED_USERS.values(), *API_TOKENS.values(), MARKER, "password"]
    assert [secret for secret in secrets if secret.casefold() in text.casefold()] == []
    assert "houseName: text" in text


def test_a_staging_register_is_compared_with_production(work: Workspace, tmp_path: Path) -> None:
    staging = open_lake(write_sites(tmp_path / "staging"), tmp_path / "lake")
    write_register(tmp_path / "staging" / "register.sqlite", 2, staging.registry.homes, DAY)
    assert words(installed_contract.registers_differ(work, staging)) == []
    run_sql(staging, "ALTER TABLE buildings DROP COLUMN npa", "ALTER TABLE devices ADD COLUMN brand TEXT")
    assert words(installed_contract.registers_differ(work, staging)) == [
        "ERROR removed column buildings.npa (text)",
        "WARN added column devices.brand (text)",
    ]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A simulated day of the shipped homes with the usual defects, beside the shipped contract."""
    folder = tmp_path_factory.mktemp("simulated")
    registry = (REPOSITORY / "sites.yaml").read_text(encoding="utf-8").replace("data/sources/", "")
    (folder / "sites.yaml").write_text(registry, encoding="utf-8")
    (folder / "contract.yaml").write_bytes((REPOSITORY / "contract.yaml").read_bytes())
    work = open_lake(folder / "sites.yaml", folder / "lake")
    simulate_history(work.registry, Folders.below(folder), DAY.date(), 1, seed=3, weather_sites=2)
    return carry_all(work, day_window(DAY))


def test_the_shipped_contract_fits_what_the_simulator_publishes(simulated: Workspace) -> None:
    """The usual defects bring strangers, which are warnings, and nothing worse."""
    found = every_drift(simulated, DAY)
    assert [line for line in found if not line.startswith("WARN added ")] == []
    assert installed_contract.feed_drift(simulated, DAY.date()).figures["rooms"] >= 16


@pytest.mark.untraced
def test_a_look_at_a_day_of_two_homes_takes_less_than_a_second(simulated: Workspace) -> None:
    began = time.process_time()
    every_drift(simulated, DAY)
    assert time.process_time() - began < 1


def test_the_shipped_contract_fits_the_real_week(real_week: Path) -> None:
    (real_week / "contract").mkdir()
    folder = real_week / "contract"
    for name in ("share", "weather"):
        (folder / name).symlink_to(real_week / name)
    write_sites(folder)
    (folder / "contract.yaml").write_bytes((REPOSITORY / "contract.yaml").read_bytes())
    work = open_lake(folder / "sites.yaml", folder / "lake")
    # The week's clock is two hours ahead of UTC: of 3 September it has two hours, which are no day.
    days = [datetime(2023, 9, 4, tzinfo=UTC) + timedelta(days=n) for n in range(7)]
    carry_all(work, *map(day_window, days))
    assert len(work.lake.dates(weather.WEATHER_FILES)) == 7
    assert [words(installed_contract.feed_drift(work, day.date())) for day in days] == [[]] * 7
    assert words(forecast_drift(work)) == []
