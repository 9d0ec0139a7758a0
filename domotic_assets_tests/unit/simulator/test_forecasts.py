"""The forecast file in the field's shape."""

import csv
import io
import statistics
from datetime import UTC, date, datetime, timedelta

import pytest

from domotic_assets.simulator.forecasts import forecast_file, forecast_sites, issue_moment
from domotic_assets.simulator.sky import KNOWN_SITES, Sky, named_site
from domotic_assets_tests.support.worlds import registry

ISSUED = date(2023, 9, 4)
UNITS = {"PRED_DURSUN": "min", "PRED_FF_10M": "m/s", "PRED_GLOB": "Watt/m2", "PRED_RELHUM_2M": "%",
         "PRED_TOT_PREC": "kg/m2", "PRED_T_2M": "°C"}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    content = forecast_file(7, ISSUED, [named_site("Sion"), named_site("Gütsch, Andermatt")])
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_site_has_every_measurement_variant_run_and_step(rows: list[dict[str, str]]) -> None:
    """2 sites × 6 measurements × 4 variants × 8 runs × 34 steps = 13,056."""
    keys = {(r["Time"], r["Prediction"], r["Site"], r["Measurement"]) for r in rows}
    assert len(rows) == len(keys) == 13_056
    assert {r["Measurement"] for r in rows} == {
        f"{m}_{v}" for m in UNITS for v in ("ctrl", "q10", "q90", "stde")
    }
    assert all(r["Unit"] == UNITS[r["Measurement"].rsplit("_", 1)[0]] for r in rows)
    assert {r["Site"] for r in rows} == {"Sion", "Gütsch, Andermatt"}
    runs = {datetime.fromisoformat(r["Time"]) - timedelta(hours=int(r["Prediction"])) for r in rows}
    assert runs == {datetime(2023, 9, 4, hour, tzinfo=UTC) for hour in range(0, 24, 3)}


def test_lines_are_written_as_in_the_field() -> None:
    lines = forecast_file(7, ISSUED, [named_site("Gütsch, Andermatt")]).decode().split("\n")
    assert lines[0] == "Time,Value,Prediction,Site,Measurement,Unit"
    assert lines[1] == '2023-09-04 00:00:00+00:00,-99999.0,00,"Gütsch, Andermatt",PRED_DURSUN_ctrl,min'


def test_holes_are_some_runs_and_the_first_step_of_amounts(rows: list[dict[str, str]]) -> None:
    holes = [r for r in rows if r["Value"] == "-99999.0"]
    amounts = [
        r for r in rows if r["Prediction"] == "00" and r["Measurement"].startswith(("PRED_TOT", "PRED_GLOB"))
    ]
    assert 0.01 < len(holes) / len(rows) < 0.1
    assert amounts
    assert all(r["Value"] == "-99999.0" for r in amounts)


def test_values_are_plausible_and_quantiles_ordered(rows: list[dict[str, str]]) -> None:
    values = {(r["Time"], r["Prediction"], r["Site"], r["Measurement"]): float(r["Value"]) for r in rows
              if r["Value"] != "-99999.0"}  # fmt: skip
    bounds = {
        "PRED_T_2M": (-50, 60),
        "PRED_RELHUM_2M": (0, 100),
        "PRED_TOT_PREC": (0, 500),
        "PRED_GLOB": (0, 1500),
    }
    for (time, step, site, name), value in values.items():
        measurement, variant = name.rsplit("_", 1)
        if variant == "ctrl":
            low, high = bounds.get(measurement, (0, 100))
            assert low <= value <= high
            assert values[time, step, site, f"{measurement}_q10"] <= value
            assert value <= values[time, step, site, f"{measurement}_q90"]


def test_a_later_step_errs_more(rows: list[dict[str, str]]) -> None:
    sky = Sky(7, named_site("Sion"))
    errors: dict[bool, list[float]] = {True: [], False: []}
    for row in rows:
        step = int(row["Prediction"])
        if row["Site"] == "Sion" and row["Measurement"] == "PRED_T_2M_ctrl" and row["Value"] != "-99999.0":
            truth = sky.at(datetime.fromisoformat(row["Time"])).temperature_c
            errors[step > 20].append(abs(float(row["Value"]) - truth))
    assert statistics.mean(errors[True]) > statistics.mean(errors[False])
    assert statistics.mean(errors[False]) < 2.0


def test_it_is_written_at_seven_local_time() -> None:
    assert issue_moment(date(2023, 9, 4), "Europe/Zurich") == datetime(2023, 9, 4, 5, tzinfo=UTC)
    assert issue_moment(date(2023, 1, 4), "Europe/Zurich") == datetime(2023, 1, 4, 6, tzinfo=UTC)


def test_sites_are_those_of_the_homes_and_then_others() -> None:
    assert [site.name for site in forecast_sites(registry(), 3)] == ["Sion", "Visp", "Sierre"]
    assert [site.name for site in forecast_sites(registry(), 1)] == ["Sion", "Visp"]
    assert len(forecast_sites(registry(), 23)) == len(KNOWN_SITES) == 23


def test_the_sky_has_seasons_days_and_mountains() -> None:
    def mean_c(site: str, month: int) -> float:
        sky = Sky(7, named_site(site))
        hours = [datetime(2023, month, day, hour, tzinfo=UTC) for day in range(1, 29) for hour in range(24)]
        return statistics.mean(sky.at(hour).temperature_c for hour in hours)

    assert -4 < mean_c("Sion", 1) < 6
    assert 16 < mean_c("Sion", 7) < 25
    assert mean_c("Zermatt", 7) < mean_c("Sion", 7) - 4
    sky = Sky(7, named_site("Sion"))
    assert sky.at(datetime(2023, 6, 21, 0, tzinfo=UTC)).radiation_w_m2 == 0
    assert sky.at(datetime(2023, 6, 21, 11, 30, tzinfo=UTC)).radiation_w_m2 > 150
