"""Lists and reads the files of a flat folder: the interface of every kind of folder, and the source over it.

How a kind of folder is listed and read belongs in its own module. Names and contents are not interpreted
here.

Why: docs/decisions/0027-listings-by-columns.md
"""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from itertools import islice

import polars as pl

from domotic_assets.localtime import EPOCH, moment_of, unix_us_of
from domotic_assets.sources.base import Batch, Entry, Payload

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Larger files are not read, since they would only fill the memory. Sensor and forecast files are far
smaller."""


def leads_elsewhere(name: str) -> bool:
    """Return whether a listed name is no file of its own folder; only a malicious server lists such names."""
    return name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name


LEADS_OUTSIDE, NO_FILE = "link out of the folder", "no regular file"
"""Reasons to refuse a name: a link that leads out of its folder, and what is neither file nor folder."""

EVERYTHING = ("*",)
"""The pattern of a full listing."""

_NOTHING = "(?!)"
"""Regular expression that matches no name."""


def matcher(patterns: Sequence[str]) -> Callable[[str], object]:
    """Return a function that tells whether a name matches one of the patterns.

    One expression covers all patterns, since a folder may hold the files of years.
    """
    if "*" in patterns:
        # Every name matches.
        return bool
    return re.compile("|".join(map(translate, patterns)) or _NOTHING).match


class FileFolder(ABC):
    """A flat folder of files: on this machine, on an SMB share or on an sFTP server.

    place: its name in errors; it holds no credentials.
    """

    place: str

    @property
    def refused(self) -> Counter[str]:
        """How many of the names that the last listing looked for were refused, by reason."""
        return Counter()

    @abstractmethod
    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """List the regular files whose name matches one of the patterns, sorted by name.

        `*` matches any text, `?` one character. A name is listed once, whatever the number of patterns it
        matches. Raises SourceError if the folder cannot be listed.
        """

    def listing(self, patterns: Sequence[str] = EVERYTHING) -> pl.DataFrame:
        """List as `entries` does, but as a LISTED frame: years of files are too many for an object each."""
        return as_rows(self.entries(patterns))

    @abstractmethod
    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """Yield the files with their bytes, in order.

        Files are left out that vanished, are locked or exceed MAX_FILE_BYTES, and names that lead out of the
        folder. Raises SourceError if the folder itself can no longer be reached.
        """

    def close(self) -> None:  # noqa: B027 (a folder of this machine has no connections)
        """Close connections; the next call opens them again."""


NOTHING_KNOWN = pl.DataFrame(
    schema={"name": pl.String(), "size_bytes": pl.Int64(), "modified_at": pl.Datetime("us", "UTC")}
)
"""Frame of the files that bronze holds, empty: the columns of an Entry."""

LISTED = NOTHING_KNOWN.schema | {"name": pl.Binary()}
"""Schema of listed entries. Names are bytes, since a listed name may be invalid UTF-8; bronze holds no
such name."""
_KEY = list(LISTED)

_LISTED_AT_ONCE = 50_000
"""Number of files held as objects while a listing becomes a frame; each takes 300 bytes."""


def listed(files: Iterable[tuple[str, int, int]]) -> pl.DataFrame:
    """Return names, sizes (bytes) and last writes (whole unix microseconds) as a LISTED frame, in order."""
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
    """Return entries as a LISTED frame, in order.

    For many entries it takes a fifth of the memory, and column operations need no loop.
    """
    return listed((name, size, unix_us_of(moment)) for name, size, moment in entries)


def as_entries(rows: pl.DataFrame) -> list[Entry]:
    """Return the entries of a LISTED frame, in order."""
    names = [name.decode("utf-8", "surrogatepass") for name in rows["name"]]
    # Polars returns a time span in a tenth of the time that a moment with a zone takes.
    spans = rows.select(pl.col("modified_at") - pl.lit(EPOCH)).to_series()
    try:
        return [*map(Entry, names, rows["size_bytes"], map(EPOCH.__add__, spans))]
    except OverflowError:
        # A last write of the year 10000, or before year 1.
        return [*map(Entry, names, rows["size_bytes"], map(moment_of, rows["modified_at"].to_physical()))]


def texts(names: pl.Series) -> pl.Series:
    """Decode the names of LISTED rows; null for a name that is not UTF-8."""
    try:
        return names.cast(pl.String())
    except pl.exceptions.ComputeError:
        # Polars rejects all names because of one.
        return pl.Series([*map(_text, names)], dtype=pl.String())


def _text(name: bytes) -> str | None:
    """Decode a file name; None if it is not UTF-8."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return None


def unknown(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the LISTED rows of files that bronze does not hold, in order.

    known: the files that it holds. A file is the same if name, size and last write are the same.
    """
    if known.is_empty():
        return rows
    held = known.select(pl.col("name").cast(pl.Binary()), "size_bytes", "modified_at")
    return rows.join(held, on=_KEY, how="anti", maintain_order="left")


@dataclass(frozen=True)
class FilePosition:
    """Position of a FileSource.

    known: files that bronze holds (as NOTHING_KNOWN). waiting: files listed and still to be read (LISTED);
    None before the folder was listed.
    """

    known: pl.DataFrame
    waiting: pl.DataFrame | None = None

    @property
    def left(self) -> int:
        """Number of listed files that are still to be read."""
        return 0 if self.waiting is None else self.waiting.height


@dataclass(frozen=True)
class FileSource:
    """Files of a folder, as a source.

    accept: selects the listed rows that are wanted; None for all. patterns: limit the listing.
    """

    folder: FileFolder
    accept: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    patterns: Sequence[str] = EVERYTHING

    def pull(self, position: FilePosition, limit: int) -> Batch[Payload, FilePosition]:
        """Read at most `limit` files that bronze does not hold with the same size and time of last write.

        position: what bronze holds, and what is still to be read. A file that vanished or cannot be read is
        skipped; the next listing shows it again.
        """
        waiting = position.waiting
        if waiting is None:
            waiting = unknown(self.folder.listing(self.patterns), position.known)
            waiting = waiting if self.accept is None else self.accept(waiting)
        payloads = tuple(self.folder.read(as_entries(waiting.head(limit))))
        rest = FilePosition(position.known, waiting.slice(limit))
        return Batch(payloads, rest, more=rest.left > 0)
