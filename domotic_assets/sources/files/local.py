"""A folder of this machine (or one that it has mounted)."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from domotic_assets.errors import SourceError
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
        """As `FileFolder.entries`."""
        return as_entries(self.listing(patterns))

    def listing(self, patterns: Sequence[str] = EVERYTHING) -> pl.DataFrame:
        """As `FileFolder.listing`; a file's status is asked for only where its name matches."""
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
        with os.scandir(self.folder) as found:
            for file in found:
                status = _status(file) if matches(file.name) else None
                if status is not None and stat.S_ISREG(status.st_mode):
                    # Whole, without the float of st_mtime: the same file must look the same for ever.
                    yield file.name, status.st_size, status.st_mtime_ns // 1_000

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """As `FileFolder.read`."""
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
    """A file's bytes by as few calls as can be: of many small files, a Path or a file object for each costs
    as much as reading it. One that has grown or shrunk since it was listed is read anew."""
    file = os.open(path, os.O_RDONLY)
    try:
        content = os.read(file, expected_bytes + 1)
    finally:
        os.close(file)
    return content if len(content) == expected_bytes else Path(path).read_bytes()


def _status(found: os.DirEntry[str]) -> os.stat_result | None:
    """What the system says of a file; None of one that went, or that is a link to nothing."""
    try:
        return found.stat()
    except OSError:
        return None
