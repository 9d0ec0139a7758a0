"""Writes a home's readings: the sensor file's name and its JSON.

The message is what a faultless feed would send. What spoils it belongs in `defects`.
"""

import json
from typing import Any

from domotic_assets.simulator.sky import VALLEY_ALTITUDE_M
from domotic_assets.simulator.world import World

Message = dict[str, Any]

ALTITUDE_FACTOR = 1 - VALLEY_ALTITUDE_M / 8434
"""Absolute pressure in the valley, divided by the pressure at sea level."""

CO2_ROOMS = ("Livingroom", "Office", "Bdroom")


def file_name(world: World, user: str) -> str:
    """Return the file's name by the home's clock, such as `31.08.2023 2144_JimmyLoup_received.json`."""
    return f"{world.clock:%d.%m.%Y %H%M}_{user}_received.json"


def serialise(message: Message) -> bytes:
    """Encode the message as the gateway writes it."""
    return json.dumps(message, ensure_ascii=False).encode()


def compose(world: World) -> Message:
    """Compose the message of the world's current minute."""
    return {
        "user": world.household.user,
        "api_token": world.household.token,
        "datetime": f"{world.clock:%d.%m.%Y %H:%M}",
        "plugs": _plugs(world),
        "doorsWindows": {
            room: [
                {
                    "type": opening.kind,
                    "switch": "on" if opening.is_open else "off",
                    "battery": opening.battery.percent,
                    "defense": 0,
                }
                for opening in openings
            ]
            for room, openings in world.openings.items()
        },
        "motions": {
            room: {
                "motion": motion.seen,
                "light": round(motion.light_lux, 1),
                "temperature": round(motion.temperature_c, 1),
            }
            for room, motion in world.motions.items()
        },
        "meteos": {"meteo": _stations(world)},
        "humidities": {
            room: {
                "temperature": round(world.air[room].temperature_c, 1),
                "humidity": round(world.air[room].humidity_pct, 1),
                "devicePower": battery.percent,
            }
            for room, battery in world.humidity_batteries.items()
        },
        "consumptions": {"House": _house(world)},
    }


def _plugs(world: World) -> Message:
    """Return the fields of the smart plugs in the current minute, by room."""
    return {
        room: {
            "timePlug": plug.read_at_unix,
            "power": plug.power_w,
            "overpower": 0,
            "is_valid": True,
            "counter1": plug.last_wmin[0],
            "counter2": plug.last_wmin[1],
            "counter3": plug.last_wmin[2],
            "total": plug.total_mwh / 1000,
            "temperature": round(world.air[room].temperature_c + 6 + plug.power_w / 250, 2),
            "overtemperature": False,
            "switch": True,
        }
        for room, plug in world.plugs.items()
    }


def _stations(world: World) -> Message:
    """Return the fields of the climate stations in the current minute, by room, and of `Outdoor`.

    Only the living-room station has noise and pressure.
    """
    weather = world.weather
    stations: Message = {}
    for room in world.household.stations:
        air = world.air[room]
        station = {
            "Temperature": round(air.temperature_c, 1),
            "CO2": round(air.co2_ppm),
            "Humidity": round(air.humidity_pct),
        }
        if room == "Livingroom":
            station["Noise"] = round(world.noise_db[room])
            station["Pressure"] = round(weather.pressure_hpa, 1)
            station["AbsolutePressure"] = round(weather.pressure_hpa * ALTITUDE_FACTOR, 1)
        station["battery_percent"] = world.station_batteries[room].percent
        stations[room] = station
    stations["Outdoor"] = {
        "Temperature": round(weather.temperature_c, 1),
        "Humidity": round(weather.humidity_pct),
        "battery_percent": world.station_batteries["Outdoor"].percent,
    }
    return stations


def _house(world: World) -> Message:
    """Return the fields of the house meter in the current minute: those of each phase, then the total."""
    meter = world.meter
    house: Message = {"timeConsumption": world.unix}
    for phase in range(3):
        power, voltage, factor = meter.power_w[phase], meter.voltage_v[phase], meter.power_factor[phase]
        house[f"power{phase + 1}"] = power
        house[f"pf{phase + 1}"] = factor
        house[f"current{phase + 1}"] = round(power / (voltage * factor), 3)
        house[f"voltage{phase + 1}"] = voltage
        house[f"is_valid{phase + 1}"] = True
    house["total_power"] = meter.total_w
    house["switch"] = True
    return house
