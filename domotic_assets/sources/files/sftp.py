"""Lists and reads a folder of an sFTP server; a broken transfer is resumed on a new connection.

One connection is kept from call to call. Signing in belongs in `ssh`; what the files mean belongs elsewhere.
"""

import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from errno import EACCES, ENOENT
from pathlib import Path, PurePosixPath
from typing import TypeVar

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_OPENDIR, CMD_READDIR

from domotic_assets.errors import SourceError
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.files.folders import (
    EVERYTHING,
    LEADS_OUTSIDE,
    MAX_FILE_BYTES,
    NO_FILE,
    FileFolder,
    leads_elsewhere,
    matcher,
)
from domotic_assets.sources.files.ssh import SSH_PORT, Broken, Session, SshServer

PATIENCE_SECONDS = 15.0
"""How long to retry while a server delivers nothing new; an attempt that began before may end up to two
waits later."""

FIRST_PAUSE_SECONDS = 1.0
"""The pause before a second attempt; each further one is twice as long."""

CHUNK_BYTES = 32 * 1024
"""Size of one read request, which every server answers in full."""

Result = TypeVar("Result")


class SftpFolder(FileFolder):
    """The files directly in a folder of an sFTP server, signed in to by password or private key."""

    def __init__(
        self,
        address: str,
        user: str,
        *,
        password: str | None = None,
        key_file: Path | None = None,
        known_hosts: Path,
        follow_links: bool = False,
    ) -> None:
        """Take the address `sftp://host[:port]/path` and the credentials, without connecting yet."""
        found = re.fullmatch(r"sftp://([^/:@]+)(?::(\d+))?(/.*)", address)
        if found is None:
            raise ValueError("an sFTP folder's address is sftp://host[:port]/path")
        self.place = address
        self._path = PurePosixPath(found[3])
        self._follow_links = follow_links
        self._server = SshServer(
            address, found[1], int(found[2] or SSH_PORT), known_hosts, user, password, key_file
        )
        self._session: Session | None = None
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Counter[str]:
        """Implement `FileFolder.refused`."""
        return self._refused

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """Implement `FileFolder.entries`."""
        return self._persist(lambda sftp: self._list(sftp, patterns))

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """Implement `FileFolder.read`; a file that changed since it was listed is left out as well."""
        for entry in entries:
            if entry.size_bytes > MAX_FILE_BYTES or leads_elsewhere(entry.name):
                continue
            transfer = _Transfer(str(self._path / entry.name), entry)
            content = self._persist(transfer.go_on, transfer.reached)
            if content is not None:
                yield Payload(*entry, content)

    def close(self) -> None:
        """Implement `FileFolder.close`."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _persist(
        self, action: Callable[[paramiko.SFTPClient], Result], reached: Callable[[], int] = lambda: 0
    ) -> Result:
        """Run `action`, and run it again on a new connection whenever the connection breaks.

        reached: how far the action has come. Raises SourceError if that has not grown for PATIENCE_SECONDS.
        """
        known, since, pause = reached(), time.monotonic(), FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._attempt(action)
            except Broken as broken:
                self.close()
                if reached() > known:
                    known, since, pause = reached(), time.monotonic(), FIRST_PAUSE_SECONDS
                if time.monotonic() - since >= PATIENCE_SECONDS:
                    raise SourceError(
                        f"the server cannot be reached or does not answer ({broken})",
                        where=self.place,
                        expected="an sFTP server that answers",
                        remedy="check the server, the network and the address; it is tried again by itself",
                    ) from None
            time.sleep(pause)
            pause *= 2

    def _attempt(self, action: Callable[[paramiko.SFTPClient], Result]) -> Result:
        """Run `action` once, on the kept connection or a new one.

        Raises Broken if the connection breaks or the server stops answering.
        """
        if self._session is None or not self._session.is_alive:
            self.close()
            self._session = self._server.sign_in()
        session = self._session
        try:
            return action(session.sftp)
        except TimeoutError:
            raise Broken("it stopped answering") from None
        except (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError):
            raise Broken("the connection broke") from None

    def _list(self, sftp: paramiko.SFTPClient, patterns: Sequence[str]) -> list[Entry]:
        """List the regular files that match a pattern, sorted by name.

        Raises SourceError if the server refuses to list the folder, and OSError if the connection fails.
        """
        try:
            found = list(_names(sftp, str(self._path)))
        except OSError as error:
            if not _is_answer(error, sftp):
                raise
            reason = {ENOENT: "no such folder", EACCES: "permission denied"}.get(error.errno or 0, "refused")
            raise SourceError(
                f"the folder cannot be listed ({reason})",
                where=self.place,
                expected="a folder that this account may list",
                remedy="correct the address in sites.yaml, or ask for the folder on the server",
            ) from None
        self._refused = Counter()
        matches = matcher(patterns)
        matching = (item for item in found if matches(item[0]))
        entries = (self._entry(sftp, name, attributes) for name, attributes in matching)
        return sorted(filter(None, entries), key=lambda entry: entry.name)

    def _entry(
        self, sftp: paramiko.SFTPClient, name: str, attributes: paramiko.SFTPAttributes
    ) -> Entry | None:
        """Return the entry of a regular file, or of a link to one; None for anything else.

        A link that leads out of the folder is refused and counted, unless links are followed. The server
        follows a link when a file is opened, so one that is put there after the listing is its own affair.
        """
        if stat.S_ISLNK(attributes.st_mode or 0):
            try:
                if not self._follow_links and not self._leads_inside(sftp, name):
                    self._refused[LEADS_OUTSIDE] += 1
                    return None
                attributes = sftp.stat(str(self._path / name))
            except OSError as error:
                if _is_answer(error, sftp):
                    return None
                raise
        mode = attributes.st_mode or 0
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            self._refused[NO_FILE] += 1
        return _entry_of(name, attributes) if stat.S_ISREG(mode) else None

    def _leads_inside(self, sftp: paramiko.SFTPClient, name: str) -> bool:
        """Return whether the server resolves a link to a file of the same folder; raises OSError."""
        folder = sftp.normalize(str(self._path))
        return PurePosixPath(sftp.normalize(str(self._path / name))).parent == PurePosixPath(folder)


class _Transfer:
    """Reads one file, and resumes where it broke as long as the file is still as it was listed."""

    def __init__(self, path: str, entry: Entry) -> None:
        self._path = path
        self._entry = entry
        self._content = bytearray()

    def reached(self) -> int:
        """Return the number of bytes received so far."""
        return len(self._content)

    def go_on(self, sftp: paramiko.SFTPClient) -> bytes | None:
        """Read on and return the whole content; None if the file is gone, refused or no longer as listed."""
        try:
            # Not by `with`: after a failure, closing would wait for the silent server once more.
            file = sftp.open(self._path, "rb")
            content = self._rest(file)
            file.close()
        except OSError as error:
            if _is_answer(error, sftp):
                return None
            raise
        return content

    def _rest(self, file: paramiko.SFTPFile) -> bytes | None:
        """Read the bytes that are still missing; return the whole content, None if the file changed."""
        if not self._is_as_listed(file):
            return None
        file.seek(len(self._content))
        while missing := self._entry.size_bytes - len(self._content):
            chunk = file.read(min(missing, CHUNK_BYTES))
            if not chunk:
                # The client reports a cut file and a broken connection alike; `stat` raises for the second.
                file.stat()
                return None
            self._content += chunk
        # The file may have been written to in the meantime.
        return bytes(self._content) if self._is_as_listed(file) else None

    def _is_as_listed(self, file: paramiko.SFTPFile) -> bool:
        """Return whether the open file still has the size and last write of its entry in the listing."""
        return _entry_of(self._entry.name, file.stat()) == self._entry


def _is_answer(error: OSError, sftp: paramiko.SFTPClient) -> bool:
    """Return whether the server itself reported the error, not a connection that is silent or gone."""
    return not isinstance(error, TimeoutError) and not sftp.get_channel().closed


def _entry_of(name: str, attributes: paramiko.SFTPAttributes) -> Entry:
    """Make a listing's entry from a file's attributes: size in bytes, and last write in UTC.

    Where the server gives none, the size is 0 and the last write is 1970-01-01.
    """
    return Entry(name, attributes.st_size or 0, datetime.fromtimestamp(attributes.st_mtime or 0, UTC))


def _names(sftp: paramiko.SFTPClient, path: str) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
    """Yield every name of a folder with its attributes.

    Replaces the client's own listing, which ends at a name that is not UTF-8; here such a name is skipped.
    """
    _, answer = sftp._request(CMD_OPENDIR, path)
    handle = answer.get_binary()
    while True:
        try:
            _, answer = sftp._request(CMD_READDIR, handle)
        except EOFError:
            break
        for _ in range(answer.get_int()):
            name = answer.get_binary()
            answer.get_binary()
            attributes = paramiko.SFTPAttributes._from_msg(answer)
            try:
                yield name.decode(), attributes
            except UnicodeDecodeError:
                continue
    sftp._request(CMD_CLOSE, handle)
