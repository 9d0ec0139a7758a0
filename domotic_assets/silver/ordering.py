"""Readings of many files put in the order of their table, and described.

The files are put in order first. Where each says what is known of its structure, its numbers go into their
column as they were packed: no row is moved, which costs more than to read it.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import polars as pl
import pyarrow as pa

from domotic_assets.schemas.silver import SENSOR_EVENTS
from domotic_assets.silver.bulk import Batch
from domotic_assets.silver.judgement import text_columns

_DOUBLE = 8
_DESCRIBED = ("room", "device", "variable", "unit", "minimum", "maximum")


@dataclass(frozen=True)
class Ordered:
    """Readings by minute, device and variable; of two of these, in the order of files.

    readings: `block` and `leaf`, numbers of rows of these two, value, value_text and value_text_length.
    blocks: file and events, one row for each file with readings. names: what each leaf is called.
    """

    readings: pl.DataFrame
    blocks: pl.DataFrame
    names: pl.DataFrame


def in_order(
    singly: pl.DataFrame,
    batches: Sequence[tuple[Batch, Sequence[str]]],
    names: pl.DataFrame,
    facts: pl.DataFrame,
) -> Ordered:
    """Put readings in order: those judged singly, and those of batches with the texts of their senders."""
    singly = _by_file(singly, names)
    named = _with_slots(names, batches)
    own = _own_names(singly, named, sum(len(texts) for _, texts in batches))
    texts = pl.concat(
        [
            text_columns(pl.Series([text for _, said in batches for text in said], dtype=pl.String)),
            singly.select("value_text", "value_text_length"),
        ],
        rechunk=True,
    )
    runs = singly["file"].rle().struct.unnest()
    blocks = _blocks(runs, batches, named.height, facts)
    named = pl.concat([named, own], rechunk=True)
    packed = [
        *_packed(singly["value"], runs["len"]),
        *(numbers for batch, _ in batches for numbers in batch.packed),
    ]
    readings = _rows(blocks, b"".join([packed[at] for at in blocks["at"]]), named, texts)
    if not (_stand_apart(names) and blocks.select(pl.struct("minute", "home").is_unique().all()).item()):
        readings = _sorted(readings, blocks, named)
    return Ordered(readings, blocks.select("file", "events"), named)


def _by_file(readings: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Readings file after file, each by device and variable; of two spellings of a room in its order."""
    rank = names["rank"][readings["leaf"]]
    return readings.with_columns(rank=rank).sort("file", "rank", "leaf").drop("rank").rechunk()


def _with_slots(names: pl.DataFrame, batches: Sequence[tuple[Batch, Sequence[str]]]) -> pl.DataFrame:
    """The names, and of those whose readings are texts, which of a sender's texts that is."""
    slots: list[int | None] = [None] * names.height
    for batch, _ in batches:
        nth = {place: at for at, place in enumerate(batch.decoder.texts)}
        of_leaves = [nth.get(place) for place in batch.decoder.leaves]
        for begin in batch.begins.drop_nulls().unique():
            slots[begin : begin + len(of_leaves)] = of_leaves
    return names.select(*_DESCRIBED, "rank", pl.Series("slot", slots, dtype=pl.UInt32))


def _own_names(singly: pl.DataFrame, names: pl.DataFrame, texts_before: int) -> pl.DataFrame:
    """A name for each reading that was judged singly, so that its file has all of its names together."""
    number = pl.int_range(texts_before, texts_before + singly.height, dtype=pl.UInt32, eager=True)
    slot = pl.when(singly["value_text"].is_not_null()).then(number).alias("slot")
    return names[singly["leaf"]].with_columns(slot)


def _blocks(
    runs: pl.DataFrame, batches: Sequence[tuple[Batch, Sequence[str]]], first_own: int, facts: pl.DataFrame
) -> pl.DataFrame:
    """The files with readings, by minute and home: where names and texts of each begin, how many it has.

    runs: of the readings judged singly, `value` a file and `len` its readings. at: which of all files,
    these first, a file was before they were ordered.
    """
    events = runs["len"].cast(pl.UInt32)
    parts = [
        pl.DataFrame(
            {
                "file": runs["value"],
                "begin": (events.cum_sum() - events + first_own).cast(pl.UInt32),
                "events": events,
                "first_text": pl.zeros(runs.height, pl.UInt32, eager=True),
            }
        )
    ]
    before = accumulate((len(texts) for _, texts in batches), initial=0)
    for (batch, _), first_text in zip(batches, before, strict=False):
        of_sender = (pl.col("sent_by") * len(batch.decoder.texts) + first_text).alias("first_text")
        parts.append(batch.files_taken().select("file", "begin", "events", of_sender))
    files = pl.concat(parts).with_row_index("at")
    placed = facts.select("minute", "home")[files["file"]].get_columns()
    return files.with_columns(placed).filter(pl.col("events") > 0).sort("minute", "home", maintain_order=True)


def _packed(values: pl.Series, lengths: pl.Series) -> list[memoryview]:
    """The numbers of each file of so many, as doubles end to end, 0 where a text stands."""
    doubles = values.fill_null(0.0).to_arrow()
    numbers = memoryview(doubles.buffers()[1] or b"")[doubles.offset * _DOUBLE :]
    ends = list(accumulate(lengths, initial=0))
    return [numbers[start * _DOUBLE : end * _DOUBLE] for start, end in pairwise(ends)]


def _rows(blocks: pl.DataFrame, packed: bytes, names: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """A row for each reading of the blocks."""
    height = len(packed) // _DOUBLE
    # Bytes are repeated here five times as fast as Polars repeats rows.
    numbers = [number.to_bytes(4, sys.byteorder) * events for number, events in enumerate(blocks["events"])]
    block = _column(pa.uint32(), height, b"".join(numbers))
    leaf = blocks.select(
        pl.int_ranges("begin", pl.col("begin") + pl.col("events"), dtype=pl.UInt32).explode()
    ).to_series()
    slot = names["slot"][leaf]
    rows = pl.DataFrame({"block": block, "leaf": leaf, "value": _column(pa.float64(), height, packed)})
    spoken = texts[blocks["first_text"][block] + slot]
    return pl.concat(
        [rows.with_columns(value=pl.when(slot.is_null()).then("value")), spoken], how="horizontal"
    )


def _column(dtype: pa.DataType, height: int, packed: bytes) -> pl.Series:
    return pl.Series(pa.Array.from_buffers(dtype, height, [None, pa.py_buffer(packed)]))


def _stand_apart(names: pl.DataFrame) -> bool:
    """Whether all devices of a home stand together and in the order of homes, whatever these are called."""
    homes = names.group_by("home").agg(first=pl.col("rank").min(), last=pl.col("rank").max()).sort("home")
    return bool(homes.select((pl.col("first") > pl.col("last").shift()).fill_null(True).all()).item())


def _sorted(readings: pl.DataFrame, blocks: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Readings row by row by minute, device and variable; the order of equals stays."""
    minute = blocks["minute"].rank("dense").cast(pl.Int64)[readings["block"]]
    places = minute * (names.height + 1) + names["rank"][readings["leaf"]]
    # One number for the key, and for the place among equals: sorted many times faster than columns.
    return readings[
        (places * readings.height + pl.int_range(readings.height, eager=True)).sort() % readings.height
    ]


def events_of(ordered: Ordered, facts: pl.DataFrame) -> pl.DataFrame:
    """SENSOR_EVENTS of readings, and the `file` that each is of."""
    readings = ordered.readings
    # Bounds that are always there: a column without nulls is taken, and compared, in half the time.
    described = ordered.names.select(_DESCRIBED).with_columns(
        pl.col("minimum").fill_null(-math.inf), pl.col("maximum").fill_null(math.inf)
    )
    placed = facts.select("file", "file_id", "home", ts="minute", utc_date=pl.col("minute").dt.date())[
        ordered.blocks["file"]
    ]
    value = pl.col("value")
    return (
        pl.concat([readings, described[readings["leaf"]], placed[readings["block"]]], how="horizontal")
        .with_columns(is_outlier=((value < pl.col("minimum")) | (value > pl.col("maximum"))).fill_null(False))
        .select(*SENSOR_EVENTS.schema.names(), "file")
    )
