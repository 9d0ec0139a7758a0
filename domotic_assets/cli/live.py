"""Keeps the feed's sensors, runs and pages over a lake running, for this machine only: `domotic live`.

It starts four processes of Dagster (two code servers, daemon, web server) and, if asked for, the simulated
feed. A process that ends by itself is started again; runs that were under way are left to Dagster.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import click
from rich.console import Console

from domotic_assets.cli.listener import answers, listening
from domotic_assets.cli.options import lake_option, sites_option
from domotic_assets.cli.sign_in import WEB_SERVER, one_time_link, port_option
from domotic_assets.cli.terminal import open_console
from domotic_assets.errors import LakeError
from domotic_assets.escaping import yaml_text
from domotic_assets.files_on_disk import shorten_log
from domotic_assets.flow.dagster_home import prepare_home
from domotic_assets.flow.live import kept_live
from domotic_assets.registry.loading import load_sites
from domotic_assets.settings import DAGSTER_VARIABLE, LAKE_VARIABLE, SITES_VARIABLE, Settings
from domotic_assets.web.reached import Reached, refuse_without_passwords

SECONDS_TO_END = 30
LONGEST_LOG_BYTES = 64 * 2**20
LONGEST_PAUSE = 60.0
PAGES = "web server"
LOCATIONS = {"feed": "domotic_assets.definitions", "models": "domotic_assets.model_definitions"}


@click.command()
@sites_option
@lake_option
@port_option
@click.option("--simulate", "simulated", is_flag=True, help="Go on with the simulated feed, a file a minute.")
def live(sites: Path, lake: str, port: int, simulated: bool) -> None:
    """Process the feed as it comes, and show tables, graph, runs and checks in Dagster's UI."""
    from domotic_assets.flow.clock import refuse_a_clock_behind
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.forget_journal import refuse_unfinished

    found = load_sites(sites)  # reports a wrong registry in one line, where Dagster would need pages
    settings = Settings.of(sites, lake)
    refuse_without_passwords(found, settings.dagster_home)
    refuse_unfinished(settings.lake_root)
    refuse_a_clock_behind(Workspace.open(settings))
    domotic = str(Path(sys.executable).with_name("domotic"))
    feed = [domotic, "simulate", "--sites", str(sites.resolve()), "--continue"]
    if simulated:
        from domotic_assets.flow.worklist import LISTED_WHOLE, WorkList

        # The files sent until now arrive together, and late: only a listing finds them.
        subprocess.run(feed, check=True)  # nosec B603
        WorkList(settings.dagster_home).change(lambda held: held.unmark(LISTED_WHOLE))
    reached = Reached(port, found.registry.pages)
    sys.exit(run_live(settings, reached, open_console(stderr=True), [*feed, "--live"] if simulated else None))


@dataclass
class Part:
    """A process that is kept running.

    ends: whether it ends by itself when its work is done. listener: the socket that it serves; it stays ours.
    """

    name: str
    command: Sequence[str]
    ends: bool = False
    process: subprocess.Popen[bytes] | None = None
    listener: socket.socket | None = None
    failures: int = 0
    started_at: float = 0.0
    not_before: float = 0.0


def run_live(settings: Settings, reached: Reached, console: Console, feed: Sequence[str] | None) -> int:
    """Run Dagster's processes until Ctrl+C; raise ConfigurationError if the port is in use.

    feed: the command of a simulated feed to run as well; None for none.
    """
    with listening(reached) as listener:
        return _run_parts(settings, reached, console, feed, listener)


def _run_parts(
    settings: Settings,
    reached: Reached,
    console: Console,
    feed: Sequence[str] | None,
    listener: socket.socket,
) -> int:
    """Run Dagster's processes until Ctrl+C; listener: the socket of their pages."""
    from domotic_assets.flow.workspace import Workspace
    from domotic_assets.operate.team_database import guarding
    from domotic_assets.operate.withdrawals import withdrawing

    prepare_home(settings.dagster_home)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    parts: list[Part] = []
    work = Workspace.open(settings)
    with (
        kept_live(settings.dagster_home),
        private_folder() as sockets,
        withdrawing(work, partial(_say, console)),
        guarding(work, partial(_say, console)),
        _ended_together(parts, console),
    ):
        parts += _parts(settings, reached.port, sockets, listener)
        if feed is not None:
            parts.append(Part("simulated feed", feed, ends=True))
        pages = next(part for part in parts if part.name == PAGES)
        with console.status("starting Dagster; Ctrl+C ends it"):
            _make_databases(settings)
            for part in parts:
                _start(part, settings)
            while not _serves(pages, reached):
                _look_after(parts, settings, console)
                time.sleep(0.3)
        told = None
        while True:
            # Sessions end with the web server, so a new one is told anew.
            if pages.process is not told and _serves(pages, reached):
                told = pages.process
                _tell(settings, reached, console)
            _look_after(parts, settings, console)
            with suppress(OSError):
                shorten_log(_log(settings), LONGEST_LOG_BYTES)
            time.sleep(1)


def _say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _serves(pages: Part, reached: Reached) -> bool:
    """Tell whether our web server answers: nobody else can, since the socket is ours."""
    return pages.process is not None and answers(reached)


def _tell(settings: Settings, reached: Reached, console: Console) -> None:
    """Say how to open the pages; a link that signs in is shown on a terminal, and never written to a file."""
    how = "sign in by password"
    address = f"{reached.address}/"
    if reached.pages is None:
        how = "`domotic link` shows a link that opens it"
        if sys.stderr.isatty():
            how = "once, within ten minutes; `domotic link` shows another"
            address = one_time_link(settings, reached.port)
    _say(console, f"Dagster UI: {address} ({how}; Ctrl+C ends all)")


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a temporary folder for sockets, which is removed at the end.

    Sockets cannot be in the lake: gRPC takes a path of at most 107 bytes, without space or umlaut.
    """
    with TemporaryDirectory(prefix="domotic-") as folder:
        yield Path(folder)


def _parts(settings: Settings, port: int, folder: Path, listener: socket.socket) -> list[Part]:
    """List Dagster's processes, code servers first, and write the workspace file that they share.

    The daemon and the web server reach the code servers by sockets in the folder.
    """
    home = settings.dagster_home
    workspace = home / "workspace.yaml"
    sockets = {name: str(folder / f"{name}.sock") for name in LOCATIONS}
    servers = [{"grpc_server": {"socket": path, "location_name": name}} for name, path in sockets.items()]
    workspace.write_text(yaml_text({"load_from": servers}))
    quiet = ("--log-level", "warning")
    programs = Path(sys.executable).parent
    return [
        *(
            Part(
                f"code server {name}",
                [str(programs / "dagster"), "api", "grpc", "-m", module, "-s", sockets[name], *quiet],
            )
            for name, module in LOCATIONS.items()
        ),
        Part("daemon", [str(programs / "dagster-daemon"), "run", "-w", str(workspace), *quiet]),
        Part(
            PAGES,
            [
                *(sys.executable, "-m", WEB_SERVER, "--workspace", str(workspace)),
                *("--port", str(port), "--listener", str(listener.fileno())),
            ],
            listener=listener,
        ),
    ]


def _make_databases(settings: Settings) -> None:
    """Create Dagster's databases with one process, before all parts open them; raise LakeError if it fails.

    Several processes that create them together leave databases that none can open.
    """
    process = _popen([str(Path(sys.executable).with_name("dagster")), "instance", "info"], settings)
    if process.wait():
        raise LakeError(
            "Dagster cannot open its records",
            where=str(settings.dagster_home),
            expected="its databases, or none yet",
            remedy=f"the end of {_log(settings)} says why",
        )


def _start(part: Part, settings: Settings) -> None:
    """Start the part's process and set the time of its start."""
    if part.listener is None:
        part.process = _popen(part.command, settings)
    else:
        # No other part inherits it: what outlives us would hold the port.
        part.listener.set_inheritable(True)
        part.process = _popen(part.command, settings)
        part.listener.set_inheritable(False)
    part.started_at = time.monotonic()


def _popen(command: Sequence[str], settings: Settings) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: Ctrl+C reaches only us, and we end the others in order."""
    variables = {
        SITES_VARIABLE: str(settings.sites_file),
        LAKE_VARIABLE: settings.lake_root,
        DAGSTER_VARIABLE: str(settings.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    with _log(settings).open("ab") as log:
        return subprocess.Popen(  # nosec B603
            command,
            env={**os.environ, **variables},
            # Here is the dagster.yaml in use; Dagster warns if it finds another one in its working folder.
            cwd=settings.dagster_home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # It inherits the live lock, which marks the lake as kept live.
            close_fds=False,
        )


def _look_after(parts: Sequence[Part], settings: Settings, console: Console) -> None:
    """Restart processes that have ended; the pause before a restart grows while a process keeps failing."""
    for part in parts:
        now = time.monotonic()
        if part.process is not None and part.process.poll() is not None:
            code, part.process = part.process.returncode, None
            if part.ends and code == 0:
                continue
            part.failures = 1 if now - part.started_at > LONGEST_PAUSE else part.failures + 1
            pause = min(2.0 ** (part.failures - 1) - 1, LONGEST_PAUSE)
            part.not_before = now + pause
            console.print(
                f"{part.name} ended ({code}); starting it again in {pause:.0f} s; see {_log(settings)}",
                soft_wrap=True,
            )
        if part.process is None and part.failures and now >= part.not_before:
            _start(part, settings)


@contextmanager
def _ended_together(parts: Sequence[Part], console: Console) -> Iterator[None]:
    """End all processes, the last started first, however the block ends; Ctrl+C is a normal end."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("ending")
    finally:
        for part in reversed(parts):
            _end(part.process)


def _log(settings: Settings) -> Path:
    """Return the path of the file that Dagster and its runs print to."""
    return settings.dagster_home / "live.log"


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Ask a process to end and wait; after SECONDS_TO_END, kill it with everything that it started."""
    if process is None:
        return
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, so that a signal ends the program as Ctrl+C does."""
    raise KeyboardInterrupt
