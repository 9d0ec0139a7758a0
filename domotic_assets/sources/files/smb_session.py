"""Dialling an SMB 3 share: address, encryption, log-on, and every refusal as one clear error.

Nothing is listed or read here. Each request is bounded in time, and no answer is taken unencrypted.
"""

import logging
import re
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBResponseException
from smbprotocol.header import NtStatus
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from domotic_assets.errors import ConfigurationError, SourceError

DIAL_SECONDS = 5
REQUEST_SECONDS = 20
"""A server that takes longer has stalled: the search of a folder of 250,000 names takes it about one."""

_ADDRESS = re.compile(r"//(?P<host>[^/:@]+)(:(?P<port>\d{1,5}))?/(?P<share>[^/]+)(/(?P<folder>.*))?")
_DEFAULT_PORT = 445
_SESSION_EXPIRED = 0xC000035C
_SESSION_LOST = {
    _SESSION_EXPIRED,
    NtStatus.STATUS_USER_SESSION_DELETED,
    NtStatus.STATUS_NETWORK_NAME_DELETED,
}

# The client's log names the user, and all that it reports reaches us as exceptions.
logging.getLogger("smbprotocol").setLevel(logging.CRITICAL + 1)


class ConnectionLost(SourceError):
    """The connection broke or was not accepted: another may work."""


@dataclass(frozen=True)
class Place:
    """What the address `//host[:port]/share[/folder]` says."""

    address: str
    host: str
    port: int
    share: str
    folder: str

    @classmethod
    def of(cls, address: str) -> "Place":
        """Raises ConfigurationError for any other address, and does not repeat it."""
        found = _ADDRESS.fullmatch(address)
        port = int(found["port"] or _DEFAULT_PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise ConfigurationError(
                "the address of an SMB share cannot be understood",
                where="sources in sites.yaml",
                expected="//host[:port]/share[/folder]",
                remedy="correct it; credentials belong in the environment",
            )
        return cls(address, found["host"], port, found["share"], (found["folder"] or "").strip("/"))

    def path(self, *names: str) -> str:
        """A path below the share's root, in the protocol's spelling."""
        return "\\".join(filter(None, [*self.folder.split("/"), *names]))


class SmbSession:
    """An encrypted, logged-on connection to a share; after any SourceError it is only good for closing."""

    def __init__(self, place: Place, user: str, password: str) -> None:
        self.place = place
        self.connection = _Connection(uuid.uuid4(), place.host, place.port, require_signing=True)
        try:
            with self.answering():
                self._negotiate()
                self.tree = self._open_share(self._log_on(user, password))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cut the connection and end its thread; the server lets go of what it held for us."""
        if self.connection.transport is not None:
            self.connection.disconnect(close=False)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn a broken connection and a silent server into SourceErrors."""
        try:
            yield
        except TimeoutError:
            raise SourceError(
                "the server does not answer in time",
                where=self.place.address,
                expected="an answer within seconds",
                remedy="check the server and the way to it; the next call dials again",
            ) from None
        except (SMBException, OSError, ValueError, struct.error):
            raise ConnectionLost(
                "the connection broke",
                where=self.place.address,
                expected="an SMB 3 server that stays connected",
                remedy="check the server and the way to it; the next call dials again",
            ) from None

    def _negotiate(self) -> None:
        try:
            self.connection.connect(timeout=DIAL_SECONDS)
        except ValueError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise error.__cause__ from None
            reason = getattr(error.__cause__, "strerror", None) or "no connection"
            raise ConnectionLost(
                f"the server cannot be reached ({reason})",
                where=self.place.address,
                expected="an SMB 3 server at this host and port",
                remedy="start it, or correct the address in sites.yaml",
            ) from None
        # Never so below dialect 3.0.
        if not self.connection.supports_encryption:
            raise SourceError(
                "the server does not offer SMB 3 with encryption",
                where=self.place.address,
                expected="dialect 3.0 or newer, encrypted",
                remedy="switch SMB 3 and its encryption on at the server (Samba: server smb encrypt)",
            )

    def _log_on(self, user: str, password: str) -> Any:
        session = Session(self.connection, user, password, require_encryption=True)
        try:
            session.connect()
        except SMBConnectionClosed:
            raise
        except SMBException:
            # A guest, too: guests get no keys, so nothing could be encrypted.
            raise SourceError(
                "the server does not accept the user and password",
                where=self.place.address,
                expected="an account that may read the share",
                remedy="correct the environment variables that user_env and password_env in sites.yaml name",
            ) from None
        return session

    def _open_share(self, session: Any) -> Any:
        tree = TreeConnect(session, rf"\\{self.place.host}\{self.place.share}")
        try:
            tree.connect()
        except SMBResponseException as refusal:
            raise SourceError(
                f"the server does not open the share ({status_name(refusal)})",
                where=self.place.address,
                expected="a share that exists and that the account may read",
                remedy="correct the address in sites.yaml, or share it at the server",
            ) from None
        return tree


def status_name(refusal: SMBResponseException) -> str:
    """The protocol's name of a refusal; a rare one has its number only."""
    names: dict[int, str] = {
        number: name for name, number in vars(NtStatus).items() if name.startswith("STATUS_")
    }
    return names.get(refusal.status, f"status 0x{refusal.status:08X}")


class _Connection(Connection):  # type: ignore[misc]
    """The client's connection, which of itself waits for ever and takes unencrypted answers."""

    def receive(self, request: Any, wait: bool = True, timeout: float | None = None, **_: Any) -> Any:
        """As the client's, bounded in time; TimeoutError when nothing came while the connection stood."""
        try:
            # A link that the server sends us along could lead out of the folder.
            return super().receive(request, wait, timeout or REQUEST_SECONDS, resolve_symlinks=False)
        except SMBResponseException as refusal:
            if refusal.status in _SESSION_LOST:
                raise SMBConnectionClosed("the server ended the session") from None
            raise
        except SMBException:
            if self.transport.connected and not request.response_event.is_set():
                raise TimeoutError from None
            raise

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Asked for each answer that came unencrypted: none may, once the session encrypts."""
        session = self.session_table.get(session_id)
        if session is not None and session.encrypt_data and not force:
            raise SMBException("an answer came unencrypted")
        super().verify_signature(header, session_id, force)
