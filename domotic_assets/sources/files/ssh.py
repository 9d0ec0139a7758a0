"""Signs in to an SSH server for sFTP; the server's key is always verified, and every wait has a limit.

There are two kinds of failure: a connection that is gone or silent (`Broken`, worth a retry), and what only a
person can fix (SourceError). No message holds a user, a password or a key's location.
"""

import logging
import shlex
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import paramiko

from domotic_assets.errors import SourceError

SSH_PORT = 22
WAIT_SECONDS = 8.0
"""Time limit for a server to sign us in, and to answer any one request."""

# paramiko logs hosts, users, and the tracebacks of errors that it raises anyway.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class Broken(Exception):
    """The connection is gone or silent; the argument says how, in words that are not personal."""


@dataclass(frozen=True)
class SshServer:
    """Where to sign in and as whom: by password or with the private key in `key_file`."""

    place: str
    host: str
    port: int
    known_hosts: Path
    user: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    key_file: Path | None = field(default=None, repr=False)

    def sign_in(self) -> "Session":
        """Open a new sFTP session; raise Broken, or SourceError if a retry is of no use."""
        client = paramiko.SSHClient()
        self._load_known_hosts(client)
        client.set_missing_host_key_policy(_Refuse())
        key = None if self.key_file is None else self._read_key(self.key_file)
        try:
            wire = socket.create_connection((self.host, self.port), timeout=WAIT_SECONDS)
            # Requests are small: holding one back for the next would cost 4 ms (15 MB: 2.0 s, not 0.2 s).
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Broken(error.strerror or "no answer") from None
        # Some waits of the client have no limit of their own; cutting its socket ends them all.
        limit = threading.Timer(WAIT_SECONDS, _cut, [wire])
        limit.daemon = True
        limit.start()
        try:
            client.connect(
                self.host,
                self.port,
                self.user,
                self.password,
                pkey=key,
                sock=wire,
                timeout=WAIT_SECONDS,
                banner_timeout=WAIT_SECONDS,
                allow_agent=False,
                look_for_keys=False,
            )
            return Session(client, self.place)
        except BaseException as error:
            signed_off = not _is_active(client)
            client.close()
            wire.close()
            self._explain(error, signed_off)
        finally:
            limit.cancel()

    def _load_known_hosts(self, client: paramiko.SSHClient) -> None:
        """Load the keys of known hosts into a client; without the file, no host is known.

        Raises SourceError if the file cannot be read.
        """
        try:
            client.load_system_host_keys(str(self.known_hosts))
        except FileNotFoundError:
            # Then no host is known, which becomes an error with a remedy as soon as the server shows its key.
            return
        except (OSError, ValueError, paramiko.hostkeys.InvalidHostKey):
            raise SourceError(
                "the known hosts cannot be read",
                where=str(self.known_hosts),
                expected="lines of host, key type and key, as OpenSSH writes them",
                remedy="mend the file or its rights, or correct known_hosts in sites.yaml",
            ) from None

    def _read_key(self, file: Path) -> paramiko.PKey:
        """Read the private key; raises SourceError if it cannot be read or is protected by a passphrase."""
        try:
            return paramiko.PKey.from_path(file)
        except Exception as error:
            # The client raises errors of several libraries here; an encrypted key is a TypeError.
            encrypted = isinstance(error, TypeError | paramiko.PasswordRequiredException)
            raise SourceError(
                "the private key is protected by a passphrase"
                if encrypted
                else f"the private key cannot be read ({type(error).__name__})",
                where=self.place,
                expected="an Ed25519, ECDSA or RSA key without passphrase that this account may read",
                remedy="correct the variable that key_file_env names, or the file's rights",
            ) from None

    def _explain(self, error: BaseException, signed_off: bool) -> NoReturn:
        """Raise the error that explains a failed sign-in.

        signed_off: whether the connection had ended by then, so that a refusal says nothing about the
        password. The client's own texts hold user names, so none is repeated.
        """
        if isinstance(error, _UnknownHost):
            raise SourceError(
                f"the server's host key is not known ({_shown(error.args[0])})",
                where=self.place,
                expected=f"a line for {self._known_name} in {self.known_hosts}",
                remedy=f"compare the key with the server's administrator first, then accept it: {self._scan}",
            ) from None
        if isinstance(error, paramiko.BadHostKeyException):
            forget = f"ssh-keygen -R {shlex.quote(self._known_name)} -f {shlex.quote(str(self.known_hosts))}"
            raise SourceError(
                f"the server's host key has changed (now {_shown(error.key)}): somebody may be in between",
                where=self.place,
                expected=f"{_shown(error.expected_key)}, as {self.known_hosts} says",
                remedy="ask the server's administrator; if the new key is right, accept it: "
                f"{forget} && {self._scan}",
            ) from None
        if isinstance(error, paramiko.AuthenticationException) and not signed_off:
            means = "private key" if self.key_file is not None else "password"
            raise SourceError(
                f"the server refuses the user or the {means}",
                where=self.place,
                expected=f"an account that may sign in with this {means}",
                remedy="correct the variables that sources in sites.yaml names, or the account",
            ) from None
        if isinstance(error, paramiko.IncompatiblePeer):
            raise SourceError(
                "the server speaks no algorithm that is safe",
                where=self.place,
                expected="a key exchange, cipher and host key of today",
                remedy="ask the server's administrator to update it",
            ) from None
        if isinstance(error, Broken):
            raise error
        if isinstance(error, paramiko.SSHException | EOFError | OSError | paramiko.SFTPError):
            raise Broken("no sFTP session came about") from None
        raise error

    @property
    def _known_name(self) -> str:
        """The host as the known-hosts file spells it."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"

    @property
    def _scan(self) -> str:
        """The command that adds the server's key to the known hosts."""
        port = "" if self.port == SSH_PORT else f"-p {self.port} "
        return f"ssh-keyscan {port}{shlex.quote(self.host)} >> {shlex.quote(str(self.known_hosts))}"


class Session:
    """A signed-in connection with one sFTP channel."""

    def __init__(self, client: paramiko.SSHClient, place: str) -> None:
        self._client = client
        transport = client.get_transport()
        if transport is None:
            raise Broken("the connection ended")
        channel = transport.open_session(timeout=WAIT_SECONDS)
        channel.settimeout(WAIT_SECONDS)
        try:
            channel.invoke_subsystem("sftp")
        except paramiko.SSHException:
            if not transport.is_active():
                raise
            raise _no_sftp(place) from None
        self._channel = channel
        self.sftp = paramiko.SFTPClient(channel)

    @property
    def is_alive(self) -> bool:
        """Whether the connection is open, as far as this side can tell."""
        return not self._channel.closed and _is_active(self._client)

    def close(self) -> None:
        """Close the connection without waiting for the server."""
        self._client.close()


class _UnknownHost(Exception):
    """The known-hosts file has no key of the server; the argument is the key that it showed."""


class _Refuse:
    """Rejects the key of an unknown host."""

    def missing_host_key(self, *shown: Any) -> NoReturn:
        """Raise _UnknownHost with the key that the server showed.

        The client calls this for a host without a known key. shown: client, host name and key.
        """
        raise _UnknownHost(shown[-1])


def _no_sftp(place: str) -> SourceError:
    """Make the error for a server that signs the account in but offers it no sFTP."""
    return SourceError(
        "the account may sign in, but the server offers it no sFTP",
        where=place,
        expected="the subsystem sftp",
        remedy="ask the server's administrator to allow it",
    )


def _is_active(client: paramiko.SSHClient) -> bool:
    """Return whether a client has a connection that is open, as far as this side can tell."""
    transport = client.get_transport()
    return transport is not None and bool(transport.is_active())


def _cut(wire: socket.socket) -> None:
    """Shut down a socket in both directions, so that every wait for it ends; errors are ignored."""
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)


def _shown(key: Any) -> str:
    """Format a host key for an error message: its type and fingerprint."""
    return f"{key.get_name()} {key.fingerprint}"
