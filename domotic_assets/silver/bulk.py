"""Files that one decoder read, as columns: the minutes they measure, and their readings.

Only what a whole column can tell stands here. A header that is not as the feed writes it is left to
`flatten`, which reads such a file by itself.
"""

from dataclasses import dataclass, field
from itertools import chain, compress

import polars as pl
import pyarrow as pa

from domotic_assets.localtime import offset_all_day
from domotic_assets.silver.decoder import Decoded, Decoder
from domotic_assets.silver.judgement import READINGS, text_columns

_LOCAL = r"^[0-9]{2}\.[0-9]{2}\.[0-9]{4} [0-9]{2}:[0-5][0-9]$"
_TEXT_COLUMNS = ("value_text", "value_text_length")


@dataclass(slots=True)
class Batch:
    """Files of one structure, in the order in which a decoder read them.

    first_leaf: the number of the structure's first leaf. names: all that its leaves are called. begins: of
    each file, the number of its first leaf, which are numbered in the decoder's order.
    """

    decoder: Decoder
    first_leaf: int
    names: str
    files: list[int] = field(default_factory=list)
    decoded: list[Decoded] = field(default_factory=list)
    begins: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.UInt32))

    def keep(self, kept: pl.Series, begins: pl.Series) -> None:
        """Leave out the files of which `kept` does not hold, and say where the others' leaves begin."""
        self.begins = begins.filter(kept)
        if not kept.all():
            self.files = list(compress(self.files, kept))
            self.decoded = list(compress(self.decoded, kept))

    def texts(self) -> pl.Series:
        """The texts of all files, file after file."""
        return pl.Series(list(chain.from_iterable(one[4] for one in self.decoded)), dtype=pl.String)

    def readings(self, texts: pl.Series) -> pl.DataFrame:
        """READINGS, file after file, each by device and variable; texts: the batch's, without secrets."""
        each, number = len(self.decoder.leaves), len(self.files)
        packed = pa.py_buffer(b"".join(one[3] for one in self.decoded))
        value = pl.Series(
            pa.Array.from_buffers(pa.float64(), each * number, [None, packed]), dtype=pl.Float64
        )
        row = pl.int_range(each * number, dtype=pl.UInt32, eager=True)
        file, leaf = row // max(each, 1), row % max(each, 1)
        readings = pl.DataFrame(
            {
                "file": pl.Series(self.files, dtype=pl.UInt32)[file],
                "leaf": self.begins[file] + leaf,
                "value": value,
            }
        )
        nth = {place: at for at, place in enumerate(self.decoder.texts)}
        if not nth:
            return readings.select(
                "file", "leaf", "value", *(pl.lit(None, READINGS[name]).alias(name) for name in _TEXT_COLUMNS)
            )
        slots = pl.Series([nth.get(place) for place in self.decoder.leaves], dtype=pl.UInt32)[leaf]
        spoken = text_columns(texts)[file * len(nth) + slots]
        numbers = readings.with_columns(value=pl.when(slots.is_null()).then("value"))
        return pl.concat([numbers, spoken], how="horizontal")


def minutes_of(local: pl.Series, zones: pl.Series) -> pl.Series:
    """The UTC minutes of local times `DD.MM.YYYY HH:MM` of clocks of these zones.

    Null where a time is written otherwise, and on days on which the clock is changed.
    """
    written = pl.when(pl.col("local").str.contains(_LOCAL)).then("local")
    times = pl.DataFrame({"local": local, "zone": zones}).select(
        "zone", naive=written.str.to_datetime("%d.%m.%Y %H:%M", time_unit="us", strict=False)
    )
    times = times.with_columns(day=pl.col("naive").dt.date())
    days = times.select("day", "zone").drop_nulls().unique()
    offsets = [offset_all_day(day, zone) for day, zone in days.iter_rows()]
    placed = times.join(
        days.with_columns(offset=pl.Series(offsets, dtype=pl.Duration("us"))),
        on=["day", "zone"],
        how="left",
        maintain_order="left",
    )
    return placed.select((pl.col("naive") - pl.col("offset")).dt.replace_time_zone("UTC")).to_series()
