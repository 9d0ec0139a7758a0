"""Good files written otherwise: each reading is in Silver at its right value, or a reject with its reason.

    python -m domotic_assets_tests.drills.forms --files 50000 --seed 1

Files go through landing and flattening in batches with good ones among them, as many as it takes for
decoders to be made. What is expected of a file is noted by its mutations (`fuzzing.forms`), never computed by
the product.
"""

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl

from domotic_assets_tests.fuzzing.forms import SITES, Draft, draft_of, file_of, mutate
from domotic_assets_tests.support.builders import HOMES, name_of, registry
from domotic_assets_tests.support.sensor_path import SilverRows, in_memory

FIRST = datetime(2023, 9, 4, tzinfo=UTC)
BATCH, GOOD_BEFORE, GOOD_AMONG = 400, 210, 40
"""Mutated files of a batch; good files before them, of which decoders are made, and good ones among them."""

TOLERANCE = 1e-8
"""A value is as precise as its unit and its rounding to nine decimals let it be."""


@dataclass
class Outcome:
    """What a drill found. mutations: how often each was applied."""

    files: int = 0
    mutations: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    example: str = ""


def batch_of(number: int, seed: int, mutated: int, good: int) -> list[Draft]:
    """Drafts of a batch: good ones first, then mutated ones with good ones among them; a minute for each."""
    rng = Random(f"{seed} {number}")
    drafts = []
    for at in range(good + mutated + GOOD_AMONG):
        draft = draft_of(HOMES[at % 2], FIRST + timedelta(minutes=at // 2), rng)
        if at >= good and at % (mutated // GOOD_AMONG + 1):
            mutate(draft)
        drafts.append(draft)
    return drafts


def wrong_with(
    draft: Draft, row: dict[str, object], events: pl.DataFrame, rejects: pl.DataFrame
) -> Iterator[str]:
    """What is wrong with what a file became. events, rejects: those of the file."""
    if draft.reason is not None:
        if (row["status"], row["reason"]) != ("quarantined", draft.reason) or events.height or rejects.height:
            yield f"{draft.reason} became {row['status']}, {row['reason']}"
        return
    if row["minute"] != draft.at or row["home"] != draft.home:
        yield f"another home or minute: {row['status']} {row['reason']}"
        return
    found = {
        (device, variable): value if text is None else text
        for device, variable, value, text in events.select(
            "device", "variable", "value", "value_text"
        ).iter_rows()
    }
    for key, expected in draft.values.items():
        value = found.pop(key, None)
        same = (
            value == expected
            if isinstance(expected, str)
            else isinstance(value, float)
            and math.isclose(value, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        )
        if not same:
            yield f"a reading is {'missing' if value is None else 'another'}: {key}, {value} for {expected}"
    for key, value in found.items():
        yield f"a reading is too many: {key}, {value}"
    refused = Counter(rejects.select("device", "variable", "reason").iter_rows())
    if refused != draft.refused:
        yield f"other rejects: {refused - draft.refused} for {draft.refused - refused}"
    counts = (row["events"], row["rejects"], row["nulls"])
    if counts != (events.height, rejects.height, len(draft.nulls)):
        yield f"counts {counts} of {events.height} events, {rejects.height} rejects, {len(draft.nulls)} nulls"


def judge(drafts: Sequence[Draft], outcome: Outcome) -> None:
    """Carry a batch, and note what is wrong with it."""
    files = [file_of(draft) for draft in drafts]
    done: SilverRows = in_memory(*files, homes=registry(SITES))
    names = dict(done.bronze.select("name", "file_id").iter_rows())
    rows = {row["file_id"]: row for row in done.files.iter_rows(named=True)}
    parts = {
        name: dict(frame.partition_by("file_id", as_dict=True))
        for name, frame in (("events", done.events), ("rejects", done.rejects))
    }
    for draft, file in zip(drafts, files, strict=True):
        file_id = names[name_of(draft.home, draft.at)]
        events, rejects = (
            parts[name].get((file_id,), frame.clear())
            for name, frame in (("events", done.events), ("rejects", done.rejects))
        )
        problems = list(wrong_with(draft, rows[file_id], events, rejects))
        outcome.mutations.update(filter(None, draft.applied))
        outcome.readings.update(events=events.height, rejects=rejects.height, nulls=rows[file_id]["nulls"])
        outcome.files += bool(draft.applied)
        if problems:
            outcome.wrong["+".join(filter(None, draft.applied)) or "good"] += 1
            outcome.example = outcome.example or f"{draft.applied}: {problems}\n{file.content!r}"


def drill(files: int, seed: int, mutated: int = BATCH, good: int = GOOD_BEFORE) -> Outcome:
    """Carry at least so many mutated files."""
    outcome, number, began, shown = Outcome(), 0, time.monotonic(), 0.0
    while outcome.files < files:
        judge(batch_of(number, seed, mutated, good), outcome)
        number += 1
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            print(
                f"{outcome.files:,} files, {shown - began:.0f} s, {outcome.wrong.total()} wrong",
                file=sys.stderr,
            )
    return outcome


def table(outcome: Outcome) -> str:
    """The result in Markdown."""
    found = ", ".join(f"{number:,} {what}" for what, number in outcome.readings.items())
    lines = [
        f"{outcome.files:,} mutated files: {found}. Wrong: {outcome.wrong.total() or 'none'}.",
        "",
        "| mutation | files |",
        "|---|---|",
    ]
    lines += [f"| {name} | {number:,} |" for name, number in sorted(outcome.mutations.items())]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="Good files written otherwise")
    parser.add_argument("--files", type=int, default=50_000, help="mutated files")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same files")
    asked = parser.parse_args(arguments)
    outcome = drill(asked.files, asked.seed)
    print(table(outcome))
    if outcome.wrong:
        print(outcome.wrong.most_common(12), outcome.example, sep="\n")
    sys.exit(bool(outcome.wrong))


if __name__ == "__main__":
    main()
