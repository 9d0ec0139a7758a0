"""Bounds the connections of a web server: how many are open, and how long one may take to ask for something.

Whoever opens thousands and says nothing could else take all descriptors of the process, which then ends.
"""

import asyncio
import resource
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from domotic_assets.web.reached import BACKLOG

MOST_CONNECTIONS = 512
SECONDS_TO_ASK = 10.0
_DESCRIPTORS_FOR_ELSE = 256


def raise_descriptors() -> int:
    """Let this process open as many files as the system allows it; return how many connections it may hold.

    At least a quarter of the descriptors is left for what serves the connections.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, hard - BACKLOG - _DESCRIPTORS_FOR_ELSE, hard // 2))


class BoundedListener(socket.socket):
    """A listening socket that drops what comes beyond a bound of open connections, before TLS too."""

    def __init__(self, descriptor: int, most: int) -> None:
        super().__init__(fileno=descriptor)
        self._most = most
        self._held: list[socket.socket] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection; raises ConnectionAbortedError for one too many."""
        connection, address = super().accept()
        if len(self._held) >= self._most:
            self._held = [held for held in self._held if held.fileno() != -1]
        if len(self._held) >= self._most:
            connection.close()
            raise ConnectionAbortedError("too many connections")
        self._held.append(connection)
        return connection, address


class PromptProtocol(H11Protocol):
    """HTTP whose connections are closed unless the head of each request is there in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read on; the time runs on too while no request is whole in its head."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next head."""
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection to a WebSocket, which has times of its own."""
        self._stop_watching()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Let the time run while no request is being answered."""
        if self.transport.get_protocol() is not self:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(SECONDS_TO_ASK, self.transport.abort)

    def _stop_watching(self) -> None:
        """End the time."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
