"""Readers in other processes while Gold is published again and again, and while publishing is killed.

    python -m domotic_assets_tests.drills.readers --publications 100 --readers 8

Of publication n every measure and a room's name say n, over three days and three tables. So an answer that
says two numbers is torn, one that says less than the one before went back, and neither needs the code under
test to be told. Each reader opens the file anew for most questions, and keeps it open for some.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl

from domotic_assets.lake.store import Lake
from domotic_assets.schemas import gold
from domotic_assets.schemas.homes import gold as homes_gold
from domotic_assets.serve import publish, refresh
from domotic_assets_tests.support.gold_snapshot import (
    HOUSE_METER,
    JIMMY,
    OFFICE,
    OFFICE_PLUG,
    datetime_key,
    energy,
    sample_rows,
)

SPAWN = multiprocessing.get_context("spawn")
DEFINITION = "as written"
FIRST_DAY = datetime(2023, 10, 27, tzinfo=UTC)
DAYS, MINUTES = 3, 1440
QUESTIONS_KEPT_OPEN = 5
WHAT_IS_SAID = {
    "energy": "SELECT DISTINCT energy_kwh::BIGINT FROM gold.fact_energy_minute",
    "climate": "SELECT DISTINCT temperature_c::BIGINT FROM gold.fact_environment_minute",
    "room": "SELECT room_name::BIGINT FROM gold.dim_room WHERE room_id = 'jimmy/office'",
    "rows": "SELECT count(*) FROM gold.fact_energy_minute",
}
"""Question to its answers: of publication n the number n alone; of the rows always the same."""


@dataclass
class Read:
    """What one reader saw. numbers: how often it saw each publication."""

    numbers: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    back: int = 0


def write_gold(lake: Lake, number: int) -> None:
    """Make the Gold layer of a publication."""
    rows = sample_rows()
    for table in gold.DIMS:
        lake.replace_all(table, pl.DataFrame(_named(rows.get(table.name, []), number), schema=table.schema))
    dates = [(FIRST_DAY + timedelta(days=day)).date() for day in range(DAYS)]
    for table, measured in (
        (
            homes_gold.FACT_ENERGY_MINUTE,
            [_energy(at, device, number) for at in _minutes() for device in _DEVICES],
        ),
        (homes_gold.FACT_ENVIRONMENT_MINUTE, [_climate(at, number) for at in _minutes()]),
    ):
        lake.replace_dates(table, pl.DataFrame(measured, schema=table.schema), dates)


_DEVICES = ((OFFICE_PLUG, OFFICE), (HOUSE_METER, OFFICE))
_ROWS = DAYS * MINUTES * len(_DEVICES)


def _minutes() -> list[datetime]:
    return [FIRST_DAY + timedelta(minutes=minute) for minute in range(DAYS * MINUTES)]


def _named(rows: Sequence[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    return [row | {"room_name": str(number)} if row.get("room_key") == OFFICE and "room_name" in row else row
            for row in rows]  # fmt: skip


def _energy(at: datetime, device: tuple[int, int], number: int) -> dict[str, Any]:
    return energy(at, *device, JIMMY, float(number), 0.0) | {"utc_date": at.date()}


def _climate(at: datetime, number: int) -> dict[str, Any]:
    return {
        "datetime_key": datetime_key(at), "date_key": int(at.strftime("%Y%m%d")), "room_key": OFFICE,
        "apartment_key": JIMMY, "temperature_c": float(number), "is_anomaly": False, "utc_date": at.date(),
    }  # fmt: skip


def present(lake: Lake) -> refresh.Snapshot:
    """The Gold layer as it is."""
    found = {table.name: lake.snapshot(table) for table in gold.TABLES}
    return refresh.Snapshot({n: f for n, (_, f) in found.items()}, {n: v for n, (v, _) in found.items()})


def publish_on_demand(root: str, orders: Connection) -> None:
    """A publisher's process: for each number it is sent, write that Gold and publish it."""
    lake, serve = Lake(root), Path(root) / "serve"
    orders.send("ready")
    while (number := orders.recv()) is not None:
        write_gold(lake, number)
        orders.send("written")
        refresh.publish_present(serve, lambda: present(lake), DEFINITION, purpose="live")
        orders.send("published")


def read_on(file: Path, stop: Event, results: Connection) -> None:
    """A reader's process: ask until it is told to stop."""
    seen, last = Read(), 0
    while not stop.is_set():
        try:
            with duckdb.connect(str(file), read_only=True) as connection:
                for _ in range(QUESTIONS_KEPT_OPEN if sum(seen.numbers.values()) % 10 == 0 else 1):
                    number = _ask(connection, seen)
                    seen.back += number < last
                    last = number
                    seen.numbers[number] += 1
        except duckdb.Error as error:
            seen.errors.append(str(error).partition("\n")[0])
    results.send(seen)


def _ask(connection: duckdb.DuckDBPyConnection, seen: Read) -> int:
    """Ask all that is said, and note it where it is not of one publication; its number."""
    said = {name: connection.execute(sql).fetchall() for name, sql in WHAT_IS_SAID.items()}
    [[rows]] = said.pop("rows")
    numbers = {number for answers in said.values() for (number,) in answers}
    if len(numbers) != 1 or rows != _ROWS:
        seen.torn.append(f"{said}, {rows} rows")
    return max(numbers)


class Publisher:
    """A publisher's process, that can be killed and is then started again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._start()

    def _start(self) -> None:
        self._orders, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=publish_on_demand, args=(str(self._root), theirs), daemon=True)
        self._process.start()
        assert self._orders.recv() == "ready"

    def publish(self, number: int) -> float:
        """Publish, and give the seconds that it took."""
        self._orders.send(number)
        assert self._orders.recv() == "written"
        began = time.perf_counter()
        assert self._orders.recv() == "published"
        return time.perf_counter() - began

    def publish_and_die(self, number: int, after: float) -> None:
        """Be killed so many seconds into publishing."""
        self._orders.send(number)
        assert self._orders.recv() == "written"
        time.sleep(after)
        self._process.kill()
        self._process.join()
        self._start()

    def close(self) -> None:
        """End the process."""
        self._orders.send(None)
        self._process.join(60)


def drill(
    root: Path, publications: int, kills: int, readers: int, seed: int
) -> tuple[list[Read], list[float]]:
    """Publish while others read; what each reader saw, and seconds of each publication."""
    lake, serve = Lake(str(root)), root / "serve"
    for table in gold.TABLES:
        lake.replace_all(table, pl.DataFrame(schema=table.schema))
    write_gold(lake, 1)
    first = present(lake)
    built = publish.build_file(serve, first.files, first.versions, DEFINITION, purpose="first")
    publish.swap_in(built, serve)
    stop, pipes = SPAWN.Event(), [SPAWN.Pipe() for _ in range(readers)]
    processes = [
        SPAWN.Process(target=read_on, args=(publish.published_file(serve), stop, theirs), daemon=True)
        for _, theirs in pipes
    ]
    for process in processes:
        process.start()
    publisher, random = Publisher(root), Random(seed)
    killed = set(random.sample(range(2, publications + 2), kills))
    seconds: list[float] = []
    for number in range(2, publications + 2):
        if number in killed:
            usual = sum(seconds) / len(seconds) if seconds else 0.2
            publisher.publish_and_die(number, random.uniform(0, usual))
        else:
            seconds.append(publisher.publish(number))
    publisher.close()
    stop.set()
    seen = [ours.recv() for ours, _ in pipes]
    for process in processes:
        process.join(60)
    return seen, seconds


def main() -> int:
    """Run the drill and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--publications", type=int, default=100)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    failed = False
    head = "publications, killed half-way, readers, answers, versions seen, errors, torn, went back, p50 s"
    print(f"| {head.replace(', ', ' | ')} |")
    print("|---" * 9 + "|")
    for kills in (0, asked.publications // 3):
        with tempfile.TemporaryDirectory() as folder:
            seen, seconds = drill(Path(folder), asked.publications, kills, asked.readers, asked.seed)
        numbers: Counter[int] = sum((read.numbers for read in seen), Counter())
        errors, torn = (
            [what for read in seen for what in getattr(read, name)] for name in ("errors", "torn")
        )
        back = sum(read.back for read in seen)
        median = sorted(seconds)[len(seconds) // 2]
        print(f"| {asked.publications} | {kills} | {asked.readers} | {numbers.total():,} | {len(numbers)} | "
              f"{len(errors)} | {len(torn)} | {back} | {median:.2f} |")  # fmt: skip
        for what in (*errors[:3], *torn[:3]):
            print(f"  {what}", file=sys.stderr)
        failed |= bool(errors or torn or back) or len(numbers) < asked.publications // 4
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
