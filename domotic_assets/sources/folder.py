"""A folder of this machine (or one that it has mounted)."""

import os
import stat
from collections.abc import Iterator, Sequence
from datetime import timedelta
from operator import itemgetter
from pathlib import Path

from domotic_assets.errors import SourceError
from domotic_assets.localtime import EPOCH
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.files import EVERYTHING, MAX_FILE_BYTES, FileFolder, leads_elsewhere, matcher

_BY_NAME = itemgetter(0)


class LocalFolder(FileFolder):
    """The files directly in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """As `FileFolder.entries`; a file's status is asked for only where its name matches."""
        matches = matcher(patterns)
        found: list[Entry] = []
        try:
            with os.scandir(self.folder) as listing:
                for file in listing:
                    entry = _entry(file) if matches(file.name) else None
                    if entry is not None:
                        found.append(entry)
        except OSError as error:
            raise SourceError(
                f"the folder cannot be listed ({error.strerror})",
                where=self.place,
                expected="a readable folder",
                remedy="create it or correct `sources` in sites.yaml (`domotic simulate` fills one)",
            ) from None
        return sorted(found, key=_BY_NAME)

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


def _entry(found: os.DirEntry[str]) -> Entry | None:
    try:
        status = found.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    # Whole microseconds, without the float of st_mtime: the same file must look the same for ever.
    modified = EPOCH + timedelta(0, 0, status.st_mtime_ns // 1_000)
    return Entry(found.name, status.st_size, modified)
