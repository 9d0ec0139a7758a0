"""What finding new files costs in a flat folder of very many names, over real, encrypted SMB.

    python -m domotic_assets_tests.drills.names --names 250000

The choice of how a quiet tick looks for what is due rests on this table. Nothing is left behind.
"""

import argparse
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from domotic_assets.sources.files.smb import SmbFolder
from domotic_assets_tests.services.samba import samba

USERS = ("JimmyLoup", "JeremieVianin")
FIRST = datetime(2023, 1, 1)
DUE_MINUTES = 10
ROUNDS = 5
SHARES: Mapping[str, Mapping[str, str]] = {
    "Samba's defaults (blind to case)": {},
    "case sensitive = yes": {"case sensitive": "yes"},
}
# The kernel's struct tcp_info: bytes acknowledged by the other side, bytes received from it.
_TCP_BYTES = struct.Struct("=120xQQ")
_HEADER = ("looking for", "queries", "found", "seconds", "bytes on the wire")


@dataclass(frozen=True)
class Cost:
    """What one way of looking took: medians of some rounds."""

    queries: int
    found: int
    seconds: float
    wire_bytes: int


def names() -> Iterator[str]:
    """Names of a feed of two homes, a file a minute each, without end."""
    minute = FIRST
    while True:
        for user in USERS:
            yield _name(minute, user)
        minute += timedelta(minutes=1)


def ways(count: int) -> dict[str, Sequence[str]]:
    """The ways of looking, each with the patterns that it asks; what is there lies mid-way in the folder."""
    middle = FIRST + timedelta(minutes=count // len(USERS) // 2)
    here = middle.replace(minute=middle.minute // 10 * 10)
    gone = here.replace(year=here.year + 50)
    ways: dict[str, Sequence[str]] = {}
    for state, start in (("not there", gone), ("there", here)):
        due = [start + timedelta(minutes=n) for n in range(DUE_MINUTES)]
        ways |= {
            f"each due name, {state}": [_name(minute, user) for minute in due for user in USERS],
            f"each due minute, {state}": [f"{minute:%d.%m.%Y %H%M}_*" for minute in due],
            f"a block of ten minutes, {state}": [f"{start:%d.%m.%Y %H%M}"[:-1] + "?_*"],
            f"an hour, {state}": [f"{start:%d.%m.%Y %H}??_*"],
            f"a day, {state}": [f"{start:%d.%m.%Y} *"],
        }
    return ways | {"all names": ["*"]}


def measure(folder: SmbFolder, patterns: Sequence[str]) -> Cost:
    """The medians of ROUNDS listings by these patterns."""
    seconds, sent = [], []
    for _ in range(ROUNDS):
        bytes_before, before = _wire_bytes(folder), time.perf_counter()
        found = folder.entries(patterns)
        seconds.append(time.perf_counter() - before)
        sent.append(_wire_bytes(folder) - bytes_before)
    return Cost(len(patterns), len(found), median(seconds), round(median(sent)))


def drill(count: int, show: Callable[[str], None] = print) -> dict[str, dict[str, Cost]]:
    """Measure every way on a folder of so many names, for every kind of share, and show a table of each."""
    results: dict[str, dict[str, Cost]] = {}
    with tempfile.TemporaryDirectory(prefix="domotic-names-") as place:
        share = Path(place) / "share"
        share.mkdir()
        for name in islice(names(), count):
            (share / name).touch()
        for number, (title, options) in enumerate(SHARES.items()):
            with samba(Path(place) / f"server{number}", share, options=options) as server:
                folder = SmbFolder(server.address, server.user, server.password)
                try:
                    folder.entries(["warm-up"])
                    results[title] = {way: measure(folder, asked) for way, asked in ways(count).items()}
                finally:
                    folder.close()
            show(f"\n{count:,} names, {title}, medians of {ROUNDS}\n\n{table(results[title])}")
    return results


def table(costs: Mapping[str, Cost]) -> str:
    """The costs in Markdown."""
    rows = [_HEADER, tuple("---" for _ in _HEADER)]
    for way, cost in costs.items():
        figures = (f"{cost.queries}", f"{cost.found:,}", f"{cost.seconds:.3f}", f"{cost.wire_bytes:,}")
        rows.append((way, *figures))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="Cost of finding files in a folder of many names over SMB")
    parser.add_argument("--names", type=int, default=250_000, help="files in the folder")
    # Ended from outside, it still removes its folder and its server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    drill(parser.parse_args().names)


def _name(minute: datetime, user: str) -> str:
    return f"{minute:%d.%m.%Y %H%M}_{user}_received.json"


def _wire_bytes(folder: SmbFolder) -> int:
    """What the folder's own connection has carried both ways; loopback may serve others at the same time."""
    assert folder._session is not None
    connection: socket.socket = folder._session.connection.transport._sock
    return sum(_TCP_BYTES.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_BYTES.size)))


if __name__ == "__main__":
    main()
