"""Splits a sensor file into structure and values, and finds what each value measures.

Thousands of files share a few structures. A file is split into its shape (names only) and its values (in the
same order). Each shape of a home is interpreted once into a plan, and a plan turns whole columns of values
into readings. Whether a value fits is decided in `judgement`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from itertools import chain
from typing import Any, TypeGuard

from domotic_assets.escaping import without_unseen
from domotic_assets.ingest.masking import mask
from domotic_assets.same_name import name_key, plain_name
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES

# One part of a shape: JSON path of the object with the rooms, category, room as spelled, place in a list or
# 0, path from the room to the device if it is not that place, and field names; None instead of these for a
# bare value where the readings of a device belong.
Part = tuple[str, str, str | None, int, str | None, tuple[str, ...] | None]
Shape = tuple[Part, ...]

HEADER = frozenset({"user", "api_token", "datetime"})
STATIONS = "meteo"
"""Key, in any letter case, below which most files hold the stations by room."""
FEED = "feed"
"""Category of a bare value that the file has beside its header, under an unknown name."""

DEVICE_ROOM = "house"

SHORTEST_SECRET = 3
"""Length from which a user or token is masked: a shorter one tells nothing, and masking it would spoil every
other text."""

NAME_LIMIT = 200
_AFTER_FIGURES, _LETTER = ":", "a"
"""A key that comes before the first may begin with a figure: a quick test whether an object is a list."""
_LONGEST_PLACE = 4
"""Figures of the largest place of a list that an object's keys may state."""
CUT = "…"
"""Marks where a name was cut. A name is repeated in each of its values: a long one would fill the memory."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one value of a shape measures. `kind` is a Kind of the feed, `word`, `unknown` or `no_device`."""

    room: str
    device: str
    variable: str
    kind: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    json_path: str


def split(document: Mapping[str, Any]) -> tuple[Shape, list[Any]]:
    """Split a document into its shape and its values, in the shape's order and without the header.

    Forms that say the same have the same readings: a list, an object with its places (from 0) as keys, and
    for a list of one its item; an empty list or object holds nothing.
    """
    parts: list[Part] = []
    values: list[Any] = []
    for category, rooms in document.items():
        if category in HEADER:
            continue
        path = f"$.{category}"
        if type(rooms) is dict and not next(iter(rooms), _LETTER) < _AFTER_FIGURES:
            _split_stations(path, category, rooms, parts, values)
        else:
            _split_listed(path, category, rooms, parts, values)
    return tuple(parts), values


def split_all(*documents: Mapping[str, Any]) -> tuple[Shape, list[Any]]:
    """Split several documents that together make up one file, one after the other."""
    if len(documents) == 1:
        return split(documents[0])
    split_up = [split(document) for document in documents]
    return tuple(chain.from_iterable(shape for shape, _ in split_up)), [
        value for _, values in split_up for value in values
    ]


def _split_listed(path: str, category: str, rooms: Any, parts: list[Part], values: list[Any]) -> None:
    """Split a known category whose rooms lie in a list; any other value is a bare one."""
    listed = _items(rooms) if category in CATEGORIES and not _names_rooms(rooms) else None
    if listed is not None:
        for _, step, item in listed:
            if type(item) is dict:
                _split_stations(path + step, category, item, parts, values)
            elif item != []:
                parts.append((path + step, category, None, 0, "", None))
                values.append(item)
    elif type(rooms) is dict:
        _split_stations(path, category, rooms, parts, values)
    else:
        parts.append((path, category, None, 0, "", None))
        values.append(rooms)


def _split_stations(
    path: str, category: str, rooms: dict[str, Any], parts: list[Part], values: list[Any]
) -> None:
    """Split the rooms of a category, and those that it holds one level deeper: stations in most files."""
    within = [key for key in rooms if name_key(key) == STATIONS] if category == "meteos" else []
    inner: list[tuple[str, dict[str, Any]]] = []
    for key in within:
        node = rooms[key]
        listed = [(0, "", node)] if _names_rooms(node) else _items(node) or []
        if listed and all(type(item) is dict and _holds_rooms(item) for _, _, item in listed):
            inner += [(f"{path}.{key}{step}", item) for _, step, item in listed]
            rooms = {other: device for other, device in rooms.items() if other != key}
    _split_rooms(path, category, rooms, parts, values)
    for inner_path, item in inner:
        _split_rooms(inner_path, category, item, parts, values)


def _split_rooms(
    path: str, category: str, rooms: dict[str, Any], parts: list[Part], values: list[Any]
) -> None:
    """Append the parts of a category's shape to `parts`, and its values to `values`.

    path: JSON path of `rooms`. rooms: by room as spelled, a device, a list of devices or a bare value.
    """
    for spelling, device in rooms.items():
        # Written out: a call or a path for each device would cost as much as the rest.
        if type(device) is dict and not next(iter(device), _LETTER) < _AFTER_FIGURES:
            parts.append((path, category, spelling, 0, None, tuple(device)))
            values.extend(device.values())
        elif type(device) is list:
            for place, item in enumerate(device, 1):
                if type(item) is dict and not next(iter(item), _LETTER) < _AFTER_FIGURES:
                    parts.append((path, category, spelling, place, None, tuple(item)))
                    values.extend(item.values())
                else:
                    _split_item((path, category, spelling, place), f"[{place - 1}]", item, parts, values)
        else:
            for place, step, item in _items(device) or [(0, "", device)]:
                _split_item((path, category, spelling, place), step, item, parts, values)


def _split_item(
    where: tuple[str, str, str, int], step: str, item: Any, parts: list[Part], values: list[Any]
) -> None:
    """Append the part of a device that does not lie as usual. where: the part's first members."""
    inner = _items(item)
    if inner and len(inner) == 1 and type(inner[0][2]) is dict:
        step, item = step + inner[0][1], inner[0][2]
    if type(item) is dict:
        parts.append((*where, step, tuple(item)))
        values.extend(item.values())
    elif item != []:
        parts.append((*where, step, None))
        values.append(item)


def _items(node: Any) -> list[tuple[int, str, Any]] | None:
    """List place (from 1), path and value of the items of a list, or of an object that is one.

    Such an object has places as keys, counted from 0 as where it comes from: a list that lost an item. So a
    device keeps its place. At least one of its values is an object, or a list. None for any other value.
    """
    if type(node) is list:
        return [(place + 1, f"[{place}]", item) for place, item in enumerate(node)]
    if (
        type(node) is dict
        and all(map(_is_place, node))
        and any(type(v) in (dict, list) for v in node.values())
    ):
        return [(int(key) + 1, f".{key}", item) for key, item in node.items()]
    return None


def _is_place(key: str) -> bool:
    """Return whether a key is the place of an item in a list, as PHP writes it: `0`, `12`, not `012`."""
    return key.isascii() and key.isdecimal() and len(key) <= _LONGEST_PLACE and str(int(key)) == key


def _names_rooms(rooms: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether an object has rooms as keys, be they figures, and not the places of a list of rooms.

    In such a list each item holds devices by room.
    """
    return type(rooms) is dict and not (
        all(map(_is_place, rooms))
        and all(
            type(item) is dict
            and not all(map(_is_place, item))
            and any(type(device) in (dict, list) for device in item.values())
            for item in rooms.values()
        )
    )


def _holds_rooms(stations: dict[str, Any]) -> bool:
    """Return whether an object holds stations by room, and is not a station itself, with bare readings.

    It holds them if one of its values is an object or a list, or none of its keys is a station's variable.
    """
    return any(type(station) in (dict, list) for station in stations.values()) or not any(
        f"meteos.{key}" in VARIABLES for key in stations
    )


def texts_in(document: Mapping[str, Any]) -> int:
    """Count the texts of a document, keys included; its file has twice as many quotes, and escaped ones."""
    found = 0
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if type(node) is dict:
            found += len(node)
            node = node.values()
        for value in node:
            kind = type(value)
            if kind is str:
                found += 1
            elif kind is dict or kind is list:
                waiting.append(value)
    return found


def interpret(
    shape: Shape, home: str, rooms: Mapping[str, str], secrets: Collection[str]
) -> tuple[Leaf, ...]:
    """Build one leaf for each value of the shape, in order.

    Names are masked, as a feed could put anything there. rooms: the id of each spelling that sites.yaml
    knows.
    """
    leaves: list[Leaf] = []
    unseen = (without_unseen(secret) for secret in secrets if not secret.isascii())
    secrets = {*secrets, *(secret for secret in unseen if len(secret) >= SHORTEST_SECRET)}
    # Cached: a name occurs in many parts, and shortening a long one is slow.
    brief = cache(partial(_brief, secrets=secrets))
    for long_holder, long_category, long_spelling, place, step, long_fields in shape:
        holder, category = brief(long_holder), brief(long_category)
        spelling = None if long_spelling is None else brief(long_spelling)
        fields = None if long_fields is None else tuple(map(brief, long_fields))
        known = category in CATEGORIES
        if spelling is None:
            leaves.append(_bare_category(home, category, holder, known, secrets))
        elif fields is None and not known and place == 0:
            # An unknown category without rooms: its values are fields of one device of the house.
            room = f"{home}/{DEVICE_ROOM}"
            leaves.append(_leaf(room, category, 1, spelling, f"{holder}.{spelling}", secrets))
        else:
            room = room_id(home, spelling, rooms, secrets)
            path = f"{holder}.{spelling}" + (step if step is not None else f"[{place - 1}]" if place else "")
            if fields is None:
                leaves.append(_no_device(room, category, place or 1, path, secrets))
            else:
                leaves.extend(
                    _leaf(room, category, place or 1, field, f"{path}.{field}", secrets) for field in fields
                )
    return tuple(leaves)


def _brief(name: str, secrets: Collection[str]) -> str:
    """Shorten a long name to its beginning and a hash that distinguishes it from others; short ones stay.

    What no eye sees is no part of a name.
    """
    name = without_unseen(name)
    if len(name) <= NAME_LIMIT:
        return name
    # Masked before the cut: of a secret that is cut in two, a readable piece would stay.
    masked = mask(name, secrets)
    return f"{masked[: NAME_LIMIT // 2]}{CUT}{sha256(masked.encode()).hexdigest()[:12]}"


def room_id(home: str, spelling: str, rooms: Mapping[str, str], secrets: Collection[str]) -> str:
    """Build `home/room`: the id of the name, else its key. rooms: ids by `name_key`."""
    known = rooms.get(name_key(spelling))
    if known is None:
        # Blanks that are control characters are made plain before a mask would replace them, and so are those
        # of the secrets.
        plain = plain_name(spelling)
        if plain != spelling:
            secrets = {*secrets, *(text for text in map(plain_name, secrets) if len(text) >= SHORTEST_SECRET)}
        known = name_key(_part(plain, secrets)) or "_"
    return f"{home}/{known}"


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
    kind = "word" if spec.is_word else spec.kind
    return Leaf(room, device, variable, kind, spec.unit, spec.minimum, spec.maximum, mask(path, secrets))


def _no_device(room: str, category: str, place: int, path: str, secrets: Collection[str]) -> Leaf:
    """Build the leaf, of kind `no_device`, of a bare value where the readings of a device belong.

    room: `home/room`. path: JSON path of the value.
    """
    device = _device(room, category, place, secrets)
    return Leaf(room, device, mask(category, secrets), "no_device", None, None, None, mask(path, secrets))


def _bare_category(home: str, category: str, path: str, known: bool, secrets: Collection[str]) -> Leaf:
    """Build the leaf of a value where rooms belong: refused in a known category, kept in an unknown one."""
    room = f"{home}/{DEVICE_ROOM}"
    if known:
        return _no_device(room, category, 1, path, secrets)
    return _leaf(room, FEED, 1, category, f"$.{category}", secrets)
