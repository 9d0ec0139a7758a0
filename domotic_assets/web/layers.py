"""What the layers before an application share: how they are called, close a WebSocket, and read a body."""

from abc import ABC, abstractmethod

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

POLICY_VIOLATION = 1008
"""Code with which a WebSocket is closed, or its handshake refused, because of what was sent over it."""


class Layer(ABC):
    """ASGI middleware that judges requests and WebSockets; all else goes on to the application as it is."""

    _app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @abstractmethod
    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""

    @abstractmethod
    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the handshake of a WebSocket, or hand it on."""


async def close(send: Send) -> None:
    """Refuse a handshake, or close a WebSocket that is open."""
    await send({"type": "websocket.close", "code": POLICY_VIOLATION})


class TooLong(Exception):
    """A body has more bytes than are read."""


class CutOff(Exception):
    """A body ended before it was whole."""


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Read the body of a request; raises TooLong as soon as it is, and CutOff."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                raise TooLong
    except ClientDisconnect:
        raise CutOff from None
    return body
