"""From bytes in memory to clean events, on one core: against loops over dicts, and the parser alone."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa

from domotic_assets.bronze.landing import File
from domotic_assets.registry import Registry
from domotic_assets.silver.flatten import Flattened, flatten
from domotic_assets_tests.bench import baselines, samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import REPEATS, medians, wall_of

FILES = 6_000
"""As many as a run of history holds at once."""
SHARED_MEMORY = Path("/dev/shm")
"""A folder whose files are memory: what one process writes there another reads without a copy."""


def run(place: Path) -> list[Figure]:
    """Figures of simulated files with defects, and of the real week's."""
    figures: list[Figure] = []
    for what, feed in samples.both(place, 3 * 1440).items():
        files = samples.files_of(feed, FILES)
        figures += [*measured(what, feed, files), on_two_cores(what, feed, files)]
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


def on_two_cores(what: str, feed: samples.Feed, files: Sequence[File]) -> Figure:
    """What a second process brings that flattens one half; events are handed back in shared memory."""
    rows = samples.bronze_of(feed, files).sort("window")
    halves = [rows.head(rows.height // 2), rows.tail(rows.height - rows.height // 2)]
    alone: list[float] = []
    both: list[float] = []
    # Spawned: Polars hangs in a forked process.
    with (
        TemporaryDirectory(dir=SHARED_MEMORY) as shared,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers,
    ):
        places = [(Path(shared, f"rows-{half}"), Path(shared, f"events-{half}")) for half in range(2)]
        for half, (source, _) in zip(halves, places, strict=True):
            half.write_ipc(source, compression="uncompressed")

        def by_both() -> list[pl.DataFrame]:
            list(workers.map(_hand_over, *zip(*places, strict=True), [feed.registry] * 2))
            return [_mapped(target) for _, target in places]

        handed_over = sum(events.height for events in by_both())
        assert handed_over >= _events(rows, feed.registry).height > 0
        for _ in range(REPEATS):
            alone.append(wall_of(lambda: _events(rows, feed.registry)))
            both.append(wall_of(by_both))
    micro = [median(seconds) / len(files) * 1e6 for seconds in (both, alone)]
    return Figure(
        "flatten", f"{what}, wall a file by two spawned processes", micro[0], "µs", "one process", micro[1],
        micro[1] / micro[0], 1.7, note="events handed back in shared memory",
    )  # fmt: skip


def _hand_over(source: Path, target: Path, registry: Registry) -> None:
    _events(_mapped(source), registry).write_ipc(target, compression="uncompressed")


def _mapped(file: Path) -> pl.DataFrame:
    """A frame in a file, whose pages are used where they are."""
    with pa.memory_map(str(file)) as pages:
        return pl.DataFrame(pa.ipc.open_file(pages).read_all())


def _events(rows: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    flat = flatten(rows, registry)
    return flat.counting().events


def accounted_for(flat: Flattened, rows: pl.DataFrame) -> int:
    """How many values the files that count hold; raises AssertionError where one of them is nowhere."""
    counting = flat.files.filter(pl.col("status").is_in(["loaded", "partial"]))
    taken = int(counting.select(pl.col("events", "rejects", "nulls").sum()).sum_horizontal().item())
    held = rows.join(counting, on=["file_id", "window"], how="semi")["content"]
    there = sum(baselines.values_in(content) for content in held)
    assert taken == there, f"{taken:,} of {there:,} values are accounted for"
    return taken
