"""Defines the registry: which homes, sources, tariffs and people exist, and how entries must agree.

A new home is one entry in sites.yaml and no code. What is done with entries does not belong here.
"""

from datetime import date
from typing import Annotated, Self

from pydantic import (
    Field,
    model_validator,
)

from domotic_assets.registry.channels import Alerts, PostgresqlServer
from domotic_assets.registry.entry import UNSPOKEN_KEYS, Entry, MinuteOfDay, ZoneName
from domotic_assets.registry.homes import Home, Tariff, WeatherSite, finding, refuse_overlapping_tariffs
from domotic_assets.registry.pages import Pages
from domotic_assets.registry.people import Person
from domotic_assets.registry.sources import Sources
from domotic_assets.same_name import name_key


class Tunables(Entry):
    """Settings that an installation may change; each has a default."""

    presence_hold_minutes: Annotated[int, Field(ge=1, le=240)] = 10
    active_days: Annotated[int, Field(ge=1, le=365)] = 7
    plug_power_bound_w: Annotated[float, Field(gt=0, le=100_000)] = 10_000
    counter_settles_hours: Annotated[int, Field(ge=1, le=72)] = 24
    forecasts_at: MinuteOfDay = 7 * 60
    list_every_minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    seal_after_hours: Annotated[int, Field(ge=1, le=72)] = 6
    seal_quiet_minutes: Annotated[int, Field(ge=0, le=1440)] = 60
    silent_after_minutes: Annotated[int, Field(ge=2, le=1440)] = 15


class Registry(Entry):
    """The checked content of sites.yaml: all homes, sources, tariffs, people and settings."""

    calendar_time_zone: ZoneName = "Europe/Zurich"
    history_start: date
    settings: Tunables = Tunables()
    sources: Sources
    weather_sites: tuple[WeatherSite, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    homes: Annotated[tuple[Home, ...], Field(min_length=1)]
    people: tuple[Person, ...] = ()
    alerts: Alerts = Alerts()
    postgresql: PostgresqlServer | None = None
    pages: Pages | None = None

    @model_validator(mode="after")
    def _entries_agree(self) -> Self:
        """Raise a `finding` if the source sensor_files is missing or entries contradict each other.

        Ids, feed users, codes and channel names must be unique. Homes and providers that entries refer to
        must exist. Tariffs of one provider must not overlap in time.
        """
        if "sensor_files" not in self.sources:
            raise finding(("sources",), "nothing found at sensor_files; homes send their files there")
        _refuse_twice(("homes",), "id", [home.id for home in self.homes])
        _refuse_twice(("homes",), "feed_user", [name_key(home.feed_user) for home in self.homes])
        _refuse_twice(("weather_sites",), "code", [site.code for site in self.weather_sites])
        providers = sorted({tariff.provider for tariff in self.tariffs})
        homes = sorted(home.id for home in self.homes)
        for place, home in enumerate(self.homes):
            if home.tariff is not None and home.tariff not in providers:
                raise finding(("homes", place, "tariff"), f"found {home.tariff!r}; providers are {providers}")
        for place, person in enumerate(self.people):
            if unknown := sorted(set(person.homes) - set(homes)):
                raise finding(("people", place, "homes"), f"found {unknown}; known homes are {homes}")
        names = [channel.name for channel in self.alerts.channels]
        _refuse_twice(("alerts", "channels"), "name", names)
        for place, channel in enumerate(self.alerts.channels):
            if unknown := sorted(set(channel.homes) - set(homes)):
                raise finding(
                    ("alerts", "channels", place, "homes"), f"found {unknown}; known homes are {homes}"
                )
        refuse_overlapping_tariffs(self.tariffs)
        return self

    def home_of_user(self) -> dict[str, Home]:
        """Map the `name_key` of each feed user to its home."""
        return {name_key(home.feed_user): home for home in self.homes}

    def site_names(self) -> dict[str, str]:
        """Map the `name_key` of each weather site to its name: as in weather_sites, else as in homes."""
        named = [home.weather_site for home in self.homes if home.weather_site is not None]
        return {name_key(name): name for name in [*named[::-1], *(site.name for site in self.weather_sites)]}

    def time_zones(self) -> dict[str, str]:
        """Map each home id to the IANA zone of its calendar."""
        return {home.id: home.time_zone for home in self.homes}

    def owner_of(self, home_id: str) -> str | None:
        """Return the login id of a home's owner, the first if there are several; None if there is none."""
        owners = [p.user for p in self.people if p.role == "owner" and home_id in p.homes]
        return owners[0] if owners else None


def _refuse_twice(section: tuple[str, ...], key: str, values: list[str]) -> None:
    """Raise a `finding` if two entries of a section have the same value of a key.

    values: that of each entry, in order. The error repeats the value unless the key is in UNSPOKEN_KEYS.
    """
    for place, value in enumerate(values):
        if value in values[:place]:
            found = "" if key in UNSPOKEN_KEYS else f"found {value!r} a second time; "
            raise finding((*section, place, key), f"{found}each {key} may stand once")
