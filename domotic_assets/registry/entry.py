"""Defines what entries of sites.yaml share: the base type, and types of single values."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from domotic_assets.escaping import without_unseen
from domotic_assets.localtime import zone

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 1440

# Keys whose values are personal or secret: an error names the key, never the value.
UNSPOKEN_KEYS = frozenset({"feed_user", "user", "sender", "recipients"})


def _known_zone(name: str) -> str:
    """Return the name of an IANA time zone as it is; raise ValueError if there is no such zone."""
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("no such time zone; allowed are IANA names such as Europe/Zurich") from None
    return name


def _minute_of_day(value: object) -> object:
    """Convert HH:MM to minutes of the day; `24:00` ends a day, which `datetime.time` cannot express."""
    if isinstance(value, str) and value.count(":") == 1:
        hours, minutes = value.split(":")
        if hours.isdigit() and minutes.isdigit() and int(minutes) < 60:
            total = int(hours) * 60 + int(minutes)
            if total <= MINUTES_PER_DAY:
                return total
    raise ValueError("allowed is a local time from 00:00 to 24:00")


Name = Annotated[str, AfterValidator(without_unseen)]
"""A name for people: what no eye sees is no part of it."""

ZoneName = Annotated[str, AfterValidator(_known_zone)]
MinuteOfDay = Annotated[int, BeforeValidator(_minute_of_day)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]


class Entry(BaseModel):
    """Base of all registry entries: unknown keys are refused, and entries are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
