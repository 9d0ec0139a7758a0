"""Files of a flat folder, wherever it lies: what every kind of folder offers, and the source over it.

How a kind of folder is listed and read belongs in its own module. Names and contents mean nothing here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate

import polars as pl

from domotic_assets.localtime import EPOCH
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

_LISTED = NOTHING_KNOWN.schema | {"name": pl.Binary()}
_KEY = list(_LISTED)


def as_rows(entries: Sequence[Entry]) -> pl.DataFrame:
    """Entries by columns, in order: of many, a fifth of the memory, and what columns do takes no loop.

    Names come as bytes: a listed name need be no text, which then is none that bronze holds.
    """
    names, sizes, moments = zip(*entries, strict=True) if entries else ((), (), ())
    return pl.DataFrame(
        {
            "name": [name.encode("utf-8", "surrogatepass") for name in names],
            "size_bytes": sizes,
            # Polars takes and gives a time span in a tenth of the time that a moment with a zone costs.
            "modified_at": [moment - EPOCH for moment in moments],
        },
        schema=_LISTED | {"modified_at": pl.Duration("us")},
    ).with_columns(pl.col("modified_at") + pl.lit(EPOCH))


def as_entries(rows: pl.DataFrame) -> list[Entry]:
    """The entries that `as_rows` made these rows of."""
    spans = rows.select("name", "size_bytes", pl.col("modified_at") - pl.lit(EPOCH)).iter_rows()
    return [Entry(name.decode("utf-8", "surrogatepass"), size, EPOCH + span) for name, size, span in spans]


def unknown_rows(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Of entries by columns those that are not known under their size and time of last write, in order."""
    held = known.select(pl.col("name").cast(pl.Binary()), "size_bytes", "modified_at")
    return rows.join(held, on=_KEY, how="anti", maintain_order="left")


def unknown(entries: Sequence[Entry], known: pl.DataFrame) -> list[Entry]:
    """The entries that are not known under their size and time of last write, in order.

    A folder of years is compared by columns: a set of so many entries takes long to make.
    """
    if known.is_empty() or not entries:
        return list(entries)
    new = unknown_rows(as_rows(entries).with_row_index("place"), known)
    return [entries[place] for place in new["place"]]


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
    """Files of a folder. `patterns` bound the listing, `accept` picks the entries that a caller is after."""

    folder: FileFolder
    accept: Callable[[Entry], bool] | None = None
    patterns: Sequence[str] = EVERYTHING

    def pull(self, position: FilePosition, limit: int) -> Batch[Payload, FilePosition]:
        """Read at most `limit` files that are not known under their size and time of last write.

        A file that vanishes or cannot be read is passed over: the next listing shows it again.
        """
        waiting = position.waiting
        if waiting is None:
            new = unknown(self.folder.entries(self.patterns), position.known)
            waiting = as_rows(new if self.accept is None else [*filter(self.accept, new)])
        payloads = tuple(self.folder.read(as_entries(waiting.head(limit))))
        rest = FilePosition(position.known, waiting.slice(limit))
        return Batch(payloads, rest, more=rest.left > 0)
