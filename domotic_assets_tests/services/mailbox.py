"""A real SMTP server and a real web server on loopback, in threads of the tests, that keep what they get.

How they are set up belongs here; what is sent to them belongs in the tests.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domotic_assets_tests.services.servers import HOST, free_port


def make_certificate(folder: Path, name: str = "mail") -> tuple[Path, Path]:
    """(certificate, key) for this host, signed by itself: a client has to be told to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}-key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@dataclass
class Mailbox:
    """Mails that the server accepted, oldest first. refuse: addresses that it does not deliver to."""

    port: int
    user: str
    password: str
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    # Names and signatures of the handlers are aiosmtpd's.
    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return f"550 no mailbox {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert server.transport.get_extra_info("ssl_object") is not None, "a mail came unencrypted"
        content = cast(bytes, envelope.content)
        self.mails.append(cast(EmailMessage, message_from_bytes(content, policy=policy.default)))
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: Any
    ) -> AuthResult:
        """Only the one user, with the one password."""
        right = isinstance(login, LoginPassword) and (login.login, login.password) == (
            self.user.encode(),
            self.password.encode(),
        )
        return AuthResult(success=right, handled=False)


class _Implicit(Controller):
    """TLS from the first byte: the session has no STARTTLS to tell of it."""

    def factory(self) -> SMTP:
        server = super().factory()
        server._auth_require_tls = False
        return server


@contextmanager
def mailbox(certificate: Path, key: Path, *, implicit: bool = False) -> Iterator[Mailbox]:
    """A started server that takes mail only encrypted and from its user; ended on leaving."""
    box = Mailbox(free_port(), "alerts-user", "planted-smtp-password")
    context = _context(certificate, key)
    common = {"hostname": HOST, "port": box.port, "authenticator": box.authenticate, "auth_required": True}
    server = (
        _Implicit(box, ssl_context=context, **common)
        if implicit
        else Controller(box, tls_context=context, require_starttls=True, **common)
    )
    server.start()
    try:
        yield box
    finally:
        server.stop()


@dataclass
class Hook:
    """What was posted to the web server, oldest first: path, headers, JSON. status: what it answers."""

    port: int
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    status: int = 204


@contextmanager
def webhook() -> Iterator[Hook]:
    """A started web server that takes posts; ended on leaving."""
    hook = Hook(free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(hook.status)
            self.send_header("Location", f"http://{HOST}:{hook.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: pytest's output stays the tests'."""

    server = ThreadingHTTPServer((HOST, hook.port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
