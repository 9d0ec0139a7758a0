"""Signing in: one-time links, passwords, sessions and their cookies, and the limits of guessing."""

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from shutil import copy2

import pytest
from starlette.types import Receive, Scope, Send

from domotic_assets.errors import ConfigurationError, LakeError
from domotic_assets.registry.loading import load_sites, parse_registry
from domotic_assets.web import one_time_links, tries
from domotic_assets.web.cookies import Cookie
from domotic_assets.web.front import Front
from domotic_assets.web.one_time_links import OneTimeLinks
from domotic_assets.web.origins import Served
from domotic_assets.web.passwords import Passwords
from domotic_assets.web.people import People, Rights
from domotic_assets.web.proxies import BehindProxies
from domotic_assets.web.reached import Reached, refuse_without_passwords
from domotic_assets.web.sessions import Sessions
from domotic_assets.web.sign_in import SignIn
from domotic_assets.web.tries import Tries
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.asgi import Answer, send
from domotic_assets_tests.unit.web.test_front import Application

PREFIX = "/0123456789abcdef01234567"
HOST, PUBLIC = ("host", "127.0.0.1:3000"), ("host", "lake.example.org")
OWN = ("origin", "https://lake.example.org")
FORM = ("content-type", "application/x-www-form-urlencoded")
GOOD, WRONG = "correct horse battery staple", "wrong horse battery staple"  # pragma: allowlist secret
REGISTRY = builders.REGISTRY.partition("people:")[0]
PEOPLE = """
people:
  - {user: u-admin, role: admin}
  - {user: u-viewer, role: viewer}
  - {user: u-renter, role: renter, homes: [jimmy]}
  - {user: u-former, role: admin, to: 2024-01-01}
"""


class Clock:
    """A clock that stands still until it is set forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """Pages with sign-in before them. passwords: whether by password, else by link."""

    def __init__(self, folder: Path, *, passwords: bool) -> None:
        self.sites_file = folder / "people.yaml"
        self.sites_file.write_text(REGISTRY + PEOPLE)
        self.clock = Clock()
        self.application = Application()
        self.links = OneTimeLinks.of(folder)
        self.passwords = Passwords(folder)
        self.people = People(self.sites_file)
        cookie = Cookie("__Host-domotic", "/", True) if passwords else Cookie("domotic-3000", PREFIX, False)
        self.prefix = "" if passwords else PREFIX
        self.sign_in = SignIn(
            self.people, self.links, cookie, f"{self.prefix}/asset-groups",
            self.passwords if passwords else None, Sessions(self.clock), Tries(self.clock),
        )  # fmt: skip
        served = Served.at("https://lake.example.org") if passwords else Served.on_loopback(3000)
        self.app = Front(self.application, self.sign_in, served, prefix=self.prefix)

    def follow(self, token: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
        """Opens a one-time link."""
        return send(self.app, method, "/sign-in", (HOST, *headers), query=token.encode())

    def enter(self, user: str, password: str, *headers: tuple[str, str], client: str = "192.0.2.1") -> Answer:
        """Sends the form."""
        body = f"user={user}&password={password.replace(' ', '+')}".encode()
        return send(
            self.app,
            "POST",
            "/sign-in",
            headers or (PUBLIC, OWN, FORM),
            [body],
            client=client,
            scheme="https",
        )

    def looks(self, cookie: str) -> int:
        """What a page answers to a browser with this cookie."""
        host = PUBLIC if self.prefix == "" else HOST
        return send(self.app, "GET", f"{self.prefix}/runs", (host, ("cookie", cookie))).status


@pytest.fixture
def by_link(tmp_path: Path) -> Site:
    return Site(tmp_path, passwords=False)


@pytest.fixture(scope="module")
def hashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of four people's passwords."""
    folder = tmp_path_factory.mktemp("passwords")
    people = ("u-admin", "u-viewer", "u-renter", "u-former")
    for user in people:
        Passwords(folder).set(user, GOOD, people)
    return folder / "sign_in/passwords.json"


@pytest.fixture
def by_password(tmp_path: Path, hashes: Path) -> Site:
    (tmp_path / "sign_in").mkdir()
    copy2(hashes, tmp_path / "sign_in")
    return Site(tmp_path, passwords=True)


def cookie_of(answer: Answer) -> str:
    """What a browser sends back."""
    return (answer.header("set-cookie") or "").partition(";")[0]


def test_a_link_signs_in_and_leaves_the_address(by_link: Site) -> None:
    answer = by_link.follow(by_link.links.issue())
    assert (answer.status, answer.header("location")) == (303, f"{PREFIX}/asset-groups")
    parts = (answer.header("set-cookie") or "").split("; ")
    assert parts[1:] == [f"Path={PREFIX}", "Max-Age=43200", "HttpOnly", "SameSite=Strict"]
    assert by_link.looks(parts[0]) == 200


def test_a_link_may_be_pasted_so_that_no_command_line_shows_it(by_link: Site) -> None:
    token, own = by_link.links.issue(), ("origin", "http://127.0.0.1:3000")
    body = [f"link=http%3A%2F%2F127.0.0.1%3A3000%2Fsign-in%3F{token}%0A".encode()]
    assert send(by_link.app, "POST", "/sign-in", (HOST, FORM), body).status == 403
    answers = [send(by_link.app, "POST", "/sign-in", (HOST, own, FORM), body) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 403]
    assert by_link.looks(cookie_of(answers[0])) == 200


def test_a_link_works_once(by_link: Site) -> None:
    token = by_link.links.issue()
    assert by_link.follow(token).status == 303
    again = by_link.follow(token)
    assert (again.status, again.header("set-cookie")) == (403, None)


def test_of_many_who_use_a_link_at_once_one_succeeds(by_link: Site) -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            good = list(threads.map(by_link.links.redeem, [by_link.links.issue()] * 8))
            assert sorted(good) == [False] * 7 + [True]


def test_a_link_lives_ten_minutes(by_link: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = by_link.links.issue(), by_link.links.issue()
    now = time.time()
    monkeypatch.setattr(one_time_links.time, "time", lambda: now + 590)
    assert by_link.follow(tokens[0]).status == 303
    monkeypatch.setattr(one_time_links.time, "time", lambda: now + 610)
    assert by_link.follow(tokens[1]).status == 403
    by_link.links.issue()
    assert len(list(by_link.links.folder.glob("*.link"))) == 1


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "A" * 43,
        "../" + "A" * 40,
        "A" * 42 + "/",
        "A" * 43 + "\n",
        "token={}",
        "{}&x",
        "{}=",
        "%00",
        "*" * 43,
    ],
)
def test_what_is_no_link_opens_nothing(by_link: Site, token: str) -> None:
    assert by_link.follow(token.format(by_link.links.issue())).status == 403


def test_what_looks_at_a_link_before_the_person_leaves_it(by_link: Site) -> None:
    """A preview, a prefetch, an image, a HEAD, a page of another origin."""
    token = by_link.links.issue()
    assert by_link.follow(token, method="HEAD").status == 200
    assert by_link.follow(token, ("sec-purpose", "prefetch;prerender")).status == 403
    assert by_link.follow(token, ("x-moz", "prefetch")).status == 403
    assert by_link.follow(token, ("sec-fetch-dest", "image")).status == 403
    assert by_link.follow(token, ("sec-fetch-site", "cross-site")).status == 403
    assert by_link.follow(token, ("origin", "http://evil.example")).status == 403
    assert by_link.follow(token).status == 303


def test_the_folder_of_links_holds_no_token_and_is_closed(by_link: Site) -> None:
    token = by_link.links.issue()
    (file,) = by_link.links.folder.iterdir()
    assert token not in file.name
    assert file.read_bytes() == b""
    assert stat.S_IMODE(by_link.links.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) == 43  # 256 bits in base64


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder to another account takes root")
def test_a_folder_of_another_account_is_not_used(by_link: Site) -> None:
    by_link.links.folder.mkdir(parents=True)
    os.chown(by_link.links.folder, 12345, 12345)
    with pytest.raises(LakeError, match="belongs to another account"):
        by_link.links.issue()


def test_a_token_that_the_browser_had_before_is_never_made_good(by_link: Site) -> None:
    """Session fixation: somebody gives the browser a cookie, and waits until its owner has signed in."""
    planted = "domotic-3000=" + "A" * 43
    answer = by_link.follow(by_link.links.issue(), ("cookie", planted))
    assert cookie_of(answer) != planted
    assert by_link.looks(planted) == 401
    assert by_link.looks(f"{planted}; {cookie_of(answer)}") == 200


def test_signing_in_again_ends_the_session_before(by_link: Site) -> None:
    first = cookie_of(by_link.follow(by_link.links.issue()))
    by_link.follow(by_link.links.issue(), ("cookie", first))
    assert by_link.looks(first) == 401


def test_a_session_ends_after_twelve_hours_and_by_signing_out(by_link: Site) -> None:
    first, second = (cookie_of(by_link.follow(by_link.links.issue())) for _ in range(2))
    own = ("origin", "http://127.0.0.1:3000")
    assert send(by_link.app, "POST", f"{PREFIX}/sign-out", (HOST, ("cookie", first))).status == 403
    assert by_link.looks(first) == 200
    gone = send(by_link.app, "POST", f"{PREFIX}/sign-out", (HOST, own, ("cookie", first)))
    assert "Max-Age=0" in (gone.header("set-cookie") or "")
    assert by_link.looks(first) == 401
    by_link.clock.now += 12 * 3600 - 1
    assert by_link.looks(second) == 200
    by_link.clock.now += 2
    assert by_link.looks(second) == 401


def test_many_sessions_of_a_person_end_those_of_nobody_else() -> None:
    sessions = Sessions(Clock())
    admin, first = sessions.begin("u-admin", None), sessions.begin("u-renter", None)
    later = [sessions.begin("u-renter", None) for _ in range(19)]
    assert all(sessions.find([token]) for token in (admin, first, *later))
    later += [sessions.begin("u-renter", None) for _ in range(500)]
    assert [token for token in (admin, first, *later) if sessions.find([token])] == [admin, *later[-20:]]


def test_no_password_opens_pages_of_links_and_no_link_those_of_passwords(
    by_link: Site, tmp_path: Path
) -> None:
    by_link.passwords.set("u-admin", GOOD, {"u-admin"})
    assert (
        by_link.enter("u-admin", GOOD, HOST, ("origin", "http://127.0.0.1:3000"), FORM).header("set-cookie")
        is None
    )
    site = Site(tmp_path, passwords=True)
    token = site.links.issue()
    answer = send(site.app, "GET", "/sign-in", (PUBLIC,), query=token.encode(), scheme="https")
    assert answer.header("set-cookie") is None


def test_a_password_signs_a_person_in(by_password: Site) -> None:
    answer = by_password.enter("u-admin", GOOD)
    assert (answer.status, answer.header("location")) == (303, "/asset-groups")
    parts = (answer.header("set-cookie") or "").split("; ")
    assert parts[0].startswith("__Host-domotic=")
    assert parts[1:] == ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict", "Secure"]
    assert by_password.looks(parts[0]) == 200


def test_a_wrong_password_and_an_unknown_person_look_alike(by_password: Site) -> None:
    answers = [by_password.enter(user, WRONG) for user in ("u-admin", "u-renter", "nobody", "u-former")]
    assert {(answer.status, answer.body, answer.header("set-cookie")) for answer in answers} == {
        (403, answers[0].body, None)
    }


def test_a_former_admin_is_told_what_a_wrong_password_is_told(by_password: Site) -> None:
    former, wrong = by_password.enter("u-former", GOOD), by_password.enter("u-admin", WRONG)
    assert (former.status, former.body, former.header("set-cookie")) == (403, wrong.body, None)


def test_an_unknown_person_takes_the_work_of_a_known_one(by_password: Site) -> None:
    by_password.passwords.verify("nobody", WRONG)
    seconds: dict[str, float] = {}
    for user in ("u-admin", "nobody"):
        began = time.process_time()
        for _ in range(3):
            assert not by_password.passwords.verify(user, WRONG)
        seconds[user] = time.process_time() - began
    assert 0.5 < seconds["u-admin"] / seconds["nobody"] < 2
    assert seconds["nobody"] > 0.03


def test_passwords_are_argon2id_in_a_closed_file(hashes: Path) -> None:
    assert hashes.read_text().count("$argon2id$v=19$m=65536,t=3,p=4$") == 4
    assert GOOD not in hashes.read_text()
    assert stat.S_IMODE(hashes.stat().st_mode) == 0o600
    assert stat.S_IMODE(hashes.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((PUBLIC, FORM), 403),
        ((PUBLIC, FORM, ("origin", "https://evil.example")), 403),
        ((PUBLIC, FORM, ("origin", "null")), 403),
        ((PUBLIC, FORM, ("origin", "http://lake.example.org")), 403),
        ((PUBLIC, FORM, OWN, ("sec-fetch-site", "cross-site")), 403),
        ((("host", "evil.example"), FORM, OWN), 421),
        ((PUBLIC, OWN, ("content-type", "text/plain")), 400),
        ((PUBLIC, OWN), 400),
    ],
)
def test_only_our_own_form_signs_in(
    by_password: Site, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    answer = by_password.enter("u-admin", GOOD, *headers)
    assert (answer.status, answer.header("set-cookie")) == (status, None)


@pytest.mark.parametrize(
    "body",
    [
        b"user=u-admin",
        b"user=&password=x",
        b"a=1&" * 10,
        b"user=u-admin&password=" + b"x" * 9000,
        b"\xff\xfe",
        b"user=" + b"u" * 65 + b"&password=x",
    ],
)
def test_an_odd_form_signs_nobody_in(by_password: Site, body: bytes) -> None:
    answer = send(by_password.app, "POST", "/sign-in", (PUBLIC, OWN, FORM), [body], scheme="https")
    assert answer.status in (400, 403)


def test_guessing_is_stopped_and_the_right_password_waits_too(by_password: Site) -> None:
    statuses = [by_password.enter("u-admin", WRONG).status for _ in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    assert by_password.enter("u-admin", GOOD).status == 429
    assert by_password.enter("u-admin", GOOD, client="192.0.2.77").status == 303
    by_password.clock.now += tries.WINDOW_SECONDS + 1
    assert by_password.enter("u-admin", GOOD).status == 303


def test_whoever_loses_a_right_loses_it_while_signed_in(
    by_password: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domotic_assets.web.people._SECONDS_BETWEEN_LOOKS", 0.0)
    admin, viewer = (cookie_of(by_password.enter(user, GOOD)) for user in ("u-admin", "u-viewer"))
    assert by_password.looks(admin) == by_password.looks(viewer) == 200
    by_password.sites_file.write_text(REGISTRY + PEOPLE.replace("  - {user: u-admin, role: admin}\n", ""))
    assert (by_password.looks(admin), by_password.looks(viewer)) == (401, 200)
    by_password.passwords.set("u-viewer", GOOD, {"u-viewer"})  # the same one, set again
    assert by_password.looks(viewer) == 401


def test_rights_follow_role_and_dates(by_password: Site) -> None:
    today = date(2026, 11, 30)
    found = {
        user: by_password.people.rights(user, today)
        for user in ("u-admin", "u-viewer", "u-renter", "u-former", "x")
    }
    assert found == {
        "u-admin": Rights(sees=True, acts=True), "u-viewer": Rights(sees=True, acts=False),
        "u-renter": Rights(), "u-former": None, "x": None,
    }  # fmt: skip
    assert by_password.people.rights("u-former", date(2023, 12, 31)) == Rights(sees=True, acts=True)
    assert by_password.people.rights("u-former", date(2024, 1, 1)) is None


def test_a_registry_that_cannot_be_read_gives_nobody_a_right(
    by_password: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domotic_assets.web.people._SECONDS_BETWEEN_LOOKS", 0.0)
    assert by_password.people.rights("u-admin") is not None
    by_password.sites_file.write_text("people: [")
    assert by_password.people.rights("u-admin") is None


def test_passwords_of_whoever_left_go_with_the_next_one(by_password: Site) -> None:
    by_password.passwords.set("u-admin", None, {"u-admin", "u-viewer"})
    assert by_password.passwords.users() == {"u-viewer"}


def test_an_address_tries_twenty_times_whoever_it_names() -> None:
    clock = Clock()
    limit = Tries(clock)
    assert sum(limit.take(f"u-{number}", "192.0.2.1") for number in range(100)) == 20
    assert limit.take("u-1", "192.0.2.2")
    assert sum(limit.take(f"u-{number}", f"2001:db8::{number:x}") for number in range(100)) == 20
    clock.now += tries.WINDOW_SECONDS + 1
    assert limit.take("u-1", "192.0.2.1")


@pytest.mark.parametrize("kind", ["::ffff:", "64:ff9b::"])
def test_people_behind_a_proxy_of_both_protocols_are_told_apart(kind: str) -> None:
    limit = Tries(Clock())
    assert sum(limit.take(f"u-{number}", f"{kind}192.0.2.1") for number in range(100)) == 20
    assert limit.take("u-1", f"{kind}192.0.2.2")


def test_a_form_that_is_cut_off_is_no_error(by_password: Site) -> None:
    """The server would write it into its log, for whoever sends it."""
    answer = send(by_password.app, "POST", "/sign-in", (PUBLIC, OWN, FORM), [], scheme="https")
    assert answer.status == 400


def test_a_person_is_tried_fifty_times_from_anywhere_but_where_they_were() -> None:
    limit = Tries(Clock())
    limit.succeeded("u-1", "192.0.2.250")
    assert sum(limit.take("u-1", f"198.51.100.{number}") for number in range(100)) == 50
    assert limit.take("u-1", "192.0.2.250")
    assert limit.take("u-2", "198.51.100.99")


def test_whoever_has_a_password_guesses_no_more_of_others() -> None:
    """Between two guesses they sign in themselves."""
    limit = Tries(Clock())
    guessed = 0
    for _ in range(100):
        guessed += limit.take("u-admin", "192.0.2.1")
        if limit.take("u-own", "192.0.2.1"):
            limit.succeeded("u-own", "192.0.2.1")
    assert guessed <= 5


def test_many_names_do_not_push_a_count_out() -> None:
    limit = Tries(Clock())
    for _ in range(5):
        assert limit.take("u-admin", "192.0.2.1")
    for number in range(50_000):
        limit.take(f"n-{number}", "192.0.2.9")
    assert not limit.take("u-admin", "192.0.2.1")


def proxied(*headers: tuple[str, str], client: str = "10.0.0.1") -> tuple[int, list[tuple[str, str]]]:
    """The answer to a request, and where from the application thinks that it comes."""
    seen: list[tuple[str, str]] = []

    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append((scope["client"][0], scope["scheme"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return send(BehindProxies(application, ["10.0.0.1"]), "GET", "/", headers, client=client).status, seen


def test_only_the_proxy_is_believed_and_only_over_tls() -> None:
    tls, far = ("x-forwarded-proto", "https"), ("x-forwarded-for", "203.0.113.5, 192.0.2.3")
    assert proxied(tls, far) == (200, [("192.0.2.3", "https")])
    assert proxied(far) == (403, [])
    assert proxied(("x-forwarded-proto", "http"), far) == (403, [])
    assert proxied(tls, far, client="192.0.2.66") == (403, [])
    assert proxied(tls, ("x-forwarded-for", "10.0.0.1"), client="192.0.2.66") == (403, [])


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{address: 'http://lake.example.org', proxies: [10.0.0.1]}", "pages.address"),
        ("{address: 'https://lake.example.org/x', proxies: [10.0.0.1]}", "pages.address"),
        ("{address: 'https://lake.example.org'}", "passwords need TLS"),
        ("{address: 'https://lake.example.org', certificate: c.pem}", "passwords need TLS"),
        ("{address: 'https://a.example', certificate: c, key: k, proxies: [10.0.0.1]}", "passwords need TLS"),
        ("{address: 'https://lake.example.org', proxies: ['*']}", "pages.proxies.0"),
        ("{address: 'https://lake.example.org', proxies: [10.0.0.0/8]}", "pages.proxies.0"),
        ("{listen: 0.0.0.0}", "pages.address"),
    ],
)  # fmt: skip
def test_pages_beyond_this_machine_need_tls(entry: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_registry(REGISTRY + f"pages: {entry}\n")


def test_pages_beyond_this_machine_need_a_password(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(REGISTRY + PEOPLE + "pages: {address: 'https://lake.example.org', proxies: [10.0.0.1]}\n")
    Passwords(tmp_path).set("u-renter", GOOD, {"u-renter"})
    with pytest.raises(ConfigurationError, match="no admin or viewer has a password"):
        refuse_without_passwords(load_sites(file), tmp_path)
    Passwords(tmp_path).set("u-viewer", GOOD, {"u-viewer"})
    refuse_without_passwords(load_sites(file), tmp_path)


def test_the_path_of_the_pages_is_secret_and_stays(tmp_path: Path) -> None:
    reached = Reached(3000, None)
    first = reached.prefix(tmp_path)
    assert len(first) == 25
    assert reached.prefix(tmp_path) == first
    assert Reached(3000, None).prefix(tmp_path / "another") != first
    assert stat.S_IMODE((tmp_path / "sign_in/path").stat().st_mode) == 0o600
