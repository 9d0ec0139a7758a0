"""A page of another origin that sends orders to somebody's GraphQL from the browser of a person.

Each way tries to set a concurrency limit of its own name, so that the records say which ways worked.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from domotic_assets_tests.services.chromium import Tab

MILLISECONDS_TO_WORK = 3000

PAGE = """<!DOCTYPE html><title>at work</title><body><script>
const target = %(target)s;
const order = way => `mutation { setConcurrencyLimit(concurrencyKey: "%(name)s-${way}", limit: 1) }`;
const get = way => `${target}/graphql?query=${encodeURIComponent(order(way))}`;
const body = way => JSON.stringify({query: order(way)});
const ways = {
  image: way => { new Image().src = get(way); },
  script: way => { const s = document.createElement("script"); s.src = get(way); document.body.append(s); },
  frame: way => { const f = document.createElement("iframe"); f.src = get(way); document.body.append(f); },
  fetch: way => fetch(get(way), {mode: "no-cors", credentials: "include"}),
  text: way => fetch(get(way), {method: "POST", mode: "no-cors", credentials: "include",
    body: body(way), headers: {"Content-Type": "text/plain"}}),
  beacon: way => navigator.sendBeacon(get(way), body(way)),
  json: way => fetch(target + "/graphql",
    {method: "POST", credentials: "include", body: body(way), headers: {"Content-Type": "application/json"}}),
  form: way => {
    const f = document.createElement("form"), frame = document.createElement("iframe");
    frame.name = "hidden"; document.body.append(frame, f);
    f.method = "POST"; f.action = get(way); f.target = "hidden"; f.enctype = "text/plain"; f.submit();
  },
  window: way => { window.open(get(way)); },
  socket: way => {
    const s = new WebSocket(target.replace("http", "ws") + "/graphql", "graphql-ws");
    s.onopen = () => { s.send('{"type": "connection_init"}');
      s.send(JSON.stringify({id: "1", type: "start", payload: {query: order(way)}})); };
    s.onmessage = message => { window.heard = (window.heard || "") + message.data; };
  },
};
for (const way in ways) { try { Promise.resolve(ways[way](way)).catch(() => {}); } catch { } }
setTimeout(() => { document.title = "done" }, %(milliseconds)d);
</script>"""


class Attacker:
    """A web server of somebody else. asked: the paths that browsers asked of it, with their cookies."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, str]] = []

    def orders_from(self, tab: Tab, host: str, target: str, name: str) -> None:
        """Let a person open the page, served by this host name, that orders at the target."""
        tab.open(f"http://{host}:{self.port}/?{quote(json.dumps([target, name]))}")
        tab.wait("document.title == 'done'")


@contextmanager
def attacker() -> Iterator[Attacker]:
    """Such a server on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            from urllib.parse import unquote

            server.asked.append((self.path, self.headers.get("Cookie", "")))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.path.startswith("/?"):
                target, name = json.loads(unquote(self.path[2:]))
                filled = {"target": json.dumps(target), "name": name, "milliseconds": MILLISECONDS_TO_WORK}
                self.wfile.write((PAGE % filled).encode())

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Attacker(http.server_port)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
