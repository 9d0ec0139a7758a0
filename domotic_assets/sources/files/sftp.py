"""A folder of an sFTP server: listed, read and, where a transfer breaks, resumed on a new connection.

One connection is kept from call to call. Signing in belongs in `ssh`; what the files mean elsewhere.
"""

import re
import stat
import time
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
    MAX_FILE_BYTES,
    FileFolder,
    leads_elsewhere,
    matcher,
)
from domotic_assets.sources.files.ssh import SSH_PORT, Broken, Session, SshServer

PATIENCE_SECONDS = 15.0
"""How long a server may bring nothing new; an attempt begun before may end up to two waits later."""

FIRST_PAUSE_SECONDS = 1.0
"""The pause before a second attempt; each further one is twice as long."""

CHUNK_BYTES = 32 * 1024
"""What every server sends as the answer to one request."""

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
    ) -> None:
        """address: `sftp://host[:port]/path`. Nothing is dialled yet."""
        found = re.fullmatch(r"sftp://([^/:@]+)(?::(\d+))?(/.*)", address)
        if found is None:
            raise ValueError("an sFTP folder's address is sftp://host[:port]/path")
        self.place = address
        self._path = PurePosixPath(found[3])
        self._server = SshServer(
            address, found[1], int(found[2] or SSH_PORT), known_hosts, user, password, key_file
        )
        self._session: Session | None = None

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """As `FileFolder.entries`."""
        return self._persist(lambda sftp: self._list(sftp, patterns))

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """As `FileFolder.read`; a file that is no longer as it was listed is left out as well."""
        for entry in entries:
            if entry.size_bytes > MAX_FILE_BYTES or leads_elsewhere(entry.name):
                continue
            transfer = _Transfer(str(self._path / entry.name), entry)
            content = self._persist(transfer.go_on, transfer.reached)
            if content is not None:
                yield Payload(*entry, content)

    def close(self) -> None:
        """As `FileFolder.close`."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _persist(
        self, action: Callable[[paramiko.SFTPClient], Result], reached: Callable[[], int] = lambda: 0
    ) -> Result:
        """Do it, on a new connection where the old one is gone, until `reached` has stood still too long."""
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
        matches = matcher(patterns)
        matching = (item for item in found if matches(item[0]))
        entries = (self._entry(sftp, name, attributes) for name, attributes in matching)
        return sorted(filter(None, entries), key=lambda entry: entry.name)

    def _entry(
        self, sftp: paramiko.SFTPClient, name: str, attributes: paramiko.SFTPAttributes
    ) -> Entry | None:
        """The entry of a regular file, or of a link to one."""
        if stat.S_ISLNK(attributes.st_mode or 0):
            try:
                attributes = sftp.stat(str(self._path / name))
            except OSError as error:
                if _is_answer(error, sftp):
                    return None
                raise
        return _entry_of(name, attributes) if stat.S_ISREG(attributes.st_mode or 0) else None


class _Transfer:
    """The reading of one file, which goes on where it broke as long as the file stays as it was listed."""

    def __init__(self, path: str, entry: Entry) -> None:
        self._path = path
        self._entry = entry
        self._content = bytearray()

    def reached(self) -> int:
        """How many bytes are here."""
        return len(self._content)

    def go_on(self, sftp: paramiko.SFTPClient) -> bytes | None:
        """The whole content; None where the file is gone, refused to us or no longer the one listed."""
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
        if not self._is_as_listed(file):
            return None
        file.seek(len(self._content))
        while missing := self._entry.size_bytes - len(self._content):
            chunk = file.read(min(missing, CHUNK_BYTES))
            if not chunk:
                # Cut short, unless the connection broke: the client reports both as an end of file.
                file.stat()
                return None
            self._content += chunk
        # It may have been written to meanwhile.
        return bytes(self._content) if self._is_as_listed(file) else None

    def _is_as_listed(self, file: paramiko.SFTPFile) -> bool:
        return _entry_of(self._entry.name, file.stat()) == self._entry


def _is_answer(error: OSError, sftp: paramiko.SFTPClient) -> bool:
    """Whether the server said so of a path, as opposed to a connection that is silent or gone."""
    return not isinstance(error, TimeoutError) and not sftp.get_channel().closed


def _entry_of(name: str, attributes: paramiko.SFTPAttributes) -> Entry:
    return Entry(name, attributes.st_size or 0, datetime.fromtimestamp(attributes.st_mtime or 0, UTC))


def _names(sftp: paramiko.SFTPClient, path: str) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
    """Every name of a folder with its attributes.

    As the client's own listing, which a single name that is no UTF-8 would end; here it is passed over.
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
