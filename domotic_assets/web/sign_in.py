"""Signs people in and out, and tells who is there. It knows no application that asks it.

On loopback a one-time link signs in whoever can write into the lake, as its operator. Pages that other
machines reach ask for the password of a person of sites.yaml.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from domotic_assets.escaping import html_text
from domotic_assets.web.answers import page, redirect, refusal
from domotic_assets.web.cookies import Cookie
from domotic_assets.web.layers import CutOff, TooLong, read_body
from domotic_assets.web.one_time_links import OneTimeLinks
from domotic_assets.web.passwords import LONGEST_PASSWORD, Passwords
from domotic_assets.web.people import OPERATOR, People, Rights
from domotic_assets.web.sessions import SECONDS_OF_A_SESSION, Sessions
from domotic_assets.web.tries import Tries

MOST_BYTES_OF_A_FORM = 8192
MOST_AT_ONCE = 16
_VERIFIED_AT_ONCE = 2  # each takes 64 MiB

_ASK_FOR_A_LINK = """<p>These pages open by a link that works once. The terminal of <code>domotic live</code>
shows it; <code>domotic link</code> with the same <code>--lake</code> shows another.</p>
<form method="post" action="/sign-in"><label>Link <input name="link" type="password" autocomplete="off"
maxlength="200" required autofocus></label><button>Open</button></form>"""
_ASK_FOR_A_PASSWORD = f"""<form method="post" action="/sign-in" autocomplete="on">
<label>User <input name="user" autocomplete="username" maxlength="64" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password"
maxlength="{html_text(str(LONGEST_PASSWORD))}" required></label>
<button>Sign in</button></form>"""
_SIGN_OUT = """<form method="post"><button>Sign out</button></form>"""


@dataclass
class SignIn:
    """How people sign in to one web server.

    landing: the path to which they come then. passwords: None if one-time links are asked for.
    """

    people: People
    links: OneTimeLinks
    cookie: Cookie
    landing: str
    passwords: Passwords | None = None
    sessions: Sessions = field(default_factory=Sessions)
    tries: Tries = field(default_factory=Tries)
    _at_work: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_VERIFIED_AT_ONCE))
    _waiting: int = 0

    def rights(self, connection: HTTPConnection) -> Rights | None:
        """Return what the person who sent this may do, as of now; None if nobody is signed in."""
        session = self.sessions.find(self.cookie.values(connection.headers.getlist("cookie")))
        if session is None:
            return None
        if session.user is None:
            return OPERATOR
        if self.passwords is None or self.passwords.mark(session.user) != session.mark:
            return None
        return self.people.rights(session.user)

    def asks(self, status: int = 401, said: str = "") -> Response:
        """Make the page that asks who is there. said: a sentence of ours above."""
        body = _ASK_FOR_A_LINK if self.passwords is None else _ASK_FOR_A_PASSWORD
        return page("Sign in", f"{said and f'<p>{html_text(said)}</p>'}{body}", status)

    async def sign_in(self, request: Request) -> Response:
        """Sign a person in by the link or the form that they send."""
        if request.method == "POST":
            try:
                sent = await _form(request)
            except (ValueError, TooLong, CutOff):
                return refusal(400, "a form of ours is expected")
            if self.passwords is not None:
                return await self._by_password(request, self.passwords, sent)
            return self._by_link(request, sent.get("link", "").strip().rpartition("?")[2])
        token = request.scope["query_string"].decode("latin-1")
        if self.passwords is not None or request.method != "GET" or not token:
            return self.asks(200)
        # Whatever looks at a link before the person does must not use it up.
        looks_ahead = any(request.headers.get(name) for name in ("sec-purpose", "purpose", "x-moz"))
        if looks_ahead or request.headers.get("sec-fetch-dest", "document") != "document":
            return refusal(403, "open the link itself")
        return self._by_link(request, token)

    def sign_out(self, request: Request) -> Response:
        """End the session, after asking."""
        if request.method != "POST":
            return page("Sign out", _SIGN_OUT)
        self.sessions.end(self.cookie.values(request.headers.getlist("cookie")))
        answer = page("Signed out", "<p>You may close this page.</p>")
        answer.headers.append("Set-Cookie", self.cookie.header("", 0))
        return answer

    def _by_link(self, request: Request, token: str) -> Response:
        """Sign in by the token of a one-time link."""
        if not self.links.redeem(token):
            return self.asks(403, "This link is not valid any more.")
        return self._begin(request, None, None)

    async def _by_password(self, request: Request, passwords: Passwords, sent: Mapping[str, str]) -> Response:
        """Sign in by user and password."""
        user, password = sent.get("user", ""), sent.get("password", "")
        if not user or len(user) > 64 or not 0 < len(password) <= LONGEST_PASSWORD:
            return self.asks(403, "User or password is wrong.")
        address = request.client.host if request.client else ""
        if self._waiting >= MOST_AT_ONCE:
            return self.asks(503, "Too many sign in at the moment. Try again soon.")
        if not self.tries.take(user, address):
            return self.asks(429, "Too many tries. Wait a quarter of an hour.")
        mark = passwords.mark(user)
        self._waiting += 1
        try:
            async with self._at_work:
                good = await asyncio.to_thread(passwords.verify, user, password)
        finally:
            self._waiting -= 1
        if not good or self.people.rights(user) is None:
            return self.asks(403, "User or password is wrong.")
        self.tries.succeeded(user, address)
        return self._begin(request, user, mark)

    def _begin(self, request: Request, user: str | None, mark: str | None) -> Response:
        """Begin a new session in place of the one that the browser had, and lead to the pages."""
        self.sessions.end(self.cookie.values(request.headers.getlist("cookie")))
        answer = redirect(self.landing)
        token = self.sessions.begin(user, mark)
        answer.headers.append("Set-Cookie", self.cookie.header(token, SECONDS_OF_A_SESSION))
        return answer


async def _form(request: Request) -> dict[str, str]:
    """Read the fields of a form; raises ValueError for anything else, and as `read_body` does."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ValueError("no form")
    body = await read_body(request, MOST_BYTES_OF_A_FORM)
    return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=4).items()}
