"""Sensor files and forecasts made wrong on purpose: in their structure, then now and then in their bytes.

Everything follows from the random numbers given, so a seed makes the same files again. What should become
of a file is judged elsewhere.
"""

import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from domotic_assets_tests.support.builders import API_TOKENS, FEED_USERS

MOST_BYTES = 400_000
"""A mutation that repeats itself stops growing here."""


class Literal(str):
    """A text that is written into JSON as it stands, quotes and validity aside."""


def _deep(levels: int) -> Literal:
    return Literal("[" * levels + "]" * levels)


_TEXTS: Sequence[str] = (
    "", " ", "0", "on", "off", "On", "true", "null", "NaN", "21,5", "n/a", "1e3", "0x10", "١٢", "\x00",
    "a\x00b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "é" * 200, "𝕏" * 300, "a" * 501, "x" * 20_000,
    "Door", "Window", "meteo", "plugs", "House", "user", "api_token", "API_TOKEN", "datetime", "total",
    "power", "switch", "../../etc/passwd", "/etc/passwd", "C:\\x", "a/b", "a.b", "a", "a[0]", "[0]", "$",
    "*", "***", '"', "\\", "\n", "%s", "{}", "31.08.2023 21:44", "29.10.2023 02:30", "26.03.2023 02:30",
    "31.02.2023 10:00", "01.01.0001 00:00", "31.12.9999 23:59", "2023-08-31T21:44", FEED_USERS["jimmy"],
    FEED_USERS["jeremie"].upper(), API_TOKENS["jimmy"],
)  # fmt: skip
_NUMBERS: Sequence[Any] = (
    0, 1, -1, -0.0, 0.1, 255, -273.16, 1e9, 2**31, 2**53 + 1, 2**63, -(2**64), 1e308, 5e-324, float("nan"),
    float("inf"), float("-inf"), 1693511040, 1693511040.5, 1693511040000, 10**299, Literal("1e999"),
    Literal("-1E+400"), Literal("9" * 299), Literal("9" * 310), Literal("-" + "9" * 5_000),
    Literal("1." + "3" * 2_000), Literal("0" * 40 + "1"), Literal("1e-99999999"), Literal("-"),
    Literal("+1"), Literal("1_0"),
)  # fmt: skip
_OTHERS: Sequence[Any] = (
    None, True, False, [], {}, [[]], [{}], {"": {}}, {"a": None}, [None], [1, "a", None, {}],
    {"a": {"b": {"c": []}}}, _deep(20), _deep(255), _deep(257), _deep(5_000),
    Literal('{"a":' * 300 + "1" + "}" * 300), Literal("undefined"), Literal(""),
    {str(n): n for n in range(300)}, [{"type": "Door", "switch": "on"}] * 30,
)  # fmt: skip


def _odd(chance: Random) -> Any:
    return copy.deepcopy(chance.choice(chance.choice((_TEXTS, _NUMBERS, _OTHERS))))


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) below a node."""
    found: list[tuple[Any, Any]] = []
    waiting = [node]
    while waiting:
        holder = waiting.pop()
        for key in list(holder) if type(holder) is dict else range(len(holder)):
            found.append((holder, key))
            if type(holder[key]) in (dict, list):
                waiting.append(holder[key])
    return found


def mutated(suffix: str, content: bytes, chance: Random) -> bytes:
    """A file of this kind made wrong; raises ValueError where the bytes have no structure to change."""
    if suffix == ".csv":
        return encoded(mutated_forecast(content.decode(), chance), chance)
    document = json.loads(content)
    if type(document) is not dict:
        raise ValueError("no object")
    return encoded(as_json(mutated_document(document, chance), chance), chance)


def mutated_document(document: dict[str, Any], chance: Random) -> dict[str, Any]:
    """A copy with one to some ten things changed: values, types, names, nesting, lists."""
    changed: dict[str, Any] = copy.deepcopy(document)
    for _ in range(1 + min(int(chance.expovariate(0.5)), 10)):
        places = _places(changed)
        if not places:
            break
        # The header is three places of a hundred, and decides over the whole file.
        holder, key = chance.choice(
            [p for p in places if p[0] is changed] if chance.random() < 0.2 else places
        )
        _change(changed, holder, key, chance)
    return changed


def _change(document: dict[str, Any], holder: Any, key: Any, chance: Random) -> None:
    """One change at one place."""
    value = holder[key]
    match chance.randrange(9):
        case 0 | 1:
            holder[key] = _odd(chance)
        case 2:
            del holder[key]
        case 3 if type(holder) is dict:
            name = chance.choice((key.upper(), key + " ", key + "\x00", chance.choice(_TEXTS)))
            holder[name] = holder.pop(key)
        case 4:
            holder[key] = chance.choice(([value], {"meteo": value}, {"x": value}, [value, value, None]))
        case 5:
            holder[key] = str(value) if chance.random() < 0.5 else value == "on"
        case 6 if type(holder) is dict:
            holder[chance.choice(_TEXTS)] = _odd(chance)
        case 7:
            other, place = chance.choice(_places(document))
            if len(json.dumps(document, default=str)) < MOST_BYTES:
                other[place] = copy.deepcopy(value)
        case _ if type(value) is list and len(value) < 5_000:
            holder[key] = value * chance.choice((2, 3, 20))
        case _ if type(value) in (int, float):
            holder[key] = chance.choice(_NUMBERS)
        case _:
            holder[key] = _odd(chance)


def as_json(value: Any, chance: Random) -> str:
    """JSON text; now and then a key stands twice, and signs are spelled out or not."""
    if isinstance(value, Literal):
        return str(value)
    if type(value) is dict:
        pairs = [f"{json.dumps(key)}: {as_json(item, chance)}" for key, item in value.items()]
        if pairs and chance.random() < 0.01:
            pairs.append(f"{json.dumps(chance.choice(list(value)))}: {as_json(_odd(chance), chance)}")
        return "{" + ", ".join(pairs) + "}"
    if type(value) is list:
        return "[" + ", ".join(as_json(item, chance) for item in value) + "]"
    return json.dumps(value, ensure_ascii=chance.random() < 0.5)


_CODECS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "cp1252")


def encoded(text: str, chance: Random) -> bytes:
    """The text's bytes: mostly clean UTF-8, else in another encoding, cut, doubled or damaged."""
    content = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.75:
        return content
    place = chance.randrange(len(content) + 1)
    match chance.randrange(6):
        case 0:
            return text.encode(chance.choice(_CODECS), "replace")
        case 1:
            return content[:place]
        case 2:
            return content + content[:place]
        case 3:
            flipped = bytearray(content)
            for _ in range(chance.randrange(1, 9)):
                if flipped:
                    flipped[chance.randrange(len(flipped))] = chance.randrange(256)
            return bytes(flipped)
        case 4:
            return content[:place] + chance.randbytes(chance.randrange(1, 40)) + content[place:]
        case _:
            return chance.choice(
                (b"", b"\x00" * 64, b"null", b"[]", b"{}", b"\xff\xfe", b"\xef\xbb\xbf" + content)
            )


def renamed(name: str, chance: Random) -> str:
    """The name of a mutated file: mostly as it was, so that the file is read at all."""
    if chance.random() < 0.95:
        return name
    place = chance.randrange(len(name) - len(".json"))
    return name[:place] + chance.choice(("é", "\x00", "/", "..", "9", "_", " ", "Jimmy")) + name[place + 1 :]


_FIELDS: Sequence[str] = (
    "", " ", "-99999.0", "-99999", "NaN", "inf", "-inf", "1e999", "9" * 400, "21,5", "n/a", "0x1", "1_0",
    "+1", "١٢", '"', '""', '"a', 'a"b', "Aadorf / Tänikon", "\ufeff", "\x00", "é" * 300, "x" * 5_000,
    "PRED_T_2M_ctrl", "PRED_T_2M_", "_ctrl", "_", "PRED_NEW_q10", "00", "0000", "00000", "33", "-1", "1.5",
    "2023-01-05 00:00:00+00:00", "2023-01-05 00:00:00", "2023-01-05T24:00:00Z", "0001-01-01 00:00:00+14:00",
    "9999-12-31 23:59:59-14:00", "2023-02-30 00:00:00+00:00", "2023-01-05 00:00:00+99:99", "NaT",
    FEED_USERS["jimmy"], "=1+1", "\u2028", "\x85", "\x0b", "\x1c",
)  # fmt: skip
_SEPARATORS = (";", "\t", "|", ", ", ",,", "\x1f")
_ENDS = ("\r\n", "\r", "\n\n", "\n\r", "\u2028", "\x00\n")


def mutated_forecast(text: str, chance: Random) -> str:
    """A forecast with one to some ten things changed: fields, quotes, lines, separators."""
    rows = [line.split(",") for line in text.split("\n")]
    for _ in range(1 + min(int(chance.expovariate(0.4)), 10)):
        # The header decides over the whole file.
        place = 0 if chance.random() < 0.1 else chance.randrange(len(rows))
        chance.choice(_ROW_CHANGES)(rows, place, chance)
        if not rows:
            break
    separator = chance.choice(_SEPARATORS) if chance.random() < 0.05 else ","
    end = chance.choice(_ENDS) if chance.random() < 0.1 else "\n"
    return end.join(separator.join(row) for row in rows)


def _change_field(rows: list[list[str]], place: int, chance: Random) -> None:
    if rows[place]:
        rows[place][chance.randrange(len(rows[place]))] = chance.choice(_FIELDS)


def _drop_field(rows: list[list[str]], place: int, chance: Random) -> None:
    if rows[place]:
        del rows[place][chance.randrange(len(rows[place]))]


def _add_field(rows: list[list[str]], place: int, chance: Random) -> None:
    rows[place].insert(chance.randrange(len(rows[place]) + 1), chance.choice(_FIELDS))


def _quote_field(rows: list[list[str]], place: int, chance: Random) -> None:
    if rows[place]:
        number = chance.randrange(len(rows[place]))
        rows[place][number] = chance.choice(('"{}"', ' "{}" ', '"{}', '{}"', '"{}""', "'{}'")).format(
            rows[place][number]
        )


def _drop_row(rows: list[list[str]], place: int, _: Random) -> None:
    del rows[place]


def _repeat_row(rows: list[list[str]], place: int, chance: Random) -> None:
    rows[place:place] = [list(rows[place]) for _ in range(chance.choice((1, 2, 100)))]


def _swap_fields(rows: list[list[str]], place: int, chance: Random) -> None:
    chance.shuffle(rows[place])


def _move_row(rows: list[list[str]], place: int, chance: Random) -> None:
    rows.insert(chance.randrange(len(rows) + 1), rows.pop(place))


_ROW_CHANGES: Sequence[Callable[[list[list[str]], int, Random], None]] = (
    _change_field, _change_field, _change_field, _drop_field, _add_field, _quote_field, _drop_row,
    _repeat_row, _swap_fields, _move_row,
)  # fmt: skip
