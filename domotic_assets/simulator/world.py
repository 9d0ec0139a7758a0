"""Simulates a home as it truly is, minute by minute: people, machines, openings, air and what sensors read.

How readings are written belongs in `payload`; what goes wrong on the way belongs in `defects`. A world
depends only on seed, home and start, so neither other homes nor defects change it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from random import Random

from domotic_assets.localtime import MINUTE, zone
from domotic_assets.registry.homes import Home
from domotic_assets.simulator.appliances import PHASE, STANDBY_W, Fridge, HouseMeter, Plug, profiles
from domotic_assets.simulator.household import PLUG_APPLIANCES, ROOMS, OpeningKind, furnish
from domotic_assets.simulator.people import ASLEEP, AWAY, BEDROOM, DayPlan, plan_day
from domotic_assets.simulator.rooms import (
    COOKING_WATER_G_PER_MIN,
    SHOWER_WATER_G_PER_MIN,
    VOLUME_M3,
    Air,
    saturation_g_m3,
)
from domotic_assets.simulator.sky import Sky, Weather, named_site

DEFAULT_SITE = "Sion"
HEATING_BELOW_C = 14.0
"""Outdoor temperature under which the heating runs."""


@dataclass(slots=True)
class Battery:
    """A battery that drains, and is replaced when it is nearly empty."""

    level_pct: float
    drain_pct_per_min: float

    def step(self) -> None:
        """Advance by a minute."""
        self.level_pct -= self.drain_pct_per_min
        if self.level_pct < 4.0:
            self.level_pct = 100.0

    @property
    def percent(self) -> int:
        """Whole percent left, as the device reports it."""
        return int(self.level_pct)


@dataclass(slots=True)
class Opening:
    """A door or window with its contact sensor."""

    kind: OpeningKind
    battery: Battery
    open_minutes_left: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is open in this minute."""
        return self.open_minutes_left > 0


@dataclass(slots=True)
class Motion:
    """A motion sensor's reading."""

    seen: bool = False
    light_lux: float = 0.0
    temperature_c: float = 20.0


class World:
    """One home. `step` advances it by a minute; the attributes then hold that minute."""

    def __init__(self, seed: int, home: Home, start: datetime) -> None:
        rng = Random(f"{seed}/{home.id}/{start:%Y-%m-%dT%H:%M}/world")
        self.home = home
        self.household = furnish(seed, home)
        self.utc = start.astimezone(UTC) - MINUTE
        self.clock = self.utc
        self.local = self.utc
        self.plugs = {room: Plug(rng.randint(3_000_000, 520_000_000)) for room in PLUG_APPLIANCES}
        self.meter = HouseMeter()
        self.openings = {
            room: [Opening(kind, _battery(rng, 0.02, 0.25)) for kind in kinds]
            for room, kinds in self.household.openings.items()
        }
        self.motions = {room: Motion() for room in self.household.motion_rooms}
        self.station_batteries = {
            room: _battery(rng, 0.1, 0.5) for room in (*self.household.stations, "Outdoor")
        }
        self.humidity_batteries = {room: _battery(rng, 0.05, 0.3) for room in self.household.humidity_rooms}
        self.air = {
            room: Air(VOLUME_M3[room], self.household.setpoint_c + rng.uniform(-0.5, 0.5), 600.0, 8.5)
            for room in ROOMS
        }
        self.people_awake = dict.fromkeys(ROOMS, 0)
        self.people_asleep = 0
        self.noise_db = dict.fromkeys(ROOMS, 30.0)
        self._seed = seed
        self._rng = rng
        self._sky = Sky(seed, named_site(home.weather_site or DEFAULT_SITE))
        self._fridge = Fridge(rng)
        self._clock_zone = zone(home.clock_zone)
        self._time_zone = zone(home.time_zone)
        self._plan_date: date | None = None
        self._plan: DayPlan
        self._profiles: dict[str, list[float]] = {}
        self._showers: frozenset[int] = frozenset()
        self.weather: Weather = self._sky.at(self.utc)

    @property
    def unix(self) -> int:
        """The minute's start in unix seconds."""
        return int(self.utc.timestamp())

    @property
    def people_home(self) -> int:
        """People at home, awake or asleep."""
        return sum(self.people_awake.values()) + self.people_asleep

    def step(self) -> None:
        """Simulate the next minute."""
        self.utc += MINUTE
        self.clock = self.utc.astimezone(self._clock_zone)
        self.local = self.utc.astimezone(self._time_zone)
        if self.local.date() != self._plan_date:
            self._wake_up(self.local.date())
        minute = self.local.hour * 60 + self.local.minute
        self.weather = self._sky.at(self.utc)
        self._place_people(minute)
        self._move_openings(minute)
        loads = self._loads(minute)
        self._measure_energy(loads)
        self._move_air(minute, loads)
        self._sense()

    def _wake_up(self, day: date) -> None:
        """Plan a local day: what people do, the power that appliances then draw, and when showers run."""
        self._plan_date = day
        self._plan = plan_day(self._seed, self.household, day)
        rng = Random(f"{self._seed}/{self.home.id}/{day.isoformat()}/machines")
        self._profiles = profiles(self._plan.uses, self.household.appliance_scale, rng)
        self._showers = frozenset(
            minute
            for use in self._plan.uses
            if use.appliance == "shower"
            for minute in range(use.start, use.start + use.minutes)
        )

    def _place_people(self, minute: int) -> None:
        """Count who is awake in each room and who is asleep, by the day's plan.

        minute: minute of the local day.
        """
        awake = dict.fromkeys(ROOMS, 0)
        asleep = 0
        for place in self._plan.places:
            code = place[minute]
            if code == ASLEEP:
                asleep += 1
            elif code != AWAY:
                awake[ROOMS[code]] += 1
        self.people_awake, self.people_asleep = awake, asleep

    def _move_openings(self, minute: int) -> None:
        """Open and close doors and windows as people air their rooms.

        They air after rising, while cooking, in stale air, and on warm days as long as it cools.
        """
        plan, household = self._plan, self.household
        somebody_awake = any(self.people_awake.values())
        nobody_home = not somebody_awake and not self.people_asleep
        for room, openings in self.openings.items():
            air = self.air[room]
            cooler = self.weather.temperature_c < air.temperature_c - 1.0
            for opening in openings:
                opening.battery.step()
                if opening.open_minutes_left:
                    opening.open_minutes_left -= 1
                    chilled = air.temperature_c < 18.6 or (air.temperature_c > 23.5 and not cooler)
                    if nobody_home or chilled:
                        opening.open_minutes_left = 0
                elif somebody_awake:
                    opening.open_minutes_left = self._reason_to_open(room, opening, minute, cooler)
        if minute in plan.door_minutes:
            self.openings[household.entrance][0].open_minutes_left = 1

    def _reason_to_open(self, room: str, opening: Opening, minute: int, cooler: bool) -> int:
        """Return for how many minutes somebody opens it now; 0 if nobody does."""
        rng, air = self._rng, self.air[room]
        if opening is self.openings[self.household.entrance][0]:
            return 0
        if room == "Bdroom" and minute == self._plan.airing_from:
            return self._plan.airing_minutes
        chance = 0.0
        if self.people_awake[room]:
            chance = 0.06 if air.co2_ppm > 1150 else 0.0004
            if room == "Bhroom" and air.humidity_pct > 72:
                chance = 0.08
            if room == "Kitchen" and self._running("stove", minute):
                chance = 0.06
        if air.temperature_c > 24.0 and cooler:
            chance = max(chance, 0.02)
            return rng.randint(40, 180) if rng.random() < chance else 0
        return rng.randint(5, 14) if chance and rng.random() < chance else 0

    def _running(self, appliance: str, minute: int) -> bool:
        """Return whether the day's plan has the appliance in use and drawing power in this minute.

        minute: minute of the local day.
        """
        line = self._profiles.get(appliance)
        return line is not None and line[minute] > 0

    def _loads(self, minute: int) -> dict[str, float]:
        """Return the watts of every load of the home in this minute."""
        rng = self._rng
        ripple = 0.985 + 0.03 * rng.random()
        loads = {
            name: line[minute] * ripple if line[minute] else STANDBY_W.get(name, 0.0)
            for name, line in self._profiles.items()
        }
        for name in ("washer", "boiler"):
            loads.setdefault(name, STANDBY_W[name])
        cooking = self._running("stove", minute)
        loads["fridge"] = self._fridge.step(self.air["Kitchen"].temperature_c, cooking and rng.random() < 0.1)
        watching = self.people_awake["Livingroom"] > 0 and minute >= 1110
        loads["television"] = 108.0 * ripple if watching else STANDBY_W["television"]
        desk = 64.0 * self.people_awake["Office"]
        loads["desk"] = desk * ripple if desk else STANDBY_W["desk"]
        lit = sum(1 for people in self.people_awake.values() if people)
        loads["lights"] = 26.0 * lit if self.weather.radiation_w_m2 < 60 else 0.0
        loads["base"] = self.household.base_load_w * ripple
        return loads

    def _measure_energy(self, loads: dict[str, float]) -> None:
        """Advance the plugs and the house meter by one minute.

        loads: mean power in W, by name of the load.
        """
        unix = self.unix
        for room, plug in self.plugs.items():
            plug.step(loads[PLUG_APPLIANCES[room]], unix)
        phases = [0.0, 0.0, 0.0]
        for name, watts in loads.items():
            phases[PHASE[name]] += watts
        self.meter.step(phases, self._rng)

    def _move_air(self, minute: int, loads: dict[str, float]) -> None:
        """Advance the air of every room by one minute.

        minute: minute of the local day, which decides whether a shower runs. loads: mean power in W, by name
        of the load; some of it heats the rooms.
        """
        weather = self.weather
        outdoor_water = saturation_g_m3(weather.temperature_c) * weather.humidity_pct / 100
        home_c = sum(air.temperature_c for air in self.air.values()) / len(self.air)
        heated = weather.temperature_c < HEATING_BELOW_C
        heat_w = {
            "Kitchen": loads.get("stove", 0.0) * 0.4 + loads["fridge"],
            "Livingroom": loads["television"],
            "Office": loads["desk"],
            "Laundry": loads["washer"] * 0.08,
        }
        water_g = {
            "Bhroom": SHOWER_WATER_G_PER_MIN if minute in self._showers else 0.0,
            "Kitchen": COOKING_WATER_G_PER_MIN if loads.get("stove", 0.0) else 0.0,
        }
        for room, air in self.air.items():
            openings = self.openings.get(room, ())
            air.step(
                outdoor_c=weather.temperature_c,
                outdoor_water_g_m3=outdoor_water,
                sun_w_m2=weather.radiation_w_m2,
                home_c=home_c,
                setpoint_c=self.household.setpoint_c if heated else -99.0,
                awake=self.people_awake[room],
                asleep=self.people_asleep if room == ROOMS[BEDROOM] else 0,
                open_windows=sum(1 for opening in openings if opening.is_open),
                heat_w=heat_w.get(room, 0.0),
                water_g=water_g.get(room, 0.0),
            )

    def _sense(self) -> None:
        """Set the minute's motion, light, temperature and noise readings.

        Drains the batteries of climate and humidity sensors by one minute.
        """
        rng = self._rng
        for room, motion in self.motions.items():
            people = self.people_awake[room]
            asleep = self.people_asleep if room == ROOMS[BEDROOM] else 0
            motion.seen = rng.random() < (0.82 if people else 0.03 if asleep else 0.0)
            lamp = 135.0 if people and self.weather.radiation_w_m2 < 60 else 0.0
            motion.light_lux = self.weather.radiation_w_m2 * 0.55 + lamp
            motion.temperature_c = self.air[room].temperature_c + 0.4
        for room, people in self.people_awake.items():
            self.noise_db[room] = 30.0 + 3.0 * rng.random() + (9.0 * rng.random() + 4.0 if people else 0.0)
        for battery in (*self.station_batteries.values(), *self.humidity_batteries.values()):
            battery.step()


def _battery(rng: Random, least_pct_per_day: float, most_pct_per_day: float) -> Battery:
    """Make a battery with a random level of 12 to 100 %, and a random drain between the two bounds."""
    return Battery(rng.uniform(12.0, 100.0), rng.uniform(least_pct_per_day, most_pct_per_day) / 1440)
