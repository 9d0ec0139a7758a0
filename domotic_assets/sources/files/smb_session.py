"""Connects to an SMB 3 share: address, encryption and log-on, with one clear error for each failure.

Nothing is listed or read here. Each request has a time limit, and no unencrypted answer is accepted.
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
"""A server that takes longer has stalled: to search a folder of 250,000 names takes it about one second."""

_ADDRESS = re.compile(r"//(?P<host>[^/:@]+)(:(?P<port>\d{1,5}))?/(?P<share>[^/]+)(/(?P<folder>.*))?")
_DEFAULT_PORT = 445
_SESSION_EXPIRED = 0xC000035C
_SESSION_LOST = {
    _SESSION_EXPIRED,
    NtStatus.STATUS_USER_SESSION_DELETED,
    NtStatus.STATUS_NETWORK_NAME_DELETED,
}

# The client's log names the user; everything that it reports reaches us as an exception as well.
logging.getLogger("smbprotocol").setLevel(logging.CRITICAL + 1)


class ConnectionLost(SourceError):
    """The connection broke or was not accepted; another one may work."""


@dataclass(frozen=True)
class Place:
    """The parts of an address `//host[:port]/share[/folder]`."""

    address: str
    host: str
    port: int
    share: str
    folder: str

    @classmethod
    def of(cls, address: str) -> "Place":
        """Parse an address; raise ConfigurationError, which does not repeat it, for any other form."""
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
        """Return a path below the share's root, in the protocol's spelling."""
        return "\\".join(filter(None, [*self.folder.split("/"), *names]))


class SmbSession:
    """An encrypted, logged-on connection to a share; after any SourceError it can only be closed."""

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
        """Cut the connection and end its thread; the server releases what it held for us."""
        if self.connection.transport is not None:
            self.connection.disconnect(close=False)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Convert errors of the requests in a `with` block to SourceErrors with a remedy.

        A request without an answer in time becomes a SourceError. Any other error of the protocol or the
        network becomes ConnectionLost.
        """
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
        """Connect to the server and require encryption.

        Raises ConnectionLost if it cannot be reached, TimeoutError if it does not answer, and SourceError if
        it offers no encryption.
        """
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
        # Dialects below 3.0 never support it.
        if not self.connection.supports_encryption:
            raise SourceError(
                "the server does not offer SMB 3 with encryption",
                where=self.place.address,
                expected="dialect 3.0 or newer, encrypted",
                remedy="switch SMB 3 and its encryption on at the server (Samba: server smb encrypt)",
            )

    def _log_on(self, user: str, password: str) -> Any:
        """Log on and return the encrypted session; raises SourceError if user or password is refused."""
        session = Session(self.connection, user, password, require_encryption=True)
        try:
            session.connect()
        except SMBConnectionClosed:
            raise
        except SMBException:
            # A guest is not accepted either: guests get no keys, so nothing could be encrypted.
            raise SourceError(
                "the server does not accept the user and password",
                where=self.place.address,
                expected="an account that may read the share",
                remedy="correct the environment variables that user_env and password_env in sites.yaml name",
            ) from None
        return session

    def _open_share(self, session: Any) -> Any:
        """Open the share in a logged-on session; return the protocol's tree, which requests refer to.

        Raises SourceError if the server refuses, as for a share that does not exist.
        """
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
    """Return the protocol's name of a refusal; its number if it is a rare one."""
    names: dict[int, str] = {
        number: name for name, number in vars(NtStatus).items() if name.startswith("STATUS_")
    }
    return names.get(refusal.status, f"status 0x{refusal.status:08X}")


class _Connection(Connection):  # type: ignore[misc]
    """The client's connection with two limits: an answer must come in time, and it must be encrypted."""

    def receive(self, request: Any, wait: bool = True, timeout: float | None = None, **_: Any) -> Any:
        """Receive an answer; raise TimeoutError if none came in time on an open connection."""
        try:
            # A link that the server refers us to could lead out of the folder.
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
        """Reject an unencrypted answer once the session encrypts; called for each unencrypted answer."""
        session = self.session_table.get(session_id)
        if session is not None and session.encrypt_data and not force:
            raise SMBException("an answer came unencrypted")
        super().verify_signature(header, session_id, force)
