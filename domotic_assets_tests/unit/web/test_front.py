"""What reaches an application behind the front: its own pages' requests, of people who are signed in."""

import json
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domotic_assets.web.cookies import Cookie
from domotic_assets.web.front import Front
from domotic_assets.web.graphql_guard import GraphQLGuard
from domotic_assets.web.one_time_links import OneTimeLinks
from domotic_assets.web.origins import Served
from domotic_assets.web.people import OPERATOR, People, Rights
from domotic_assets.web.sign_in import SignIn
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.asgi import Answer, Headers, send, talk

PORT = 3000
PREFIX = "/0123456789abcdef01234567"
HOST, OWN = ("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3000")
SAME, JSON = ("sec-fetch-site", "same-origin"), ("content-type", "application/json")
QUERY, MUTATION = "query A { version }", "mutation B { setAutoMaterializePaused(paused: true) }"
FOLLOW = "subscription C { pipelineRunLogs(runId: 1) { __typename } }"
BOTH = f"{QUERY} {MUTATION}"
TWICE = '{{"query": {}, "id": "x", "operationName": null, "query": {}}}'


class Application:
    """Stands where Dagster does, and keeps what reached it."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "graphql-ws"})
            while (message := await receive())["type"] != "websocket.disconnect":
                self.reached.append(("message", message["text"].encode()))
            return
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        self.reached.append((f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}", body))
        headers = [(b"content-security-policy", b"script-src 'nonce-ab12' https:"), (b"server", b"x")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"fine"})


class Site:
    """A front over an application, with somebody signed in. rights: of that person."""

    def __init__(self, folder: Path, rights: Rights = OPERATOR) -> None:
        self.application = Application()
        self.cookie = Cookie(f"domotic-{PORT}", PREFIX, secure=False)
        people = People(builders.write_sites(folder))
        self.links = OneTimeLinks(folder / "sign_in")
        self.sign_in = SignIn(people, self.links, self.cookie, f"{PREFIX}/asset-groups")
        guard: ASGIApp = GraphQLGuard(
            self.application, PREFIX, frozenset({"evaluationResult"}), ("/notebook",)
        )
        if rights != OPERATOR:
            guard = _with_rights(guard, rights)
        self.app = Front(guard, self.sign_in, Served.on_loopback(PORT), prefix=PREFIX, kept="/_next/")
        self.token = self.sign_in.sessions.begin(None, None)

    @property
    def signed_in(self) -> tuple[str, str]:
        """The header by which a request is the person's."""
        return ("cookie", f"domotic-{PORT}={self.token}")

    def post(
        self, query: str, *headers: tuple[str, str], path: str = "/graphql", body: bytes | None = None
    ) -> Answer:
        """A POST of GraphQL as the pages send it, if no other headers are given."""
        sent = body if body is not None else json.dumps({"query": query}).encode()
        given = headers or (HOST, OWN, SAME, JSON, self.signed_in)
        return send(self.app, "POST", f"{PREFIX}{path}", given, [sent])

    def socket(
        self, *payloads: object, headers: Headers | None = None, protocol: str = "graphql-ws"
    ) -> Answer:
        """A WebSocket over which these messages are sent."""
        messages: list[Message] = [
            {
                "type": "websocket.receive",
                "text": payload if isinstance(payload, str) else json.dumps(payload),
            }
            for payload in payloads
        ]
        given = headers if headers is not None else (HOST, OWN, self.signed_in)
        return talk(self.app, f"{PREFIX}/graphql", given, messages, [protocol])


def _with_rights(app: ASGIApp, rights: Rights) -> ASGIApp:
    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "domotic.rights": rights}, receive, send)

    return changed


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_pages_own_requests_reach_the_application(site: Site) -> None:
    assert site.post(MUTATION).status == 200
    assert site.post("{ evaluationResult }").status == 200
    assert send(site.app, "GET", f"{PREFIX}/runs", (HOST, SAME, site.signed_in)).body == b"fine"
    answer = site.socket(
        {"type": "connection_init"}, {"id": "1", "type": "start", "payload": {"query": FOLLOW}}
    )
    assert (answer.accepted, answer.closed) == (True, None)
    assert [what for what, _ in site.application.reached] == [
        f"POST {PREFIX}/graphql?", f"POST {PREFIX}/graphql?", f"GET {PREFIX}/runs?", "message", "message",
    ]  # fmt: skip
    assert json.loads(site.application.reached[0][1]) == {"query": MUTATION}


@pytest.mark.parametrize(
    "headers",
    [
        (OWN, SAME),
        (("host", "evil.example:3000"), OWN),
        (("host", "evil.example:3000"), ("origin", "http://evil.example:3000"), SAME),
        (("host", "127.0.0.1:3000"), ("host", "evil.example"), OWN),
        (("host", "evil.example"), ("x-forwarded-host", "127.0.0.1:3000"), OWN),
        (("host", "127.0.0.1"), OWN),
        (("host", "127.0.0.1:3001"), OWN),
        (("host", "127.0.0.1:3000.evil.example"), OWN),
        (("host", "127.0.0.1:3000@evil.example"), OWN),
        (("host", "localhost:3000"), ("origin", "http://localhost:3000")),
        (("host", "0.0.0.0:3000"), ("origin", "http://0.0.0.0:3000")),
        (HOST, ("origin", "http://evil.example")),
        (HOST, ("origin", "null")),
        (HOST, ("origin", "http://127.0.0.1:4000"), ("sec-fetch-site", "same-site")),
        (HOST, ("origin", "https://127.0.0.1:3000")),
        (HOST, ("origin", "http://127.0.0.1:3000.evil.example")),
        (HOST, OWN, ("origin", "http://evil.example")),
        (HOST, OWN, ("sec-fetch-site", "cross-site")),
        (HOST, OWN, ("sec-fetch-site", "same-site")),
        (HOST, ("referer", "http://127.0.0.1:3000/")),
        (HOST,),
    ],
    ids=str,
)
def test_what_a_foreign_page_or_a_foreign_name_sends_reaches_nothing(site: Site, headers: Headers) -> None:
    """The person is signed in and the browser sends their cookie along; still nothing happens."""
    assert site.post(MUTATION, *headers, JSON, site.signed_in).status in (403, 421)
    handshake = site.socket(
        {"id": "1", "type": "start", "payload": {"query": FOLLOW}}, headers=(*headers, site.signed_in)
    )
    assert (handshake.accepted, handshake.closed) == (False, 1008)
    assert site.application.reached == []


@pytest.mark.parametrize(
    "cookie", ["", "domotic-3000=", "domotic-3000=guess", "domotic-3001={}", "Domotic-3000={}", "other={}"]
)
def test_whoever_is_not_signed_in_reaches_nothing(site: Site, cookie: str) -> None:
    sent = ("cookie", cookie.format(site.token))
    for method, path in (
        ("GET", "/"),
        ("GET", f"{PREFIX}/"),
        ("GET", f"{PREFIX}/_next/static/a.js"),
        ("HEAD", f"{PREFIX}/runs"),
    ):
        assert send(site.app, method, path, (HOST, SAME, sent)).status == 401
    assert site.post(QUERY, HOST, OWN, SAME, JSON, sent).status == 401
    assert site.socket(headers=(HOST, OWN, sent)).closed == 1008
    assert site.application.reached == []


def test_whoever_is_signed_in_still_needs_the_secret_path(site: Site) -> None:
    """A page of another port, to which a browser would send a cookie of the path `/`, gets none."""
    for path in ("/graphql", "/runs", PREFIX, PREFIX.upper() + "/runs", PREFIX[:-1] + "/runs"):
        assert send(site.app, "GET", path, (HOST, SAME, site.signed_in)).status == 401
    assert site.application.reached == []


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get"]
)
@pytest.mark.parametrize(
    "path",
    [
        "/graphql",
        "/graphql/",
        "/GraphQL",
        "/graphql\n",
        "/graphql\x00",
        "//graphql",
        "/x/../graphql",
        "/./graphql",
        "/graphql\\",
        "/notebook",
    ],
)
def test_nothing_acts_but_a_post(site: Site, method: str, path: str) -> None:
    answer = send(
        site.app, method, f"{PREFIX}{path}", (HOST, SAME, site.signed_in, ("accept", "text/html")),
        query=b"query=mutation{setAutoMaterializePaused(paused:true)}",
    )  # fmt: skip
    assert answer.status in (400, 403, 405)
    assert site.application.reached == []


@pytest.mark.parametrize(
    "path",
    [
        "/graphql/",
        "/GRAPHQL",
        "/graphql\n",
        "/",
        "/runs",
        "/report_asset_materialization/gold/dim_date",
        "/report_asset_check/gold/dim_date",
        "//graphql",
        "/logs/x",
    ],
)
def test_a_post_is_graphql_or_nothing(site: Site, path: str) -> None:
    assert site.post(MUTATION, path=path).status in (400, 405)
    assert site.application.reached == []


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/plain;application/json", "application/graphql", "multipart/form-data; boundary=x",
     "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/json+x", None],
)  # fmt: skip
def test_what_a_form_can_send_is_not_read(site: Site, kind: str | None) -> None:
    named = () if kind is None else (("content-type", kind),)
    assert site.post(MUTATION, HOST, OWN, SAME, *named, site.signed_in).status == 415
    assert site.application.reached == []


def test_an_encoded_body_is_not_read(site: Site) -> None:
    assert (
        site.post(MUTATION, HOST, OWN, SAME, JSON, ("content-encoding", "gzip"), site.signed_in).status == 415
    )


VIEWER = Rights(sees=True, acts=False)
TICK = "sensorOrError(sensorSelector: $s) { ... on Sensor { nextTick { x: evaluationResult { cursor } } } }"
LOOKING = [
    json.dumps({"query": f"query ($s: SensorSelector!) {{ {TICK} }}"}),
    json.dumps({"query": "{ ...F } fragment F on Query { a { ...G } } fragment G on T { evaluationResult }"}),
    json.dumps({"query": MUTATION}),
    json.dumps({"query": BOTH, "operationName": "A"}),
    json.dumps({"query": BOTH, "operationName": "B"}),
    TWICE.format(json.dumps(QUERY), json.dumps(MUTATION)),
    json.dumps([{"query": QUERY}, {"query": MUTATION}]),
    json.dumps({"query": "#\n, ,\ufeff" + MUTATION}),
    json.dumps({"query": "fragment F on Mutation { __typename } " + MUTATION}),
    json.dumps(
        {"query": QUERY, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0"}}, "id": MUTATION}
    ).replace(json.dumps(QUERY), "null"),
    json.dumps({"query": FOLLOW}),
    json.dumps({"query": "extend type Query { a: Int }"}),
    json.dumps({"query": ""}),
    json.dumps({"query": [MUTATION]}),
    json.dumps({"query": QUERY + "{" * 5000}),
    json.dumps({"query": "{" + "a " * 30_000 + "}"}),
    "[" * 100_000,
    "",
    "\ufeff{}",
]


@pytest.mark.parametrize("body", LOOKING, ids=lambda body: body[:60])
def test_whoever_may_only_look_sends_queries_alone(tmp_path: Path, body: str) -> None:
    site = Site(tmp_path, VIEWER)
    assert site.post("", body=body.encode()).status == 403
    assert site.application.reached == []


def test_whoever_may_only_look_looks(tmp_path: Path) -> None:
    site = Site(tmp_path, VIEWER)
    assert site.post(QUERY).status == 200
    assert site.post('{ evaluationResult: version(a: "evaluationResult") }').status == 200
    assert site.socket({"id": "1", "type": "start", "payload": {"query": FOLLOW}}).closed is None
    assert len(site.application.reached) == 3


def test_residents_owners_and_technicians_see_no_page(tmp_path: Path) -> None:
    site = Site(tmp_path, Rights())
    assert send(site.app, "GET", f"{PREFIX}/runs", (HOST, SAME, site.signed_in)).status == 403
    assert site.post(QUERY).status == 403
    assert site.socket().closed == 1008
    assert site.application.reached == []


def test_what_is_let_through_is_what_was_judged(site: Site) -> None:
    """Of two keys of one name the last counts for us, so it is the only one that goes on."""
    sent = TWICE.format(json.dumps(MUTATION), json.dumps(QUERY)).encode()
    headers = (HOST, OWN, SAME, JSON, site.signed_in, ("content-length", "9"))
    answer = send(
        site.app, "POST", f"{PREFIX}/graphql", headers, [sent[:10], sent[10:]], query=b"query=mutation{x}",
    )  # fmt: skip
    assert answer.status == 200
    assert site.application.reached == [
        (f"POST {PREFIX}/graphql?", b'{"query":"query A { version }","operationName":null}')
    ]


def test_a_body_is_bounded(site: Site) -> None:
    """In pieces, and without a length that would tell."""
    pieces = [b"x" * 2**20] * 5
    assert (
        send(site.app, "POST", f"{PREFIX}/graphql", (HOST, OWN, SAME, JSON, site.signed_in), pieces).status
        == 413
    )


@pytest.mark.parametrize(
    "message",
    [
        {"id": "1", "type": "start", "payload": {"query": MUTATION}},
        {"id": "1", "type": "start", "payload": {"query": QUERY}},
        {"id": "1", "type": "start", "payload": {"query": f"{FOLLOW} {MUTATION}", "operationName": "C"}},
        {"id": "1", "type": "start", "payload": [{"query": FOLLOW}]},
        {"id": "1", "type": "start"},
        {"id": "1", "type": "subscribe", "payload": {"query": FOLLOW}},
        {"id": {"$": 1}, "type": "start", "payload": {"query": FOLLOW}},
        [{"id": "1", "type": "start", "payload": {"query": MUTATION}}],
        "no json",
        '{"type": "stop", "x": "' + "x" * 2**20 + '"}',
    ],
    ids=lambda message: str(message)[:60],
)
def test_nothing_acts_over_a_websocket(site: Site, message: object) -> None:
    answer = site.socket({"type": "connection_init"}, message)
    assert answer.closed == 1008
    assert [text for _, text in site.application.reached] == [b'{"type":"connection_init","id":null}']


def test_another_protocol_of_graphql_is_not_spoken(site: Site) -> None:
    assert site.socket(protocol="graphql-transport-ws").closed == 1008


def test_a_websocket_ends_with_its_session(site: Site) -> None:
    class Ending(Application):
        async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "before"})
            site.sign_in.sessions.end([site.token])
            await send({"type": "websocket.send", "text": "after"})
            await send({"type": "websocket.send", "text": "after"})

    front = Front(Ending(), site.sign_in, Served.on_loopback(PORT), prefix=PREFIX)
    answer = talk(front, f"{PREFIX}/graphql", (HOST, OWN, site.signed_in), [], ["graphql-ws"])
    assert (answer.texts, answer.closed) == (["before"], 1008)


def test_pages_load_and_send_nothing_elsewhere(site: Site) -> None:
    answer = send(site.app, "GET", f"{PREFIX}/runs", (HOST, SAME, site.signed_in))
    policy = dict(
        part.strip().split(" ", 1) for part in (answer.header("content-security-policy") or "").split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'nonce-ab12'"
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("server") is None
    assert (
        send(site.app, "GET", f"{PREFIX}/_next/a.js", (HOST, SAME, site.signed_in)).header("cache-control")
        is None
    )


@pytest.mark.parametrize("path", ["/", "/healthz", "/sign-in", f"{PREFIX}/sign-out", "/elsewhere"])
def test_answers_of_our_own_have_the_headers_too(site: Site, path: str) -> None:
    answer = send(site.app, "GET", path, (HOST, SAME, site.signed_in))
    assert answer.header("x-frame-options") == "DENY"
    assert "default-src 'none'" in (answer.header("content-security-policy") or "")


def test_a_link_on_a_foreign_page_leads_in_by_a_click_of_ours(site: Site) -> None:
    """Such a navigation comes without a cookie (SameSite=Strict), and shows nothing even with one."""
    link = (HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"))
    document, frame = ("sec-fetch-dest", "document"), ("sec-fetch-dest", "iframe")
    answer = send(
        site.app, "GET", f'{PREFIX}/runs"><b>', (*link, document, site.signed_in), query=b'a=1&b="<i>'
    )
    assert answer.status == 403
    assert f'<a href="{PREFIX}/runs%22%3E%3Cb%3E?a=1&amp;b=%22%3Ci%3E">'.encode() in answer.body
    assert b"Go on" not in send(site.app, "GET", f"{PREFIX}/runs", (*link, frame, site.signed_in)).body
    assert site.application.reached == []


def test_health_tells_nothing_and_asks_for_nobody(site: Site) -> None:
    assert send(site.app, "GET", "/healthz", (HOST,)).body == b"ok\n"
    assert send(site.app, "GET", "/healthz", (("host", "evil.example"),)).status == 421
