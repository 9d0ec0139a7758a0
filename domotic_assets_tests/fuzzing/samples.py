"""The good files that fuzzing starts from, and the names that their mutations go by."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from domotic_assets.ingest.files import File
from domotic_assets_tests.fuzzing import mutations
from domotic_assets_tests.fuzzing.judge import SENSOR, Path
from domotic_assets_tests.support import builders

FIRST_ISSUE = datetime(2023, 1, 5, tzinfo=UTC)
_MEASUREMENTS = {"PRED_T_2M": "°C", "PRED_RELHUM_2M": "%", "PRED_TOT_PREC": "kg/m2", "PRED_GLOB": "Watt/m2"}


def named(path: Path, number: int, content: bytes, name: str | None = None) -> File:
    """Bytes under the name of their number: a minute of a home, or a date of issue; and arrived then."""
    at = _moment(path, number)
    return File(name or _name(path, number), len(content), at + timedelta(hours=7), content)


def good(path: Path, number: int) -> File:
    """A file with nothing wrong."""
    if path is SENSOR:
        content = builders.to_bytes(builders.payload(_home(number), _moment(path, number)))
    else:
        content = "\n".join(forecast_lines(_moment(path, number))).encode()
    return named(path, number, content)


def mutated(path: Path, number: int, seed: int) -> File:
    """The mutated file of a number: the same for the same seed."""
    chance = Random(f"{seed}/{path.suffix}/{number}")
    start = good(path, number)
    content = mutations.mutated(path.suffix, start.content, chance)
    return named(path, number, content, mutations.renamed(start.name, chance))


def seeds(path: Path) -> list[bytes]:
    """Small good files, each with one thing more in it, for a search that starts from them."""
    if path is not SENSOR:
        lines = forecast_lines(FIRST_ISSUE)
        return ["\n".join(lines[:count]).encode() for count in (1, 2, 4)]
    whole = builders.payload()
    header = {key: whole.pop(key) for key in ("user", "api_token", "datetime")}
    return [json.dumps(header | {category: rooms}).encode() for category, rooms in whole.items()]


def forecast_lines(issue: datetime) -> Sequence[str]:
    """Header and 48 lines of a forecast: two sites, four measurements with two variants, three steps."""
    lines = ["Time,Value,Prediction,Site,Measurement,Unit"]
    for site in ("Sion", "Aadorf / Tänikon"):
        for measurement, unit in _MEASUREMENTS.items():
            for variant in ("ctrl", "q10"):
                for step in (0, 3, 33):
                    valid = issue + timedelta(hours=step)
                    value = -99999.0 if step == 33 else 12.5 + step
                    lines.append(f"{valid},{value},{step:02},{site},{measurement}_{variant},{unit}")
    return lines


def _home(number: int) -> str:
    return builders.HOMES[number % len(builders.HOMES)]


def _moment(path: Path, number: int) -> datetime:
    if path is SENSOR:
        # Within the year before the judge's now; minutes repeat after 200 days, which no batch holds.
        return builders.SAMPLE_TIME + timedelta(minutes=number % 288_000)
    return FIRST_ISSUE + timedelta(days=number % 500)


def _name(path: Path, number: int) -> str:
    if path is SENSOR:
        return builders.name_of(_home(number), _moment(path, number))
    return f"Pred_{_moment(path, number):%Y-%m-%d}.csv"
