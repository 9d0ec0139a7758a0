"""What every real server of the tests shares: is it installed, a free port, start, readiness and end.

Servers run unprivileged or as this user on loopback, on private ports, below a private folder. Where
one is not installed its tests skip loudly, and fail where DOMOTIC_REQUIRE_SERVICES=1 says that it must be.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

REQUIRE_SERVICES_VARIABLE = "DOMOTIC_REQUIRE_SERVICES"
HOST = "127.0.0.1"
_PLACES = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS_TO_START = 20.0
_SECONDS_TO_END = 10.0


def program(name: str, package: str, beside: str = "") -> str:
    """The path of a server's program; without it the test skips, or fails where services are required.

    beside: a pattern of folders to look in that are on nobody's path.
    """
    folders = [str(folder) for folder in sorted(Path("/").glob(beside.removeprefix("/")))] if beside else []
    found = shutil.which(name, path=":".join([os.environ.get("PATH", ""), _PLACES, *folders]))
    require(found is not None, name, package)
    assert found is not None
    return found


def require(installed: bool, name: str, package: str) -> None:
    """Skip the test where something is not installed, or fail it where services are required."""
    if not installed:
        message = f"{name} is not installed: apt-get install {package}"
        if os.environ.get(REQUIRE_SERVICES_VARIABLE) == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


class Server:
    """A server process that can be started, stopped, killed and started again on the same port."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.command = list(command)
        self.port = port
        self.log = log
        self._environment = {**os.environ, **(environment or {})}
        self._ready = ready or (lambda: listens(port))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; its log is in the error when it does not."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order, with all that it started; does nothing when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for number in (how, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                break
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                continue
        process.wait(_SECONDS_TO_END)
