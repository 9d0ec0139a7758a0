"""Trusts what a reverse proxy says of a request, and answers nobody but the proxies that sites.yaml names."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from domotic_assets.web.answers import refusal
from domotic_assets.web.layers import close


class BehindProxies:
    """ASGI middleware: requests come by a proxy, and to the proxy by TLS; else they are refused.

    The proxy says by X-Forwarded-For who asks and by X-Forwarded-Proto how, and leaves Host as it is.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app = app
        self._described = ProxyHeadersMiddleware(self._by_tls, list(proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._described(scope, receive, send)  # type: ignore[arg-type]

    async def _by_tls(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what came to a proxy by TLS; of whom else the scheme stays plain HTTP."""
        if scope["type"] != "lifespan" and scope["scheme"] not in ("https", "wss"):
            return await _refuse(
                scope, receive, send, "this port is for the reverse proxy, which says that TLS was used"
            )
        return await self._app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, text: str) -> None:
    """Refuse a request or a handshake."""
    if scope["type"] == "websocket":
        return await close(send)
    return await refusal(403, text)(scope, receive, send)
