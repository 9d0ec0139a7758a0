"""Lists and reads a folder of an SMB 3 share; the encrypted connection is kept, and reopened if it breaks."""

import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import TypeVar

from domotic_assets.errors import SourceError
from domotic_assets.sources.base import Entry, Payload
from domotic_assets.sources.files import smb_share
from domotic_assets.sources.files.folders import (
    EVERYTHING,
    MAX_FILE_BYTES,
    FileFolder,
    leads_elsewhere,
)
from domotic_assets.sources.files.smb_session import ConnectionLost, Place, SmbSession

_PAUSES_SECONDS = (0.1, 0.4, 1.0, 2.0, 4.0, 6.0)
"""Pauses before each attempt to reconnect; one call has so many attempts in all."""

Answer = TypeVar("Answer")


class SmbFolder(FileFolder):
    """The files directly in a folder of a share. For one thread at a time."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.place = address
        self._place = Place.of(address)
        self._user = user
        self._password = password
        self._session: SmbSession | None = None

    def entries(self, patterns: Sequence[str] = EVERYTHING) -> list[Entry]:
        """Implement `FileFolder.entries`; the server searches, with one query per pattern."""
        pauses = iter(_PAUSES_SECONDS)
        found: dict[str, Entry] = {}
        for pattern in patterns:
            for entry in self._ask(partial(smb_share.listing, pattern=pattern), pauses):
                # The server may ignore case, and also finds files by their short names.
                if fnmatchcase(entry.name, pattern):
                    found[entry.name] = entry
        return [found[name] for name in sorted(found)]

    def read(self, entries: Sequence[Entry]) -> Iterator[Payload]:
        """Implement `FileFolder.read`; a file that has grown since the listing is read as it is now."""
        pauses = iter(_PAUSES_SECONDS)
        for entry in entries:
            if entry.size_bytes > MAX_FILE_BYTES or leads_elsewhere(entry.name):
                continue
            content = self._ask(partial(smb_share.read, entry=entry), pauses)
            if content is not None:
                yield Payload(*entry, content)

    def close(self) -> None:
        """Implement `FileFolder.close`."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _ask(self, question: Callable[[SmbSession], Answer], pauses: Iterator[float]) -> Answer:
        """Put a question to the share and return its answer; reconnect if the connection breaks in between.

        question: a function that sends requests on a session. pauses: seconds to wait before each further
        attempt to reconnect. Raises SourceError; a first connection that fails is not tried again.
        """
        if self._session is None:
            self._session = self._dial()
        while True:
            try:
                return question(self._session)
            except ConnectionLost as lost:
                self.close()
                self._session = self._dial_again(lost, pauses)
            except SourceError:
                self.close()
                raise

    def _dial_again(self, lost: ConnectionLost, pauses: Iterator[float]) -> SmbSession:
        """Reconnect, after a pause (seconds) before each attempt, until one succeeds or no pause is left.

        lost: the error of the broken connection. Raises it, or the error of the last attempt, if none
        succeeds.
        """
        for pause in pauses:
            time.sleep(pause)
            try:
                return self._dial()
            except ConnectionLost as error:
                lost = error
        raise lost

    def _dial(self) -> SmbSession:
        """Open a new session on the share; raises ConnectionLost if a retry may help, else SourceError."""
        return SmbSession(self._place, self._user, self._password)
