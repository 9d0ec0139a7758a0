"""Files of a flat folder, wherever it lies: what every kind of folder offers, and the source over it.

How a kind of folder is listed and read belongs in its own module. Names and contents mean nothing here.

Why: docs/decisions/0027-listings-by-columns.md
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from itertools import islice

import polars as pl

from domotic_assets.localtime import EPOCH, MICROSECOND
from domotic_assets.sources.base import Batch, Entry, Payload

MAX_FILE_BYTES = 64 * 1024 * 1024
"""No sensor or forecast file comes near it; a larger one would only fill the memory."""


def leads_elsewhere(name: str) -> bool:
    """Whether a listed name is none of a file of its folder; only a server that means harm lists such."""
    return name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name


EVERYTHING = ("*",)
"""The pattern of a full listing."""

_NOTHING = "(?!)"
"""The regular expression that no name matches."""


def matcher(patterns: Sequence[str]) -> Callable[[str], object]:
    """What tells whether a name matches one of the patterns: one look for all, as a folder may hold years."""
    if "*" in patterns:
        # No look at all: that it is a name says it.
        return bool
    return re.compile("|".join(map(translate, patterns)) or _NOTHING).match


class FileFolder(ABC):
    """A flat folder of files: on this machine, an SMB share or an sFTP server.

    place: what errors call it; it holds no credentials.
    """

    place: str

    @abstractmethod
    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """The regular files whose name matches one of the patterns (`*` any text, `?` one sign), by name.

        A name is listed once, whatever the number of patterns it matches. Raises SourceError when the
        folder cannot be listed.
        """

    def listing(self, patterns: Sequence[str] = EVERYTHING) -> pl.DataFrame:
        """`entries` by columns (LISTED): a folder of years holds too many for an object each."""
        return as_rows(self.entries(patterns))

    @abstractmethod
    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """The files' bytes, in order. One that vanished, is locked or exceeds MAX_FILE_BYTES is left out,
        as is a name that leads out of the folder.

        Raises SourceError when the folder itself can no longer be reached.
        """

    def close(self) -> None:  # noqa: B027 (a folder of this machine has no connections)
        """Let go of connections; the next call opens them again."""


NOTHING_KNOWN = pl.DataFrame(
    schema={"name": pl.String(), "size_bytes": pl.Int64(), "modified_at": pl.Datetime("us", "UTC")}
)
"""What bronze knows of the files it holds: the columns of an Entry."""

LISTED = NOTHING_KNOWN.schema | {"name": pl.Binary()}
"""The columns of entries `as_rows`. Names are bytes: a listed name need be no text, which then is none that
bronze holds."""
_KEY = list(LISTED)

_LISTED_AT_ONCE = 50_000
"""Files of which objects are held at once while a listing becomes columns; each takes 300 bytes."""


def listed(files: Iterable[tuple[str, int, int]]) -> pl.DataFrame:
    """LISTED rows, in order, of names, sizes and last writes in whole microseconds of unix time."""
    parts = [pl.DataFrame(schema=LISTED)]
    waiting = iter(files)
    while part := [*islice(waiting, _LISTED_AT_ONCE)]:
        names, sizes, written_us = zip(*part, strict=True)
        columns = {
            "name": [name.encode("utf-8", "surrogatepass") for name in names],
            "size_bytes": sizes,
            "modified_at": written_us,
        }
        parts.append(pl.DataFrame(columns, schema=LISTED | {"modified_at": pl.Int64}).cast(LISTED))
    return pl.concat(parts)


def as_rows(entries: Iterable[Entry]) -> pl.DataFrame:
    """Entries by columns, in order: of many, a fifth of the memory, and what columns do takes no loop."""
    return listed((name, size, (moment - EPOCH) // MICROSECOND) for name, size, moment in entries)


def as_entries(rows: pl.DataFrame) -> list[Entry]:
    """The entries that `as_rows` made these rows of."""
    names = [name.decode("utf-8", "surrogatepass") for name in rows["name"]]
    # Polars gives a time span in a tenth of the time that a moment with a zone costs.
    spans = rows.select(pl.col("modified_at") - pl.lit(EPOCH)).to_series()
    return [*map(Entry, names, rows["size_bytes"], map(EPOCH.__add__, spans))]


def texts(names: pl.Series) -> pl.Series:
    """Names of LISTED rows as texts, null for one that is none."""
    try:
        return names.cast(pl.String())
    except pl.exceptions.ComputeError:
        # Polars refuses all for the sake of one.
        return pl.Series([*map(_text, names)], dtype=pl.String())


def _text(name: bytes) -> str | None:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return None


def unknown(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Of entries by columns those that are not known under their size and time of last write, in order."""
    if known.is_empty():
        return rows
    held = known.select(pl.col("name").cast(pl.Binary()), "size_bytes", "modified_at")
    return rows.join(held, on=_KEY, how="anti", maintain_order="left")


@dataclass(frozen=True)
class FilePosition:
    """What bronze knows (as NOTHING_KNOWN), and what was listed and is still to be read (`as_rows`)."""

    known: pl.DataFrame
    waiting: pl.DataFrame | None = None

    @property
    def left(self) -> int:
        """How many files are known to wait."""
        return 0 if self.waiting is None else self.waiting.height


@dataclass(frozen=True)
class FileSource:
    """Files of a folder. `patterns` bound the listing, `accept` picks those of its rows that are wanted."""

    folder: FileFolder
    accept: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    patterns: Sequence[str] = EVERYTHING

    def pull(self, position: FilePosition, limit: int) -> Batch[Payload, FilePosition]:
        """Read at most `limit` files that are not known under their size and time of last write.

        A file that vanishes or cannot be read is passed over: the next listing shows it again.
        """
        waiting = position.waiting
        if waiting is None:
            waiting = unknown(self.folder.listing(self.patterns), position.known)
            waiting = waiting if self.accept is None else self.accept(waiting)
        payloads = tuple(self.folder.read(as_entries(waiting.head(limit))))
        rest = FilePosition(position.known, waiting.slice(limit))
        return Batch(payloads, rest, more=rest.left > 0)
