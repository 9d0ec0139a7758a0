"""The sensor file as the field writes it."""

import json
from datetime import UTC, datetime

from domotic_assets_tests.support.worlds import MONDAY, NOON, simulated

PLUG = {
    "timePlug", "power", "overpower", "is_valid", "counter1", "counter2", "counter3", "total", "temperature",
    "overtemperature", "switch",
}  # fmt: skip
HOUSE = {"timeConsumption", "total_power", "switch"} | {
    f"{name}{phase}" for name in ("power", "pf", "current", "voltage", "is_valid") for phase in (1, 2, 3)
}


def test_a_file_is_named_by_the_homes_clock_and_arrives_in_its_minute() -> None:
    """12:00 UTC is 14:00 in Sion in September."""
    first, second = simulated(2)
    assert first.name == "04.09.2023 1400_UserOne_received.json"
    assert second.name == "04.09.2023 1401_UserOne_received.json"
    assert 2 <= (first.arrived_at - NOON).total_seconds() <= 20
    assert json.loads(first.content)["datetime"] == "04.09.2023 14:00"


def test_a_file_holds_the_fields_of_the_feed() -> None:
    (delivery,) = simulated(1)
    message = json.loads(delivery.content)
    assert list(message) == [
        "user", "api_token", "datetime", "plugs", "doorsWindows", "motions", "meteos", "humidities",
        "consumptions",
    ]  # fmt: skip
    assert message["user"] == "UserOne"
    assert all(set(plug) == PLUG for plug in message["plugs"].values())
    assert all(
        set(opening) == {"type", "switch", "battery", "defense"} and opening["switch"] in ("on", "off")
        for openings in message["doorsWindows"].values()
        for opening in openings
    )
    assert len(message["doorsWindows"]["Bdroom"]) == 2
    assert all(set(motion) == {"motion", "light", "temperature"} for motion in message["motions"].values())
    assert set(message["meteos"]["meteo"]["Livingroom"]) == {
        "Temperature", "CO2", "Humidity", "Noise", "Pressure", "AbsolutePressure", "battery_percent",
    }  # fmt: skip
    assert set(message["meteos"]["meteo"]["Outdoor"]) == {"Temperature", "Humidity", "battery_percent"}
    assert set(message["humidities"]["Bhroom"]) == {"temperature", "humidity", "devicePower"}
    assert set(message["consumptions"]["House"]) == HOUSE
    assert 2_900 <= len(delivery.content) <= 5_000


def test_the_house_is_the_sum_of_its_phases() -> None:
    for delivery in simulated(60):
        house = json.loads(delivery.content)["consumptions"]["House"]
        phases = house["power1"] + house["power2"] + house["power3"]
        assert abs(phases - house["total_power"]) < 0.0051


def test_the_counter_is_the_sum_of_power() -> None:
    """Half a milliwatt-hour a minute is the most that rounding may add or lose."""
    messages = [json.loads(delivery.content) for delivery in simulated(240, MONDAY)]
    for room in messages[0]["plugs"]:
        energy_wh = sum(message["plugs"][room]["power"] for message in messages[1:]) / 60
        counted_wh = messages[-1]["plugs"][room]["total"] - messages[0]["plugs"][room]["total"]
        assert abs(energy_wh - counted_wh) < 240 * 0.0005


def test_spring_skips_an_hour_of_names() -> None:
    """26 March 2023, local day: 23:00 UTC the day before to 22:00 UTC, 23 hours."""
    names = [d.name for d in simulated(1380, datetime(2023, 3, 25, 23, tzinfo=UTC))]
    assert len(set(names)) == 1380
    assert all(name.startswith("26.03.2023 ") for name in names)
    assert not [name for name in names if name.startswith("26.03.2023 02")]


def test_autumn_repeats_an_hour_of_names() -> None:
    """29 October 2023, local day: 22:00 UTC the day before to 23:00 UTC, 25 hours."""
    deliveries = simulated(1500, datetime(2023, 10, 28, 22, tzinfo=UTC))
    again = [delivery for delivery in deliveries if delivery.again]
    assert len({delivery.name for delivery in deliveries}) == 1440
    assert len(again) == 60
    assert {delivery.name[:13] for delivery in again} == {"29.10.2023 02"}
    assert min(delivery.arrived_at for delivery in again) > datetime(2023, 10, 29, 1, tzinfo=UTC)
