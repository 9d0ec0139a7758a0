"""Files of a flat folder, wherever it lies: what every kind of folder offers, and the source over it.

How a kind of folder is listed and read belongs in its own module. Names and contents mean nothing here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from fnmatch import translate

from domotic_assets.sources.base import Batch, Entry, Payload

MAX_FILE_BYTES = 64 * 1024 * 1024
"""No sensor or forecast file comes near it; a larger one would only fill the memory."""

_NOT_IN_NAMES = frozenset("/\\\0")


def leads_elsewhere(name: str) -> bool:
    """Whether a listed name is none of a file of its folder; only a server that means harm lists such."""
    return name in ("", ".", "..") or not _NOT_IN_NAMES.isdisjoint(name)


EVERYTHING = ("*",)
"""The pattern of a full listing."""


_NOTHING = "(?!)"
"""The regular expression that no name matches."""


def matcher(patterns: Sequence[str]) -> Callable[[str], object]:
    """What tells whether a name matches one of the patterns: one look for all, as a folder may hold years."""
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


@dataclass(frozen=True)
class FilePosition:
    """What bronze knows already, and what an earlier pull listed and did not reach."""

    known: Set[Entry]
    waiting: tuple[Entry, ...] | None = None


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
            new = (entry for entry in self.folder.entries(self.patterns) if entry not in position.known)
            waiting = tuple(entry for entry in new if self.accept is None or self.accept(entry))
        payloads = tuple(self.folder.read(waiting[:limit]))
        rest = waiting[limit:]
        return Batch(payloads, FilePosition(position.known, rest), more=bool(rest))
