"""Sends raw requests and WebSocket messages to an ASGI application, as a server would after parsing them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What came back: status, headers and body. closed: the code with which a WebSocket was closed."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    accepted: bool = False
    texts: list[str] = field(default_factory=list)
    closed: int | None = None

    def header(self, name: str) -> str | None:
        """The value of a header; fails if it stands twice."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) < 2, f"{name} stands twice: {values}"
        return values[0] if values else None


def send(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Headers,
    pieces: Sequence[bytes] = (b"",),
    *,
    query: bytes = b"",
    client: str = "127.0.0.1",
    scheme: str = "http",
) -> Answer:
    """A request whose path is decoded already; headers in the order given, as often as given."""
    scope = _scope("http", path, headers, query, client, scheme) | {"method": method}
    return asyncio.run(_http(app, scope, pieces))


def talk(
    app: ASGIApp, path: str, headers: Headers, messages: Sequence[Message], protocols: Sequence[str]
) -> Answer:
    """A WebSocket: its handshake, then these messages, then the other side leaves."""
    scope = _scope("websocket", path, headers, b"", "127.0.0.1", "ws") | {"subprotocols": list(protocols)}
    return asyncio.run(_websocket(app, scope, messages))


def _scope(kind: str, path: str, headers: Headers, query: bytes, client: str, scheme: str) -> dict[str, Any]:
    return {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": scheme, "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": query, "client": (client, 4711),
        "server": ("127.0.0.1", 3000),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
    }  # fmt: skip


async def _http(app: ASGIApp, scope: dict[str, Any], pieces: Sequence[bytes]) -> Answer:
    answer, left = Answer(), list(pieces)

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not answer.status, "answered twice"
            answer.status = message["status"]
            answer.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, take)
    return answer


async def _websocket(app: ASGIApp, scope: dict[str, Any], messages: Sequence[Message]) -> Answer:
    answer = Answer()
    left: list[Message] = [
        {"type": "websocket.connect"},
        *messages,
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> Message:
        return left.pop(0)

    async def take(message: Message) -> None:
        assert answer.closed is None, f"{message} after the end"
        if message["type"] == "websocket.accept":
            answer.accepted = True
        elif message["type"] == "websocket.close":
            answer.closed = message["code"]
        else:
            answer.texts.append(message["text"])

    await app(scope, receive, take)
    return answer
