"""Declares the access matrix: what each role sees of every Gold table and mart. Every publisher applies it.

Why: docs/decisions/0018-one-matrix-of-access.md
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domotic_assets.errors import ContractError
from domotic_assets.schemas import calendar, predictions, weather
from domotic_assets.schemas.homes import gold


class Role(StrEnum):
    """What a person is to a home. An admin sees all of every table and is not in the matrix."""

    RESIDENT_OWNER = "owner who lives there"
    RENTER = "renter"
    OWNER = "owner who does not"
    TECHNICIAN = "technician"


class Reach(StrEnum):
    """Which rows a role sees of a table, or of the Gold tables that a mart is made from."""

    NOTHING = "nothing"
    ALL = "all"
    CALENDAR = "days of the data on own dates, and eight on"
    HOMES = "own homes"
    DATES = "own homes, own dates"
    LAST_DAY = "own homes, own dates, last 24 h of the data"
    MONTHS = "own homes, own dates, months that are over"
    DAYS_IF_CONSENTED = "with `daily_energy_to_owner`: own homes, days that are over"
    PRESENCE_IF_CONSENTED = "with `presence_to_owner`: own homes, own dates"
    FILE = "what this file holds"


@dataclass(frozen=True)
class Rule:
    """A row of the matrix: the reach of each role."""

    resident_owner: Reach
    renter: Reach
    owner: Reach
    technician: Reach

    def reach(self, role: Role) -> Reach:
        """Return the reach of a role."""
        return {
            Role.RESIDENT_OWNER: self.resident_owner,
            Role.RENTER: self.renter,
            Role.OWNER: self.owner,
            Role.TECHNICIAN: self.technician,
        }[role]


_NOTHING, _ALL, _HOMES, _DATES = Reach.NOTHING, Reach.ALL, Reach.HOMES, Reach.DATES
_LAST_DAY, _MONTHS, _FILE = Reach.LAST_DAY, Reach.MONTHS, Reach.FILE
_CALENDAR = Reach.CALENDAR
_PRESENCE, _DAYS = Reach.PRESENCE_IF_CONSENTED, Reach.DAYS_IF_CONSENTED

MATRIX: Mapping[str, Rule] = {
    # Table or mart                        owner who lives there, renter, owner who does not, technician
    calendar.DIM_DATETIME.name:           Rule(_CALENDAR, _CALENDAR, _CALENDAR, _CALENDAR),
    calendar.DIM_DATE.name:               Rule(_CALENDAR, _CALENDAR, _CALENDAR, _CALENDAR),
    gold.DIM_APARTMENT.name:          Rule(_HOMES, _HOMES, _HOMES, _HOMES),
    gold.DIM_ROOM.name:               Rule(_HOMES, _HOMES, _HOMES, _HOMES),
    gold.DIM_DEVICE.name:             Rule(_DATES, _DATES, _DATES, _DATES),
    gold.DIM_TARIFF.name:             Rule(_HOMES, _HOMES, _HOMES, _NOTHING),
    weather.DIM_WEATHER_SITE.name:       Rule(_HOMES, _HOMES, _HOMES, _HOMES),
    predictions.DIM_MODEL.name:              Rule(_ALL, _ALL, _ALL, _NOTHING),
    predictions.DIM_HORIZON.name:            Rule(_ALL, _ALL, _ALL, _NOTHING),
    predictions.DIM_TARGET.name:             Rule(_ALL, _ALL, _ALL, _NOTHING),
    gold.FACT_ENERGY_MINUTE.name:     Rule(_DATES, _DATES, _NOTHING, _NOTHING),
    gold.FACT_ENVIRONMENT_MINUTE.name: Rule(_DATES, _DATES, _NOTHING, _LAST_DAY),
    gold.FACT_PRESENCE_MINUTE.name:   Rule(_DATES, _DATES, _PRESENCE, _NOTHING),
    gold.FACT_DEVICE_HEALTH_DAY.name: Rule(_DATES, _DATES, _DATES, _DATES),
    weather.FACT_WEATHER_HOUR.name:      Rule(_HOMES, _HOMES, _HOMES, _HOMES),
    weather.FACT_WEATHER_DAY.name:       Rule(_HOMES, _HOMES, _HOMES, _HOMES),
    "mart_energy_daily":              Rule(_DATES, _DATES, _DAYS, _NOTHING),
    "mart_energy_monthly":            Rule(_DATES, _DATES, _MONTHS, _NOTHING),
    "mart_environment_hourly":        Rule(_DATES, _DATES, _NOTHING, _LAST_DAY),
    "mart_comfort_monthly":           Rule(_DATES, _DATES, _MONTHS, _NOTHING),
    "mart_occupancy_hourly":          Rule(_DATES, _DATES, _PRESENCE, _NOTHING),
    "mart_device_health":             Rule(_DATES, _DATES, _DATES, _DATES),
    "mart_feed_freshness":            Rule(_DATES, _DATES, _DATES, _DATES),
    "mart_daily_weather_summary":     Rule(_HOMES, _HOMES, _HOMES, _HOMES),
    "mart_gold_tables":               Rule(_FILE, _FILE, _FILE, _FILE),
}  # fmt: skip
"""What each role sees of every Gold table and mart.

A mart is its query applied to the rows within its reach. A non-resident owner sees a day or month only once
it is over: the differences of a figure that grows by the minute would show every minute.
"""

WITHHELD: Mapping[tuple[str, str], tuple[Role, ...]] = {
    (gold.DIM_APARTMENT.name, "owner_user_id"): (Role.RENTER, Role.TECHNICIAN),
}
"""Columns, by table and name, that are null for these roles; any other role sees its own login id there."""


DATED: Mapping[str, str] = {
    calendar.DIM_DATETIME.name: "UTC days of readings on own dates and of the forecasts shown, and eight on",
    calendar.DIM_DATE.name: "the dates of these minutes",
    gold.DIM_APARTMENT.name: "from the first own date on; `owner_user_id` is an owner's own login, never "
    "another's. Over: `name` is the home's id; building, floor and weather site are left out",
    gold.DIM_ROOM.name: "rooms with a reading on own dates. Over: `room_name` comes from the room's id, "
    "`room_type` is `unknown`",
    gold.DIM_DEVICE.name: "devices with a reading on own dates; `is_active` counts these alone. Over: it "
    "counts back from the last own date, `device_name` comes from the device's id, and a door or window is "
    "an `opening`",
    gold.DIM_TARIFF.name: "prices of the home's provider, of all dates. Over: none; own costs stay",
    weather.DIM_WEATHER_SITE.name: "the home's site. Over: none",
    predictions.DIM_MODEL.name: "all. Over: models trained on own dates",
    predictions.DIM_HORIZON.name: "the same for everybody",
    predictions.DIM_TARGET.name: "the same for everybody",
    gold.FACT_ENERGY_MINUTE.name: "own dates",
    gold.FACT_ENVIRONMENT_MINUTE.name: "own dates; a technician's 24 hours move on with the data",
    gold.FACT_PRESENCE_MINUTE.name: "own dates",
    gold.FACT_DEVICE_HEALTH_DAY.name: "own dates, of devices with a reading on them",
    weather.FACT_WEATHER_HOUR.name: "forecasts issued on own dates. Over: none",
    weather.FACT_WEATHER_DAY.name: "forecasts issued on own dates. Over: none",
    "mart_*": "made from the rows above alone, as if there were no others",
    "meta.published": "the tables of this file, without Delta versions; `version` rises when they change",
    "meta.keys": "keys of the tables of this file",
    "meta.failing_checks": "of a home where the person lives now; begun when they moved in at the earliest",
}
"""What of each table lies in a person's file while their dates go on, and where they are over."""


def refuse_unruled(tables: Iterable[str], marts: Iterable[str]) -> None:
    """Raise ContractError unless the matrix has a rule for each table and mart, and for nothing else."""
    wanted = {*tables, *marts}
    if wanted != MATRIX.keys():
        raise ContractError(
            f"no rule for {sorted(wanted - MATRIX.keys())}, "
            f"a rule for unknown {sorted(MATRIX.keys() - wanted)}",
            where="access matrix (serve/people/matrix.py)",
            expected="what each role sees of every Gold table and mart",
            remedy="say there who may see the table; until then nobody gets a file",
        )
