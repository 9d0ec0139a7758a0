"""An admin's published file of two homes around a midnight, in seconds: Gold by hand, marts without dbt."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import polars as pl
import yaml

from domotic_assets.escaping import literal
from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.schemas import gold
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets_tests.support.lakes import open_lake

START = datetime(2023, 9, 14, 20, 0, tzinfo=UTC)
MINUTES = 240
# Hours ahead of UTC on these September days: Zurich and London.
HOURS_AHEAD = {"jimmy": 2, "jeremie": 1}
SITES = {"jimmy": "Sion", "jeremie": "Visp"}
DEVICES = {"office/plugs/1": "plug", "house/consumptions/1": "house_meter", "office/motions/1": "motion"}
DATES = [date(2023, 9, day) for day in (13, 14, 15)]

Rows = list[dict[str, Any]]


def publish_admin(serve: Path, definition: str) -> Path:
    """Publish the file in a folder, and return its stable name."""
    serve.mkdir(parents=True)
    files: dict[str, list[str]] = {}
    rows = _rows()
    for table in gold.TABLES:
        file = serve / f"{table.name}.parquet"
        pl.DataFrame(rows.get(table.name, []), schema=table.schema).write_parquet(file)
        files[table.name] = [str(file)]
    built = publish.build_file(serve, files, dict.fromkeys(files, 0), definition, purpose="test")
    add_marts(built)
    publish.swap_in(built, serve)
    for [file_name] in files.values():
        Path(file_name).unlink()
    return publish.published_file(serve)


def install(folder: Path, sites: str) -> Workspace:
    """Write sites.yaml and publish the file in a lake beside it."""
    (folder / "sites.yaml").write_text(sites, encoding="utf-8")
    opened = open_lake(folder / "sites.yaml", folder / "lake")
    publish_admin(opened.serve, fingerprint_of(DBT_PROJECT))
    return opened


def add_marts(file: Path) -> None:
    """The views and comments that dbt would add."""
    schemas = [yaml.safe_load(schema.read_text()) for schema in DBT_PROJECT.glob("models/*/schema.yml")]
    described = {model["name"]: model for schema in schemas for model in schema["models"]}
    macros = (DBT_PROJECT / "macros/join_dims.sql").read_text(encoding="utf-8")
    names = {"source": lambda schema, table: f"{schema}.{table}", "ref": lambda mart: f"marts.{mart}"}
    models = {file.stem: file.read_text(encoding="utf-8") for file in DBT_PROJECT.glob("models/*/*.sql")}
    with duckdb.connect(str(file)) as connection:
        # Those that refer to others come after them.
        for mart in sorted(models, key=lambda name: ("ref(" in models[name], name)):
            # The project's own files, rendered into SQL and no page.
            sql = jinja2.Template(macros + models[mart]).render(names)
            connection.execute(f"CREATE VIEW marts.{mart} AS {sql}")
            connection.execute(f"COMMENT ON VIEW marts.{mart} IS {literal(described[mart]['description'])}")
            for column in described[mart]["columns"]:
                connection.execute(
                    f"COMMENT ON COLUMN marts.{mart}.{column['name']} IS {literal(column['description'])}"
                )


def _rows() -> dict[str, Rows]:
    minutes = [START + timedelta(minutes=n) for n in range(MINUTES)]
    rows: dict[str, Rows] = {table.name: [] for table in gold.TABLES}
    rows["dim_date"] = [_calendar(day) | {"date": day} for day in DATES]
    rows["dim_datetime"] = [_moment(minute) for minute in minutes]
    rows["dim_tariff"] = [_tariff("oiken"), _tariff("unlisted")]
    for home, site in SITES.items():
        rows["dim_weather_site"].append(
            {
                "site_key": surrogate_key(site),
                "site_code": site[:3].lower(),
                "name": site,
                "lat": 46.0,
                "lon": 7.0,
            }
        )
        rows["dim_apartment"].append(
            {
                "apartment_key": surrogate_key(home),
                "apartment_id": home,
                "name": f"Apartment {home.title()}",
                "owner_user_id": f"u-owner-of-{home}",
                "building_name": "Residence A" if home == "jimmy" else "Residence B",
                "weather_site_key": surrogate_key(site),
            }
        )
        for room in ("office", "house"):
            rows["dim_room"].append(
                _keys(home, room) | {"room_id": f"{home}/{room}", "room_name": room, "room_type": room}
            )
        for place, kind in DEVICES.items():
            rows["dim_device"].append(_device(home, place, kind))
            rows["fact_device_health_day"] += [_health(home, place, day) for day in DATES]
        for day in DATES:
            rows["fact_weather_day"].append(_weather(day) | {"site_key": surrogate_key(site)})
        for number, minute in enumerate(minutes):
            at = _at(home, minute)
            for place, kind in DEVICES.items():
                if kind != "motion":
                    rows["fact_energy_minute"].append(at | _energy(home, place, number))
            office = at | _keys(home, "office")
            climate = {"temperature_c": 20 + number / 64, "co2_ppm": 900.0 + number, "is_anomaly": False}
            rows["fact_environment_minute"].append(office | climate)
            rows["fact_presence_minute"].append(
                office | {"motion_count": 1, "presence_flag": number % 3 == 0}
            )
    return rows


def _keys(home: str, room: str) -> dict[str, Any]:
    return {"room_key": surrogate_key(f"{home}/{room}"), "apartment_key": surrogate_key(home)}


def _key_of(day: date) -> int:
    return int(day.strftime("%Y%m%d"))


def _at(home: str, minute: datetime) -> dict[str, Any]:
    local = minute + timedelta(hours=HOURS_AHEAD[home])
    return {
        "datetime_key": int(minute.strftime("%Y%m%d%H%M")),
        "date_key": _key_of(local.date()),
        "utc_date": minute.date(),
    }


def _calendar(day: date) -> dict[str, Any]:
    return {
        "date_key": _key_of(day),
        "day_of_week": day.isoweekday(),
        "week": day.isocalendar().week,
        "month": day.month,
        "year": day.year,
        "is_weekend": False,
        "is_holiday": False,
    }


def _moment(minute: datetime) -> dict[str, Any]:
    """A minute in the calendar's time zone, which is Zurich's for both homes."""
    local = (minute + timedelta(hours=2)).replace(tzinfo=None)
    return _calendar(local.date()) | {
        "datetime_key": int(minute.strftime("%Y%m%d%H%M")),
        "timestamp_utc": minute,
        "timestamp_local": local,
        "hour": local.hour,
        "minute": local.minute,
        "utc_date": minute.date(),
    }


def _tariff(provider: str) -> dict[str, Any]:
    return {
        "provider": provider, "valid_from": date(2023, 1, 1), "band": "all", "days": "mon-sun",
        "local_from": "00:00", "local_to": "24:00", "chf_per_kwh": 0.25,
    }  # fmt: skip


def _device(home: str, place: str, kind: str) -> dict[str, Any]:
    device = f"{home}/{place}"
    return {
        "device_key": surrogate_key(device),
        "device_id": device,
        "room_key": surrogate_key(device.rsplit("/", 2)[0]),
        "device_name": device,
        "device_type": kind,
        "sensor_type": kind,
        "is_active": True,
    }


def _health(home: str, place: str, day: date) -> dict[str, Any]:
    return _keys(home, place.split("/", 1)[0]) | {
        "date_key": _key_of(day),
        "device_key": surrogate_key(f"{home}/{place}"),
        "error_count": day.day,
        "missing_readings": 0,
        "uptime_pct": 100.0,
        "battery_min_pct": 80.0,
        "battery_avg_pct": 81.0,
        "local_date": day,
    }


def _energy(home: str, place: str, number: int) -> dict[str, Any]:
    # Powers of two add up exactly in any order.
    wh = (1 + number % 7) / 8
    return _keys(home, place.split("/", 1)[0]) | {
        "device_key": surrogate_key(f"{home}/{place}"),
        "power_w": wh * 60,
        "energy_wh": wh,
        "energy_kwh": wh / 1024,
        "cost_chf": wh / 4096,
        "counter_total": float(number),
        "is_valid": True,
    }


def _weather(day: date) -> dict[str, Any]:
    return {
        "date_key": _key_of(day), "horizon_days": 0, "temperature_c_avg": 18.0, "humidity_pct_avg": 60.0,
        "precipitation_mm_sum": 0.0, "radiation_whm2_sum": 4000.0, "hours": 22.0, "utc_date": day,
    }  # fmt: skip
