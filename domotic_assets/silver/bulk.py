"""Files that one decoder read, as columns: whose they are, and the minutes they measure.

Only what a whole column can tell stands here. A header that is not as the feed writes it is left to
`flatten`, which reads such a file by itself.
"""

from dataclasses import dataclass, field
from itertools import compress

import polars as pl

from domotic_assets.localtime import offset_all_day
from domotic_assets.silver.decoder import REFUSALS, Decoder

_LOCAL = r"^[0-9]{2}\.[0-9]{2}\.[0-9]{4} [0-9]{2}:[0-5][0-9]$"


Sender = tuple[str, str, str, tuple[str, ...]]
"""What repeats from file to file: the home, the user, the token, and the texts in the decoder's order."""


@dataclass(slots=True)
class Batch:
    """Files of one structure, in the order in which a decoder read them.

    first_leaf: the number of the structure's first leaf. names: all that its leaves are called. senders: the
    number of each. begins: of each sender the number of the first of its names for the leaves, which are
    numbered in the decoder's order; null where its files do not belong here. Of each file: its number, its
    sender's, its local time and its packed numbers.
    """

    decoder: Decoder
    first_leaf: int
    names: str
    senders: dict[Sender, int] = field(default_factory=dict)
    begins: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.UInt32))
    files: list[int] = field(default_factory=list)
    sent_by: list[int] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def take(self, file: int, home: str, content: bytes) -> bool:
        """Read a file of a home, which then belongs to the batch; False where the decoder refuses it."""
        try:
            user, token, local, packed, texts = self.decoder.read(content)
        except REFUSALS:
            return False
        self.files.append(file)
        self.sent_by.append(self.senders.setdefault((home, user, token, texts), len(self.senders)))
        self.local.append(local)
        self.packed.append(packed)
        return True

    def keep(self, kept: pl.Series) -> None:
        """Leave out the files of which `kept` does not hold."""
        if not kept.all():
            self.files = list(compress(self.files, kept))
            self.sent_by = list(compress(self.sent_by, kept))
            self.packed = list(compress(self.packed, kept))

    def files_taken(self) -> pl.DataFrame:
        """One row per file: file, `begin` of its names, `events`, and `sent_by`."""
        sent_by = pl.Series(self.sent_by, dtype=pl.UInt32)
        return pl.DataFrame(
            {
                "file": pl.Series(self.files, dtype=pl.UInt32),
                "begin": self.begins[sent_by],
                "events": pl.repeat(len(self.decoder.leaves), len(self.files), dtype=pl.UInt32, eager=True),
                "sent_by": sent_by,
            }
        )


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
