"""Puts the readings of many files in the order of their table, and describes them.

The files are put in order first. Unless files of one minute mix their readings, the numbers of each go into
their column as they were packed: no row is moved, which costs more than reading it.
"""

import math
import sys
from dataclasses import dataclass
from itertools import accumulate, pairwise

import polars as pl
import pyarrow as pa

from domotic_assets.domains.homes.silver.bulk import Taken
from domotic_assets.domains.homes.silver.judgement import SPOKEN
from domotic_assets.schemas.homes.silver import SENSOR_EVENTS

_DOUBLE = 8
_DESCRIBED = ("room", "device", "variable", "unit")


@dataclass(frozen=True)
class Ordered:
    """Readings by minute, device and variable; equal ones in the order of files.

    readings: `block` and `leaf` (numbers of rows of these two), value, value_text and value_text_length.
    blocks: file and events, one row for each file with readings. names: description of each leaf.
    """

    readings: pl.DataFrame
    blocks: pl.DataFrame
    names: pl.DataFrame


def in_order(singly: pl.DataFrame, taken: Taken, names: pl.DataFrame, facts: pl.DataFrame) -> Ordered:
    """Put readings in order: those judged one by one, and those of the files that decoders read.

    singly: READINGS. names: one row for each leaf of a home. facts: one row a file.
    """
    singly = _by_file(singly, names)
    runs = singly["file"].rle().struct.unnest()
    # Each reading judged one by one gets a name of its own, so that the names of a file are adjacent.
    named = pl.concat([names, names[singly["leaf"]]], rechunk=True)
    texts = pl.concat([taken.texts, singly.select(*SPOKEN)], rechunk=True)
    files = pl.concat(
        [_read_singly(runs, names.height, taken.texts.height), taken.files.select(*_BLOCK)]
    ).with_row_index("at")
    blocks = (
        files.hstack(facts.select("minute", "home")[files["file"]])
        .filter(pl.col("events") > 0)
        .sort("minute", "home", maintain_order=True)
    )
    packed = [*_packed(singly["value"], runs["len"]), *taken.packed]
    readings = _rows(blocks, b"".join([packed[at] for at in blocks["at"]]), texts)
    if not (_stand_apart(names) and blocks.select(pl.struct("minute", "home").is_unique().all()).item()):
        readings = _sorted(readings, blocks, named)
    return Ordered(readings, blocks.select("file", "events"), named)


def _by_file(readings: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Sort readings by file, device and variable; two spellings of a room keep the order of the file."""
    rank = names["rank"][readings["leaf"]]
    return readings.hstack([rank]).sort("file", "rank", "leaf").drop("rank").rechunk()


_BLOCK = ("file", "begin", "events", "said")
"""A file, the number of its first reading's name, how many readings it has, and the row of the first in the
texts."""


def _read_singly(runs: pl.DataFrame, first_name: int, first_text: int) -> pl.DataFrame:
    """Build the blocks of files whose readings were judged one by one.

    runs: `value`, a file, and `len`, the number of its readings.
    """
    events = runs["len"].cast(pl.UInt32)
    before = (events.cum_sum() - events).cast(pl.UInt32)
    return pl.DataFrame(
        [
            runs["value"].alias("file"),
            (before + first_name).alias("begin"),
            events.alias("events"),
            (before + first_text).alias("said"),
        ]
    )


def _packed(values: pl.Series, lengths: pl.Series) -> list[memoryview]:
    """Cut the values into each file's doubles, end to end, 0 for texts. lengths: readings of each file."""
    doubles = values.fill_null(0.0).to_arrow()
    numbers = memoryview(doubles.buffers()[1] or b"")[doubles.offset * _DOUBLE :]
    ends = list(accumulate(lengths, initial=0))
    return [numbers[start * _DOUBLE : end * _DOUBLE] for start, end in pairwise(ends)]


def _rows(blocks: pl.DataFrame, packed: bytes, texts: pl.DataFrame) -> pl.DataFrame:
    """Build one row for each reading of the blocks, in their order: block, leaf, value and SPOKEN.

    packed: the numbers of all blocks as doubles, end to end. texts: SPOKEN of readings, which `said` numbers.
    """
    height = len(packed) // _DOUBLE
    events = blocks["events"].to_list()
    # Repeating and joining bytes is five times as fast as repeating and counting rows in Polars.
    numbers = [number.to_bytes(4, sys.byteorder) * many for number, many in enumerate(events)]
    block = _column(pa.uint32(), height, b"".join(numbers))
    counted = {many: b"".join(nth.to_bytes(4, sys.byteorder) for nth in range(many)) for many in set(events)}
    nth = _column(pa.uint32(), height, b"".join([counted[many] for many in events]))
    leaf = nth + blocks["begin"][block]
    spoken = texts[nth + blocks["said"][block]]
    value = _column(pa.float64(), height, packed).set(spoken["value_text"].is_not_null(), None)
    return pl.DataFrame([block.alias("block"), leaf.alias("leaf"), value.alias("value"), *spoken])


def _column(dtype: pa.DataType, height: int, packed: bytes) -> pl.Series:
    """Make a series of `height` values of a type from their packed bytes."""
    return pl.Series(pa.Array.from_buffers(dtype, height, [None, pa.py_buffer(packed)]))


def _stand_apart(names: pl.DataFrame) -> bool:
    """Return whether names in the order of devices are also in the order of homes."""
    return names.sort("rank")["home"].is_sorted()


def _sorted(readings: pl.DataFrame, blocks: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Sort readings one by one by minute, device and variable; equal ones keep their order."""
    minute = blocks["minute"].rank("dense").cast(pl.Int64)[readings["block"]]
    places = minute * (names.height + 1) + names["rank"][readings["leaf"]]
    # One number holds the key and the place among equals: it is sorted many times faster than columns.
    return readings[
        (places * readings.height + pl.int_range(readings.height, eager=True)).sort() % readings.height
    ]


def events_of(ordered: Ordered, facts: pl.DataFrame) -> pl.DataFrame:
    """Build SENSOR_EVENTS of the readings, and the `file` of each; texts that repeat are categories."""
    readings = ordered.readings
    is_outlier = _outside_bounds(readings, ordered.names)
    described = ordered.names.select(_as_categories(*_DESCRIBED))[readings["leaf"]]
    placed = facts.select(
        "file", *_as_categories("file_id", "home"), ts="minute", utc_date=pl.col("minute").dt.date()
    )[ordered.blocks["file"]]
    events = pl.concat([readings, described, placed[readings["block"]]], how="horizontal")
    return events.hstack([is_outlier]).select(*SENSOR_EVENTS.schema.names(), "file")


def _as_categories(*columns: str) -> list[pl.Expr]:
    """Cast texts to categories with a list of each column's own, which is freed with the frame.

    Polars' common list would hold the file ids of all frames, as long as any of them exists.
    """
    return [pl.col(name).cast(pl.Categorical(pl.Categories.random())) for name in columns]


def _outside_bounds(readings: pl.DataFrame, names: pl.DataFrame) -> pl.Series:
    """Return whether each value lies outside the bounds of its leaf; False for a text."""
    # Missing bounds become infinite: a column without nulls is gathered and compared in half the time.
    bounds = names.select(pl.col("minimum").fill_null(-math.inf), pl.col("maximum").fill_null(math.inf))
    lowest, highest = bounds[readings["leaf"]].get_columns()
    value = readings["value"]
    return ((value < lowest) | (value > highest)).fill_null(False).alias("is_outlier")
