"""Checks whether files arrive, arrive in time, arrive once, and can be read."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from domotic_assets.quality.verdict import Breach, Figures, Verdict, error_if

MINUTE = timedelta(minutes=1)
PRESENT_WARN, PRESENT_ERROR = 0.95, 0.50
"""Shares of its minutes below which a home's day is incomplete."""

LATE_AFTER, LATE_WARN = timedelta(minutes=15), 0.05
"""A file that arrives this long after the end of its minute is late; above this share a home has too many."""

UNREADABLE_WARN, UNREADABLE_ERROR = 0.01, 0.10
DOUBLED_WARN = 0.01


def freshness(last: Mapping[str, datetime | None], now: datetime, silent_after: timedelta) -> Verdict:
    """Find homes that have gone silent.

    last: home to its newest minute with a file that counts; None if it never sent one.
    """
    breaches = []
    for home, minute in sorted(last.items()):
        lag = None if minute is None else now - (minute + MINUTE)
        if lag is None or lag > silent_after:
            figures: Figures = {
                "last minute": "never" if minute is None else f"{minute:%Y-%m-%d %H:%M} UTC",
                "minutes silent": None if lag is None else int(lag / MINUTE),
            }
            since = None if minute is None else minute + MINUTE
            breaches.append(Breach(home, "silent", "ERROR", figures, home, since))
    return Verdict(breaches, {"homes": len(last)})


def completeness(
    minutes: pl.DataFrame,
    sent: pl.DataFrame,
    first: Mapping[str, datetime],
    start: datetime,
    end: datetime,
) -> Verdict:
    """Find homes with too few of their minutes, or too many late ones, in [start, end).

    minutes: home and minute of the files that count. sent: home, window, arrived_at of every version and
    sighting; a minute is late if its first one is. first: home to its first minute ever.
    """
    present = (
        minutes.filter(pl.col("minute").is_between(start, end, closed="left"))
        .group_by("home")
        .agg(present=pl.col("minute").n_unique())
    )
    late = (
        sent.group_by("home", "window")
        .agg(pl.col("arrived_at").min())
        .group_by("home")
        .agg(late=(pl.col("arrived_at") - pl.col("window") > LATE_AFTER + MINUTE).sum())
    )
    own = present.join(late, on="home", how="left").select("home", "present", pl.col("late").fill_null(0))
    counts = {home: (present, late) for home, present, late in own.iter_rows()}
    breaches: list[Breach] = []
    missing = 0
    for home, since in sorted(first.items()):
        expected = max(int((end - max(start, since)) / MINUTE), 0)
        present, late = counts.get(home, (0, 0))
        missing += expected - present
        figures: Figures = {"expected": expected, "present": present, "late": late}
        if present < PRESENT_WARN * expected:
            severity = error_if(present < PRESENT_ERROR * expected)
            breaches.append(Breach(home, "missing_minutes", severity, figures, home))
        elif late > LATE_WARN * present:
            breaches.append(Breach(home, "late_files", "WARN", figures, home))
    return Verdict(breaches, {"minutes missing": missing})


def readable(files: pl.DataFrame) -> Verdict:
    """Find homes with too many unreadable files. files: home, status, reason; one row a version."""
    counts = (
        files.with_columns(home=pl.col("home").fill_null("unknown"))
        .group_by("home")
        .agg(
            files=pl.len(),
            unreadable=(pl.col("status") == "quarantined").sum(),
            reason=pl.col("reason").drop_nulls().mode().sort().first(),
        )
        .with_columns(share=pl.col("unreadable") / pl.col("files"))
        .filter(pl.col("share") >= UNREADABLE_WARN)
        .sort("home")
    )
    breaches = [
        Breach(
            row["home"],
            "unreadable_files",
            error_if(row["share"] >= UNREADABLE_ERROR),
            {"share": round(row["share"], 4), "files": row["unreadable"], "mostly": row["reason"]},
            None if row["home"] == "unknown" else row["home"],
        )
        for row in counts.iter_rows(named=True)
    ]
    return Verdict(breaches, {"files": files.height})


def doubled(files: pl.DataFrame) -> Verdict:
    """Find homes that send many minutes more than once.

    files: home and window of every version and sighting, one row each.
    """
    minutes = files.drop_nulls("home").group_by("home", "window").len()
    counts = (
        minutes.group_by("home")
        .agg(minutes=pl.len(), doubled=(pl.col("len") > 1).sum())
        .filter(pl.col("doubled") >= DOUBLED_WARN * pl.col("minutes"))
        .sort("home")
    )
    breaches = [
        Breach(row["home"], "sent_twice", "WARN", {k: row[k] for k in ("minutes", "doubled")}, row["home"])
        for row in counts.iter_rows(named=True)
    ]
    return Verdict(breaches, {"minutes": minutes.height})
