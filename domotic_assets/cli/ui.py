"""`domotic ui`: Dagster's web pages and daemon over a lake, for this machine only."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from domotic_assets.errors import ConfigurationError
from domotic_assets.orchestration.instance import prepare_home
from domotic_assets.settings import DAGSTER_VARIABLE, LAKE_VARIABLE, SITES_VARIABLE, Settings

HOST = "127.0.0.1"
SECONDS_TO_END = 30


def run_ui(settings: Settings, port: int, console: Console) -> int:
    """Run Dagster until Ctrl+C (0) or until it ends by itself (its exit code); refuses a port in use."""
    if _answers(port):
        raise ConfigurationError(
            "another program listens there",
            where=f"port {port}",
            expected="a free port",
            remedy=f"name another: --port {port + 1}",
        )
    prepare_home(settings.dagster_home)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    process = _start(settings, port)
    try:
        with console.status("starting Dagster; Ctrl+C ends it"):
            while process.poll() is None and not _answers(port):
                time.sleep(0.3)
        if process.poll() is None:
            console.print(f"Dagster UI: http://{HOST}:{port}/asset-groups (Ctrl+C ends it)", highlight=False)
        code = process.wait()
        console.print(
            f"Dagster ended by itself ({code}); see {_log(settings)}", highlight=False, soft_wrap=True
        )
        return code
    except KeyboardInterrupt:
        console.print("ending Dagster")
        return 0
    finally:
        _end(process)


def _start(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """Dagster in a session of its own: Ctrl+C reaches us alone, and it is ended in good order."""
    variables = {
        SITES_VARIABLE: str(settings.sites_file),
        LAKE_VARIABLE: settings.lake_root,
        DAGSTER_VARIABLE: str(settings.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # The command that supersedes this one comes in a package of its own.
        "PYTHONWARNINGS": "ignore:Function `dev_command`",
    }
    command = [
        str(Path(sys.executable).with_name("dagster")),
        *("dev", "-m", "domotic_assets.definitions"),
        *("-h", HOST, "-p", str(port), "--log-level", "warning"),
    ]
    with _log(settings).open("ab") as log:
        return subprocess.Popen(
            command,
            env={**os.environ, **variables},
            # The dagster.yaml that counts lies here; with another in its folder Dagster would warn.
            cwd=settings.dagster_home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _log(settings: Settings) -> Path:
    """What Dagster and the runs started from its pages print; the pages show the same."""
    return settings.dagster_home / "ui.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask Dagster to end, and wait; what does not within the time is killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _answers(port: int) -> bool:
    """Whether a program listens on the port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
