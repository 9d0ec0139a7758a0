"""A folder of this machine (or one that it has mounted)."""

import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from domotic_assets.errors import SourceError
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.files import EVERYTHING, MAX_FILE_BYTES, FileFolder, leads_elsewhere, matcher


class LocalFolder(FileFolder):
    """The files directly in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """As `FileFolder.entries`; a file's status is asked for only where its name matches."""
        matches = matcher(patterns)
        try:
            with os.scandir(self.folder) as listing:
                matching = (found for found in listing if matches(found.name))
                return sorted(filter(None, map(_entry, matching)), key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(
                f"the folder cannot be listed ({error.strerror})",
                where=self.place,
                expected="a readable folder",
                remedy="create it or correct `sources` in sites.yaml (`domotic simulate` fills one)",
            ) from None

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """As `FileFolder.read`."""
        for entry in entries:
            if entry.size_bytes > MAX_FILE_BYTES or leads_elsewhere(entry.name):
                continue
            try:
                # A Path for each of many thousand names costs as much as reading the file.
                with open(f"{self.folder}{os.sep}{entry.name}", "rb", buffering=0) as file:  # noqa: PTH123
                    content = file.read()
            except OSError:
                continue
            yield Payload(entry, content)


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
