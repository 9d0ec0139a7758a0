"""Good sensor files written otherwise, and what must become of each reading, as the mutation knows it.

A draft starts as a payload with random readings. Each mutation changes how something is written, and notes at
the same time what that costs: a reading, a reject with its reason, a null, or the file with its reason.
"""

import copy
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from domotic_assets_tests.support.builders import FEED_USERS, REGISTRY, ShareFile, name_of, payload

ROOM_IDS = {
    "Bhroom": "bathroom", "Bdroom": "bedroom", "Livingroom": "livingroom", "Office": "office",
    "Kitchen": "kitchen", "Laundry": "laundry", "Outdoor": "outdoor", "House": "house", "Séjour": "sejour",
}  # fmt: skip
SITES = REGISTRY.replace(
    "      House: {", "      Séjour: {id: sejour, name: Salon, type: living}\n      House: {"
)
"""The registry of two homes, with a room whose name is not ASCII."""

Pair = list[Any]
Value = float | str


class Obj(list[Pair]):
    """An object as its pairs of key and value, which may have a key twice."""


@dataclass
class Draft:
    """A file before it is written, and what must become of it.

    values: expected reading by device and variable. refused: expected rejects by device, variable and reason.
    nulls: device and variable of each JSON null. settled: places that a mutation has changed already. reason:
    why the whole file must be quarantined.
    """

    home: str
    at: datetime
    rng: Random
    root: Obj
    values: dict[tuple[str, str], Value]
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    nulls: list[tuple[str, str]] = field(default_factory=list)
    settled: set[Any] = field(default_factory=set)
    reason: str | None = None
    write: Callable[[str], bytes] = lambda text: text.encode()
    applied: list[str] = field(default_factory=list)

    def categories(self) -> Iterator[tuple[str, Obj]]:
        """Category and its rooms, of the categories that lie as usual."""
        for key, node in self.root:
            if isinstance(node, Obj) and id(node) not in self.settled:
                yield key, node

    def rooms(self) -> list[tuple[str, Obj, Pair]]:
        """Category, rooms, and the pair of room and device, of all that lie as usual."""
        found = []
        for category, rooms in self.categories():
            holder = rooms
            if category == "meteos" and rooms and rooms[0][0] == "meteo" and isinstance(rooms[0][1], Obj):
                holder = rooms[0][1]
            found += [(category, holder, pair) for pair in holder if pair[0] in ROOM_IDS]
        return found

    def readings(self) -> list[tuple[tuple[str, str], Pair]]:
        """Device and variable, and the pair of field and value, of each reading that nothing has changed."""
        found = []
        for category, _, (spelling, node) in self.rooms():
            for place, device in enumerate(
                node if isinstance(node, list) and not isinstance(node, Obj) else [node], 1
            ):
                for pair in device:
                    key = (device_id(self.home, spelling, category, place), f"{category}.{pair[0]}")
                    if key not in self.settled:
                        found.append((key, pair))
        return found

    def chosen(self, *fields: str) -> tuple[tuple[str, str], Pair] | None:
        """One reading of these fields (of all if none is given) that nothing has changed, now settled."""
        fitting = [(key, pair) for key, pair in self.readings() if not fields or pair[0] in fields]
        if not fitting:
            return None
        key, pair = self.rng.choice(fitting)
        self.settled.add(key)
        return key, pair

    def plain_room(self, *, listed: bool | None = None) -> tuple[str, Obj, Pair] | None:
        """One room that no mutation has moved, now settled. listed: with a list of devices, or with one."""
        fitting = [
            found
            for found in self.rooms()
            if id(found[2]) not in self.settled and (listed is None or listed == (type(found[2][1]) is list))
        ]
        if not fitting:
            return None
        found = self.rng.choice(fitting)
        self.settled.add(id(found[2]))
        return found


def device_id(home: str, spelling: str, category: str, place: int) -> str:
    return f"{home}/{ROOM_IDS[spelling]}/{category}/{place}"


def told(value: Any) -> Value:
    """A good value of the feed as Silver has it."""
    return {"on": 1.0, "off": 0.0}.get(value, value) if isinstance(value, str) else float(value)


def as_pairs(node: Any) -> Any:
    """Python's JSON as objects of pairs."""
    if isinstance(node, dict):
        return Obj([key, as_pairs(value)] for key, value in node.items())
    return [as_pairs(item) for item in node] if isinstance(node, list) else node


def draft_of(home: str, at: datetime, rng: Random) -> Draft:
    """A payload of random readings, as the feed writes it."""
    sections = payload(home, at)
    sections["motions"]["Séjour"] = {"motion": True, "light": 3, "temperature": 21.25}
    for category, rooms in sections.items():
        if not isinstance(rooms, dict):
            continue
        for node in (rooms["meteo"] if category == "meteos" else rooms).values():
            for device in node if isinstance(node, list) else [node]:
                for name, value in device.items():
                    if isinstance(value, bool):
                        device[name] = rng.random() < 0.5
                    elif isinstance(value, int | float) and not name.startswith("time"):
                        device[name] = round(value * rng.uniform(0.9, 1.1), rng.randrange(4))
                    elif value in ("on", "off"):
                        device[name] = rng.choice(["on", "off"])
    draft = Draft(home, at, rng, as_pairs(sections), {})
    draft.values = {key: told(pair[1]) for key, pair in draft.readings()}
    return draft


# --- One value ---------------------------------------------------------------------------------------

# Field, a unit as it may be spelled, and the value in that unit of 1 and of 0 in the feed's unit.
UNITS: tuple[tuple[str, tuple[str, ...], float, float], ...] = (
    ("temperature", ("°C", "C", "deg C", "celsius", "℃"), 1, 0),
    ("temperature", ("°F", "F", "Fahrenheit"), 33.8, 32),
    ("temperature", ("K", "kelvin"), 274.15, 273.15),
    ("Temperature", ("°F", "degF"), 33.8, 32),
    ("power", ("W", "watts"), 1, 0),
    ("power", ("kW", "KW"), 0.001, 0),
    ("power", ("mW",), 1000, 0),
    ("total", ("kWh", "kilowatt hours"), 0.001, 0),
    ("total", ("J",), 3600, 0),
    ("total", ("MJ",), 0.0036, 0),
    ("total_power", ("MW",), 0.000001, 0),
    ("Pressure", ("Pa",), 100, 0),
    ("Pressure", ("mbar", "mb"), 1, 0),
    ("Pressure", ("bar",), 0.001, 0),
    ("CO2", ("ppm", "PPM"), 1, 0),
    ("Humidity", ("%", "percent"), 1, 0),
    ("humidity", ("ratio",), 0.01, 0),
    ("light", ("lx", "lux"), 1, 0),
    ("voltage1", ("V", "volts"), 1, 0),
    ("voltage2", ("kV",), 0.001, 0),
    ("current1", ("mA",), 1000, 0),
    ("Noise", ("dB", "dB(A)"), 1, 0),
)
FOREIGN_UNITS = ("furlong", "k", "mw", "°", "Wh/d", "€", "kJ/m²")


def unit(draft: Draft) -> bool:
    """A number becomes a text that names its unit."""
    name, spellings, one, zero = draft.rng.choice(UNITS)
    found = draft.chosen(name)
    if found is None:
        return False
    _, pair = found
    written = f"{pair[1] * (one - zero) + zero:.12f}".rstrip("0")
    written += "0" if written.endswith(".") else ""
    if draft.rng.random() < 0.3 and len(written.partition(".")[2]) != 3:
        written = written.replace(".", ",")
    blank = draft.rng.choice([" ", "", "\u00a0", "  "])
    pair[1] = f"{written}{blank}{draft.rng.choice(spellings)}"
    return True


def foreign_unit(draft: Draft) -> bool:
    """A number with a unit that nobody knows, or one of another quantity."""
    found = draft.chosen("power", "Temperature", "Pressure", "CO2", "light", "total")
    if found is None:
        return False
    refuse(draft, found[0], "unit_unknown")
    found[1][1] = f"{found[1][1]} {draft.rng.choice(FOREIGN_UNITS)}"
    return True


KINDS = {
    "Door": ("door", "DOOR", "Door ", "Tür", "tuer", "porte", "Porta", "puerta", "PORTE"),
    "Window": ("window", "WINDOW", "Window ", "Fenster", "fenêtre", "FENÊTRE", "janela", "Fereastră"),
}  # fmt: skip
STATES = {
    "on": ("On", "ON ", "open", "Offen", "auf", "ouvert", "ouverte", "aperto", True, 1, "true", "1"),
    "off": ("Off", "closed", "zu", "Geschlossen", "fermé", "FERMÉE", "chiuso", False, 0, "false", "0"),
}  # fmt: skip


def word(draft: Draft) -> bool:
    """Another word for the same kind or state of an opening."""
    found = draft.chosen("type") if draft.rng.random() < 0.5 else opening_switch(draft)
    if found is None:
        return False
    pair = found[1]
    pair[1] = draft.rng.choice((KINDS if pair[0] == "type" else STATES)[pair[1]])
    return True


def foreign_word(draft: Draft) -> bool:
    """A word that nobody knows."""
    found = draft.chosen("type") if draft.rng.random() < 0.5 else opening_switch(draft)
    if found is None:
        return False
    refuse(draft, found[0], "unknown_word" if found[1][0] == "type" else "not_a_state")
    found[1][1] = draft.rng.choice(["hatch", "???", "Ventil", "", "x" * 300])
    return True


def opening_switch(draft: Draft) -> tuple[tuple[str, str], Pair] | None:
    fitting = [(key, pair) for key, pair in draft.readings() if key[1] == "doorsWindows.switch"]
    found = draft.rng.choice(fitting) if fitting else None
    if found is not None:
        draft.settled.add(found[0])
    return found


ODD_NUMBERS: tuple[tuple[Any, str | None], ...] = (
    (None, None), (True, "not_a_number"), ("21,5", "not_a_number"), ("17.62.1", "not_a_number"),
    ("n/a", "not_a_number"), ("", "not_a_number"), ([], "not_a_number"), ({}, "not_a_number"),
    ([7], "not_a_number"), (float("nan"), "not_finite"), (float("inf"), "not_finite"),
    (10**400, "not_finite"),
)  # fmt: skip


def odd_value(draft: Draft) -> bool:
    """A null, or no number at all, where a number belongs."""
    found = draft.chosen(
        "power", "total", "Temperature", "CO2", "light", "battery", "humidity", "voltage3", "pf1"
    )
    if found is None:
        return False
    value, reason = draft.rng.choice(ODD_NUMBERS)
    if reason is None:
        del draft.values[found[0]]
        draft.nulls.append(found[0])
    else:
        refuse(draft, found[0], reason)
    found[1][1] = as_pairs(value)
    return True


def refuse(draft: Draft, key: tuple[str, str], reason: str) -> None:
    del draft.values[key]
    draft.refused[*key, reason] += 1


# --- Said twice --------------------------------------------------------------------------------------


def other(value: Any) -> Any:
    """Another good value of the same variable."""
    if isinstance(value, bool):
        return not value
    return (
        {"on": "off", "off": "on", "Door": "Window", "Window": "Door"}[value]
        if isinstance(value, str)
        else value + 1
    )


def field_twice(draft: Draft) -> bool:
    """A field stands twice in a device; the last counts."""
    rooms = [(c, pair) for c, _, pair in draft.rooms()]
    category, (spelling, node) = draft.rng.choice(rooms)
    place, device = draft.rng.choice(list(enumerate(node, 1))) if type(node) is list else (1, node)
    pairs = [
        p
        for p in device
        if (device_id(draft.home, spelling, category, place), f"{category}.{p[0]}") not in draft.settled
    ]
    if not pairs:
        return False
    pair = draft.rng.choice(pairs)
    key = (device_id(draft.home, spelling, category, place), f"{category}.{pair[0]}")
    draft.settled.add(key)
    earlier = draft.rng.choice([pair[1], other(pair[1])])
    if earlier != pair[1]:
        draft.refused[*key, "duplicate_reading"] += 1
    device.insert(draft.rng.randrange(device.index(pair) + 1), [pair[0], earlier])
    return True


def room_twice(draft: Draft) -> bool:
    """A room stands twice among its category's, under the same name or another spelling; the last counts."""
    found = draft.plain_room()
    if found is None:
        return False
    category, rooms, pair = found
    repeated = copy.deepcopy(pair[1])
    for place, device in enumerate(repeated if type(repeated) is list else [repeated], 1):
        kept = Obj()
        for name, value in device:
            key = (device_id(draft.home, pair[0], category, place), f"{category}.{name}")
            if key in draft.settled:
                continue
            draft.settled.add(key)
            act = draft.rng.randrange(3)
            if act:
                kept.append([name, value if act == 1 else other(value)])
                draft.refused[*key, "duplicate_reading"] += act == 2
        device[:] = kept
    spelling = pair[0] if draft.rng.random() < 0.5 else respelled(pair[0], draft.rng)
    twin = [spelling, repeated]
    draft.settled.add(id(twin))
    # Kept alive, so that no other pair gets its id.
    draft.applied.append("")
    rooms.insert(draft.rng.randrange(rooms.index(pair) + 1), twin)
    return True


def category_twice(draft: Draft) -> bool:
    """A category stands twice, the first with a room of its own: both count."""
    fitting = [(key, rooms) for key, rooms in draft.categories() if key in ("plugs", "motions", "humidities")]
    if not fitting:
        return False
    category, rooms = draft.rng.choice(fitting)
    if ("twice", category) in draft.settled or any(pair[0] == "Laundry" for pair in rooms):
        return False
    draft.settled.add(("twice", category))
    name = {"plugs": "power", "motions": "light", "humidities": "humidity"}[category]
    value = draft.rng.randrange(1, 90)
    key = (device_id(draft.home, "Laundry", category, 1), f"{category}.{name}")
    draft.values[key] = float(value)
    draft.settled.add(key)
    place = next(at for at, (found, _) in enumerate(draft.root) if found == category)
    draft.root.insert(draft.rng.randrange(place + 1), [category, Obj([["Laundry", Obj([[name, value]])]])])
    return True


def header_twice(draft: Draft) -> bool:
    """The user or the time stands twice, alike."""
    pair = draft.rng.choice([pair for pair in draft.root if pair[0] in ("user", "datetime")])
    draft.root.insert(draft.rng.randrange(len(draft.root)), list(pair))
    return True


# --- Names and forms ---------------------------------------------------------------------------------


def respelled(name: str, rng: Random) -> str:
    """Another spelling of a name."""
    return rng.choice(
        [
            name.lower(),
            name.upper(),
            f" {name}",
            f"{name}  ",
            unicodedata.normalize("NFD", name),
            name.swapcase(),
        ]
    )


def room_name(draft: Draft) -> bool:
    """A room in another spelling."""
    found = draft.plain_room()
    if found is None:
        return False
    # A pair of its own, which no later mutation takes for a room as usual.
    found[1][found[1].index(found[2])] = [f"{respelled(found[2][0], draft.rng)} ", found[2][1]]
    for place in range(1, 4):
        for pair in found[2][1] if type(found[2][1]) is not list else [p for d in found[2][1] for p in d]:
            draft.settled.add((device_id(draft.home, found[2][0], found[0], place), f"{found[0]}.{pair[0]}"))
    return True


def user_name(draft: Draft) -> bool:
    """The user in another spelling."""
    for pair in draft.root:
        if pair[0] == "user":
            pair[1] = draft.rng.choice([pair[1].upper(), pair[1].lower(), f" {pair[1]} "])
    return True


def numbered_list(draft: Draft) -> bool:
    """A list becomes an object with places as keys, and may have lost items."""
    found = draft.plain_room(listed=True)
    if found is None:
        return False
    category, _, pair = found
    items = list(enumerate(pair[1]))
    if len(items) > 1 and draft.rng.random() < 0.5:
        lost = draft.rng.randrange(len(items))
        keys = [
            (device_id(draft.home, pair[0], category, lost + 1), f"{category}.{p[0]}") for p in items[lost][1]
        ]
        if not draft.settled.intersection(keys):
            for key in keys:
                del draft.values[key]
                draft.settled.add(key)
            del items[lost]
    pair[1] = Obj([str(place), device] for place, device in items)
    hide(found)
    return True


def one_of_a_list(draft: Draft) -> bool:
    """A list of one becomes its item, or a device a list of one."""
    found = draft.plain_room()
    if found is None:
        return False
    pair = found[2]
    if type(pair[1]) is not list:
        pair[1] = [pair[1]] if draft.rng.random() < 0.7 else Obj([["0", pair[1]]])
    elif len(pair[1]) == 1:
        pair[1] = pair[1][0] if draft.rng.random() < 0.7 else [pair[1]]
    else:
        pair[1] = [[device] if draft.rng.random() < 0.5 else device for device in pair[1]]
    hide(found)
    return True


def hide(found: tuple[str, Obj, Pair]) -> None:
    """Replace a room's pair by one that no later mutation takes for a room as usual."""
    _, rooms, pair = found
    rooms[rooms.index(pair)] = [f"{pair[0]} ", pair[1]]


def category_listed(draft: Draft) -> bool:
    """A category becomes a list, of one or of each room; or an object with places as keys."""
    usual = [id(rooms) for _, rooms in draft.categories() if rooms]
    fitting = [pair for pair in draft.root if id(pair[1]) in usual]
    if not fitting:
        return False
    pair = draft.rng.choice(fitting)
    rooms = pair[1]
    act = draft.rng.randrange(4)
    if act == 0:
        pair[1] = [rooms]
    elif act == 1:
        pair[1] = [Obj([room]) for room in rooms]
    elif act == 2:
        pair[1] = Obj([["0", rooms]])
    elif pair[0] == "meteos" and rooms[0][0] == "meteo":
        rooms[0][1] = [rooms[0][1]]
        pair[1] = [rooms]
    else:
        pair[1] = [rooms, Obj()]
    draft.settled.add(id(pair[1]))
    return True


def nothing(draft: Draft) -> bool:
    """An empty list or object where a category, a room or a device could be."""
    kind = draft.rng.choice(["room", "category", "list"])
    empty: Any = draft.rng.choice([[], Obj()])
    if kind == "category":
        missing = [name for name in ("motions", "humidities") if all(key != name for key, _ in draft.root)]
        name = missing[0] if missing else "motions"
        if not missing:
            return False
        draft.root.append([name, empty])
        return True
    fitting = [rooms for _, rooms in draft.categories()]
    if not fitting:
        return False
    draft.rng.choice(fitting).append(
        [f"Laundry{draft.rng.randrange(9)}", empty if kind == "room" else [empty]]
    )
    return True


def without(draft: Draft) -> bool:
    """A category is left out."""
    fitting = [
        pair for pair in draft.root if pair[0] in ("motions", "humidities") and isinstance(pair[1], Obj)
    ]
    if not fitting:
        return False
    pair = draft.rng.choice(fitting)
    theirs = [key for key, _ in draft.readings() if f"/{pair[0]}/" in key[0]]
    known = [key for key in draft.values if f"/{pair[0]}/" in key[0]]
    if set(theirs) != set(known) or any(f"/{pair[0]}/" in key[0] for key in [*draft.refused, *draft.nulls]):
        return False
    if sum(key == pair[0] for key, _ in draft.root) > 1:
        return False
    for key in theirs:
        del draft.values[key]
    draft.root.remove(pair)
    return True


# --- The whole file ----------------------------------------------------------------------------------


def list_of_one(draft: Draft) -> bool:
    """The whole document in a list."""
    write = draft.write
    draft.write = lambda text: write(f"[{text}]")
    return True


def code_page(draft: Draft) -> bool:
    """Latin-1, or a Windows code page."""
    encoding = draft.rng.choice(["latin-1", "cp1252"])
    text = written(draft.root, Random(0))
    # Of decomposed letters and signs outside the code page there are none.
    text.encode(encoding)
    draft.write = lambda text: text.encode(encoding)
    return True


def wide(draft: Draft) -> bool:
    """UTF-16, or UTF-8 with a mark."""
    encoding = draft.rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
    draft.write = lambda text: text.encode(encoding)
    return True


def padded(draft: Draft) -> bool:
    """NULs after the end."""
    number = draft.rng.choice([1, 7, 512, 4096])
    draft.write = lambda text: text.encode() + b"\0" * number
    return True


def twice(draft: Draft) -> bool:
    """The document twice in one file."""
    between = draft.rng.choice(["", "\n", "\r\n"])
    draft.write = lambda text: f"{text}{between}{text}".encode()
    return True


def two(draft: Draft) -> bool:
    """Two documents that differ, end to end or in a list."""
    between = draft.rng.choice(["", "\n"])
    draft.write = lambda text: f'{text}{between}{{"user": "{FEED_USERS[draft.home]}"}}'.encode()
    draft.reason = "two_documents"
    return True


def cut(draft: Draft) -> bool:
    """Cut off, and filled up with NULs or not."""
    share, nuls = draft.rng.uniform(0.01, 0.98), draft.rng.choice([0, 3, 4096])
    draft.write = lambda text: text.encode()[: int(len(text) * share)] + b"\0" * nuls
    draft.reason = "nul_padding" if nuls else "not_json"
    return True


def only_nuls(draft: Draft) -> bool:
    """Nothing but NULs."""
    number = draft.rng.choice([1, 2, 4096])
    draft.write = lambda _: b"\0" * number
    draft.reason = "nul_padding"
    return True


def stray_byte(draft: Draft) -> bool:
    """A byte that is neither UTF-8 nor a letter of the code page, in a text of UTF-8."""
    draft.write = lambda text: (
        text.replace('"user"', '"é": "\x00", "user"', 1).encode().replace(b"\x00", b"\x81")
    )
    draft.reason = "not_utf8"
    return True


def ascii_only(draft: Draft) -> bool:
    """Letters that are not ASCII are escaped."""
    draft.write = lambda text: "".join(
        sign if sign.isascii() else json.dumps(sign)[1:-1] for sign in text
    ).encode()
    return True


Mutation = Callable[[Draft], bool]
VALUES: tuple[Mutation, ...] = (unit, unit, foreign_unit, word, word, foreign_word, odd_value, user_name)
REPEATS: tuple[Mutation, ...] = (field_twice, field_twice, room_twice, room_twice, header_twice)
ROOMS: tuple[Mutation, ...] = (room_name, numbered_list, one_of_a_list)
CATEGORIES: tuple[Mutation, ...] = (without, nothing, category_twice, category_listed)
FILES: tuple[Mutation, ...] = (
    list_of_one, code_page, wide, padded, twice, two, cut, only_nuls, stray_byte, ascii_only,
)  # fmt: skip
ORDER = (VALUES, REPEATS, ROOMS, CATEGORIES)


def mutate(draft: Draft) -> None:
    """Apply one to six mutations: those of values first, that of the whole file last."""
    rng = draft.rng
    for kinds in ORDER:
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            apply(draft, rng.choice(kinds))
    if not draft.applied or rng.random() < 0.25:
        apply(draft, rng.choice(FILES))


def apply(draft: Draft, mutation: Mutation) -> None:
    try:
        done = mutation(draft)
    except UnicodeEncodeError:
        # A name in decomposed letters is in no code page.
        done = False
    if done:
        draft.applied.append(mutation.__name__)


def written(node: Any, rng: Random) -> str:
    """A node as JSON, with blanks as they may fall."""
    comma, colon = rng.choice([(", ", ": "), (",", ":"), (",\n  ", " : ")])

    def text_of(part: Any) -> str:
        if isinstance(part, Obj):
            return (
                "{"
                + comma.join(f"{json.dumps(k, ensure_ascii=False)}{colon}{text_of(v)}" for k, v in part)
                + "}"
            )
        if isinstance(part, list):
            return "[" + comma.join(map(text_of, part)) + "]"
        return json.dumps(part, ensure_ascii=False)

    return text_of(node)


def file_of(draft: Draft) -> ShareFile:
    """The file of a draft, arrived with its minute."""
    return ShareFile(name_of(draft.home, draft.at), draft.write(written(draft.root, draft.rng)), draft.at)
