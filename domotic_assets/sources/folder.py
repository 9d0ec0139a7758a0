"""Files of a flat folder. Only listing and reading belong here; names and contents mean nothing yet."""

import os
import stat
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from domotic_assets.errors import SourceError
from domotic_assets.sources.base import Batch, Entry, Payload

MAX_FILE_BYTES = 64 * 1024 * 1024
"""No sensor or forecast file comes near it; a larger one would only fill the memory."""


@dataclass(frozen=True)
class FolderPosition:
    """What bronze knows already, and what an earlier pull listed and did not reach."""

    known: Set[Entry]
    waiting: tuple[Entry, ...] | None = None


class FolderSource:
    """The files directly in a folder. `accept` picks the entries that a caller is after."""

    def __init__(self, folder: Path, accept: Callable[[Entry], bool] | None = None) -> None:
        self.folder = folder
        self._accept = accept

    def entries(self) -> list[Entry]:
        """All files of the folder, by name; raises SourceError when it cannot be listed."""
        try:
            with os.scandir(self.folder) as listing:
                return sorted(filter(None, map(_entry, listing)), key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(
                f"the folder cannot be listed ({error.strerror})",
                where=str(self.folder),
                expected="a readable folder",
                remedy="create it or correct `sources` in sites.yaml (`domotic simulate` fills one)",
            ) from None

    def pull(self, position: FolderPosition, limit: int) -> Batch[Payload, FolderPosition]:
        """Read at most `limit` files that are not known under their size and time of last write.

        A file that vanishes or cannot be read is passed over: the next listing shows it again.
        """
        waiting = position.waiting
        if waiting is None:
            accept = self._accept
            new = (entry for entry in self.entries() if entry not in position.known)
            waiting = tuple(entry for entry in new if accept is None or accept(entry))
        payloads = tuple(filter(None, map(self._read, waiting[:limit])))
        rest = waiting[limit:]
        return Batch(payloads, FolderPosition(position.known, rest), more=bool(rest))

    def _read(self, entry: Entry) -> Payload | None:
        if entry.size_bytes > MAX_FILE_BYTES:
            return None
        try:
            return Payload(entry, (self.folder / entry.name).read_bytes())
        except OSError:
            return None


def _entry(found: os.DirEntry[str]) -> Entry | None:
    try:
        status = found.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    # Whole microseconds, without the float of st_mtime: the same file must look the same for ever.
    modified = datetime.fromtimestamp(status.st_mtime_ns // 1_000_000_000, UTC).replace(
        microsecond=status.st_mtime_ns // 1_000 % 1_000_000
    )
    return Entry(found.name, status.st_size, modified)
