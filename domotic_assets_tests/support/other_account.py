"""Another account of this machine, which tries to list, read, write and create whatever it can reach."""

import multiprocessing
import os
import pickle
import socket
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from domotic_assets_tests.support import processes

UID = 65534
"""Nobody: an account that owns nothing here."""


def need_root() -> None:
    """Only root can become another account: elsewhere a test is skipped, on CI it fails."""
    if os.geteuid() != 0:
        message = "NOT TESTED: only root can become another account of the machine"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def as_another(work: Callable[..., Any], *arguments: Any, uid: int = UID) -> Any:
    """Run a function of a module in a process of another account, and return what it returns or raise it."""
    ours, theirs = multiprocessing.Pipe()
    process = processes.begin(_become, theirs, uid, work, arguments)
    theirs.close()
    found, error = pickle.loads(ours.recv_bytes())
    process.join()
    if error is not None:
        raise error
    return found


def _become(answer: Connection, uid: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    try:
        found = (work(*arguments), None)
    except Exception as error:
        found = (None, error)
    answer.send_bytes(pickle.dumps(found))


def reached(places: Iterable[Path]) -> list[str]:
    """What an account gets at below some places, as `verb path`; only the places themselves may be listed."""
    found: list[str] = []
    for place in places:
        found += _tried(place)
    return sorted(found)


def _tried(place: Path) -> list[str]:
    found = []
    try:
        mode = place.lstat().st_mode
    except OSError:
        return []
    if stat.S_ISLNK(mode):
        return []
    if stat.S_ISDIR(mode):
        with suppress(OSError):
            inside = list(place.iterdir())
            found.append(f"list {place}")
            for path in inside:
                found += _tried(path)
        with suppress(OSError):
            (place / "planted").touch()
            found.append(f"create in {place}")
            (place / "planted").unlink()
        with suppress(OSError):
            # A name that is known can be opened in a folder that cannot be listed.
            for name in ("serve", "bronze", "dagster", "work.json", "domotic-admin.duckdb", "live.log"):
                (place / name).stat()
                found.append(f"enter {place}")
                break
    elif stat.S_ISSOCK(mode):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
            found.append(f"connect {place}")
    else:
        for verb, flags in (("read", os.O_RDONLY), ("write", os.O_WRONLY | os.O_APPEND)):
            with suppress(OSError):
                os.close(os.open(place, flags | os.O_NONBLOCK))
                found.append(f"{verb} {place}")
    return found
