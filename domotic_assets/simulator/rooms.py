"""Simulates the air of a room: temperature, CO2 and moisture, changed by people, windows, sun and heating."""

import math
from dataclasses import dataclass

OUTDOOR_CO2_PPM = 422.0
AIR_CHANGES_PER_H = 0.9
AIR_CHANGES_OPEN_PER_H = 7.0
PERSON_CO2_L_PER_MIN = {True: 0.19, False: 0.31}
"""Exhaled CO2: True for asleep, False for awake."""

PERSON_WATER_G_PER_MIN = 0.85
SHOWER_WATER_G_PER_MIN = 18.0
COOKING_WATER_G_PER_MIN = 9.0
VOLUME_M3 = {
    "Bhroom": 16.0, "Bdroom": 52.0, "Livingroom": 75.0, "Office": 32.0, "Kitchen": 36.0, "Laundry": 14.0,
}  # fmt: skip


def saturation_g_m3(temperature_c: float) -> float:
    """Return how many grams of water a cubic metre of air can hold (Magnus)."""
    pressure_hpa = 6.112 * math.exp(17.62 * temperature_c / (243.12 + temperature_c))
    return 216.7 * pressure_hpa / (273.15 + temperature_c)


@dataclass(slots=True)
class Air:
    """The state of a room's air at a minute."""

    volume_m3: float
    temperature_c: float
    co2_ppm: float
    water_g_m3: float

    @property
    def humidity_pct(self) -> float:
        """Relative humidity in percent, at most 99."""
        return min(99.0, 100 * self.water_g_m3 / saturation_g_m3(self.temperature_c))

    def step(
        self,
        *,
        outdoor_c: float,
        outdoor_water_g_m3: float,
        sun_w_m2: float,
        home_c: float,
        setpoint_c: float,
        awake: int,
        asleep: int,
        open_windows: int,
        heat_w: float,
        water_g: float,
    ) -> None:
        """Advance by a minute. home_c: mean of the home's rooms, which walls and doors pull towards."""
        people = awake + asleep
        change_k = (outdoor_c - self.temperature_c) / 2600 + (home_c - self.temperature_c) / 420
        if open_windows:
            change_k += (outdoor_c - self.temperature_c) * min(2, open_windows) / 110
        # Blinds come down when it is warm inside.
        change_k += sun_w_m2 * (2.6e-6 if self.temperature_c < 24.5 else 0.5e-6)
        change_k += (people * 75 + heat_w * 0.35) / (self.volume_m3 * 9000)
        if self.temperature_c < setpoint_c:
            change_k += min(0.055, (setpoint_c - self.temperature_c) * 0.035)
        self.temperature_c += change_k

        changes_per_min = (AIR_CHANGES_OPEN_PER_H * min(2, open_windows) + AIR_CHANGES_PER_H) / 60
        exhaled_l = awake * PERSON_CO2_L_PER_MIN[False] + asleep * PERSON_CO2_L_PER_MIN[True]
        self.co2_ppm += exhaled_l * 1000 / self.volume_m3 - (self.co2_ppm - OUTDOOR_CO2_PPM) * changes_per_min
        self.water_g_m3 += (people * PERSON_WATER_G_PER_MIN + water_g) / self.volume_m3
        self.water_g_m3 -= (self.water_g_m3 - outdoor_water_g_m3) * changes_per_min
        self.water_g_m3 = min(self.water_g_m3, saturation_g_m3(self.temperature_c))
