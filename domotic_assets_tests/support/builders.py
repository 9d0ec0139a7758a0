"""The one home of sample payloads: sensor files as the feed writes them, a registry of two homes, a share.

Values are the sample magnitudes of the field. Nothing here is computed by the product's own parsers,
so an expectation built from these figures is independent of the code under test.
"""

import copy
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from domotic_assets.registry.loading import Sites, parse_registry
from domotic_assets.registry.registry import Registry

HOMES = ("jimmy", "jeremie")
FEED_USERS = {"jimmy": "JimmyLoup", "jeremie": "JeremieVianin"}
API_TOKENS = {"jimmy": "tok-5f1c9be07a2d", "jeremie": "tok-c03e88d4416b"}
CLOCK = ZoneInfo("Europe/Zurich")

# 31 August 2023 21:44 on the home's clock.
SAMPLE_TIME = datetime(2023, 8, 31, 19, 44, tzinfo=UTC)

ROOMS = """\
      Bhroom: {id: bathroom, name: Bathroom, type: bathroom}
      Bdroom: {id: bedroom, name: Bedroom, type: bedroom}
      Livingroom: {id: livingroom, name: Living room, type: living}
      Office: {id: office, name: Office, type: office}
      Kitchen: {id: kitchen, name: Kitchen, type: kitchen}
      Laundry: {id: laundry, name: Laundry, type: utility}
      Outdoor: {id: outdoor, name: Outdoor, type: outdoor}
      House: {id: house, name: Whole home, type: house}
"""

REGISTRY = f"""\
calendar_time_zone: Europe/Zurich
history_start: 2023-01-01
sources:
  sensor_files: {{kind: folder, address: share}}
  weather_files: {{kind: folder, address: weather}}
  register_rows: {{kind: sqlite, address: register.sqlite}}
weather_sites:
  - {{name: Sion, code: sio, lat: 46.2187, lon: 7.3303}}
  - {{name: Visp, code: vis, lat: 46.3029, lon: 7.8430}}
tariffs:
  - provider: oiken
    valid_from: 2023-01-01
    valid_to: 2024-01-01
    bands:
      - {{name: high, days: [mon, tue, wed, thu, fri], from: "06:00", to: "22:00", chf_per_kwh: 0.30}}
      - {{name: low, days: [mon, tue, wed, thu, fri], from: "22:00", to: "06:00", chf_per_kwh: 0.20}}
      - {{name: weekend, days: [sat, sun], chf_per_kwh: 0.20, from: "00:00", to: "24:00"}}
homes:
  - id: jimmy
    name: Apartment Jimmy
    building_name: Residence A
    floor: 2
    feed_user: {FEED_USERS["jimmy"]}
    weather_site: Sion
    tariff: oiken
    rooms: &rooms
{ROOMS}\
  - id: jeremie
    name: Apartment Jeremie
    building_name: Residence B
    floor: 1
    feed_user: {FEED_USERS["jeremie"]}
    weather_site: Visp
    tariff: oiken
    rooms: *rooms
people:
  - {{user: u-admin, role: admin}}
  - {{user: u-1001, role: owner, homes: [jimmy], lives_there: true}}
  - {{user: u-1002, role: owner, homes: [jeremie]}}
"""


def registry(text: str = REGISTRY) -> Registry:
    """The registry of two homes; give another text for another one."""
    return parse_registry(text)


def sites(folder: Path, text: str = REGISTRY) -> Sites:
    """The registry of two homes whose sources lie in `folder`."""
    return Sites(registry(text), folder)


def write_sites(folder: Path, text: str = REGISTRY) -> Path:
    """Write sites.yaml into `folder` and make the empty source folders beside it; returns the file."""
    for name in ("share", "weather"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    file = folder / "sites.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def on_clock(at: datetime) -> datetime:
    """What the home's clock shows at a UTC moment, naive as in the feed."""
    return at.astimezone(CLOCK).replace(tzinfo=None)


def plug(at: datetime = SAMPLE_TIME, **overrides: Any) -> dict[str, Any]:
    """A plug: 17.62 W with its counter at 81,983 Wh."""
    return {
        "timePlug": int(at.timestamp()),
        "power": 17.62,
        "overpower": 0,
        "is_valid": True,
        "counter1": 17.6,
        "counter2": 17.6,
        "counter3": 17.7,
        "total": 81983,
        "temperature": 31.2,
        "overtemperature": False,
        "switch": True,
    } | overrides


def opening(kind: str = "Window", switch: str = "off", **overrides: Any) -> dict[str, Any]:
    """A door or window, closed; `switch="on"` means open."""
    return {"type": kind, "switch": switch, "battery": 100, "defense": 0} | overrides


def motion(seen: bool = False, **overrides: Any) -> dict[str, Any]:
    """A motion sensor with light and temperature."""
    return {"motion": seen, "light": 144, "temperature": 24.1} | overrides


def station(**overrides: Any) -> dict[str, Any]:
    """A climate station of the living room."""
    return {
        "Temperature": 25.9,
        "CO2": 980,
        "Humidity": 45,
        "Noise": 31,
        "Pressure": 1016.6,
        "AbsolutePressure": 957.3,
        "battery_percent": 88,
    } | overrides


def humidity(**overrides: Any) -> dict[str, Any]:
    """A humidity sensor of the bathroom."""
    return {"temperature": 25.3, "humidity": 59.9, "devicePower": 91} | overrides


def house_meter(at: datetime = SAMPLE_TIME, **overrides: Any) -> dict[str, Any]:
    """The whole-house meter: 60.7 W = 32.69 + 28.01 + 0 W at 234 V."""
    return {
        "timeConsumption": int(at.timestamp()),
        "power1": 32.69,
        "power2": 28.01,
        "power3": 0.0,
        "pf1": 0.61,
        "pf2": 0.54,
        "pf3": 0.0,
        "current1": 0.23,
        "current2": 0.22,
        "current3": 0.0,
        "voltage1": 234.1,
        "voltage2": 233.8,
        "voltage3": 234.4,
        "is_valid1": True,
        "is_valid2": True,
        "is_valid3": True,
        "total_power": 60.7,
        "switch": True,
    } | overrides


def payload(home: str = "jimmy", at: datetime = SAMPLE_TIME, **sections: Any) -> dict[str, Any]:
    """A sensor file of a home and UTC minute; a keyword replaces a top-level key, None leaves it out.

    With no overrides it holds two plugs, a door and three windows (two in one room), a motion sensor,
    three climate stations, a humidity sensor and the house meter.
    """
    complete: dict[str, Any] = {
        "user": FEED_USERS[home],
        "api_token": API_TOKENS[home],
        "datetime": on_clock(at).strftime("%d.%m.%Y %H:%M"),
        "plugs": {"Office": plug(at), "Livingroom": plug(at, power=1.87, total=12040)},
        "doorsWindows": {
            "Livingroom": [opening("Window"), opening("Window")],
            "Bdroom": [opening("Window")],
            "Kitchen": [opening("Door")],
        },
        "motions": {"Office": motion()},
        "meteos": {
            "meteo": {
                "Livingroom": station(),
                "Office": station(Temperature=24.8, CO2=1256),
                "Outdoor": {"Temperature": 19.6, "Humidity": 71, "battery_percent": 64},
            }
        },
        "humidities": {"Bhroom": humidity()},
        "consumptions": {"House": house_meter(at)},
    }
    merged = complete | sections
    return {key: copy.deepcopy(value) for key, value in merged.items() if value is not None}


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as the feed writes it: UTF-8 JSON on one line (NaN and Infinity as Python spells them)."""
    return json.dumps(document, ensure_ascii=False).encode()


def file_name(user: str, local: datetime) -> str:
    """`31.08.2023 2144_JimmyLoup_received.json`."""
    return f"{local:%d.%m.%Y %H%M}_{user}_received.json"


def name_of(home: str = "jimmy", at: datetime = SAMPLE_TIME) -> str:
    """The name under which the feed publishes the file of a home and UTC minute."""
    return file_name(FEED_USERS[home], on_clock(at))


@dataclass(frozen=True)
class ShareFile:
    """A file to put on the share: name, bytes and last write."""

    name: str
    content: bytes
    arrived_at: datetime


def share_file(
    home: str = "jimmy",
    at: datetime = SAMPLE_TIME,
    *,
    arrived_at: datetime | None = None,
    content: bytes | None = None,
    **sections: Any,
) -> ShareFile:
    """The file of a home and UTC minute, arrived five seconds after the minute unless said otherwise."""
    return ShareFile(
        name_of(home, at),
        to_bytes(payload(home, at, **sections)) if content is None else content,
        at + timedelta(seconds=5) if arrived_at is None else arrived_at,
    )


def write_share(folder: Path, files: Iterable[ShareFile]) -> list[Path]:
    """Write files with their arrival as last-write time; a later one of the same name replaces an earlier."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file in files:
        path = folder / file.name
        path.write_bytes(file.content)
        stamp_ns = round(file.arrived_at.timestamp() * 1_000_000) * 1_000
        os.utime(path, ns=(stamp_ns, stamp_ns))
        written.append(path)
    return written
