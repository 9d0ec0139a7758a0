"""A headless Chromium, driven by its DevTools protocol: opens pages as a person's browser does."""

import json
import os
import subprocess
import time
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from domotic_assets_tests.services.servers import program

_SECONDS_TO_START = 60.0
_SECONDS_OF_A_COMMAND = 60.0


class Tab:
    """A tab of the browser. violations: what its pages' Content-Security-Policy held back."""

    def __init__(self, address: str) -> None:
        self._socket: ClientConnection = connect(
            address, max_size=None, open_timeout=30, ping_interval=None, legacy=True
        )
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command; its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        until = time.monotonic() + _SECONDS_OF_A_COMMAND
        while True:
            message = json.loads(self._socket.recv(timeout=until - time.monotonic()))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                found: dict[str, Any] = message["result"]
                return found
            self.events.append(message)

    def open(self, address: str) -> None:
        """Navigate as a person who types an address, and wait until the page has loaded."""
        self.command("Page.navigate", url=address)
        self.wait("document.readyState == 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of JavaScript in the page; promises are awaited."""
        result = self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60.0) -> Any:
        """Wait until JavaScript in the page is true; its value. Raises TimeoutError with the page's text."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if value := self.evaluate(expression):
                    return value
            except RuntimeError:
                pass  # the page was left meanwhile
            time.sleep(0.1)
        raise TimeoutError(f"{expression}; the page says {self.text()[:1000]!r}")

    def text(self) -> str:
        """What the page shows."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def address(self) -> str:
        """Where the tab is."""
        return str(self.evaluate("location.href"))

    def picture(self, file: Path) -> None:
        """Write a screenshot."""
        file.write_bytes(b64decode(self.command("Page.captureScreenshot")["data"]))

    def held_back(self) -> list[str]:
        """What a Content-Security-Policy held back until now."""
        texts = [
            event["params"]["entry"]["text"]
            for event in self.events
            if event.get("method") == "Log.entryAdded"
        ]
        return [text for text in texts if "Content Security Policy" in text]


class Browser:
    """A browser with one profile: its tabs share cookies."""

    def __init__(self, port: int) -> None:
        self._port = port

    def tab(self) -> Tab:
        """Open a tab."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Tab(json.load(answer)["webSocketDebuggerUrl"])


@contextmanager
def chromium(folder: Path, *rules: str, any_certificate: bool = False) -> Iterator[Browser]:
    """A browser with its profile in a folder. rules: `MAP name address` for names.

    any_certificate: whether to take a certificate that nobody known has signed.
    """
    command = [
        program("chromium", "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-dev-shm-usage", "--window-size=1500,1000",
        "--remote-debugging-port=0", f"--user-data-dir={folder}",
        f"--host-resolver-rules={', '.join(rules)}", "about:blank",
    ]  # fmt: skip
    command += ["--ignore-certificate-errors"] if any_certificate else []
    environment = os.environ | {"HOME": str(folder)}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        chosen = folder / "DevToolsActivePort"
        until = time.monotonic() + _SECONDS_TO_START
        while not (chosen.exists() and "\n" in chosen.read_text()):
            if time.monotonic() > until or process.poll() is not None:
                raise TimeoutError((folder / "out").read_text()[-1000:])
            time.sleep(0.1)
        yield Browser(int(chosen.read_text().splitlines()[0]))
    finally:
        process.terminate()
        process.wait(20)
