"""Dimensions: what exists, names for people, and what the register may add."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.homes.gold.dims import (
    DeviceDimension,
    Matches,
    dim_apartment,
    dim_device,
    dim_room,
)
from domotic_assets.domains.predictions.dims import dim_horizon, dim_model, dim_target
from domotic_assets.domains.weather.gold import dim_weather_site
from domotic_assets.schemas.homes.gold import DIM_APARTMENT, DIM_DEVICE, DIM_ROOM
from domotic_assets.schemas.homes.silver import DEVICES
from domotic_assets.schemas.predictions import DIM_HORIZON, DIM_MODEL, DIM_TARGET
from domotic_assets.schemas.register import SILVER_REGISTER
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.schemas.weather import DIM_WEATHER_SITE
from domotic_assets_tests.support.builders import REGISTRY, registry

NEWEST = datetime(2023, 9, 10, 12, 0, tzinfo=UTC)


def seen(*devices: tuple[str, str] | tuple[str, str, datetime]) -> pl.DataFrame:
    """Silver DEVICES: (device id, device type[, last reading])."""
    rows = []
    for device, device_type, *last in devices:
        home, room, category, _ = device.split("/")
        last_ts = last[0] if last else NEWEST
        rows.append(
            (device, home, f"{home}/{room}", category, device_type, last_ts, last_ts, 1, last_ts.date())
        )
    return pl.DataFrame(rows, schema=DEVICES.schema, orient="row")


def register(**tables: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """Silver register frames with jimmy's building 1, jeremie's building 2 and a stranger's building 3."""
    tables = {
        "buildings": [
            {"id_building": 1, "home": "jimmy"},
            {"id_building": 2, "home": "jeremie"},
            {"id_building": 3, "home": None},
        ],
        "rooms": [
            {"id_room": 10, "id_building": 1, "name": "Kitchen"},
            {"id_room": 11, "id_building": 1, "name": "Bdroom"},
            {"id_room": 12, "id_building": 1, "name": "Attic"},
            {"id_room": 20, "id_building": 2, "name": "Kitchen"},
            {"id_room": 30, "id_building": 3, "name": "Kitchen"},
        ],
    } | tables
    return {name: pl.DataFrame(rows, schema=SILVER_REGISTER[name].schema) for name, rows in tables.items()}


def appliance(number: int, room: int, name: str | None) -> dict[str, Any]:
    return {"id_device": number, "id_room": room, "name": name, "type": "fridge"}


def sensor(number: int, room: int | None, kind: str | None) -> dict[str, Any]:
    return {"id_sensor": number, "id_room": room, "type": kind}


def names(dimension: DeviceDimension) -> dict[str, str]:
    return dict(dimension.devices.select("device_id", "device_name").iter_rows())


class TestApartment:
    def test_one_row_per_home(self) -> None:
        frame = dim_apartment(registry(), register(), seen())
        assert frame.schema == DIM_APARTMENT.schema
        assert {row["apartment_id"]: row for row in frame.iter_rows(named=True)} == {
            "jimmy": {
                "apartment_key": surrogate_key("jimmy"),
                "apartment_id": "jimmy",
                "name": "Apartment Jimmy",
                "owner_user_id": "u-1001",
                "building_id": 1,
                "building_name": "Residence A",
                "floor": 2,
                "weather_site_key": surrogate_key("Sion"),
            },
            "jeremie": {
                "apartment_key": surrogate_key("jeremie"),
                "apartment_id": "jeremie",
                "name": "Apartment Jeremie",
                "owner_user_id": "u-1002",
                "building_id": 2,
                "building_name": "Residence B",
                "floor": 1,
                "weather_site_key": surrogate_key("Visp"),
            },
        }

    def test_two_buildings_of_a_home_match_none(self) -> None:
        twice = register(buildings=[{"id_building": 1, "home": "jimmy"}, {"id_building": 4, "home": "jimmy"}])
        assert dim_apartment(registry(), twice, seen())["building_id"].to_list() == [None, None]

    def test_a_home_that_left_sites_yaml_keeps_its_row_while_its_data_are_here(self) -> None:
        frame = dim_apartment(registry(), register(), seen(("gone/office/plugs/1", "plug")))
        assert frame.height == 3
        assert frame.filter(pl.col("apartment_id") == "gone").row(0) == (
            surrogate_key("gone"), "gone", "gone", None, None, None, None, -1,
        )  # fmt: skip

    @pytest.mark.rule(10)
    def test_a_home_without_site_or_register_has_none(self) -> None:
        bare = registry(REGISTRY.replace("    weather_site: Sion\n", ""))
        row = dim_apartment(bare, {}, seen()).filter(pl.col("apartment_id") == "jimmy")
        assert row.select("weather_site_key", "building_id").row(0) == (-1, None)


class TestRoom:
    def test_rooms_of_sites_yaml_and_of_the_feed(self) -> None:
        devices = seen(("jimmy/office/plugs/1", "plug"), ("jimmy/attic/plugs/1", "plug"))
        frame = dim_room(registry(), devices)
        assert frame.schema == DIM_ROOM.schema
        assert frame.height == 8 + 8 + 1
        rows = {row[1]: row for row in frame.iter_rows()}
        jimmy = surrogate_key("jimmy")
        assert rows["jimmy/office"] == (
            surrogate_key("jimmy/office"),
            "jimmy/office",
            "Office",
            "office",
            jimmy,
        )
        assert rows["jimmy/attic"] == (surrogate_key("jimmy/attic"), "jimmy/attic", "Attic", "unknown", jimmy)
        assert rows["jeremie/bathroom"][2:] == ("Bathroom", "bathroom", surrogate_key("jeremie"))

    def test_two_spellings_of_a_room_are_one_room(self) -> None:
        two = "      Office: {id: office, name: Office, type: office}\n"
        twice = registry(REGISTRY.replace(two, two + two.replace("Office:", "office:")))
        frame = dim_room(twice, DEVICES.empty())
        assert frame.filter(pl.col("room_id") == "jimmy/office").height == 1

    def test_a_home_that_left_sites_yaml_keeps_the_rooms_of_its_data(self) -> None:
        frame = dim_room(registry(), seen(("gone/office/plugs/1", "plug")))
        assert frame.height == 17
        assert frame.filter(pl.col("room_id") == "gone/office").select(
            "room_name", "room_type", "apartment_key"
        ).row(0) == ("Office", "unknown", surrogate_key("gone"))


class TestDevice:
    def test_one_row_per_device_with_its_keys(self) -> None:
        frame = dim_device(registry(), seen(("jimmy/kitchen/plugs/1", "plug")), {}, NEWEST).devices
        assert frame.schema == DIM_DEVICE.schema
        assert frame.row(0) == (
            surrogate_key("jimmy/kitchen/plugs/1"),
            "jimmy/kitchen/plugs/1",
            surrogate_key("jimmy/kitchen"),
            "Kitchen plug",
            "plug",
            "smart plug",
            True,
        )
        assert frame.height == 1

    @pytest.mark.rule(3)
    def test_names_for_people(self) -> None:
        devices = seen(
            ("jimmy/office/doorsWindows/1", "door"),
            ("jimmy/office/doorsWindows/2", "window"),
            ("jimmy/kitchen/doorsWindows/1", "window"),
            ("jimmy/office/motions/1", "motion_sensor"),
            ("jimmy/livingroom/meteos/1", "climate_station"),
            ("jimmy/bathroom/humidities/1", "humidity_sensor"),
            ("jimmy/house/consumptions/1", "house_meter"),
            ("jimmy/attic/lasers/1", "unknown"),
        )
        assert names(dim_device(registry(), devices, {}, NEWEST)) == {
            "jimmy/office/doorsWindows/1": "Office door 1",
            "jimmy/office/doorsWindows/2": "Office window 2",
            "jimmy/kitchen/doorsWindows/1": "Kitchen window",
            "jimmy/office/motions/1": "Office motion sensor",
            "jimmy/livingroom/meteos/1": "Living room climate station",
            "jimmy/bathroom/humidities/1": "Bathroom humidity sensor",
            "jimmy/house/consumptions/1": "Whole home meter",
            "jimmy/attic/lasers/1": "Attic unknown",
        }

    @pytest.mark.rule(8)
    def test_a_new_category_is_a_device(self) -> None:
        frame = dim_device(registry(), seen(("jimmy/attic/lasers/1", "unknown")), {}, NEWEST).devices
        assert frame.select("device_type", "sensor_type").row(0) == ("unknown", "lasers")

    def test_the_type_is_that_of_the_newest_date(self) -> None:
        device = "jimmy/office/doorsWindows/1"
        devices = seen(
            (device, "door", NEWEST),
            (device, "window", NEWEST - timedelta(days=2)),
            (device, "window", NEWEST - timedelta(days=1)),
        )
        frame = dim_device(registry(), devices, {}, NEWEST).devices
        assert frame["device_type"].to_list() == ["door"]

    @pytest.mark.parametrize(
        ("last", "active"),
        [
            (NEWEST, True),
            (datetime(2023, 9, 3, 12, 1, tzinfo=UTC), True),
            (datetime(2023, 9, 3, 12, 0, tzinfo=UTC), False),
        ],
    )
    def test_active_is_a_reading_in_the_last_seven_days_of_the_data(
        self, last: datetime, active: bool
    ) -> None:
        frame = dim_device(registry(), seen(("jimmy/office/plugs/1", "plug", last)), {}, NEWEST).devices
        assert frame["is_active"].item() is active

    def test_the_days_of_activity_are_a_setting(self) -> None:
        three = registry(REGISTRY + "settings: {active_days: 3}\n")
        devices = seen(("jimmy/office/plugs/1", "plug", NEWEST - timedelta(days=4)))
        assert dim_device(three, devices, {}, NEWEST).devices["is_active"].item() is False

    def test_no_data_give_no_devices(self) -> None:
        dimension = dim_device(registry(), DEVICES.empty(), register(), None)
        assert dimension.devices.schema == DIM_DEVICE.schema
        assert dimension.devices.height == 0


class TestRegisterMatches:
    KITCHEN_PLUG = ("jimmy/kitchen/plugs/1", "plug")

    def test_the_only_plug_takes_the_name_of_the_only_appliance(self) -> None:
        devices = seen(
            self.KITCHEN_PLUG,
            ("jeremie/kitchen/plugs/1", "plug"),
            ("jimmy/kitchen/motions/1", "motion_sensor"),
        )
        dimension = dim_device(
            registry(), devices, register(devices=[appliance(1, 10, "Old fridge")]), NEWEST
        )
        assert names(dimension) == {
            "jimmy/kitchen/plugs/1": "Old fridge",
            "jeremie/kitchen/plugs/1": "Kitchen plug",
            "jimmy/kitchen/motions/1": "Kitchen motion sensor",
        }
        assert dimension.appliances == Matches(matched=1, register_unmatched=0, feed_unmatched=1)

    @pytest.mark.parametrize(
        ("plugs", "appliances", "unmatched"),
        [
            ([1], [(10, "Fridge"), (10, "Oven")], (2, 1)),
            ([1, 2], [(10, "Fridge")], (1, 2)),
            ([1], [(30, "Fridge")], (1, 1)),
            ([1], [(99, "Fridge")], (1, 1)),
            ([1], [(11, "Fridge")], (1, 1)),
        ],
    )
    def test_nothing_is_guessed(
        self, plugs: list[int], appliances: list[tuple[int, str]], unmatched: tuple[int, int]
    ) -> None:
        devices = seen(*[(f"jimmy/kitchen/plugs/{place}", "plug") for place in plugs])
        rows = [appliance(n, room, name) for n, (room, name) in enumerate(appliances)]
        dimension = dim_device(registry(), devices, register(devices=rows), NEWEST)
        assert all(name.startswith("Kitchen plug") for name in names(dimension).values())
        assert dimension.appliances == Matches(0, *unmatched)

    def test_an_appliance_without_a_name_leaves_the_plug_its_own(self) -> None:
        dimension = dim_device(
            registry(), seen(self.KITCHEN_PLUG), register(devices=[appliance(1, 10, None)]), NEWEST
        )
        assert names(dimension) == {"jimmy/kitchen/plugs/1": "Kitchen plug"}

    def test_rooms_join_by_spelling_else_by_lower_case(self) -> None:
        devices = seen(("jimmy/bedroom/plugs/1", "plug"), ("jimmy/attic/plugs/1", "plug"))
        rows = [appliance(1, 11, "Lamp"), appliance(2, 12, "Freezer")]
        dimension = dim_device(registry(), devices, register(devices=rows), NEWEST)
        assert set(names(dimension).values()) == {"Lamp", "Freezer"}

    def test_sensors_join_by_room_and_type_where_one_stands_on_each_side(self) -> None:
        devices = seen(
            ("jimmy/kitchen/motions/1", "motion_sensor"),
            ("jimmy/kitchen/doorsWindows/1", "window"),
            ("jimmy/kitchen/doorsWindows/2", "window"),
            ("jimmy/kitchen/meteos/1", "climate_station"),
            ("jeremie/house/consumptions/1", "house_meter"),
        )
        sensors = [
            sensor(1, 10, "Motion"),
            sensor(2, 10, "window"),
            sensor(3, 10, "climate"),
            sensor(4, 10, "climate"),
            sensor(5, 10, "radar"),
            sensor(6, None, "motion"),
            sensor(7, 30, "motion"),
            sensor(8, 10, None),
        ]
        dimension = dim_device(registry(), devices, register(sensors=sensors), NEWEST)
        assert dimension.sensors == Matches(matched=1, register_unmatched=7, feed_unmatched=4)


class TestWeatherSite:
    @pytest.mark.rule(10)
    def test_sites_of_sites_yaml_of_homes_and_of_the_forecasts(self) -> None:
        of_home = registry(REGISTRY.replace("    weather_site: Visp\n", "    weather_site: Montana\n"))
        frame = dim_weather_site(of_home, ["Sion", "Aadorf / Tänikon"])
        assert frame.schema == DIM_WEATHER_SITE.schema
        assert set(frame.rows()) == {
            (surrogate_key("Sion"), "sio", "Sion", 46.2187, 7.3303),
            (surrogate_key("Visp"), "vis", "Visp", 46.3029, 7.8430),
            (surrogate_key("Montana"), "montana", "Montana", None, None),
            (surrogate_key("Aadorf / Tänikon"), "aadorf / tänikon", "Aadorf / Tänikon", None, None),
        }


def test_predictions_have_no_model_yet() -> None:
    assert dim_model().schema == DIM_MODEL.schema
    assert dim_model().height == 0


def test_horizons_and_targets() -> None:
    horizons, targets = dim_horizon(), dim_target()
    assert horizons.schema == DIM_HORIZON.schema
    assert targets.schema == DIM_TARGET.schema
    assert set(horizons.rows()) == {
        (surrogate_key("hour/1"), "hour", 1),
        (surrogate_key("hour/24"), "hour", 24),
        (surrogate_key("day/24"), "day", 24),
    }
    assert set(targets["target_name"]) == {"energy_kwh", "presence_flag"}
