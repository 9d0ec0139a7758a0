"""Collects the files that decoders read as columns, and finds the minutes that they measure.

Only what works on whole columns belongs here. A file whose header is not as the feed writes it is left to
`flatten`, which reads it value by value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress

import polars as pl

from domotic_assets.domains.homes.silver.decoder import QUOTE, REFUSALS, Decoder, quotes_in
from domotic_assets.domains.homes.silver.judgement import SPOKEN
from domotic_assets.localtime import offset_all_day
from domotic_assets.schemas.table import UTC_TIME

_LOCAL = r"^[0-9]{2}\.[0-9]{2}\.[0-9]{4} [0-9]{2}:[0-5][0-9]$"

Sender = tuple[str, str, str, tuple[str, ...]]
"""What repeats from file to file: home, user, token, and the texts in the decoder's order."""


@dataclass(slots=True)
class Batch:
    """Files of one structure, in the order in which a decoder read them.

    first_leaf: number of the structure's first leaf. free: names of its leaves that passed by their form
    alone. senders: each sender's number. files, sent_by, local, packed: each file's number, its sender's
    number, its local time and its packed numbers.
    """

    decoder: Decoder
    first_leaf: int
    free: frozenset[str]
    senders: dict[Sender, int] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)
    sent_by: list[int] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def take(self, file: int, home: str, content: bytes) -> bool:
        """Read a file of a home and add it to the batch; returns False if the decoder refuses it."""
        try:
            user, token, local, packed, texts = self.decoder.read(content)
        except REFUSALS:
            return False
        self.files.append(file)
        self.sent_by.append(self.senders.setdefault((home, user, token, texts), len(self.senders)))
        self.local.append(local)
        self.packed.append(packed)
        return True


_BLOCK = {"begin": pl.UInt32, "events": pl.UInt32, "said": pl.UInt32}


@dataclass(frozen=True)
class Taken:
    """Files of batches whose home and minute are known, and their readings.

    files: one row each: file, home, minute, time_source, time_note, begin, events, said. `begin` is the row
    of its first reading in the table of names that `flatten` builds; the others follow in the decoder's
    order. `events` is the number of readings, `said` the row of the first one in `texts`. packed: the
    numbers of each file. texts: text and length (SPOKEN) of each sender's readings, null for numbers.
    """

    files: pl.DataFrame
    packed: Sequence[bytes]
    texts: pl.DataFrame

    def keeping(self, kept: pl.Series) -> "Taken":
        """Keep only the files for which `kept` is true."""
        return Taken(self.files.filter(kept), list(compress(self.packed, kept)), self.texts)


NOTHING_TAKEN = Taken(
    pl.DataFrame(
        schema={
            "file": pl.UInt32,
            **_BLOCK,
            "home": pl.String,
            "minute": UTC_TIME,
            "time_source": pl.String,
            "time_note": pl.String,
        }
    ),
    (),
    pl.DataFrame(schema=SPOKEN),
)


def with_more_quotes(decoded: Mapping[int, tuple[Decoder, bytes]]) -> list[int]:
    """Find the files that have more quotes than their decoder expects, as where a key stands twice.

    decoded: decoder and bytes by number of the file. No file has fewer quotes, so that those of all files are
    counted together: many times faster than one by one.
    """
    joined = b"".join([content for _, content in decoded.values()])
    if quotes_in(joined) == sum([decoder.quotes for decoder, _ in decoded.values()]):
        return []
    return [file for file, (decoder, content) in decoded.items() if content.count(QUOTE) != decoder.quotes]


def files_of(batches: Sequence[Batch], begins: Sequence[int | None]) -> pl.DataFrame:
    """Build one row per file of the batches: file, begin, events and said, as in `Taken`.

    begins: for each sender of these batches, the row of its first reading in the table of names; None if the
    files of the sender must not be decoded.
    """
    events = [len(batch.decoder.leaves) for batch in batches for _ in batch.senders]
    said = list(accumulate(events, initial=0))[:-1]
    senders = pl.DataFrame({"begin": begins, "events": events, "said": said}, schema=_BLOCK)
    before = accumulate((len(batch.senders) for batch in batches), initial=0)
    sent_by = [
        first + sender for first, batch in zip(before, batches, strict=False) for sender in batch.sent_by
    ]
    files = pl.Series("file", [file for batch in batches for file in batch.files], dtype=pl.UInt32)
    return senders[pl.Series(sent_by, dtype=pl.UInt32)].insert_column(0, files)


def minutes_of(local: pl.Series, zones: pl.Series) -> pl.Series:
    """Convert local times `DD.MM.YYYY HH:MM` of clocks in these zones to UTC minutes.

    Null for a time in another format, and on days on which the clock is changed.
    """
    written = pl.when(pl.col("local").str.contains(_LOCAL)).then("local")
    times = pl.DataFrame({"local": local, "zone": zones}).select(
        "zone", naive=written.str.to_datetime("%d.%m.%Y %H:%M", time_unit="us", strict=False)
    )
    times = times.with_columns(day=pl.col("naive").dt.date())
    days = times.select("day", "zone").unique()
    offsets = [day and offset_all_day(day, zone) for day, zone in days.iter_rows()]
    placed = times.join(
        days.hstack([pl.Series("offset", offsets, dtype=pl.Duration("us"))]),
        on=["day", "zone"],
        how="left",
        maintain_order="left",
    )
    return placed.select((pl.col("naive") - pl.col("offset")).dt.replace_time_zone("UTC")).to_series()
