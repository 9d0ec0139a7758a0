"""Judges values against the kind of their variable: whole columns of one shape, odd values one by one."""

import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import polars as pl

from domotic_assets.domains.homes.silver.shape import Leaf
from domotic_assets.domains.homes.silver.words import flag, opening_kind, opening_state
from domotic_assets.ingest.harmless import LARGEST_NUMBER, is_measure, shown_text
from domotic_assets.ingest.masking import MASK
from domotic_assets.ingest.secrets import SHORTEST_PIECE, Secrets, passes
from domotic_assets.ingest.units import DECIMALS, factor_and_offset, number_and_unit

OPENED: Mapping[type, str] = {dict: "{***}", list: "[***]"}
"""How a refused object or list is shown whose content does not pass: drift tells kinds by these brackets."""


class Beside(NamedTuple):
    """What the values of a file are judged beside: its secrets, and its minute."""

    secrets: Secrets
    minute: datetime | None


BesideOf = Callable[[int], Beside]
"""Returns what the values of a file (by number) are judged beside."""


class State(float, Enum):
    """A word of the feed for the state of a door, window or switch, and the number that represents it."""

    def __new__(cls, number: float, word: str) -> "State":
        state = float.__new__(cls, number)
        state._value_ = word
        return state

    ON = 1.0, "on"
    OFF = 0.0, "off"


_STATES = {state.value: float(state) for state in State}
_PHONE = re.compile(r"\s*(?:\+[0-9]{6}|0[0-9]{4})", re.ASCII)
"""A number in quotes that is written as one of a phone."""
_SHORTEST = {"unknown": SHORTEST_PIECE, "private": SHORTEST_PIECE, "number": 8, "counter": 8, "unix_time": 8}
"""Figures from which a number of these kinds is compared with secrets: short ones are alike by chance."""
_UNDECLARED = frozenset({"unknown", "private"})
_MEASURED = _UNDECLARED | {"number"}
"""Kinds whose numbers are not believed if they are as large as phone numbers: counters and times may be."""
WITHHELD = frozenset({"withheld", "secret"})
"""Reasons of values of which nothing is shown."""
_BARE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_NUMBER_IN_QUOTES = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]{0,4})\.[0-9]{1,4}|0|[1-9][0-9]{0,2})", re.ASCII)
"""A text of an undeclared variable that is a number: short, not written as a phone's or a code."""
_MODE = "manuel"
"""A mode of heating in French, and a name of people: it passes as a mode alone."""
_NUMBERS, _FLAGS, _TEXTS, _NOTHING = (
    frozenset({float, int}), frozenset({bool}), frozenset({str}), frozenset[type](),
)  # fmt: skip
_FITTING: Mapping[str, frozenset[type]] = {
    "number": _NUMBERS,
    "counter": _NUMBERS,
    "unix_time": _NUMBERS,
    "flag": _FLAGS,
    "state": _TEXTS,
    "text": _NOTHING,
    "no_device": _NOTHING,
    "secret": _NOTHING,
}


@dataclass(slots=True)
class Group:
    """Files of one shape: their numbers, the number of each one's first name, and their values end to end.

    leaves: with rooms and devices without the home, which each file adds. first_leaf: number of the first
    leaf. is_careful: whether a secret of the files is a number, so that each number is judged by itself.
    """

    leaves: tuple[Leaf, ...]
    first_leaf: int
    is_careful: bool
    files: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def column(self, place: int) -> list[Any]:
        """Return the values of one leaf, file by file."""
        return self.values[place :: len(self.leaves)]

    @property
    def repeats(self) -> bool:
        """True if it holds a device and variable twice: two spellings of one room."""
        return len({(leaf.device, leaf.variable) for leaf in self.leaves}) < len(self.leaves)


@dataclass(slots=True)
class Judged:
    """Judged values.

    readings: READINGS. refused: file, leaf, raw text and reason of each. nulls: number of JSON nulls by file.
    """

    readings: pl.DataFrame
    refused: list[tuple[int, int, str, str]]
    nulls: Counter[int]


_PLACES = {"file": pl.UInt32, "leaf": pl.UInt32}
SPOKEN = {"value_text": pl.String, "value_text_length": pl.Int64}
READINGS = {**_PLACES, "value": pl.Float64, **SPOKEN}
REFUSED = {**_PLACES, "raw_text": pl.String, "reason": pl.String}


class _Reading(NamedTuple):
    """One judged value: exactly one of number, text and reason is set; none of them for a null."""

    number: float | None = None
    text: Any = None
    reason: str | None = None


def judge(groups: Sequence[Group], beside_of: BesideOf) -> Judged:
    """Judge groups column by column: the values that fit their kind together, any other value by itself."""
    numbers, texts = _Stack(), _Stack()
    lengths: list[int | None] = []
    odd: list[_Origin] = []
    for group in groups:
        for place, leaf in enumerate(group.leaves):
            column = group.column(place)
            if leaf.kind == "word":
                said, _ = _parted(column, _TEXTS)
                lengths += [None if text is None else len(text) for text in said]
                kept = [None if text is None else opening_kind(text) for text in said]
                unfit = [at for at, word in enumerate(kept) if word is None]
                texts.add(group, place, kept)
            else:
                kept, unfit = _numbers(leaf.kind, column, group.is_careful)
                numbers.add(group, place, kept)
            odd += [(group, place, at) for at in unfit]
    # Not strict, as there are whole numbers and flags among the values.
    measured = pl.Series(numbers.values, dtype=pl.Float64, strict=False)
    if not (finite := measured.is_finite()).all():
        odd += [numbers.origin(row) for row in (~finite).arg_true()]
        measured = measured.set(~finite, None)
    singly, refused, nulls = _one_by_one(odd, beside_of)
    origins = _origins([*numbers.columns, *texts.columns])
    spoken = pl.DataFrame({"value_text": texts.values, "value_text_length": lengths}, schema=SPOKEN)
    readings = [
        origins.head(measured.len()).with_columns(measured.alias("value")).drop_nulls("value"),
        origins.tail(spoken.height).with_columns(spoken.get_columns()).drop_nulls("value_text"),
        singly,
    ]
    return Judged(pl.concat(readings, how="diagonal").select(*READINGS), refused, nulls)


_Origin = tuple[Group, int, int]
"""Where a value comes from: its group, the place of its leaf in the group, and that of its file."""


class _Stack:
    """Columns of groups end to end: one series of many values is made far faster than many of few."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.columns: list[tuple[Group, int]] = []
        self._ends: list[int] = []

    def add(self, group: Group, place: int, column: list[Any]) -> None:
        """Append the column of a leaf; None means no reading."""
        self.values += column
        self.columns.append((group, place))
        self._ends.append(len(self.values))

    def origin(self, row: int) -> _Origin:
        """Find where the value of a row comes from."""
        column = bisect_right(self._ends, row)
        return *self.columns[column], row - (self._ends[column - 1] if column else 0)


def _origins(columns: Sequence[tuple[Group, int]]) -> pl.DataFrame:
    """Build file and leaf of all values of these columns, one row a value."""
    starts: dict[int, int] = {}
    files: list[int] = []
    begins: list[int] = []
    spans: list[tuple[int, int, int]] = []
    for group, place in columns:
        start = starts.get(id(group))
        if start is None:
            start = starts[id(group)] = len(files)
            files += group.files
            begins += group.begins
        spans.append((place, start, start + len(group.files)))
    ranges = pl.DataFrame(spans, schema=dict.fromkeys(("place", "start", "end"), pl.UInt32), orient="row")
    rows = ranges.select("place", at=pl.int_ranges("start", "end", dtype=pl.UInt32)).explode("at")
    known = pl.DataFrame({"file": files, "leaf": begins}, schema=_PLACES)
    return known[rows["at"]].with_columns(pl.col("leaf") + rows["place"])


def _numbers(kind: str, values: list[Any], is_careful: bool) -> tuple[list[Any], list[int]]:
    """Keep values that are numbers or represent one; returns them, None for others, and the others' places.

    A null is one of the others, as is a number that may be somebody's. is_careful: so may each of them.
    """
    fitting = _FITTING.get(kind)
    if fitting is None:
        # Anything is kept of an unknown variable; only numbers, or only flags, are kept as a column.
        types = set(map(type, values)) - {type(None)}
        fitting = next((known for known in (_NUMBERS, _FLAGS) if types <= known), _NOTHING)
    if is_careful and fitting == _NUMBERS:
        fitting = _NOTHING
    kept, odd = _parted(values, fitting)
    if fitting == _NUMBERS and kind in _MEASURED:
        large = [
            at
            for at, value in enumerate(kept)
            if value is not None and not -LARGEST_NUMBER < value < LARGEST_NUMBER
        ]
        for at in large:
            kept[at] = None
        odd += large
    if kind != "state":
        return kept, odd
    states = list(map(_STATES.get, kept))
    return states, [at for at, state in enumerate(states) if state is None]


def _one_by_one(
    odd: Sequence[_Origin], beside_of: BesideOf
) -> tuple[pl.DataFrame, list[tuple[int, int, str, str]], Counter[int]]:
    """Judge values that do not fit, one by one; returns readings, refused values, and nulls by file."""
    singly: list[tuple[int, int, float | None, str | None, int | None]] = []
    refused: list[tuple[int, int, str, str]] = []
    nulls: Counter[int] = Counter()
    for group, place, at in odd:
        file, number = group.files[at], group.begins[at] + place
        value = group.values[at * len(group.leaves) + place]
        beside = beside_of(file)
        reading = _judge_value(group.leaves[place], value, beside)
        if reading.reason is not None:
            shown = MASK if reading.reason in WITHHELD else raw_text(value, beside)
            refused.append((file, number, shown, reading.reason))
        elif reading.text is not None:
            singly.append((file, number, None, reading.text, len(_as_text(value))))
        elif reading.number is not None:
            singly.append((file, number, reading.number, None, None))
        else:
            nulls[file] += 1
    return pl.DataFrame(singly, schema=READINGS, orient="row"), refused, nulls


def _parted(values: list[Any], fitting: frozenset[type]) -> tuple[list[Any], list[int]]:
    """Replace values of no fitting type by None; returns the values and the places of the replaced ones."""
    if set(map(type, values)) <= fitting:
        return values, []
    odd = [at for at, value in enumerate(values) if type(value) not in fitting]
    kept = list(values)
    for at in odd:
        kept[at] = None
    return kept, odd


def _judge_value(leaf: Leaf, value: Any, beside: Beside) -> _Reading:
    """Judge one value against the kind and unit of its variable; a null gives an empty reading."""
    kind = leaf.kind
    if value is None:
        return _Reading()
    if kind == "secret":
        return _Reading(reason="secret")
    if kind == "no_device":
        return _Reading(reason="not_an_object")
    if kind == "flag":
        said = flag(value)
        return _Reading(reason="not_a_flag") if said is None else _Reading(number=float(said))
    if kind == "state":
        state = opening_state(value)
        return _Reading(reason="not_a_state") if state is None else _Reading(number=state)
    if kind in ("text", "word") and type(value) is not str:
        return _Reading(reason="not_a_text")
    if kind == "word":
        return _Reading(reason="unknown_word")
    if type(value) in (int, float):
        return _told(value, kind, beside, is_text=False)
    if kind == "private" and type(value) is not bool:
        return _Reading(reason="secret")
    if kind in ("text", *_UNDECLARED) and type(value) is bool:
        return _Reading(number=float(value))
    if kind in ("text", "unknown"):
        text = _as_text(value)
        is_mode = _is_mode(leaf, text) and not beside.secrets.overlap(text)
        may_pass = is_mode or passes_as_value(text, beside.secrets)
        return _Reading(text=shown_text(text)) if may_pass else _Reading(reason="withheld")
    if type(value) is str and _PHONE.match(value):
        return _Reading(reason="withheld")
    if type(value) is str and _BARE_NUMBER.fullmatch(value):
        return _told(float(value), kind, beside, is_text=True)
    measured = number_and_unit(value) if type(value) is str else None
    return _Reading(reason="not_a_number") if measured is None else _converted(measured, leaf, beside)


def passes_as_value(text: str, secrets: Secrets) -> bool:
    """Return whether a text of an undeclared variable passes by its form, or as the number that it is."""
    return passes(text, secrets) or (
        _NUMBER_IN_QUOTES.fullmatch(text) is not None
        and not secrets.everything
        and not secrets.overlap_number(float(text), SHORTEST_PIECE)
    )


def _is_mode(leaf: Leaf, text: str) -> bool:
    """Return whether a text is a mode that passes in the field of one alone."""
    return text.casefold() == _MODE and "mode" in leaf.variable.casefold()


def _told(value: float, kind: str, beside: Beside, *, is_text: bool) -> _Reading:
    """Judge a number: refused if a double cannot hold it, or if it may be a phone's or a secret.

    is_text: it was written in quotes, as phone numbers are; then a counter is not believed to be so large.
    """
    try:
        number = float(value)
    except OverflowError:
        return _Reading(reason="not_finite")
    if not math.isfinite(number):
        return _Reading(reason="not_finite")
    may_be_one = (kind in _MEASURED or is_text) and not is_measure(number, beside.minute)
    is_declared = kind not in _UNDECLARED
    if may_be_one or beside.secrets.overlap_number(number, _SHORTEST[kind], is_declared=is_declared):
        return _Reading(reason="withheld")
    return _Reading(number=number)


def _converted(measured: tuple[float, str], leaf: Leaf, beside: Beside) -> _Reading:
    """Judge a number in a unit of its own: it is converted to the variable's, or refused."""
    number, unit = measured
    found = None if leaf.unit is None else factor_and_offset(unit, leaf.unit)
    if found is None:
        return _Reading(reason="unit_unknown")
    factor, offset = found
    return _told(round(number * factor + offset, DECIMALS), leaf.kind, beside, is_text=True)


def raw_text(value: Any, beside: Beside) -> str:
    """Return a refused value as it is in the file if it passes, else a sign for what it is."""
    if type(value) in (int, float):
        try:
            number = float(value)
        except OverflowError:
            return MASK
        may_pass = not math.isfinite(number) or is_measure(number, beside.minute)
        return (
            MASK
            if not may_pass or beside.secrets.overlap_number(number, SHORTEST_PIECE)
            else json.dumps(value)
        )
    if type(value) is bool:
        return json.dumps(value)
    text = _as_text(value)
    return shown_text(text) if passes(text, beside.secrets) else OPENED.get(type(value), MASK)


def _as_text(value: Any) -> str:
    """Return a text as it is, and any other value as JSON."""
    return value if type(value) is str else json.dumps(value, ensure_ascii=False)
