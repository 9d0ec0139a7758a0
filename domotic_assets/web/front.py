"""Stands before an application: nothing reaches it that is not from its own pages and from somebody known.

It knows no application. `scope["domotic.rights"]` tells the application what the person may do.
"""

import re
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domotic_assets.escaping import html_text
from domotic_assets.web.answers import page, refusal, secured
from domotic_assets.web.layers import POLICY_VIOLATION, Layer, close
from domotic_assets.web.origins import Served, judge
from domotic_assets.web.sign_in import SignIn

RIGHTS = "domotic.rights"
_METHODS = ("GET", "HEAD", "POST")
_ODD_PATH = re.compile(r"[\x00-\x1f\x7f\\]|//|/\.{1,2}(/|$)")


class Front(Layer):
    """ASGI middleware: origin, person and headers of every request.

    prefix: where the application is, such as `/3f9c…`, or empty; sign-in is outside of it.
    kept: the beginning of paths, below prefix, of files that a browser may keep.
    """

    def __init__(
        self, app: ASGIApp, sign_in: SignIn, served: Served, *, prefix: str = "", kept: str | None = None
    ) -> None:
        self._app = app
        self._sign_in = sign_in
        self._served = served
        self._prefix = prefix
        self._kept = None if kept is None else prefix + kept

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        kept = self._kept is not None and scope["path"].startswith(self._kept)

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = secured(message, may_be_kept=kept and message["status"] == 200)
            await send(message)

        request = Request(scope, receive)
        answer = await self._answer(request)
        if answer is None:
            await self._app(scope, receive, send_secured)
        else:
            await answer(scope, receive, send_secured)

    async def _answer(self, request: Request) -> Response | None:
        """Return the answer of the front, or None if the application may answer."""
        scope, path = request.scope, request.scope["path"]
        verdict = judge(scope["headers"], self._served, method=request.method)
        if verdict == "unknown host":
            return refusal(421, "this address is not served here")
        if verdict == "foreign":
            return refusal(403, "sent by a page of another origin")
        if request.method not in _METHODS:
            return refusal(405, "allowed are GET, HEAD and POST")
        if _ODD_PATH.search(path):
            return refusal(400, "this path is not served")
        if path == "/healthz":
            return PlainTextResponse("ok\n")
        if verdict == "link":
            return _continue_to(path, scope["query_string"])
        if path == "/sign-in":
            return await self._sign_in.sign_in(request)
        rights = self._sign_in.rights(request)
        if rights is None or not path.startswith(f"{self._prefix}/"):
            return self._sign_in.asks()
        if path == f"{self._prefix}/sign-out":
            return self._sign_in.sign_out(request)
        scope[RIGHTS] = rights
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a WebSocket on while its person is signed in with the rights that they had at first."""
        verdict = judge(scope["headers"], self._served, method=None)
        connection = HTTPConnection(scope)
        rights = self._sign_in.rights(connection)
        path = scope["path"]
        if verdict != "own" or rights is None or _ODD_PATH.search(path):
            return await close(send)
        if not path.startswith(f"{self._prefix}/"):
            return await close(send)
        scope[RIGHTS] = rights
        ended = False

        async def send_if_known(message: Message) -> None:
            nonlocal ended
            if not ended and self._sign_in.rights(connection) != rights:
                message = {"type": "websocket.close", "code": POLICY_VIOLATION}
            if not ended:
                ended = message["type"] == "websocket.close"
                await send(message)

        async def receive_if_known() -> Message:
            nonlocal ended
            message = await receive()
            if message["type"] == "websocket.receive" and self._sign_in.rights(connection) != rights:
                if not ended:
                    ended = True
                    await close(send)
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
            return message

        return await self._app(scope, receive_if_known, send_if_known)


def _continue_to(path: str, query: bytes) -> Response:
    """Ask whoever followed a link on a foreign page to go on by a click on ours, which the browser trusts."""
    target = quote(path, safe="/") + (f"?{quote(query, safe='=&%+')}" if query else "")
    return page("Another page led you here", f'<p><a href="{html_text(target)}">Go on</a></p>', 403)
