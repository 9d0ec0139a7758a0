"""Checks doors, windows and motion sensors: known words, sensors that stand still, places that changed."""

from typing import Any

import polars as pl

from domotic_assets.quality.verdict import Breach, Figures, Verdict

UNKNOWN_WARN = 0.01
"""Share of an opening's minutes without a word for door or window from which it is told."""

STILL_HOURS = 23
"""Hours between the first and the last reading of a day that stands still."""

STILL_READINGS = 60
"""Fewer readings show nothing."""

STILL_TIMES_PAST = 3
"""How many times as long as any rest before a rest must be: an office may rest from Friday to Monday."""

MOVED_DAYS = 2
"""Dates on which an opening moved, if its rest while closed is to be told."""

MOVED_MINUTES = 3
"""Minutes of a list with and without a device from which its places have changed, or of another kind."""

KIND, SWITCH, MOTION = "doorsWindows.type", "doorsWindows.switch", "motions.motion"
WATCHED = (KIND, SWITCH, MOTION)


def kinds(events: pl.DataFrame) -> Verdict:
    """Find openings that say in too many minutes neither door nor window: their state is in no flag.

    events: ts, home, device, variable, value, value_text of WATCHED.
    """
    minute = ["ts", "home", "device"]
    said = events.filter(pl.col("variable") == KIND).select(minute).unique().with_columns(said=True)
    counts = (
        events.filter(pl.col("variable") == SWITCH)
        .join(said, on=minute, how="left")
        .group_by("home", "device")
        .agg(minutes=pl.len(), unknown=pl.col("said").null_count())
        .with_columns(share=pl.col("unknown") / pl.col("minutes"))
    )
    breaches = [
        _breach(row, "kind_unknown", {"share": round(row["share"], 4), "minutes": row["unknown"]})
        for row in _rows(counts.filter(pl.col("share") >= UNKNOWN_WARN))
    ]
    return Verdict(breaches, {"openings": counts.height})


def daily(events: pl.DataFrame) -> pl.DataFrame:
    """Summarise a day of states and motions: home, device, variable, readings, hours, low, high.

    hours: from the first reading to the last. events: as for `kinds`.
    """
    return (
        events.filter(pl.col("variable").is_in([SWITCH, MOTION]))
        .group_by("home", "device", "variable")
        .agg(
            readings=pl.len(),
            hours=(pl.col("ts").max() - pl.col("ts").min()).dt.total_minutes() / 60,
            low=pl.col("value").min(),
            high=pl.col("value").max(),
        )
    )


def may_be_still(present: pl.DataFrame) -> pl.DataFrame:
    """Select the rows of `daily` whose sensor never changed, in enough readings over the whole day."""
    return present.filter(
        pl.col("readings") >= STILL_READINGS, pl.col("hours") >= STILL_HOURS, pl.col("low") == pl.col("high")
    )


def still(present: pl.DataFrame, series: pl.DataFrame) -> Verdict:
    """Find motion sensors and openings that stand still for a day while the feed goes on.

    Told is a rest several times as long as any before of the same value. Sensors may rest with all of their
    home's, as nobody is there, and an opening may rest closed that seldom moves. present: `daily` of the
    judged day. series: ts, home, device, variable and value of those that `may_be_still`, in that day and the
    days before.
    """
    sensor = ["home", "device", "variable"]
    runs = (
        series.drop_nulls("value")
        .sort(*sensor, "ts")
        .with_columns(run=pl.struct(*sensor, "value").rle_id())
        .group_by(*sensor, "run", maintain_order=True)
        .agg(
            pl.col("value").first(),
            start=pl.col("ts").min(),
            hours=(pl.col("ts").max() - pl.col("ts").min()).dt.total_minutes() / 60,
        )
    )
    last = pl.col("run") == pl.col("run").last()
    rests = runs.group_by(sensor, maintain_order=True).agg(
        pl.col("value").last(),
        pl.col("hours").last(),
        days=pl.col("start").filter(pl.col("run") != pl.col("run").first()).dt.date().n_unique(),
        before=pl.col("hours").filter(pl.col("value") == pl.col("value").last(), ~last).max(),
    )
    moved = (pl.col("low") != pl.col("high")).any()
    homes = present.group_by("home").agg(lively=moved | (pl.len() == 1))
    at_rest = pl.col("value") == 0
    unused = (pl.col("variable") == SWITCH) & (pl.col("days") < MOVED_DAYS)
    found = rests.join(homes, on="home").filter(
        pl.col("hours") >= STILL_TIMES_PAST * pl.col("before").fill_null(0),
        ~at_rest | (pl.col("lively") & ~unused),
    )
    breaches = [
        _breach(
            row,
            "stands_still",
            {"value": row["value"], "hours": round(row["hours"], 1), "most before": row["before"]},
        )
        for row in _rows(found)
    ]
    return Verdict(breaches, {"sensors": present.height})


def places(events: pl.DataFrame) -> Verdict:
    """Find lists whose number of devices changed, and devices that became another kind of opening.

    A device is known by its place in the list: one that left or came moved those behind it. events: as for
    `kinds`.
    """
    switches = events.filter(pl.col("variable") == SWITCH).with_columns(
        room=pl.col("device").str.replace("/[^/]*$", "")
    )
    minutes = switches.select("home", "room", "ts").unique().group_by("home", "room").agg("ts")
    devices = (
        switches.group_by("home", "room", "device")
        .agg(first=pl.col("ts").min(), last=pl.col("ts").max(), readings=pl.len())
        .join(minutes, on=["home", "room"])
        .explode("ts")
        .group_by("home", "room", "device", "readings")
        .agg(
            before=(pl.col("ts") < pl.col("first")).sum(),
            after=(pl.col("ts") > pl.col("last")).sum(),
        )
        .filter(pl.col("readings") >= MOVED_MINUTES)
    )
    lists = (
        devices.group_by("home", "room")
        .agg(
            first=(pl.col("before") < MOVED_MINUTES).sum(),
            now=(pl.col("after") < MOVED_MINUTES).sum(),
            changed=(pl.max_horizontal("before", "after") >= MOVED_MINUTES).any(),
        )
        .filter("changed")
        .rename({"room": "device"})
    )
    others = (
        events.filter(pl.col("variable") == KIND)
        .group_by("home", "device", "value_text")
        .agg(minutes=pl.len())
        .filter(pl.col("minutes") >= MOVED_MINUTES)
        .group_by("home", "device")
        .agg(kinds=pl.len(), minutes=pl.col("minutes").min())
        .filter(pl.col("kinds") > 1)
    )
    breaches = [
        _breach(row, "list_changed", {"places before": row["first"], "places now": row["now"]})
        for row in _rows(lists)
    ]
    breaches += [_breach(row, "kind_changed", {"minutes": row["minutes"]}) for row in _rows(others)]
    return Verdict(breaches, {"openings": switches["device"].n_unique()})


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """List the rows by device."""
    return frame.sort("device").to_dicts()


def _breach(row: dict[str, Any], reason: str, figures: Figures) -> Breach:
    """Build a breach of one device, or one list, of a home."""
    return Breach(row["device"], reason, "WARN", figures, row["home"])
