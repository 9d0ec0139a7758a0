"""Connections of a real web server over a socket: how many are open, and how long one may say nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from domotic_assets.web import connections
from domotic_assets.web.connections import BoundedListener, PromptProtocol

MOST = 20
OK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a web server that holds few connections, and waits for a second."""
    monkeypatch.setattr(connections, "SECONDS_TO_ASK", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as held:
        config = uvicorn.Config(
            PlainTextResponse("ok"), loop="asyncio", http=PromptProtocol, backlog=64, log_level="error"
        )
        server = uvicorn.Server(config)
        listener = BoundedListener(held.dup().detach(), MOST)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield held.getsockname()[1]
        server.should_exit = True
        thread.join()
        # What live does: the web server is gone, and the port is still its own.
        with pytest.raises(OSError, match="in use"), socket.create_server(held.getsockname()):
            pass


def answer(connection: socket.socket) -> bytes:
    """The first bytes that come back; none if it is closed."""
    connection.settimeout(5)
    try:
        return connection.recv(15)
    except ConnectionResetError:
        return b""


def test_the_thousandth_idle_connection_takes_nothing_from_the_others(port: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(10 * MOST)]
    try:
        assert [answer(connection) for connection in idle[MOST:]] == [b""] * (9 * MOST)
        time.sleep(1.5)
        with socket.create_connection(("127.0.0.1", port)) as late:
            late.sendall(OK)
            assert answer(late) == b"HTTP/1.1 200 OK"
        assert [answer(connection) for connection in idle[:MOST]] == [b""] * MOST
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("before", [b"", OK, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"])
def test_a_head_that_trickles_is_not_waited_for(port: int, before: bytes) -> None:
    """At first, after an answer, and as a body that nobody reads."""
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(before)
        if before:
            assert answer(slow) == b"HTTP/1.1 200 OK"
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 4:
                slow.sendall(b"G")
                time.sleep(0.1)
        assert 0.9 < time.monotonic() - began < 3
