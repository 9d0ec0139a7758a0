"""Defines the homes of sites.yaml, with their rooms, tariffs and weather sites."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Self

from pydantic import (
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domotic_assets.registry.entry import WEEKDAYS, Entry, Identifier, MinuteOfDay, Name, Weekday, ZoneName
from domotic_assets.same_name import name_key

HOUSE = name_key("House")
"""The feed's name of the whole home, as a room."""


class Room(Entry):
    """A room: its id, which ids of devices contain, its name for people, and its type."""

    id: Identifier
    name: Name
    type: Name


class Home(Entry):
    """A home that sends files ("apartment" in Gold's names)."""

    id: Identifier
    name: Name
    building_name: Name = ""
    floor: int | None = None
    feed_user: Annotated[str, Field(min_length=1, pattern=r"^[^_/\\\s]+$")]
    time_zone: ZoneName = "Europe/Zurich"
    clock_zone: ZoneName = "Europe/Zurich"
    register_building: int | None = None
    weather_site: Name | None = None
    tariff: Name | None = None
    rooms: dict[str, Room] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _spellings_agree(self) -> Self:
        """Raise a `finding` if two spellings of one name lead to different rooms."""
        ids: dict[str, str] = {}
        for spelling, room in self.rooms.items():
            other = ids.setdefault(name_key(spelling), room.id)
            if other != room.id:
                raise finding(
                    ("rooms", spelling), f"found {room.id!r}; another spelling of this name has {other!r}"
                )
        return self

    @property
    def house(self) -> str:
        """Id `home/room` of the room House, whose meter measures the whole home."""
        return f"{self.id}/{self.room_ids().get(HOUSE, HOUSE)}"

    def room_ids(self) -> dict[str, str]:
        """Map the `name_key` of each spelling of a room to the room's id."""
        return {name_key(spelling): room.id for spelling, room in self.rooms.items()}


class Band(Entry):
    """A time-of-use band of a tariff: local minutes [from, to) of its days.

    If `to` is not after `from`, it is each day's two ends: midnight to `to`, and `from` to midnight.
    """

    name: Name
    days: tuple[Weekday, ...] = WEEKDAYS
    start: MinuteOfDay = Field(alias="from")
    end: MinuteOfDay = Field(alias="to")
    chf_per_kwh: Annotated[float, Field(ge=0, lt=10)]

    def covers(self, weekday: Weekday, minute: int) -> bool:
        """Tell whether the band applies at that minute of that weekday."""
        if weekday not in self.days:
            return False
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class Tariff(Entry):
    """A provider's prices from `valid_from` to `valid_to` (exclusive; None while valid), local dates.

    feed_in_chf_per_kwh: what the provider pays for energy fed in.
    """

    provider: Name
    valid_from: date
    valid_to: date | None = None
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]
    feed_in_chf_per_kwh: Annotated[float, Field(ge=0, lt=10)] = 0.0

    @model_validator(mode="after")
    def _bands_do_not_overlap(self) -> Self:
        """Raise ValueError if two bands cover the same minute, or if valid_to is not after valid_from."""
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to is exclusive and must lie after valid_from")
        edges = sorted({0} | {band.start for band in self.bands} | {band.end for band in self.bands})
        for day in WEEKDAYS:
            for minute in edges:
                names = [band.name for band in self.bands if band.covers(day, minute)]
                if len(names) > 1:
                    raise ValueError(f"bands {names} overlap on {day}; each minute may have one price")
        return self


class WeatherSite(Entry):
    """A weather site: its name as in the forecasts, and what they lack, its code and coordinates."""

    name: Name
    code: Identifier
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


def finding(path: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """Make the error for entries that disagree; path: the key at which a person should look."""
    return PydanticCustomError("registry", "{message}", {"message": message, "path": path})


def refuse_overlapping_tariffs(tariffs: tuple[Tariff, ...]) -> None:
    """Raise a `finding` if two tariffs of one provider overlap in time."""
    ordered = sorted(enumerate(tariffs), key=lambda item: (item[1].provider, item[1].valid_from))
    for (_, earlier), (place, later) in pairwise(ordered):
        if earlier.provider == later.provider and (
            earlier.valid_to is None or later.valid_from < earlier.valid_to
        ):
            raise finding(
                ("tariffs", place, "valid_from"),
                f"found {later.valid_from}, inside the tariff of {later.provider!r} from "
                f"{earlier.valid_from}; end that one by valid_to (exclusive) first",
            )
