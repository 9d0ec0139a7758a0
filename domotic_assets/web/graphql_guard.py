"""Lets through to an application with GraphQL what a person may ask of it, and nothing that acts beside it.

Stands behind the front, which says who the person is. A GET never acts; a POST is GraphQL or refused.
"""

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domotic_assets.web import graphql
from domotic_assets.web.answers import page, refusal
from domotic_assets.web.front import RIGHTS
from domotic_assets.web.layers import POLICY_VIOLATION, CutOff, Layer, TooLong, close, read_body
from domotic_assets.web.people import Rights

MOST_BYTES_OF_A_MESSAGE = 2**20
_PROTOCOL = "graphql-ws"
_FOLLOWS = graphql.Allowed(frozenset({graphql.SUBSCRIPTION}))
_CONTROL = frozenset({"connection_init", "connection_terminate", "stop"})


class GraphQLGuard(Layer):
    """ASGI middleware before an application whose GraphQL is at prefix + `/graphql`.

    acting: names of fields that act, although a query may hold them: whoever may only look gets none.
    closed: beginnings of further paths, below the prefix, that are not served at all.
    """

    def __init__(
        self, app: ASGIApp, prefix: str, acting: frozenset[str] = frozenset(), closed: tuple[str, ...] = ()
    ) -> None:
        self._app = app
        self._looking = graphql.Allowed(frozenset({graphql.QUERY}), acting)
        self._acting = graphql.Allowed(frozenset({graphql.QUERY, graphql.MUTATION}))
        self._place = f"{prefix}/graphql"
        self._closed = (self._place, *(prefix + path for path in closed))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a page, or a POST of GraphQL that this person may send."""
        rights: Rights = scope[RIGHTS]
        if not rights.sees:
            answer = page(
                "Not for you", "<p>These pages show all homes: admins and viewers see them.</p>", 403
            )
            return await answer(scope, receive, send)
        request = Request(scope, receive)
        if request.method != "POST":
            # The router compares paths otherwise than we might: whatever begins so is closed.
            if scope["path"].casefold().startswith(self._closed):
                return await refusal(405, "GraphQL is read by POST")(scope, receive, send)
            return await self._app(scope, receive, send)
        if scope["path"] != self._place:
            return await refusal(405, "only GraphQL is read by POST")(scope, receive, send)
        kind = request.headers.get("content-type", "").replace(" ", "").lower()
        if kind not in ("application/json", "application/json;charset=utf-8"):
            return await refusal(415, "application/json is expected")(scope, receive, send)
        if request.headers.get("content-encoding"):
            return await refusal(415, "a body without encoding is expected")(scope, receive, send)
        try:
            sent = await read_body(request, graphql.MOST_BYTES)
            body = graphql.admitted(sent, self._acting if rights.acts else self._looking)
        except TooLong:
            return await refusal(413, "the body is too long")(scope, receive, send)
        except CutOff:
            return await refusal(400, "the body was cut off")(scope, receive, send)
        except graphql.Refused as refused:
            return await refusal(403, str(refused))(scope, receive, send)
        return await self._app(_with_body(scope, len(body)), _once(body, receive), send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a WebSocket over which a person follows what happens; nothing acts over it."""
        rights: Rights = scope[RIGHTS]
        if scope["path"] != self._place or _PROTOCOL not in scope.get("subprotocols", ()) or not rights.sees:
            return await close(send)

        async def receive_admitted() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                return {"type": "websocket.receive", "text": _admitted_message(message.get("text"))}
            except graphql.Refused:
                await close(send)
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

        return await self._app({**scope, "query_string": b""}, receive_admitted, send)


def _admitted_message(text: str | None) -> str:
    """Return a message of the protocol `graphql-ws`, written anew; raises Refused for one that may act."""
    if text is None or len(text) > MOST_BYTES_OF_A_MESSAGE:
        raise graphql.Refused("a text is expected, and not too long a one")
    try:
        sent = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise graphql.Refused("the message is no JSON") from None
    if not isinstance(sent, dict) or not isinstance(sent.get("id"), str | None):
        raise graphql.Refused("an object is expected")
    admitted = {"type": sent.get("type"), "id": sent.get("id")}
    if sent.get("type") == "start":
        admitted["payload"] = graphql.admitted_request(sent.get("payload"), _FOLLOWS)
    elif sent.get("type") not in _CONTROL:
        raise graphql.Refused("this type of message is not read")
    return orjson.dumps(admitted).decode()


def _with_body(scope: Scope, length: int) -> Scope:
    """Return the scope of a request whose body was written anew, and whose query string nobody reads."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"content-length", b"content-type", b"transfer-encoding")
    ]
    headers += [(b"content-length", str(length).encode()), (b"content-type", b"application/json")]
    return {**scope, "headers": headers, "query_string": b""}


def _once(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body at first, and then what the server says."""
    given = False

    async def receive_body() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body
