"""From bytes in memory to clean events, on one core: against loops over dicts, and the parser alone."""

import gc
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa

from domotic_assets.cli.main import NEW_OBJECTS_BEFORE_COLLECTION
from domotic_assets.domains.homes.silver.flatten import Flattened, flatten
from domotic_assets.ingest.files import File
from domotic_assets.lake.bulk_append import as_arrow
from domotic_assets.registry.registry import Registry
from domotic_assets_tests.bench import baselines, samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import REPEATS, medians, wall_of

FILES = 6_000
"""As many as a run of history holds at once."""
SHARED_MEMORY = Path("/dev/shm")
"""A folder whose files are memory: what one process writes there another reads without a copy."""
SHARED_BYTES = 256 * 1024 * 1024
"""More than the events of a piece take."""


def run(place: Path) -> list[Figure]:
    """Figures of simulated files with defects, and of the real week's."""
    figures: list[Figure] = []
    for what, feed in samples.both(place, 3 * 1440).items():
        files = samples.files_of(feed, FILES)
        figures += [*measured(what, feed, files), *on_two_cores(what, feed, files)]
    return figures


def measured(what: str, feed: samples.Feed, files: Sequence[File], repeats: int = 7) -> list[Figure]:
    """Figures of these files."""
    contents = [file.content for file in files]
    rows = samples.bronze_of(feed, files)
    done: list[Flattened] = []

    def ours() -> None:
        # As the baselines do, no run holds what the one before it made.
        done.clear()
        flat = flatten(rows, feed.registry)
        done.append(flat.counting())

    seconds = medians(
        {
            "ours": ours,
            "a": lambda: baselines.loops_to_frame(contents),
            "b": lambda: baselines.loops(contents),
            "c": lambda: baselines.parse_only(contents),
        },
        repeats=repeats,
    )
    values = accounted_for(done[0], rows)
    micro = {name: found / len(files) * 1e6 for name, found in seconds.items()}
    note = f"{len(files):,} files, {values / len(files):.0f} values each"
    against = (
        ("a", "json and loops into a DataFrame", micro["a"] / micro["ours"], 12.0),
        ("b", "json and loops", micro["b"] / micro["ours"], 5.0),
        ("c", "orjson alone, a limit", micro["c"] / micro["ours"], 0.35),
    )
    return [
        Figure(
            "flatten",
            f"{what}, CPU a file",
            micro["ours"],
            "µs",
            f"({key}) {baseline}",
            micro[key],
            ratio,
            goal,
            note=note,
        )
        for key, baseline, ratio, goal in against
    ]


def on_two_cores(what: str, feed: samples.Feed, files: Sequence[File]) -> list[Figure]:
    """What a second process brings: each flattens a piece, against both pieces one after the other.

    The limit are two processes that hand nothing over: what the machine's second core is worth.
    """
    rows = samples.bronze_of(feed, files)
    with TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        source, *targets = (Path(folder, name) for name in ("rows", "events-0", "events-1"))
        rows.write_ipc(source, compression="uncompressed")
        for target in targets:
            target.touch()
            os.truncate(target, SHARED_BYTES)
        mapped = [pa.memory_map(str(target)) for target in targets]
        # Spawned: Polars hangs in a forked process. Python collects as in a command of ours.
        with ProcessPoolExecutor(
            2, get_context("spawn"), gc.set_threshold, (NEW_OBJECTS_BEFORE_COLLECTION,)
        ) as workers:

            def by_both() -> int:
                list(workers.map(_hand_over, [source] * 2, targets, [feed.registry] * 2))
                return sum(_events_in(pages).num_rows for pages in mapped)

            def apart() -> int:
                return sum(workers.map(_flatten_alone, [source] * 2, [feed.registry] * 2))

            def by_one() -> int:
                return sum(_events(rows, feed.registry).height for _ in range(2))

            assert by_both() == apart() == by_one() > 0
            taken = [(wall_of(by_both), wall_of(apart), wall_of(by_one)) for _ in range(2 * REPEATS)]
    both, limit, alone = (median(seconds) / len(files) / 2 * 1e6 for seconds in zip(*taken, strict=True))
    return [
        Figure(
            "flatten", f"{what}, wall a file by two spawned processes", both, "µs", "one process", alone,
            alone / both, 1.7, note="a piece each, its events handed back in shared memory",
        ),
        Figure(
            "flatten", f"{what}, wall a file by two that hand nothing back, a limit", limit, "µs",
            "one process", alone, alone / limit,
        ),
    ]  # fmt: skip


def _flatten_alone(source: Path, registry: Registry) -> int:
    """Flatten the piece in a file; how many events."""
    return _events(_piece(source), registry).height


def _piece(source: Path) -> pl.DataFrame:
    with pa.memory_map(str(source)) as pages:
        return pl.DataFrame(pa.ipc.open_file(pages).read_all())


def _hand_over(source: Path, target: Path, registry: Registry) -> None:
    """Flatten the piece in one file into another."""
    events = _events(_piece(source), registry)
    table = pa.table({column.name: as_arrow(column) for column in events})
    pages = _pages(target)
    pages.seek(0)
    with pa.ipc.new_stream(pages, table.schema) as stream:
        stream.write_table(table)


@cache
def _pages(target: Path) -> pa.MemoryMappedFile:
    """A file to hand events over in, kept open: the system gives a page of it once, not for each piece."""
    return pa.memory_map(str(target), "r+")


def _events_in(pages: pa.MemoryMappedFile) -> pa.Table:
    """What was handed over, as what writes to Delta takes it; nothing is copied."""
    pages.seek(0)
    return pa.ipc.open_stream(pages).read_all()


def _events(rows: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    return flatten(rows, registry).counting().events


def accounted_for(flat: Flattened, rows: pl.DataFrame) -> int:
    """How many values the files that count hold; raises AssertionError where one of them is nowhere."""
    counting = flat.files.filter(pl.col("status").is_in(["loaded", "partial"]))
    taken = int(counting.select(pl.col("events", "rejects", "nulls").sum()).sum_horizontal().item())
    held = rows.join(counting, on=["file_id", "window"], how="semi")["content"]
    there = sum(baselines.values_in(content) for content in held)
    assert taken == there, f"{taken:,} of {there:,} values are accounted for"
    return taken
