"""A small Gold layer as real Delta tables: two homes, the night of the autumn clock change."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from deltalake import DeltaTable, write_deltalake

from domotic_assets.schemas import gold
from domotic_assets.schemas.table import Table

JIMMY, JEREMIE = 1, 2
OFFICE, HOUSE, KITCHEN = 11, 12, 21
OFFICE_PLUG, HOUSE_METER, KITCHEN_PLUG = 111, 121, 211
SION = 7

BEFORE_MIDNIGHT = datetime(2023, 10, 28, 12, 0, tzinfo=UTC)
AFTER_MIDNIGHT = datetime(2023, 10, 28, 22, 30, tzinfo=UTC)  # 00:30 on the 29th in Zurich
FIRST_PASS = datetime(2023, 10, 29, 0, 10, tzinfo=UTC)  # 02:10 summer time
SECOND_PASS = datetime(2023, 10, 29, 1, 10, tzinfo=UTC)  # 02:10 again, standard time

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Snapshot:
    """What a publication is given: each table's Parquet files and Delta version."""

    files: dict[str, list[str]]
    versions: dict[str, int]


def write_snapshot(root: Path) -> Snapshot:
    """Write the sample tables as Delta tables below `root`."""
    rows = sample_rows()
    snapshot = Snapshot({}, {})
    for table in gold.TABLES:
        folder = root / table.id
        folder.mkdir(parents=True)
        write_deltalake(
            str(folder),
            pl.DataFrame(rows.get(table.name, []), schema=table.schema),
            partition_by=[table.partition] if table.partition else None,
        )
        delta = DeltaTable(str(folder))
        snapshot.files[table.name] = delta.file_uris()
        snapshot.versions[table.name] = delta.version()
    return snapshot


def with_frame(snapshot: Snapshot, table: str, frame: pl.DataFrame, file: Path) -> Snapshot:
    """The snapshot with a table whose only file, to be written as `file`, holds `frame`."""
    frame.write_parquet(file)
    return Snapshot(snapshot.files | {table: [str(file)]}, snapshot.versions)


def sample_frame(table: Table, rows: Rows | None = None) -> pl.DataFrame:
    """Rows of a table, the sample's unless others are given, as a Delta file holds them."""
    frame = pl.DataFrame(sample_rows()[table.name] if rows is None else rows, schema=table.schema)
    return frame.drop(table.partition) if table.partition else frame


def sample_rows() -> dict[str, Rows]:
    """Table name to rows; the tables that are left out are empty."""
    minutes = [BEFORE_MIDNIGHT + timedelta(minutes=m) for m in range(3)]
    minutes += [AFTER_MIDNIGHT, FIRST_PASS, FIRST_PASS + timedelta(minutes=10), SECOND_PASS]
    return {
        "dim_date": [_date_row(date(2023, 10, 28)), _date_row(date(2023, 10, 29))],
        "dim_datetime": [_datetime_row(minute) for minute in reversed(minutes)],
        "dim_weather_site": [{"site_key": SION, "site_code": "sio", "name": "Sion", "lat": 46.2, "lon": 7.3}],
        "dim_apartment": [
            {"apartment_key": JIMMY, "apartment_id": "jimmy", "name": "Home J", "weather_site_key": SION},
            {"apartment_key": JEREMIE, "apartment_id": "jeremie", "name": "Home V", "weather_site_key": -1},
        ],
        "dim_room": [
            _room(OFFICE, "jimmy/office", "Office", JIMMY),
            _room(HOUSE, "jimmy/house", "Whole home", JIMMY),
            _room(KITCHEN, "jeremie/kitchen", "Kitchen", JEREMIE),
        ],
        "dim_device": [
            _device(OFFICE_PLUG, "jimmy/office/plugs/1", OFFICE, "plug"),
            _device(HOUSE_METER, "jimmy/house/consumptions/1", HOUSE, "house_meter"),
            _device(KITCHEN_PLUG, "jeremie/kitchen/plugs/1", KITCHEN, "plug"),
        ],
        "fact_energy_minute": [
            energy(minutes[0], HOUSE_METER, HOUSE, JIMMY, 0.5, 0.14),
            energy(minutes[1], HOUSE_METER, HOUSE, JIMMY, 0.25, 0.07),
            energy(AFTER_MIDNIGHT, HOUSE_METER, HOUSE, JIMMY, 1.0, 0.25),
            energy(minutes[1], OFFICE_PLUG, OFFICE, JIMMY, None, None),
            energy(minutes[2], OFFICE_PLUG, OFFICE, JIMMY, 0.125, None),
            energy(minutes[0], OFFICE_PLUG, OFFICE, JIMMY, 0.5, 0.125),
            energy(minutes[0], KITCHEN_PLUG, KITCHEN, JEREMIE, 0.375, 0.1),
        ],
        "fact_environment_minute": [
            _climate(FIRST_PASS, 20.0, 900.0, window_open=True),
            _climate(FIRST_PASS + timedelta(minutes=10), 22.0, None, window_open=False),
            _climate(SECOND_PASS, None, 1000.0, window_open=None, is_anomaly=True),
        ],
    }


def datetime_key(minute: datetime) -> int:
    """YYYYMMDDHHMM of a UTC minute."""
    return int(minute.strftime("%Y%m%d%H%M"))


def energy(
    minute: datetime, device: int, room: int, home: int, kwh: float | None, chf: float | None
) -> dict[str, Any]:
    """A row of fact_energy_minute."""
    return {
        **_minute_keys(minute, room, home),
        "device_key": device,
        "energy_wh": None if kwh is None else kwh * 1000,
        "energy_kwh": kwh,
        "cost_chf": chf,
        "is_valid": kwh is not None,
    }


def _climate(
    minute: datetime,
    temperature_c: float | None,
    co2_ppm: float | None,
    *,
    window_open: bool | None,
    is_anomaly: bool = False,
) -> dict[str, Any]:
    return {
        **_minute_keys(minute, OFFICE, JIMMY),
        "temperature_c": temperature_c,
        "co2_ppm": co2_ppm,
        "window_open_flag": window_open,
        "is_anomaly": is_anomaly,
    }


def _minute_keys(minute: datetime, room: int, home: int) -> dict[str, Any]:
    return {
        "datetime_key": datetime_key(minute),
        "date_key": int(_local(minute).strftime("%Y%m%d")),
        "room_key": room,
        "apartment_key": home,
        "utc_date": minute.date(),
    }


def _local(minute: datetime) -> datetime:
    return minute.astimezone(ZoneInfo("Europe/Zurich")).replace(tzinfo=None)


def _calendar(day: date) -> dict[str, Any]:
    return {
        "date_key": int(day.strftime("%Y%m%d")),
        "day_of_week": day.isoweekday(),
        "week": day.isocalendar().week,
        "month": day.month,
        "year": day.year,
        "is_weekend": day.isoweekday() > 5,
        "is_holiday": False,
    }


def _date_row(day: date) -> dict[str, Any]:
    return {**_calendar(day), "date": day}


def _datetime_row(minute: datetime) -> dict[str, Any]:
    local = _local(minute)
    return {
        **_calendar(local.date()),
        "datetime_key": datetime_key(minute),
        "timestamp_utc": minute,
        "timestamp_local": local,
        "hour": local.hour,
        "minute": local.minute,
        "utc_date": minute.date(),
    }


def _room(key: int, room_id: str, name: str, home: int) -> dict[str, Any]:
    return {
        "room_key": key, "room_id": room_id, "room_name": name, "room_type": "any", "apartment_key": home,
    }  # fmt: skip


def _device(key: int, device_id: str, room: int, device_type: str) -> dict[str, Any]:
    return {
        "device_key": key,
        "device_id": device_id,
        "room_key": room,
        "device_name": device_id,
        "device_type": device_type,
        "sensor_type": device_type,
        "is_active": True,
    }
