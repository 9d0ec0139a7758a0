"""A home's world: what machines draw, what windows do, what drains."""

from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from domotic_assets.simulator.appliances import Fridge, Plug, profiles
from domotic_assets.simulator.people import Use
from domotic_assets.simulator.rooms import Air
from domotic_assets.simulator.world import Battery, World
from domotic_assets_tests.support.worlds import MONDAY, home


def still_air(**changes: float) -> dict[str, float]:
    """Surroundings in which nothing moves the room's temperature but what a test changes."""
    return {
        "outdoor_c": 22.0, "outdoor_water_g_m3": 9.0, "sun_w_m2": 0.0, "home_c": 22.0, "setpoint_c": -99.0,
        "awake": 0, "asleep": 0, "open_windows": 0, "heat_w": 0.0, "water_g": 0.0,
    } | changes  # fmt: skip


def test_an_open_window_cools_a_room_and_drops_its_co2() -> None:
    shut, wide = Air(36.0, 22.0, 1200.0, 9.0), Air(36.0, 22.0, 1200.0, 9.0)
    for _ in range(15):
        shut.step(**still_air(outdoor_c=2.0))  # type: ignore[arg-type]
        wide.step(**still_air(outdoor_c=2.0, open_windows=1))  # type: ignore[arg-type]
    assert wide.temperature_c < shut.temperature_c - 1.5
    assert wide.co2_ppm < shut.co2_ppm - 500
    assert wide.co2_ppm > 422


def test_a_sleeper_raises_co2_by_what_is_exhaled() -> None:
    """0.19 l in 38 m³ is 5 ppm a minute; at outdoor level ventilation takes nothing away."""
    air = Air(38.0, 22.0, 422.0, 9.0)
    air.step(**still_air(asleep=1))  # type: ignore[arg-type]
    assert air.co2_ppm == pytest.approx(427.0)


def test_a_wash_uses_the_energy_of_its_program() -> None:
    """4·65 + 17·2050 + 38·145 + 6·310 + 9·70 + 12·380 W·min = 47,670 W·min = 794.5 Wh."""
    watts = profiles((Use("washer", 600, 0),), 1.0, Random(1))["washer"]
    assert sum(watts) / 60 == pytest.approx(794.5)
    assert watts[599] == 0.0
    assert watts[600] == 65.0
    assert watts[604] == 2050.0


def test_a_program_ends_with_its_day() -> None:
    watts = profiles((Use("washer", 1439, 0),), 1.0, Random(1))["washer"]
    assert len(watts) == 1440
    assert sum(watts) == 65.0


def test_a_fridge_cycles() -> None:
    fridge = Fridge(Random(3))
    running = [fridge.step(21.0, opened=False) > 10 for _ in range(1440)]
    starts = sum(1 for before, after in pairwise(running) if after and not before)
    assert 10 <= starts <= 40
    assert 0.2 < sum(running) / len(running) < 0.7


def test_a_plug_counts_whole_milliwatt_hours() -> None:
    """100 W for a minute are 1,666.67 mWh, counted as 1,667."""
    plug = Plug(1_000)
    plug.step(100.0, 600)
    assert (plug.energy_mwh, plug.total_mwh) == (1_667, 2_667)
    assert plug.last_wmin == (100.0, 0.0, 0.0)


def test_an_idle_plug_repeats_its_time_for_ten_minutes() -> None:
    plug = Plug(0)
    times = []
    for minute in range(12):
        plug.step(1.87, 6_000 + 60 * minute)
        times.append(plug.read_at_unix)
    assert times == [6_000] * 10 + [6_600] * 2


def test_a_battery_drains_and_is_replaced() -> None:
    battery = Battery(4.05, 0.03)
    seen = []
    for _ in range(3):
        battery.step()
        seen.append(battery.percent)
    assert seen == [4, 100, 99]


@pytest.fixture(scope="module")
def three_days() -> list[dict[str, float]]:
    world = World(7, home(), MONDAY)
    rows = []
    for _ in range(3 * 1440):
        world.step()
        rows.append(
            {
                "house_wh": world.meter.total_w / 60,
                "plugs_wh": sum(plug.energy_mwh for plug in world.plugs.values()) / 1000,
                "plug_w": sum(plug.power_w for plug in world.plugs.values()),
                "house_w": world.meter.total_w,
                "co2": world.air["Livingroom"].co2_ppm,
                "bedroom_co2": world.air["Bdroom"].co2_ppm,
                "temperature": world.air["Livingroom"].temperature_c,
                "humidity": world.air["Bhroom"].humidity_pct,
                "people": world.people_home,
                "asleep": world.people_asleep,
                "night": float(world.local.hour in (1, 2, 3)),
            }
        )
    return rows


def test_a_home_uses_what_homes_use(three_days: list[dict[str, float]]) -> None:
    assert 5 <= sum(row["house_wh"] for row in three_days) / 3000 <= 12
    assert all(row["house_w"] >= row["plug_w"] - 0.05 for row in three_days), "the meter sees the plugs too"


def test_the_air_stays_plausible(three_days: list[dict[str, float]]) -> None:
    assert all(17 <= row["temperature"] <= 27 for row in three_days)
    assert all(400 <= row["co2"] <= 2000 for row in three_days)
    assert all(0 < row["humidity"] <= 99 for row in three_days)


def test_people_sleep_leave_and_breathe(three_days: list[dict[str, float]]) -> None:
    nights = [row for row in three_days if row["night"]]
    assert all(row["asleep"] == row["people"] for row in nights)
    assert min(row["people"] for row in three_days) == 0
    assert max(row["bedroom_co2"] for row in nights) > 800


def test_a_world_follows_from_seed_home_and_start_alone() -> None:
    def levels(seed: int, start_shift: int = 0) -> list[tuple[int, float]]:
        world = World(seed, home(), MONDAY + timedelta(days=start_shift))
        found = []
        for _ in range(30):
            world.step()
            found.append((world.plugs["Kitchen"].total_mwh, world.air["Office"].temperature_c))
        return found

    assert levels(7) == levels(7)
    assert levels(7) != levels(8)
    assert levels(7) != levels(7, 1)
