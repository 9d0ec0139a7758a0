"""Dagster's pages over HTTP and WebSocket, signed in to by a one-time link as a browser does."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol


class Pages:
    """One person's session. headers: what a browser sends with each request of its own page."""

    def __init__(self, link: str) -> None:
        found = urlsplit(link)
        self.host = found.netloc
        self.origin = f"{found.scheme}://{found.netloc}"
        answer = self.send("GET", f"{found.path}?{found.query}")
        if answer.status != 303:
            raise PermissionError(f"{answer.status}: {answer.read().decode()}")
        self.landing = answer.headers["Location"]
        self.prefix = self.landing.removesuffix("/asset-groups")
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]

    @property
    def headers(self) -> dict[str, str]:
        """What a browser sends by itself."""
        return {"Cookie": self.cookie, "Origin": self.origin, "Sec-Fetch-Site": "same-origin"}

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HTTPResponse:
        """A request, with these headers alone."""
        connection = HTTPConnection(self.host, timeout=120)
        connection.request(method, path, body, dict(headers or {}))
        return connection.getresponse()

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The data that the pages answer to GraphQL; raises PermissionError if they refuse it."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        kind = {"Content-Type": "application/json"}
        answer = self.send("POST", f"{self.prefix}/graphql", {**self.headers, **kind}, body)
        if answer.status != 200:
            raise PermissionError(f"{answer.status}: {answer.read().decode()}")
        found: dict[str, Any] = json.load(answer)["data"]
        return found

    def socket(self, headers: Mapping[str, str] | None = None) -> ClientConnection:
        """A WebSocket to GraphQL; raises InvalidStatus if it is refused."""
        return connect(
            f"ws://{self.host}{self.prefix}/graphql",
            subprotocols=[Subprotocol("graphql-ws")],
            additional_headers={"Cookie": self.cookie, "Origin": self.origin, **(headers or {})},
        )
