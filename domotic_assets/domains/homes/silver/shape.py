"""Splits a sensor file into structure and values, and finds what each value measures.

Thousands of files share a few structures. A file is split into its shape (names only) and its values (in the
same order). Each shape of a home is interpreted once into a plan, and a plan turns whole columns of values
into readings. Whether a value fits is decided in `judgement`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from typing import Any

from domotic_assets.ingest.masking import mask
from domotic_assets.same_name import name_key
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES

# One part of a shape: JSON path of the object with the rooms, category, room as spelled, place in a list or
# 0, and field names; None instead of these for a bare value where a device's readings belong.
Part = tuple[str, str, str | None, int, tuple[str, ...] | None]
Shape = tuple[Part, ...]

SECRET_HEADER = frozenset({"user", "api_token"})
HEADER = SECRET_HEADER | {"datetime"}
FEED = "feed"
"""Category of a bare value that the file has beside its header, under an unknown name."""

DEVICE_ROOM = "house"

NAME_LIMIT = 200
CUT = "…"
"""Marks where a name was cut. A name is repeated in each of its values: a long one would fill the memory."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one value of a shape measures. `kind` is a Kind of the feed, `unknown` or `no_device`."""

    room: str
    device: str
    variable: str
    kind: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    json_path: str


def split(document: Mapping[str, Any]) -> tuple[Shape, list[Any]]:
    """Split a document into its shape and its values, in the shape's order and without the header."""
    parts: list[Part] = []
    values: list[Any] = []
    for category, rooms in document.items():
        if category in HEADER or category.casefold() in SECRET_HEADER:
            continue
        path = f"$.{category}"
        if type(rooms) is not dict:
            parts.append((path, category, None, 0, None))
            values.append(rooms)
            continue
        if category == "meteos" and type(rooms.get("meteo")) is dict and _holds_rooms(rooms["meteo"]):
            # The stations are one level deeper in most files, and directly here in others.
            _split_rooms(path, category, {k: v for k, v in rooms.items() if k != "meteo"}, parts, values)
            path, rooms = f"{path}.meteo", rooms["meteo"]
        _split_rooms(path, category, rooms, parts, values)
    return tuple(parts), values


def _split_rooms(
    path: str, category: str, rooms: dict[str, Any], parts: list[Part], values: list[Any]
) -> None:
    """Append the parts of a category's shape to `parts`, and its values to `values`.

    path: JSON path of `rooms`. rooms: by room as spelled, a device, a list of devices or a bare value.
    """
    for spelling, device in rooms.items():
        if type(device) is dict:
            parts.append((path, category, spelling, 0, tuple(device)))
            values.extend(device.values())
        elif type(device) is list:
            for place, item in enumerate(device, 1):
                if type(item) is dict:
                    parts.append((path, category, spelling, place, tuple(item)))
                    values.extend(item.values())
                else:
                    parts.append((path, category, spelling, place, None))
                    values.append(item)
        else:
            parts.append((path, category, spelling, 0, None))
            values.append(device)


def _holds_rooms(stations: dict[str, Any]) -> bool:
    """Return whether an object holds stations by room: one of its values is an object, or it is empty."""
    return any(type(station) is dict for station in stations.values()) or not stations


def interpret(
    shape: Shape, home: str, rooms: Mapping[str, str], secrets: Collection[str]
) -> tuple[Leaf, ...]:
    """Build one leaf for each value of the shape, in order.

    Names are masked, as a feed could put anything there. rooms: the id of each spelling that sites.yaml
    knows.
    """
    leaves: list[Leaf] = []
    # Cached: a name occurs in many parts, and shortening a long one is slow.
    brief = cache(partial(_brief, secrets=secrets))
    for long_holder, long_category, long_spelling, place, long_fields in shape:
        holder, category = brief(long_holder), brief(long_category)
        spelling = None if long_spelling is None else brief(long_spelling)
        fields = None if long_fields is None else tuple(map(brief, long_fields))
        known = category in CATEGORIES
        if spelling is None:
            leaves.append(_bare_category(home, category, known, secrets))
        elif fields is None and not known and place == 0:
            # An unknown category without rooms: its values are fields of one device of the house.
            room = f"{home}/{DEVICE_ROOM}"
            leaves.append(_leaf(room, category, 1, spelling, f"{holder}.{spelling}", secrets))
        else:
            room = room_id(home, spelling, rooms, secrets)
            path = f"{holder}.{spelling}" + (f"[{place - 1}]" if place else "")
            if fields is None:
                leaves.append(_no_device(room, category, place or 1, path, secrets))
            else:
                leaves.extend(
                    _leaf(room, category, place or 1, field, f"{path}.{field}", secrets) for field in fields
                )
    return tuple(leaves)


def _brief(name: str, secrets: Collection[str]) -> str:
    """Shorten a long name to its beginning and a hash that distinguishes it from others; short ones stay."""
    if len(name) <= NAME_LIMIT:
        return name
    # Masked before the cut: of a secret that is cut in two, a readable piece would stay.
    masked = mask(name, secrets)
    return f"{masked[: NAME_LIMIT // 2]}{CUT}{sha256(masked.encode()).hexdigest()[:12]}"


def room_id(home: str, spelling: str, rooms: Mapping[str, str], secrets: Collection[str]) -> str:
    """Build `home/room`: the id of the name, else its key. rooms: ids by `name_key`."""
    return f"{home}/{rooms.get(name_key(spelling)) or name_key(_part(spelling, secrets)) or '_'}"


def _part(name: str, secrets: Collection[str]) -> str:
    """Turn a name into one part of an id: masked, and without the separators of ids."""
    return mask(name, secrets).replace("/", "_") or "_"


def _device(room: str, category: str, place: int, secrets: Collection[str]) -> str:
    """Build a device's id, `home/room/category/place`. room: `home/room`. An unknown category is masked."""
    return f"{room}/{category if category in CATEGORIES else _part(category, secrets)}/{place}"


def _leaf(room: str, category: str, place: int, field: str, path: str, secrets: Collection[str]) -> Leaf:
    """Build the leaf of a field of a device, with the kind, unit and bounds of its variable.

    room: `home/room`. path: JSON path of the value. An undeclared variable is masked, and of kind `unknown`.
    """
    variable, device = f"{category}.{field}", _device(room, category, place, secrets)
    spec = VARIABLES.get(variable)
    if spec is None:
        return Leaf(room, device, mask(variable, secrets), "unknown", None, None, None, mask(path, secrets))
    return Leaf(room, device, variable, spec.kind, spec.unit, spec.minimum, spec.maximum, mask(path, secrets))


def _no_device(room: str, category: str, place: int, path: str, secrets: Collection[str]) -> Leaf:
    """Build the leaf, of kind `no_device`, of a bare value where the readings of a device belong.

    room: `home/room`. path: JSON path of the value.
    """
    device = _device(room, category, place, secrets)
    return Leaf(room, device, mask(category, secrets), "no_device", None, None, None, mask(path, secrets))


def _bare_category(home: str, category: str, known: bool, secrets: Collection[str]) -> Leaf:
    """Build the leaf of a value where rooms belong: refused in a known category, kept in an unknown one."""
    room = f"{home}/{DEVICE_ROOM}"
    if known:
        return _no_device(room, category, 1, f"$.{category}", secrets)
    return _leaf(room, FEED, 1, category, f"$.{category}", secrets)
