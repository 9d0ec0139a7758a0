"""Joins numbers with the units that fields beside them state: `{"Temperature": 50, "unit": "°F"}`.

What a number with a unit means is decided in `judgement`, as of one that is written as a text.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from domotic_assets.ingest.units import factor_and_offset
from domotic_assets.same_name import joined_name
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES

_UNIT_NAME = re.compile(r"(.*?)units?(?:ofmeasurement)?", re.DOTALL)
_LONGEST_NAME = 60


def names_units(document: Mapping[str, Any]) -> bool:
    """Return whether a known category has a field that is named as a unit."""
    waiting = [rooms for category, rooms in document.items() if category in CATEGORIES]
    while waiting:
        node = waiting.pop()
        if type(node) is dict:
            if any(_unit_of(key) is not None for key in node):
                return True
            waiting += [value for value in node.values() if type(value) in (dict, list)]
        elif type(node) is list:
            waiting += node
    return False


def with_units(document: dict[str, Any]) -> dict[str, Any]:
    """Write numbers as texts with the units beside them; the document itself if it states none."""
    if not names_units(document):
        return document
    return {
        category: _joined(category, rooms) if category in CATEGORIES else rooms
        for category, rooms in document.items()
    }


def _joined(category: str, node: Any) -> Any:
    """Copy a JSON value of a category with units joined to numbers."""
    if type(node) is list:
        return [_joined(category, item) for item in node]
    if type(node) is not dict:
        return node
    units = dict(_units_in(category, node))
    whole: dict[str, Any] = {}
    for key, value in node.items():
        if f"{category}.{key}" in VARIABLES and type(value) is dict:
            value = _quantity(value)
        elif key in units:
            value = f"{value} {units[key]}"
        else:
            value = _joined(category, value)
        whole[key] = value
    return whole


def _quantity(reading: dict[str, Any]) -> Any:
    """Join an object of a value and its unit alone; any other is returned as it is."""
    plain = {joined_name(key): value for key, value in reading.items()}
    number, unit = plain.pop("value", None), plain.pop("unit", None)
    fits = not plain and type(number) in (int, float) and type(unit) is str
    return f"{number} {unit}" if fits else reading


def _units_in(category: str, device: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a device that are numbers, with the unit that another of its fields states.

    `unit` is that of the variables of its quantity, or of all if there are none: they are refused then.
    """
    numbers = {
        key: spec.unit
        for key, value in device.items()
        if type(value) in (int, float)
        and (spec := VARIABLES.get(f"{category}.{key}")) is not None
        and spec.unit is not None
    }
    for key, unit in device.items():
        of = _unit_of(key)
        if of is None or type(unit) is not str or not unit.strip():
            continue
        if of:
            fields = [field for field in numbers if joined_name(field) == of]
        else:
            fields = [field for field, own in numbers.items() if factor_and_offset(unit, own)] or [*numbers]
        yield from ((field, unit) for field in fields)


@lru_cache(maxsize=4096)
def _unit_of(key: str) -> str | None:
    """Return the plain name of the field whose unit a key names, empty for a device's; None otherwise."""
    found = _UNIT_NAME.fullmatch(joined_name(key)) if len(key) <= _LONGEST_NAME else None
    return None if found is None else found[1]
