"""Decides who lives in a home and what is built into it, from seed and home id, never from time.

What people do on a day belongs in `people`; what their machines draw belongs in `appliances`.
"""

import hashlib
from dataclasses import dataclass
from random import Random
from typing import Literal

from domotic_assets.registry.homes import Home

ROOMS = ("Bhroom", "Bdroom", "Livingroom", "Office", "Kitchen", "Laundry")
"""Indoor rooms as the feed spells them."""

PLUG_APPLIANCES = {
    "Kitchen": "fridge", "Laundry": "washer", "Livingroom": "television", "Office": "desk",
    "Bhroom": "boiler",
}  # fmt: skip
"""The appliance on the smart plug of each room."""

UNPLUGGED_APPLIANCES = {"Kitchen": ("stove", "kettle", "dishwasher")}
"""Appliances that only the house meter measures, by room."""

OpeningKind = Literal["Door", "Window"]


@dataclass(frozen=True, slots=True)
class Household:
    """A home's people and sensors."""

    home_id: str
    user: str
    token: str
    people: int
    workers: int
    home_office_share: float
    setpoint_c: float
    base_load_w: float
    appliance_scale: float
    openings: dict[str, tuple[OpeningKind, ...]]
    motion_rooms: tuple[str, ...]
    stations: tuple[str, ...]
    humidity_rooms: tuple[str, ...]
    entrance: str


def token_of(seed: int, home_id: str) -> str:
    """Return the secret that a home's files contain; it is invented, and marked as such."""
    return "simulated-" + hashlib.sha256(f"{seed}/{home_id}/token".encode()).hexdigest()[:54]


def furnish(seed: int, home: Home) -> Household:
    """Decide the household of a home: the same for the same seed and home id, whatever else is simulated."""
    rng = Random(f"{seed}/{home.id}/household")
    people = rng.choice((1, 2, 2, 3, 4))
    openings: dict[str, tuple[OpeningKind, ...]] = {
        "Livingroom": ("Door", "Window"),
        "Kitchen": ("Window",) if rng.random() < 0.5 else ("Door", "Window"),
        "Bdroom": ("Window", "Window"),
        "Bhroom": ("Window",),
    }
    if rng.random() < 0.5:
        openings["Office"] = ("Window",)
    return Household(
        home_id=home.id,
        user=home.feed_user,
        token=token_of(seed, home.id),
        people=people,
        workers=min(people, 2),
        home_office_share=rng.uniform(0.1, 0.5),
        setpoint_c=rng.uniform(20.4, 22.2),
        base_load_w=rng.uniform(55.0, 105.0),
        appliance_scale=rng.uniform(0.85, 1.15),
        openings=openings,
        motion_rooms=("Bhroom", "Kitchen", "Livingroom", "Office" if rng.random() < 0.7 else "Bdroom"),
        stations=("Livingroom", "Office", "Bdroom") if rng.random() < 0.6 else ("Livingroom", "Office"),
        humidity_rooms=("Bhroom", "Laundry") if rng.random() < 0.5 else ("Bhroom",),
        entrance="Livingroom",
    )
