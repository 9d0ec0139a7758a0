"""Flattens sensor files: Bronze to Silver events, definitions, rejects and file statuses, window by window.

A step works through its windows in pieces that fit in memory, and may be repeated.

Why: docs/decisions/0003-whole-minutes-and-anchors.md
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from domotic_assets.domains.homes.flows.catalogue import NAMING, DateDefinitions
from domotic_assets.domains.homes.silver.events import Naming, merge
from domotic_assets.domains.homes.silver.flatten import Flattened, flatten
from domotic_assets.flow.flow import Outcome
from domotic_assets.flow.pieces import FILES_AT_ONCE, cut, spans, within
from domotic_assets.flow.prefetch import prefetch
from domotic_assets.flow.reading import read_within
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.arrival import utc_midnight
from domotic_assets.ingest.files import versions
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import bronze, silver

COUNTING = ("loaded", "partial")
"""Statuses of the file versions whose readings count."""


def flatten_sensor_files(work: Workspace, windows: Sequence[Window]) -> Outcome:
    """Rebuild Silver's events, definitions, rejects and file statuses of these windows from Bronze.

    Every minute that their files, or the versions that they replace, touch is rebuilt from all bronze files
    of that minute, and replaced whole. silver/sensor_files is written last, as it records what is done.
    """
    outcome = Outcome()
    pieces = _pieces(work, windows)
    total = sum(files for _, files in pieces)
    done = 0
    made = ((piece, files, *_flattened(work, piece)) for piece, files in pieces)
    for piece, files, flat, naming in prefetch(made):
        _write_piece(work, piece, flat, naming, outcome)
        done += files
        work.report("silver/sensor_events", done, total)
    return outcome


def unflattened_minutes(work: Workspace) -> list[datetime]:
    """Find the windows of bronze file versions that Silver has to process, or judge again.

    It has not processed them at their latest arrival, or quarantined them by the clock of a machine that was
    wrong. Windows before `history_start` are left out: no run can take them.
    """
    on = ["file_id", "window", "arrived_at"]
    landed = work.lake.read(bronze.SENSOR_FILES, columns=on).group_by(on[:2]).agg(pl.col("arrived_at").max())
    taken = work.lake.read(silver.SENSOR_FILES, columns=on)
    missing = landed.join(taken, on=on, how="anti")["window"].unique()
    within_history = missing.filter(missing >= utc_midnight(work.registry.history_start)).to_list()
    return [*{*within_history, *_misjudged_minutes(work)}]


def _misjudged_minutes(work: Workspace) -> list[datetime]:
    """Find the windows of files that have a time, and were quarantined for the lack of one.

    Until version 0.2 a last write after the machine's clock was replaced by an earlier one, and what the file
    said was not believed.
    """
    refused = work.lake.read(
        silver.SENSOR_FILES,
        where=pl.col("reason") == "no_readable_time",
        columns=["file_id", "window", "utc_date"],
    )
    if refused.is_empty():
        return []
    rows = work.lake.read(
        bronze.SENSOR_FILES,
        dates=refused["utc_date"].unique().to_list(),
        where=pl.col("file_id").is_in(refused["file_id"].implode()),
    ).join(refused, on=["file_id", "window"], how="semi")
    replaced = pl.col("arrived_at") < pl.col("modified_at")
    suspects = rows.join(rows.filter(replaced), on=["name", "window"], how="semi")
    if suspects.is_empty():
        return []
    files = flatten(versions(suspects), work.registry).files
    return files.filter(pl.col("reason").ne_missing("no_readable_time"))["window"].unique().to_list()


def _pieces(work: Workspace, windows: Sequence[Window]) -> list[tuple[Window, int]]:
    """Cut the windows into consecutive pieces of about FILES_AT_ONCE bronze rows, each with its row count."""
    rows = read_within(work, bronze.SENSOR_FILES, "window", windows, ["window"])
    pieces: list[tuple[Window, int]] = []
    for start, end in spans(windows):
        inside = rows.filter(pl.col("window").is_between(start, end, closed="left"))
        parts = cut(inside.group_by("window").len().sort("window").iter_rows(), FILES_AT_ONCE)
        edges = [start, *(part[0][0] for part in parts[1:]), end]
        for first, last, part in zip(edges, edges[1:], parts, strict=False):
            pieces.append((Window(first, last), sum(number for _, number in part)))
    return pieces


def _flattened(work: Workspace, piece: Window) -> tuple[Flattened, Naming]:
    """Flatten the files whose window lies in the piece, and collect what their events name.

    Of each device, variable and minute only the event that counts is kept.
    """
    flat = flatten(versions(read_within(work, bronze.SENSOR_FILES, "window", [piece])), work.registry)
    flat = flat.counting()
    return flat, Naming.of(flat.events)


def _write_piece(work: Workspace, piece: Window, flat: Flattened, naming: Naming, outcome: Outcome) -> None:
    """Write events, definitions, rejects and file statuses of a piece; adds its counts to `outcome`.

    flat: the piece's flattened files, with only the events that count. naming: what these events name. Events
    in the same minutes that come from files of other windows are merged with them.
    """
    before = read_within(work, silver.SENSOR_FILES, "window", [piece], ["minute"])
    minutes = (
        pl.concat([flat.files["window"], flat.files["minute"], before["minute"]]).drop_nulls().unique().sort()
    )
    events = flat.events.drop("file")
    others = _events_of_other_windows(work, piece, minutes)
    if not others.is_empty():
        events = merge(pl.concat([flat.events_with_sources(), others]), others["ts"].unique())
        naming = Naming.of(events)
    _write_events(work, events, naming, minutes)
    windows = flat.files["window"].unique().sort()
    work.lake.replace_values(refusals.REJECTS, flat.rejects, "window", windows, windows.dt.date())
    work.lake.replace_values(silver.SENSOR_FILES, flat.files, "window", windows, windows.dt.date())
    outcome.counts.update(dict(flat.files.group_by("status").len().iter_rows()))
    outcome.counts.update(
        events=events.height, rejects=flat.rejects.height, nulls=int(flat.files["nulls"].sum())
    )


def _write_events(work: Workspace, events: pl.DataFrame, naming: Naming, minutes: pl.Series) -> None:
    """Replace Silver's events of these minutes, and update the definitions that depend on them."""
    dates = minutes.dt.date()
    definitions = DateDefinitions.of(work.lake, dates.unique().sort().to_list(), len(work.registry.homes))
    before = work.lake.read(
        silver.SENSOR_EVENTS,
        dates=definitions.dates,
        between=("ts", minutes.min(), minutes.max()),
        where=pl.col("ts").is_in(minutes.implode()),
        columns=NAMING,
    )
    wrote = work.lake.replace_values(
        silver.SENSOR_EVENTS, events, "ts", minutes, dates, marks=definitions.following
    )
    definitions.bring_up(Naming.of(before), naming, wrote=wrote)


def _events_of_other_windows(work: Workspace, piece: Window, minutes: pl.Series) -> pl.DataFrame:
    """Read the events of these minutes that come from files whose own window is outside the piece."""
    elsewhere = work.lake.read(
        silver.SENSOR_FILES,
        between=("minute", minutes.min(), minutes.max()),
        where=pl.col("minute").is_in(minutes.implode())
        & pl.col("status").is_in(COUNTING)
        & ~within("window", [piece]),
        columns=["file_id", "window", "utc_date"],
    )
    rows = work.lake.read(
        bronze.SENSOR_FILES,
        dates=elsewhere["utc_date"].unique().to_list(),
        where=pl.col("file_id").is_in(elsewhere["file_id"].unique().implode()),
    ).join(elsewhere.select("file_id", "window"), on=["file_id", "window"], how="semi")
    events = flatten(versions(rows), work.registry).events_with_sources()
    return events.filter(pl.col("ts").is_in(minutes.implode()))
