"""From bytes in memory to clean events, on one core: against loops over dicts, and the parser alone."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from domotic_assets.bronze.landing import File
from domotic_assets.silver.events import merge
from domotic_assets.silver.flatten import Flattened, flatten
from domotic_assets_tests.bench import baselines, samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import medians

FILES = 6_000
"""As many as a run of history holds at once."""


def run(place: Path) -> list[Figure]:
    """Figures of simulated files with defects, and of the real week's."""
    figures: list[Figure] = []
    for what, feed in samples.both(place, 3 * 1440).items():
        figures += measured(what, feed, samples.files_of(feed, FILES))
    return figures


def measured(what: str, feed: samples.Feed, files: Sequence[File], repeats: int = 7) -> list[Figure]:
    """Figures of these files."""
    contents = [file.content for file in files]
    rows = samples.bronze_of(feed, files)
    done: list[Flattened] = []

    def ours() -> None:
        flat = flatten(rows, feed.registry)
        merge(flat.events, flat.crowded)
        done[:] = [flat]

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


def accounted_for(flat: Flattened, rows: pl.DataFrame) -> int:
    """How many values the files that count hold; raises AssertionError where one of them is nowhere."""
    counting = flat.files.filter(pl.col("status").is_in(["loaded", "partial"]))
    taken = int(counting.select(pl.col("events", "rejects", "nulls").sum()).sum_horizontal().item())
    held = rows.join(counting, on=["file_id", "window"], how="semi")["content"]
    there = sum(baselines.values_in(content) for content in held)
    assert taken == there, f"{taken:,} of {there:,} values are accounted for"
    return taken
