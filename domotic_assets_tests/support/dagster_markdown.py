"""Shows Markdown in Chromium as Dagster's pages do: by the very renderer of the web server's bundle.

A page of ours runs the bundle's component, so that no instance, code server or click is needed. Every host
name leads to a server of the test, which notes what the page asks for.
"""

import html
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster_webserver

from domotic_assets_tests.services.servers import program

_CHUNKS = Path(str(dagster_webserver.__file__)).parent / "webapp/build/_next/static/chunks"
_PATH = "/_next/static/chunks/"
_PROGRAM = """
const texts = TEXTS;
self.webpackChunk_N_E.push([["probe"], {}, require => {
  const find = mark => require(Object.keys(require.m).find(id => require.m[id].toString().includes(mark)));
  const {MarkdownWithPlugins} = find("MarkdownWithPlugins:()=>");
  const {jsx} = find(".jsx=");
  const {createRoot} = find(".createRoot=");
  const places = texts.map(text => {
    const place = document.body.appendChild(document.createElement("div"));
    createRoot(place).render(jsx(MarkdownWithPlugins, {children: text}));
    return place;
  });
  setTimeout(() => {
    const shown = document.createElement("pre");
    shown.id = "shown";
    shown.textContent = JSON.stringify(places.map(place => ({
      text: place.textContent,
      elements: [...place.querySelectorAll("*")].map(one => one.localName),
      cells: [...place.querySelectorAll("td")].map(one => one.textContent)})));
    document.body.appendChild(shown);
  }, 500);
}]);
"""


@dataclass(frozen=True)
class Shown:
    """What a browser shows of one text. elements: the names of all, in order. cells: texts of table cells."""

    text: str
    elements: tuple[str, ...]
    cells: tuple[str, ...]


def show(texts: Sequence[str]) -> tuple[list[Shown], list[str]]:
    """Show each text; returns what is shown of each, and what the page asked any server for."""
    chromium = program("chromium", "chromium")
    asked: list[str] = []
    page = _page(texts)

    class Answers(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            chunk = _CHUNKS / self.path.removeprefix(_PATH)
            if self.path == "/":
                self._answer(page, "text/html")
            elif self.path.startswith(_PATH):
                self._answer(chunk.read_bytes(), "text/javascript")
            else:
                asked.append(f"{self.command} {self.headers.get('Host', '')}{self.path}")
                self.send_error(404)

        do_POST = do_GET

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                f"--host-resolver-rules=MAP * 127.0.0.1:{port}", "--virtual-time-budget=5000", "--dump-dom",
                f"http://127.0.0.1:{port}/",
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    server.shutdown()
    server.server_close()
    found = re.search(r'<pre id="shown">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    shown = [
        Shown(one["text"], tuple(one["elements"]), tuple(one["cells"]))
        for one in json.loads(html.unescape(found[1]))
    ]
    # The browser asks for its own updates and for an icon of the page.
    return shown, [one for one in asked if "google" not in one and not one.endswith("/favicon.ico")]


def _page(texts: Sequence[str]) -> bytes:
    """A page with the chunks of the bundle that hold modules, the one that runs them, and our program."""
    modules = [
        chunk.name
        for chunk in sorted(_CHUNKS.glob("*.js"))
        if "self.webpackChunk_N_E||[]).push" in chunk.read_text()[:200] and "blueprint" not in chunk.name
    ]
    (runtime,) = [chunk.name for chunk in _CHUNKS.glob("webpack-*.js")]
    scripts = "".join(f'<script src="{_PATH}{name}"></script>' for name in (*modules, runtime))
    program_ = _PROGRAM.replace("TEXTS", json.dumps(list(texts)).replace("<", "\\u003c"))
    return f"<!doctype html><meta charset=utf-8><body>{scripts}<script>{program_}</script>".encode()
