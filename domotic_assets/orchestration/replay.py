"""Retries refused values and quarantined files, with the present code and registry."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from domotic_assets.domains.weather.silver import SOURCE as FORECASTS
from domotic_assets.flow.windows import assign, cover, detailed_days, read_key
from domotic_assets.flow.worklist import WINDOWS, PendingWork, Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate.rejects import KEY, Selection, refusals
from domotic_assets.orchestration import build as building
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.internals import instance as internals_instance
from domotic_assets.schemas.homes import silver

LIVE_FOR = timedelta(minutes=2)
"""How old the newest heartbeat of a live feed's daemon may be; it gives one every 30 s."""

LIVE_WAIT_SECONDS = 180
"""How long a replay waits for the live feed to process its windows."""


@dataclass(frozen=True)
class Replayed:
    """Result of a replay.

    outcomes: number of refusals by outcome. windows: keys processed again. live: whether the live
    feed processed them, not a build.
    """

    outcomes: Counter[str]
    windows: tuple[str, ...]
    live: bool


def replay(work: Workspace, chosen: Selection, now: datetime) -> Replayed:
    """Process the windows of the chosen refusals again, up to Gold, with the present code and registry.

    If a live feed is running, it processes the windows, and this call waits for it. A build does it if no
    live feed is running, or if a forecast is among the refusals. Sealed days are processed whole, as days.
    """
    before = refusals(work, chosen)
    forecasts = before.filter(pl.col("source") == FORECASTS)["utc_date"].unique().to_list()
    minutes = Counter(before["window"].drop_nulls().to_list())
    with internals_instance.open_instance(work) as instance:
        live = is_live(instance, now)
        detailed = detailed_days(instance.get_dynamic_partitions(tags.WINDOW))
    windows = assign(minutes, now, detailed).keys() if live else cover(minutes, now)
    keys = sorted(window.key for window in windows)
    tasks = {key: Task() for key in keys}

    def change(held: PendingWork) -> None:
        held.add(WINDOWS, tasks)
        held.add_dates(tags.FORECASTS_JOB, forecasts)

    work.worklist.change(change)
    # The live feed requests pending windows, but reads forecasts only when new files arrive.
    if forecasts or (keys and not live):
        building.build(work)
    elif keys:
        _wait(work, keys)
    return Replayed(_outcomes(work, before), tuple(keys), live and not forecasts)


def is_live(instance: dg.DagsterInstance, now: datetime) -> bool:
    """Return whether one of Dagster's daemons gave a heartbeat within LIVE_FOR."""
    signs = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    # A sign in the future was given while the clock was wrong.
    return any(abs(now - datetime.fromtimestamp(sign, UTC)) < LIVE_FOR for sign in signs)


def _wait(work: Workspace, keys: Collection[str]) -> None:
    """Wait until none of these windows is on the work list any more, at most LIVE_WAIT_SECONDS."""
    deadline = time.monotonic() + LIVE_WAIT_SECONDS
    while time.monotonic() < deadline and not work.worklist.read().windows.keys().isdisjoint(keys):
        time.sleep(1)


def _outcomes(work: Workspace, before: pl.DataFrame) -> Counter[str]:
    """Count the refusals by outcome: still refused, now loaded, superseded, or waiting for the live feed."""
    dates = before["utc_date"].unique().to_list()
    still = refusals(work).filter(pl.col("utc_date").is_in(dates)).select(KEY).with_columns(is_still=True)
    files = work.lake.read(silver.SENSOR_FILES, dates=dates, columns=["file_id", "window", "status"])
    waiting = [read_key(key) for key in work.worklist.read().windows]
    rows = before.join(still, on=KEY, how="left", nulls_equal=True).join(
        files, on=["file_id", "window"], how="left"
    )
    found: Counter[str] = Counter()
    for window, is_still, status in rows.select("window", "is_still", "status").iter_rows():
        if window is not None and any(task.start <= window < task.end for task in waiting):
            found["waiting for the live feed"] += 1
        elif is_still:
            found["still refused"] += 1
        else:
            found["superseded" if status == "superseded" else "now loaded"] += 1
    return found
