"""Lists and reads a folder of this machine, or one that it has mounted."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from domotic_assets.errors import SourceError
from domotic_assets.localtime import MOST_US
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.files.folders import (
    EVERYTHING,
    MAX_FILE_BYTES,
    FileFolder,
    as_entries,
    leads_elsewhere,
    listed,
    matcher,
)


class LocalFolder(FileFolder):
    """The files directly in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """Implement `FileFolder.entries`."""
        return as_entries(self.listing(patterns))

    def listing(self, patterns: Sequence[str] = EVERYTHING) -> pl.DataFrame:
        """Implement `FileFolder.listing`; only files with a matching name are asked for their status."""
        try:
            return listed(self._files(matcher(patterns))).sort("name")
        except OSError as error:
            raise SourceError(
                f"the folder cannot be listed ({error.strerror})",
                where=self.place,
                expected="a readable folder",
                remedy="create it or correct `sources` in sites.yaml (`domotic simulate` fills one)",
            ) from None

    def _files(self, matches: Callable[[str], object]) -> Iterator[tuple[str, int, int]]:
        """Yield name, size (bytes) and last write (unix microseconds) of the regular files that match.

        matches: a function that tells whether a name is wanted. Raises OSError if the folder cannot be
        listed.
        """
        with os.scandir(self.folder) as found:
            for file in found:
                status = _status(file) if matches(file.name) else None
                if status is not None and stat.S_ISREG(status.st_mode):
                    # Whole microseconds, not the float of st_mtime: the same file must always look the same.
                    yield file.name, status.st_size, _whole_us(status.st_mtime_ns)

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """Implement `FileFolder.read`."""
        place = f"{self.folder}{os.sep}"
        for entry in entries:
            if entry.size_bytes > MAX_FILE_BYTES or leads_elsewhere(entry.name):
                continue
            try:
                content = _content(place + entry.name, entry.size_bytes)
            except OSError:
                continue
            yield Payload(*entry, content)


def _content(path: str, expected_bytes: int) -> bytes:
    """Read a file's bytes with as few calls as possible; read it again if it is not as long as listed.

    For many small files, a Path or a file object for each costs as much as reading it.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        content = os.read(file, expected_bytes + 1)
    finally:
        os.close(file)
    return content if len(content) == expected_bytes else Path(path).read_bytes()


def _whole_us(unix_ns: int) -> int:
    """Return whole microseconds of a time in nanoseconds, at most as many as a column of moments holds."""
    return max(min(unix_ns // 1_000, MOST_US), -MOST_US)


def _status(found: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of a file; None if it is gone or is a link to nothing."""
    try:
        return found.stat()
    except OSError:
        return None
