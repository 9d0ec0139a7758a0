"""Splits a sensor file into structure and values, and finds what each value measures.

Thousands of files share a few structures. A file is split into its shape (names only) and its values (in the
same order). Each shape of a home is interpreted once into a plan, and a plan turns whole columns of values
into readings. Whether a value fits is decided in `judgement`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeGuard

from domotic_assets.escaping import without_unseen
from domotic_assets.ingest.harmless import hidden_name, is_harmless, shown_text
from domotic_assets.ingest.secrets import NO_SECRETS, Secrecy, Secrets, passes, secrecy_of
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

_UNDECLARED: Mapping[Secrecy, str] = {
    Secrecy.NONE: "unknown",
    Secrecy.TEXTS: "private",
    Secrecy.ALL: "secret",
}
"""Kind of an undeclared variable by what its keys say."""

_AFTER_FIGURES, _LETTER = ":", "a"
"""A key that comes before the first may begin with a figure: a quick test whether an object is a list."""
_LONGEST_PLACE = 4
"""Figures of the largest place of a list that an object's keys may state."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one value of a shape measures.

    kind: a Kind of the feed, `word`, `unknown`, `no_device`, `secret` if a key says that it is one, or
    `private` if a key says so of its texts alone.
    """

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


class Naming:
    """Names what a home's files name, as it may leave Bronze.

    key: makes the names that are made of a hash the home's own (`harmless.hidden_name`). secrets: user and
    token, beside which a name must pass: no value of a file changes the name of another. hides, free: whether
    a name was hidden so far, and the names of unknown rooms, fields and categories that were not.
    """

    def __init__(self, rooms: Mapping[str, str], key: str = "", secrets: Secrets = NO_SECRETS) -> None:
        self._rooms = rooms
        self._key = key
        self._secrets = secrets
        self._known: dict[str, str] = {}
        self.hides = False
        self.free: set[str] = set()

    def name(self, name: str) -> str:
        """Return a name as it is if it passes, its accents composed, else one made of a hash."""
        found = self._known.get(name)
        if found is None:
            if passes(name, self._secrets):
                found = shown_text(name)
                self.free.add(found)
            else:
                found = hidden_name(name, self._key)
                self.hides = True
            self._known[name] = found
        return found

    def known_room(self, spelling: str) -> str | None:
        """Return the id of a room that sites.yaml names; None for any other."""
        return self._rooms.get(name_key(spelling))

    def room(self, spelling: str) -> str:
        """Return the id of a room's name, else the key of its name, or a name made of a hash."""
        known = self.known_room(spelling)
        return known or name_key(self.name(plain_name(spelling))).replace("/", "_") or "_"

    def room_in_path(self, spelling: str) -> str:
        """Return how a JSON path names a room: as spelled, if its form is harmless."""
        known = self.known_room(spelling)
        if known is None:
            return self.name(plain_name(spelling))
        return plain_name(spelling) if is_harmless(spelling) else known


@dataclass(frozen=True, slots=True)
class Interpreted:
    """The leaves of a shape, and what its names tell.

    free: names in it that were let pass by their form. hides: whether others were hidden. tells_secrets:
    whether a key says that what it holds is a secret.
    """

    leaves: tuple[Leaf, ...]
    free: frozenset[str]
    hides: bool
    tells_secrets: bool


def interpret(shape: Shape, home: str, naming: Naming) -> Interpreted:
    """Build one leaf for each value of the shape, in order.

    Names pass by their form, as a feed could put anything there.
    """
    leaves: list[Leaf] = []
    for part in shape:
        holder, category, spelling, place, step, fields = map(_seen, part)
        known = category in CATEGORIES
        secrecy = Secrecy.NONE if known else secrecy_of(category)
        shown = category if known else naming.name(category)
        path = f"$.{shown}{_steps(holder, category)}"
        if spelling is None:
            leaves.append(_bare_category(home, shown, path, known, secrecy))
            continue
        # A room that sites.yaml names is one, whatever its name means elsewhere.
        if naming.known_room(spelling) is None:
            secrecy = max(secrecy, secrecy_of(spelling))
        if fields is None and not known and place == 0:
            # An unknown category without rooms: its values are fields of one device of the house.
            field = naming.name(spelling)
            leaves.append(_leaf(f"{home}/{DEVICE_ROOM}", shown, 1, field, f"{path}.{field}", secrecy))
            continue
        room = f"{home}/{naming.room(spelling)}"
        path += f".{naming.room_in_path(spelling)}"
        path += step if step is not None else f"[{place - 1}]" if place else ""
        if fields is None:
            leaves.append(_no_device(room, shown, place or 1, path, secrecy))
            continue
        for field in fields:
            # A declared field of a device is typed: no text of it passes, whatever its room is called.
            is_declared = f"{category}.{field}" in VARIABLES
            told = field if is_declared else naming.name(field)
            of_field = Secrecy.NONE if is_declared else max(secrecy, secrecy_of(field))
            leaves.append(_leaf(room, shown, place or 1, told, f"{path}.{told}", of_field))
    return Interpreted(
        tuple(leaves),
        frozenset(naming.free),
        naming.hides,
        any(leaf.kind in ("secret", "private") for leaf in leaves),
    )


def _seen(part: Any) -> Any:
    """Return a name, or names, of a shape without the signs that no eye sees: they are no part of it."""
    if type(part) is tuple:
        return tuple(map(without_unseen, part))
    return without_unseen(part) if type(part) is str else part


def _steps(holder: str, category: str) -> str:
    """Show the steps of a JSON path from a category to the object with its rooms, as `split` made them."""
    steps = holder.removeprefix(f"$.{category}")
    return "".join(steps.split()) if steps.isascii() else f".{STATIONS}"


def _device(room: str, category: str, place: int) -> str:
    """Build a device's id, `home/room/category/place`. room: `home/room`."""
    return f"{room}/{category.replace('/', '_')}/{place}"


def _leaf(room: str, category: str, place: int, field: str, path: str, secrecy: Secrecy) -> Leaf:
    """Build the leaf of a field of a device, with the kind, unit and bounds of its variable.

    room: `home/room`. path: JSON path of the value. An undeclared variable is of kind `unknown`, what a key
    calls secret of kind `secret`, and what a key measures that calls its texts so of kind `private`.
    """
    device, variable = _device(room, category, place), f"{category}.{field}"
    spec = VARIABLES.get(variable)
    if secrecy or spec is None:
        return Leaf(room, device, variable, _UNDECLARED[secrecy], None, None, None, path)
    kind = "word" if spec.is_word else spec.kind
    return Leaf(room, device, variable, kind, spec.unit, spec.minimum, spec.maximum, path)


def _no_device(room: str, category: str, place: int, path: str, secrecy: Secrecy) -> Leaf:
    """Build the leaf, of kind `no_device`, of a bare value where the readings of a device belong.

    room: `home/room`. path: JSON path of the value.
    """
    kind = "secret" if secrecy else "no_device"
    return Leaf(room, _device(room, category, place), category, kind, None, None, None, path)


def _bare_category(home: str, category: str, path: str, known: bool, secrecy: Secrecy) -> Leaf:
    """Build the leaf of a value where rooms belong: refused in a known category, kept in an unknown one."""
    room = f"{home}/{DEVICE_ROOM}"
    if known:
        return _no_device(room, category, 1, path, secrecy)
    return _leaf(room, FEED, 1, category, path, secrecy)
