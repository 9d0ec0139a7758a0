"""The pages of a real `domotic live`, its terminal, a real browser, a foreign page, and another account."""

import json
import os
import pty
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from domotic_assets.cli import live as live_command
from domotic_assets.cli.listener import answers, listening
from domotic_assets.flow.dagster_home import prepare_home
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.settings import DAGSTER_VARIABLE
from domotic_assets.web.reached import Reached
from domotic_assets_tests.drills import running
from domotic_assets_tests.drills.running import DOMOTIC, PAGES
from domotic_assets_tests.services.attacker import Attacker, attacker
from domotic_assets_tests.services.chromium import Browser, chromium
from domotic_assets_tests.services.servers import free_port, program
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.pages import Pages

pytestmark = pytest.mark.untraced

LINK = re.compile(r"http://127\.0\.0\.1:\d+/sign-in\?[A-Za-z0-9_-]{43}")
ACCOUNT = "domotic-stranger"
SECONDS = 120.0


class LiveOnTerminal(running.Live):
    """`domotic live` with a terminal before it. shown: what that has shown."""

    def start(self) -> None:
        """Start it and wait until it shows a link."""
        self.port = free_port()
        self.shown = b""
        terminal, inside = pty.openpty()
        place = ["--sites", str(self.work.settings.sites_file), "--lake", self.work.lake.root]
        self._process = subprocess.Popen(
            [DOMOTIC, "live", "--port", str(self.port), *place],
            env=os.environ | {DAGSTER_VARIABLE: str(self.home)},
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        )  # fmt: skip
        os.close(inside)
        threading.Thread(target=self._read, args=[terminal], daemon=True).start()
        self.wait_for_links(1)

    def _read(self, terminal: int) -> None:
        with suppress(OSError):
            while piece := os.read(terminal, 4096):
                self.shown += piece

    def links(self) -> list[str]:
        """The links that were shown until now."""
        return LINK.findall(self.shown.decode(errors="replace"))

    def wait_for_links(self, number: int) -> str:
        """Wait for as many links; the last of them."""
        running.wait_until(f"link {number} is shown", lambda: len(self.links()) >= number, SECONDS)
        return self.links()[-1]


@pytest.fixture(scope="module")
def live() -> Iterator[LiveOnTerminal]:
    """`domotic live` over a new lake, in a folder that every account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="domotic-pages-"))
    folder.chmod(0o755)
    found = LiveOnTerminal(builders.write_sites(folder), folder / "lake", simulate=False)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stranger() -> Iterator[Attacker]:
    with attacker() as found:
        yield found


@pytest.fixture(scope="module")
def browser(live: LiveOnTerminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose person has followed the link that the terminal showed, and is signed in."""
    with chromium(tmp_path_factory.mktemp("chromium"), "MAP evil.example 127.0.0.1") as found:
        tab = found.tab()
        tab.open(live.links()[0])
        tab.wait("document.body.innerText.includes('Materialize')")
        assert tab.address().startswith(f"http://127.0.0.1:{live.port}/")
        assert tab.address().endswith("/asset-groups")
        yield found


@pytest.fixture(scope="module")
def operator(live: LiveOnTerminal) -> Pages:
    """A session of the operator's, beside the browser's."""
    return live.pages()


def orders_taken(live: running.Live) -> set[str]:
    """The orders that came through, by Dagster's records."""
    with open_instance(live.work) as instance:
        return set(instance.event_log_storage.get_concurrency_keys())


SEND = """fetch('PLACE', {method: 'POST', headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({query: `ORDER`})}).then(answer => answer.status)"""


def order(name: str) -> str:
    """An order that leaves its name in Dagster's records."""
    return f'mutation {{ setConcurrencyLimit(concurrencyKey: "{name}", limit: 1) }}'


def test_a_page_of_another_origin_orders_nothing(
    live: LiveOnTerminal, browser: Browser, stranger: Attacker, operator: Pages
) -> None:
    """The person is signed in, and the foreign page knows even the secret path."""
    with pytest.raises(PermissionError):
        Pages(live.links()[0])  # the browser has used it
    for host in ("evil.example", "127.0.0.1"):
        for target in (operator.origin, operator.origin + operator.prefix):
            foreign = browser.tab()
            stranger.orders_from(foreign, host, target, f"{host}-{target[-8:]}")
            assert foreign.evaluate("window.heard") is None, "a foreign page follows what happens"
    rebound = browser.tab()
    # The page is the stranger's own, from before its name led here: our policy does not hold it.
    rebound.command("Page.setBypassCSP", enabled=True)
    rebound.open(f"http://evil.example:{live.port}{operator.prefix}/")
    answered = rebound.evaluate(
        SEND.replace("PLACE", f"{operator.prefix}/graphql").replace("ORDER", order("rebound"))
    )
    assert answered == 421
    assert orders_taken(live) == set()
    assert not any("domotic" in cookies for _, cookies in stranger.asked), "the session's cookie left"


SHOWN = """
  const away = 'AWAY';
  for (const where of ['OWN', away]) {
    document.body.append(Object.assign(new Image(), {src: where}));
    document.head.append(Object.assign(document.createElement('link'), {rel: 'stylesheet', href: where}));
  }
  fetch(away, {mode: 'no-cors'}).catch(() => {});
  new WebSocket(away.replace('http', 'ws'));
  const form = Object.assign(document.createElement('form'), {method: 'POST', action: away});
  document.body.append(form);
  form.submit();
  document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.injected = 1'}));
"""


def test_what_a_page_shows_orders_nothing_and_sends_nothing_away(
    live: LiveOnTerminal, browser: Browser, stranger: Attacker, operator: Pages
) -> None:
    """As Markdown of a check would make the page do it: images of the pages' own origin, and of another."""
    tab = browser.tab()
    tab.open(f"{operator.origin}{operator.prefix}/asset-groups")
    tab.wait("document.body.innerText.includes('Materialize')")
    before = len(stranger.asked)
    tab.evaluate(
        SHOWN.replace("OWN", f"{operator.prefix}/graphql?query={order('markdown')}").replace(
            "AWAY", f"http://evil.example:{stranger.port}/away"
        )
    )
    time.sleep(3)
    assert tab.evaluate("window.injected") is None
    assert orders_taken(live) == set()
    assert len(stranger.asked) == before


CHECKS = """{ assetNodeOrError(assetKey: {path: ["gold", "dim_date"]}) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name } } } } } }"""


def test_markdown_of_a_check_orders_nothing_and_sends_nothing_away(
    live: LiveOnTerminal, browser: Browser, stranger: Attacker, operator: Pages
) -> None:
    """Images in Markdown, one of which orders: its writer knows even the secret path."""
    running.wait_until("the feed is loaded", lambda: "checks" in str(operator.ask(CHECKS)), SECONDS)
    name = operator.ask(CHECKS)["assetNodeOrError"]["assetChecksOrError"]["checks"][0]["name"]
    own = f"{operator.prefix}/graphql?query={quote(order('check'))}"
    away = f"http://evil.example:{stranger.port}/check"
    images = dg.MetadataValue.md(f"![own]({own}) ![away]({away})")
    found = dg.AssetCheckEvaluation(
        dg.AssetKey(["gold", "dim_date"]),
        name,
        passed=False,
        metadata={"found": images},
        description=images.value,
    )
    with open_instance(live.work) as instance:
        instance.report_runless_asset_event(found)
    tab = browser.tab()
    tab.open(f"{operator.origin}{operator.prefix}/assets/gold/dim_date?view=checks&checkDetail={name}")
    tab.wait("document.body.innerText.includes('Show Markdown')")
    shown = (
        "[...document.querySelectorAll('a, button')].filter(found => /Show Markdown/.test(found.innerText))"
    )
    tab.evaluate(f"{shown}.forEach(found => found.click())")
    tab.wait("document.images.length > 0")
    time.sleep(2)
    asked = [
        event["params"]["request"]["url"]
        for event in tab.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert any("setConcurrencyLimit" in url for url in asked), "the browser asked, and was refused"
    assert orders_taken(live) == set()
    assert not any(path == "/check" for path, _ in stranger.asked)


RUN = """
  const launch = `mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }`;
  const logs = `subscription Logs($run: ID!) { pipelineRunLogs(runId: $run) {
    ... on PipelineRunLogsSubscriptionSuccess { messages { __typename } } } }`;
  const p = {runConfigData: {}, mode: 'default', selector: {
    repositoryName: '__repository__', repositoryLocationName: 'feed', jobName: 'dims'}};
  const headers = {'Content-Type': 'application/json'};
  const ask = async (query, variables) => (await fetch(PREFIX + '/graphql',
    {method: 'POST', headers, body: JSON.stringify({query, variables})})).json();
  const status = `query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }`;
  (async () => {
    const launched = await ask(launch, {p});
    const run = launched.data?.launchRun?.run?.runId;
    if (!run) return JSON.stringify(launched);
    while (!['SUCCESS', 'FAILURE'].includes((await ask(status, {run})).data.runOrError.status))
      await new Promise(done => setTimeout(done, 500));
    const socket = new WebSocket(location.origin.replace('http', 'ws') + PREFIX + '/graphql', 'graphql-ws');
    return await new Promise(done => {
      socket.onclose = event => done('closed ' + event.code);
      socket.onopen = () => {
        socket.send('{"type": "connection_init"}');
        const payload = {operationName: 'Logs', variables: {run}, query: logs};
        socket.send(JSON.stringify({id: '1', type: 'start', payload}));
      };
      socket.onmessage = ({data}) => {
        for (const end of ['RunSuccessEvent', 'RunFailureEvent']) if (data.includes(end)) done(end);
      };
    });
  })()
"""


def test_the_pages_work_for_whoever_is_signed_in(
    live: LiveOnTerminal, browser: Browser, operator: Pages
) -> None:
    """The graph is drawn, assets are made and their log is read, and the policy held nothing back."""
    tab = browser.tab()
    tab.open(f"{operator.origin}{operator.prefix}/locations/feed/asset-groups/gold/lineage")
    tab.wait("document.body.innerText.includes('dim_date')")
    assert tab.held_back() == []
    assert tab.evaluate("document.cookie") == ""
    assert tab.evaluate(RUN.replace("PREFIX", json.dumps(operator.prefix))) == "RunSuccessEvent"
    with open_instance(live.work) as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey(["gold", "dim_horizon"])) is not None


def test_the_token_is_on_the_terminal_and_nowhere_else(live: LiveOnTerminal) -> None:
    token = live.links()[0].partition("?")[2].encode()
    for process in live.processes():
        for name in ("cmdline", "environ"):
            # One that has just ended told nothing either.
            with suppress(ProcessLookupError, FileNotFoundError):
                assert token not in Path(f"/proc/{process.pid}/{name}").read_bytes()
    held = [file for file in Path(live.work.lake.root).rglob("*") if file.is_file()]
    assert any(file.name == "live.log" for file in held)
    assert not any(token in file.read_bytes() for file in held)


def raw(port: int, sent: str) -> bytes:
    """What a server answers to these bytes until it hangs up."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent.encode())
        with suppress(ConnectionError):
            while piece := connection.recv(4096):
                answer += piece
    return answer


def test_whoever_may_not_sends_nothing(live: LiveOnTerminal, operator: Pages) -> None:
    """The real server's parser, too: HTTP/1.0, two hosts, an absolute address, WebSockets."""
    place = f"{operator.prefix}/graphql?query={order('raw').replace(' ', '%20')}"
    cookie = f"Cookie: {operator.cookie}\r\n"
    for head in (
        f"GET {place} HTTP/1.0\r\n{cookie}",
        f"GET {place} HTTP/1.1\r\nHost: {operator.host}\r\nHost: evil.example\r\n{cookie}",
        f"GET http://{operator.host}{place} HTTP/1.1\r\nHost: evil.example\r\n{cookie}",
        f"GET /%67raphql/..{place} HTTP/1.1\r\nHost: {operator.host}\r\n{cookie}",
        f"GET {place.replace('/graphql', '/graphql%0A')} HTTP/1.1\r\nHost: {operator.host}\r\n{cookie}",
        f"GET {place.replace('/graphql', '/%2e/graphql')} HTTP/1.1\r\nHost: {operator.host}\r\n{cookie}",
        f"POST {place} HTTP/1.1\r\nHost: {operator.host}\r\nContent-Length: 0\r\n{cookie}",
        f"POST {place} HTTP/1.1\r\nHost: {operator.host}\r\nOrigin: null\r\nContent-Length: 0\r\n{cookie}",
    ):
        answer = raw(live.port, f"{head}Connection: close\r\n\r\n")
        assert re.match(rb"HTTP/1\.1 4\d\d ", answer), (head, answer[:200])
    # A head without end is not waited for: the answer is 400, or lost as the server hangs up at once.
    endless = raw(live.port, f"GET / HTTP/1.1\r\nHost: {operator.host}\r\nX: {'x' * 300_000}\r\n\r\n")
    assert endless == b"" or endless.startswith(b"HTTP/1.1 400")
    for headers in ({"Cookie": ""}, {"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises(InvalidStatus, match=r"40[03]"):
            operator.socket(headers)
    with operator.socket() as opened:
        opened.send(json.dumps({"id": "1", "type": "start", "payload": {"query": order("socket")}}))
        with pytest.raises(ConnectionClosed):
            opened.recv(timeout=10)
    assert orders_taken(live) == set()


TRIES = """
import http.client, json, os, pathlib, socket, sys
lake, sockets, port, pids = json.loads(sys.argv[1])
got = []
for place in [lake + "/dagster/sign_in", *sockets]:
    try: got.append(["listed", place, os.listdir(place)])
    except OSError: pass
for place in sockets:
    for name in ("feed.sock", "models.sock"):
        with socket.socket(socket.AF_UNIX) as tried:
            try: tried.connect(place + "/" + name); got.append(["connected", name])
            except OSError: pass
for pid in pids:
    try: got.append(["environ", pathlib.Path(f"/proc/{pid}/environ").read_bytes()[:9].decode()])
    except OSError: pass
for method, path in (("GET", "/"), ("GET", "/graphql?query={version}"), ("POST", "/graphql")):
    asked = http.client.HTTPConnection("127.0.0.1", port)
    asked.request(method, path, b"{}" if method == "POST" else None, {"Origin": f"http://127.0.0.1:{port}"})
    answer = asked.getresponse()
    if answer.status != 401: got.append([path, answer.status])
print(json.dumps(got))
"""


@pytest.fixture
def account() -> Iterator[str]:
    """Another account of the machine."""
    if os.geteuid() != 0:
        pytest.skip("adding an account takes root")
    subprocess.run(["useradd", "--no-create-home", ACCOUNT], check=True)
    try:
        yield ACCOUNT
    finally:
        subprocess.run(["userdel", ACCOUNT], check=True)


def test_another_account_opens_neither_sockets_nor_pages(live: LiveOnTerminal, account: str) -> None:
    processes = live.processes()
    listening = [
        found
        for process in processes
        for found in psutil.Process(process.pid).net_connections("all")
        if found.status == psutil.CONN_LISTEN or (found.laddr and isinstance(found.laddr, str))
    ]
    assert {found.laddr.port for found in listening if found.status == psutil.CONN_LISTEN} == {live.port}
    folders = {
        str(Path(found.laddr).parent)
        for found in listening
        if isinstance(found.laddr, str) and found.laddr.endswith(".sock")
    }
    assert len(folders) == 1
    told = json.dumps([live.work.lake.root, sorted(folders), live.port, [found.pid for found in processes]])
    user = pwd.getpwnam(account)
    tried = subprocess.run(
        ["/usr/bin/env", "python3", "-c", TRIES, told], user=user.pw_uid, group=user.pw_gid, extra_groups=[],
        cwd="/", env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(tried.stdout) == []


def test_another_account_makes_no_link(live: LiveOnTerminal, account: str) -> None:
    """Neither in the lake, nor by listening where ours does not."""
    user = pwd.getpwnam(account)
    folder = live.home / "sign_in"
    for command in (["touch", str(folder / ("0" * 64 + ".link"))], ["cat", str(folder / "path")]):
        tried = subprocess.run(
            command, user=user.pw_uid, group=user.pw_gid, extra_groups=[], capture_output=True
        )
        assert tried.returncode != 0
    port = free_port()
    listens = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print(1); time.sleep(9)"
    squatter = subprocess.Popen(
        ["/usr/bin/env", "python3", "-uc", listens, "domotic_assets.cli.web_server"],
        user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert squatter.stdout is not None
        squatter.stdout.readline()
        place = ["--sites", str(live.work.settings.sites_file), "--lake", live.work.lake.root]
        refused = subprocess.run(
            [DOMOTIC, "link", "--port", str(port), *place], capture_output=True, text=True
        )
        assert refused.returncode == 1
        assert "no web server of this account listens there" in refused.stderr
        assert not LINK.search(refused.stdout)
        shown = subprocess.run(
            [DOMOTIC, "link", "--port", str(live.port), *place], capture_output=True, text=True
        )
        assert LINK.search(shown.stdout)
    finally:
        squatter.kill()
        squatter.wait()


def test_a_web_server_that_starts_again_asks_again(live: LiveOnTerminal) -> None:
    """Last of all: the sessions of the other tests end with it."""
    before, number = live.pages(), len(live.links())
    running.kill(next(found for found in live.processes() if found.part == PAGES))
    pages = Pages(live.wait_for_links(number + 1))
    assert pages.ask("{version}")["version"]
    assert pages.prefix == before.prefix
    with pytest.raises(PermissionError, match="401"):
        before.ask("{version}")


PASSWORD = "correct horse battery staple"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def beyond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, running.Live]]:
    """The address of a web server that other machines reach by TLS, and what of live it belongs to."""
    folder, port = tmp_path_factory.mktemp("beyond"), free_port()
    name = ["-subj", "/CN=lake.example"]
    request = [program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name]
    subprocess.run(
        [*request, "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True, capture_output=True
    )
    address = f"https://lake.example:{port}"
    people = "people: [{user: u-viewer, role: viewer}, {user: u-renter, role: renter, homes: [jimmy]}]\n"
    pages = f"pages: {{address: '{address}', listen: 127.0.0.1, certificate: cert.pem, key: key.pem}}\n"
    sites = builders.write_sites(folder, builders.REGISTRY.partition("people:")[0] + people + pages)
    found = running.Live(sites, folder / "lake", simulate=False)
    place = ["--sites", str(sites), "--lake", str(folder / "lake")]
    refused = subprocess.run([DOMOTIC, "live", "--port", str(port), *place], capture_output=True, text=True)
    assert "no admin or viewer has a password" in refused.stderr
    for user in ("u-viewer", "u-renter"):
        subprocess.run(
            [DOMOTIC, "password", user, *place], input=f"{PASSWORD}\n{PASSWORD}\n", text=True, check=True,
            capture_output=True, start_new_session=True,
        )  # fmt: skip
    with _web_server_alone(found, port):
        yield address, found


@contextmanager
def _web_server_alone(found: running.Live, port: int) -> Iterator[None]:
    """The web server without what it shows: code servers and daemon."""
    settings = found.work.settings
    prepare_home(settings.dagster_home)
    reached = Reached(port, found.work.sites.registry.pages)
    with live_command.private_folder() as sockets, listening(reached) as listener:
        parts = live_command._parts(settings, port, sockets, listener)
        part = next(part for part in parts if part.name == PAGES)
        live_command._start(part, settings)
        try:
            running.wait_until("the pages answer", lambda: answers(reached), SECONDS)
            yield
        finally:
            live_command._end(part.process)


def test_people_sign_in_by_password_beyond_this_machine(
    beyond: tuple[str, running.Live], tmp_path: Path
) -> None:
    """By the form, in a browser, over TLS. A viewer looks, and Dagster says that nothing may be changed."""
    address, found = beyond
    with chromium(tmp_path, "MAP lake.example 127.0.0.1", any_certificate=True) as browser:
        for user, password, shows in (
            (
                "u-viewer",
                "wrong horse battery staple",
                "User or password is wrong",
            ),  # pragma: allowlist secret
            ("u-renter", PASSWORD, "Not for you"),
            ("u-viewer", PASSWORD, "Overview"),
        ):
            tab = browser.tab()
            tab.command("Network.clearBrowserCookies")
            tab.open(f"{address}/")
            tab.wait("document.querySelector('form')")
            tab.evaluate(
                f"const form = document.querySelector('form'); form.user.value = '{user}';"
                f"form.password.value = '{password}'; form.querySelector('button').click();"
            )
            tab.wait(f"document.body.innerText.includes('{shows}')")
        assert tab.evaluate("document.cookie") == ""
        assert tab.evaluate(SEND.replace("PLACE", "/graphql").replace("ORDER", order("viewer"))) == 403
        asked = SEND.replace("PLACE", "/graphql").replace("answer.status", "answer.text()")
        permissions = "{ permissions { permission value } }"
        answered = json.loads(tab.evaluate(asked.replace("ORDER", permissions)))["data"]["permissions"]
        assert {entry["permission"] for entry in answered if entry["value"]} == set()
        assert len(answered) > 10
    assert orders_taken(found) == set()
    link = subprocess.run(
        [DOMOTIC, "link", "--sites", str(found.work.settings.sites_file), "--lake", found.work.lake.root],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "people sign in by password" in link.stderr
