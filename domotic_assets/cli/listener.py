"""Listens for the web server of `domotic live`, which holds the port for as long as it runs."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from domotic_assets.errors import ConfigurationError
from domotic_assets.web.reached import BACKLOG, Reached


def answers(reached: Reached) -> bool:
    """Return whether the web server answers anything within a second, be it a refusal."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(reached.listen, reached.listen)  # nosec B104
    with suppress(OSError), socket.create_connection((host, reached.port), timeout=1) as probe:
        probe.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        probe.recv(1)
        return True
    return False


@contextmanager
def listening(reached: Reached) -> Iterator[socket.socket]:
    """Listen where the pages are to be, and hold on to it: raises ConfigurationError if that cannot be.

    Between two web servers the port would else be free, and another account could take it, show the person
    a page of its own there, and be handed the path of the pages.
    """
    family = socket.AF_INET6 if ":" in reached.listen else socket.AF_INET
    try:
        listener = socket.create_server((reached.listen, reached.port), family=family, backlog=BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise ConfigurationError(
            "another program listens there" if taken else f"cannot listen there: {error.strerror}",
            where=f"port {reached.port}" if taken else f"{reached.listen}, port {reached.port}",
            expected="a free port" if taken else "an address of this machine",
            remedy=f"name another: --port {reached.port + 1}" if taken else "correct pages.listen",
        ) from None
    with listener:
        yield listener
