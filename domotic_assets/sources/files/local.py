"""Lists and reads a folder of this machine, or one that it has mounted."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from errno import ELOOP
from pathlib import Path

import polars as pl

from domotic_assets.errors import SourceError
from domotic_assets.localtime import MOST_US
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.files.folders import (
    EVERYTHING,
    LEADS_OUTSIDE,
    MAX_FILE_BYTES,
    NO_FILE,
    FileFolder,
    as_entries,
    leads_elsewhere,
    listed,
    matcher,
)
from domotic_assets.sources.files.opened_folder import opened_folder

_MORE_BYTES = 1 << 20
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
"""How a file is opened: no link is followed, and a pipe that lies in its place makes nobody wait."""


class LocalFolder(FileFolder):
    """The files directly in a folder.

    follow_links: whether links are followed to wherever they lead; else only to files of the same folder.
    """

    def __init__(self, folder: Path, *, follow_links: bool = False) -> None:
        self.folder = folder
        self.place = str(folder)
        self._follow_links = follow_links
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Counter[str]:
        """Implement `FileFolder.refused`."""
        return self._refused

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """Implement `FileFolder.entries`."""
        return as_entries(self.listing(patterns))

    def listing(self, patterns: Sequence[str] = EVERYTHING) -> pl.DataFrame:
        """Implement `FileFolder.listing`; only files with a matching name are asked for their status."""
        self._refused = Counter()
        try:
            with opened_folder(self.folder, follow_links=self._follow_links) as opened:
                return listed(self._files(opened, matcher(patterns))).sort("name")
        except OSError as error:
            raise SourceError(
                f"the folder cannot be listed ({error.strerror})",
                where=self.place,
                expected="a readable folder",
                remedy="create it or correct `sources` in sites.yaml (`domotic simulate` fills one)",
            ) from None

    def _files(self, opened: int, matches: Callable[[str], object]) -> Iterator[tuple[str, int, int]]:
        """Yield name, size (bytes) and last write (unix microseconds) of the regular files that match.

        opened: the folder. matches: a function that tells whether a name is wanted. Raises OSError if the
        folder cannot be listed.
        """
        folder = self.folder.resolve()
        with os.scandir(opened) as found:
            for file in found:
                status = _status(file) if matches(file.name) else None
                if status is not None and stat.S_ISLNK(status.st_mode):
                    status = self._status_behind(opened, folder, file.name)
                if status is None:
                    continue
                if stat.S_ISREG(status.st_mode):
                    # Whole microseconds, not the float of st_mtime: the same file must always look the same.
                    yield file.name, status.st_size, _whole_us(status.st_mtime_ns)
                elif not stat.S_ISDIR(status.st_mode):
                    self._refused[NO_FILE] += 1

    def _status_behind(self, opened: int, folder: Path, link: str) -> os.stat_result | None:
        """Return the status of what a link leads to; None if that is nothing, or is refused and counted."""
        if not self._follow_links and _inside(opened, folder, link) is None:
            self._refused[LEADS_OUTSIDE] += 1
            return None
        try:
            return os.stat(link, dir_fd=opened)
        except OSError:
            return None

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """Implement `FileFolder.read`; what has become a link or no file since the listing is left out."""
        with ExitStack() as held:
            try:
                opened = held.enter_context(opened_folder(self.folder, follow_links=self._follow_links))
            except OSError:
                return
            for entry in entries:
                if entry.size_bytes > MAX_FILE_BYTES or leads_elsewhere(entry.name):
                    continue
                try:
                    content = _content(self._open(opened, entry.name), entry.size_bytes)
                except OSError:
                    continue
                if content is not None:
                    yield Payload(*entry, content)

    def _open(self, opened: int, name: str) -> int:
        """Open a file of the folder; raises OSError, also for a link that is not followed."""
        if self._follow_links:
            return os.open(name, _PLAIN & ~os.O_NOFOLLOW, dir_fd=opened)
        try:
            return os.open(name, _PLAIN, dir_fd=opened)
        except OSError as error:
            inside = _inside(opened, self.folder.resolve(), name) if error.errno == ELOOP else None
            if inside is None:
                raise
            return os.open(inside, _PLAIN, dir_fd=opened)


def _inside(opened: int, folder: Path, link: str) -> str | None:
    """Return the name of the file of the same folder that a link leads to; None if it leads elsewhere.

    folder: the path of the open one, without links.
    """
    try:
        target = Path(os.path.normpath(folder / os.readlink(link, dir_fd=opened)))
        found = os.stat(target.name, dir_fd=opened, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return target.name if target.parent == folder and not stat.S_ISLNK(found.st_mode) else None


def _content(file: int, expected_bytes: int) -> bytes | None:
    """Read an open file's bytes with as few calls as possible, and close it.

    It takes more calls if the file is not as long as listed. None if it is no regular file, or larger than
    MAX_FILE_BYTES by now. For many small files, a Path or a file object for each costs as much as reading it.
    """
    try:
        # A pipe has no place to read at, so this fails for it.
        content = os.pread(file, expected_bytes + 1, 0)
        if len(content) == expected_bytes:
            return content
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            return None
        whole = bytearray(content)
        while len(whole) <= MAX_FILE_BYTES and (more := os.pread(file, _MORE_BYTES, len(whole))):
            whole += more
    finally:
        os.close(file)
    return bytes(whole) if len(whole) <= MAX_FILE_BYTES else None


def _whole_us(unix_ns: int) -> int:
    """Return whole microseconds of a time in nanoseconds, at most as many as a column of moments holds."""
    return max(min(unix_ns // 1_000, MOST_US), -MOST_US)


def _status(found: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of a name itself, also of a link; None if it is gone."""
    try:
        return found.stat(follow_symlinks=False)
    except OSError:
        return None
