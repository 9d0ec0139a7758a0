"""Values against the kind of their variable: whole columns of files of one shape, odd values one by one."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from domotic_assets.silver.shape import Leaf

TEXT_LIMIT = 500
RAW_TEXT_LIMIT = 200

Conceal = Callable[[int, str], str]
"""Takes the secrets of a file (by its number) out of a text of it."""

_STATES = {"on": 1.0, "off": 0.0}
_NUMBERS, _FLAGS, _TEXTS, _NOTHING = (
    frozenset({float, int}), frozenset({bool}), frozenset({str}), frozenset[type](),
)  # fmt: skip
_FITTING: Mapping[str, frozenset[type]] = {
    "number": _NUMBERS,
    "counter": _NUMBERS,
    "unix_time": _NUMBERS,
    "flag": _FLAGS,
    "state": _TEXTS,
    "text": _TEXTS,
    "no_device": _NOTHING,
}


@dataclass(slots=True)
class Group:
    """Files of one shape: their numbers, where each one's leaves begin, and their values end to end.

    leaves: rooms and devices without the home, which each file adds.
    """

    leaves: tuple[Leaf, ...]
    first_leaf: int
    files: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def column(self, place: int) -> list[Any]:
        """The values of one leaf, a file after the other."""
        return self.values[place :: len(self.leaves)]

    @property
    def repeats(self) -> bool:
        """Whether a device and variable stand twice in it: two spellings of one room."""
        return len({(leaf.device, leaf.variable) for leaf in self.leaves}) < len(self.leaves)


@dataclass(slots=True)
class Judged:
    """A group's values judged.

    readings: READINGS. refused: file, leaf, raw text and reason of each. nulls: JSON nulls by file.
    """

    readings: pl.DataFrame
    refused: list[tuple[int, int, str, str]]
    nulls: Counter[int]


READINGS = {
    "file": pl.Int64, "leaf": pl.Int64, "value": pl.Float64, "value_text": pl.String,
    "value_text_length": pl.Int64,
}  # fmt: skip
REFUSED = {"file": pl.Int64, "leaf": pl.Int64, "raw_text": pl.String, "reason": pl.String}


class _Reading(NamedTuple):
    """One judged value: exactly one of number, text and reason is set, or none for a null."""

    number: float | None = None
    text: Any = None
    reason: str | None = None


def judge(group: Group, conceal: Conceal) -> Judged:
    """Judge a group column by column: what fits the kind at once, any other value by itself."""
    numbers, texts = _Stack(group, pl.Float64), _Stack(group, pl.String)
    odd: list[tuple[int, int]] = []
    for place, leaf in enumerate(group.leaves):
        column = group.column(place)
        if leaf.kind == "text":
            kept, unfit = _parted(column, _TEXTS)
            texts.add(place, _concealed(kept, group, conceal))
        else:
            kept, unfit = _numbers(leaf.kind, column)
            numbers.add(place, kept)
        odd.extend((place, at) for at in unfit)
    measured, infinite = numbers.series(), list[tuple[int, int]]()
    if not (finite := measured.is_finite()).all():
        infinite = [numbers.origin(row) for row in (~finite).arg_true()]
        measured = measured.set(~finite, None)
    singly, refused, nulls = _one_by_one(group, sorted([*odd, *infinite]), conceal)
    readings = pl.concat([numbers.readings(measured), texts.readings(texts.series()), singly])
    # The file's order decides which of two spellings of a room counts.
    return Judged(readings.sort("leaf", maintain_order=True) if group.repeats else readings, refused, nulls)


class _Stack:
    """Columns of a group end to end: one series of many values is made far faster than many of few."""

    def __init__(self, group: Group, dtype: type[pl.DataType]) -> None:
        self._group = group
        self._dtype = dtype
        self._places: list[int] = []
        self._values: list[Any] = []

    def add(self, place: int, column: list[Any]) -> None:
        """Put the column of a leaf at the end; None stands for no reading."""
        self._places.append(place)
        self._values += column

    def origin(self, row: int) -> tuple[int, int]:
        """The leaf's place, and the file's place in the group, that a row of the series is of."""
        column, at = divmod(row, len(self._group.files))
        return self._places[column], at

    def series(self) -> pl.Series:
        """All values; not strict, as whole numbers and flags stand among the others."""
        return pl.Series(self._values, dtype=self._dtype, strict=False)

    def readings(self, values: pl.Series) -> pl.DataFrame:
        """READINGS of all values but nulls; values: the series, or another of the same order."""
        columns = len(self._places)
        if not columns:
            return pl.DataFrame(schema=READINGS)
        files = pl.concat([pl.Series(self._group.files, dtype=pl.Int64)] * columns)
        begins = pl.Series(self._group.begins, dtype=pl.Int64)
        leaves = pl.concat([begins + place for place in self._places])
        stacked = pl.DataFrame({"file": files, "leaf": leaves, "reading": values})
        if values.null_count():
            stacked = stacked.drop_nulls("reading")
        reading = pl.col("reading")
        if self._dtype is pl.String:
            return stacked.select(
                "file",
                "leaf",
                value=pl.lit(None, pl.Float64),
                value_text=reading.str.slice(0, TEXT_LIMIT),
                value_text_length=reading.str.len_chars().cast(pl.Int64),
            )
        return stacked.select(
            "file",
            "leaf",
            value=reading,
            value_text=pl.lit(None, pl.String),
            value_text_length=pl.lit(None, pl.Int64),
        )


def _numbers(kind: str, values: list[Any]) -> tuple[list[Any], list[int]]:
    """The values that are numbers, or stand for one, with None for all others, and where these stand."""
    fitting = _FITTING.get(kind)
    if fitting is None:
        # Of an unknown variable anything is kept; numbers or flags alone are kept together.
        types = set(map(type, values)) - {type(None)}
        fitting = next((known for known in (_NUMBERS, _FLAGS) if types <= known), _NOTHING)
    kept, odd = _parted(values, fitting)
    if kind != "state":
        return kept, odd
    states = list(map(_STATES.get, kept))
    return states, [at for at, state in enumerate(states) if state is None]


def _concealed(texts: list[Any], group: Group, conceal: Conceal) -> list[str | None]:
    """The texts without secrets. Files that begin alike have the same ones, and texts repeat."""
    known: dict[tuple[int, str], str] = {}
    found: list[str | None] = []
    for file, begin, text in zip(group.files, group.begins, texts, strict=True):
        if text is None:
            found.append(None)
            continue
        if (begin, text) not in known:
            known[begin, text] = conceal(file, text)
        found.append(known[begin, text])
    return found


def _one_by_one(
    group: Group, odd: list[tuple[int, int]], conceal: Conceal
) -> tuple[pl.DataFrame, list[tuple[int, int, str, str]], Counter[int]]:
    """Readings, refused values and nulls of values that do not fit: by the leaf's place and the file's."""
    singly: list[tuple[int, int, float | None, str | None, int | None]] = []
    refused: list[tuple[int, int, str, str]] = []
    nulls: Counter[int] = Counter()
    for place, at in odd:
        file, number = group.files[at], group.begins[at] + place
        value = group.values[at * len(group.leaves) + place]
        reading = _judge_value(group.leaves[place].kind, value)
        if reading.reason is not None:
            raw = _as_text(value, partial(conceal, file))[:RAW_TEXT_LIMIT]
            refused.append((file, number, raw, reading.reason))
        elif reading.text is not None:
            text = _as_text(reading.text, partial(conceal, file))
            singly.append((file, number, None, text[:TEXT_LIMIT], len(text)))
        elif reading.number is not None:
            singly.append((file, number, reading.number, None, None))
        else:
            nulls[file] += 1
    return pl.DataFrame(singly, schema=READINGS, orient="row"), refused, nulls


def _parted(values: list[Any], fitting: frozenset[type]) -> tuple[list[Any], list[int]]:
    """The values with None for those of no fitting type, and where these stand."""
    if set(map(type, values)) <= fitting:
        return values, []
    odd = [at for at, value in enumerate(values) if type(value) not in fitting]
    kept = list(values)
    for at in odd:
        kept[at] = None
    return kept, odd


def _judge_value(kind: str, value: Any) -> _Reading:
    """One value against the kind of its variable; a null is nothing at all."""
    if value is None:
        return _Reading()
    if kind == "no_device":
        return _Reading(reason="not_an_object")
    if kind == "flag":
        return _Reading(number=float(value)) if type(value) is bool else _Reading(reason="not_a_flag")
    if kind == "state":
        state = _STATES.get(value) if type(value) is str else None
        return _Reading(reason="not_a_state") if state is None else _Reading(number=state)
    if kind == "text":
        return _Reading(text=value) if type(value) is str else _Reading(reason="not_a_text")
    if type(value) in (int, float):
        try:
            number = float(value)
        except OverflowError:
            return _Reading(reason="not_finite")
        return _Reading(number=number) if math.isfinite(number) else _Reading(reason="not_finite")
    if kind != "unknown":
        return _Reading(reason="not_a_number")
    if type(value) is bool:
        return _Reading(number=float(value))
    return _Reading(text=value)


def _as_text(value: Any, conceal: Callable[[str], str]) -> str:
    """A text, or anything else as JSON, concealed; texts inside are before quoting could hide a secret."""
    if type(value) is str:
        return conceal(value)
    return conceal(json.dumps(_masked(value, conceal), ensure_ascii=False))


def _masked(value: Any, conceal: Callable[[str], str]) -> Any:
    if type(value) is str:
        return conceal(value)
    if type(value) is dict:
        return {conceal(key): _masked(item, conceal) for key, item in value.items()}
    if type(value) is list:
        return [_masked(item, conceal) for item in value]
    return value
