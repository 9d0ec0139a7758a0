"""Fills in whether an opening is a door or a window where its reading does not say so.

An opening that says no known word in a minute is what it last was. Before its first word it is neither.
"""

import polars as pl

from domotic_assets.domains.homes.gold.rooms import OPENING_VARIABLES

KINDS = ("Door", "Window")
_KIND, _SWITCH = OPENING_VARIABLES


def words(events: pl.DataFrame) -> pl.DataFrame:
    """Select the words for a door or a window: ts, device, value_text. events: with these and `variable`."""
    said = _of(events, _KIND, "ts", "device", "value_text")
    return said.filter(pl.col("value_text").is_in(KINDS))


def without_word(events: pl.DataFrame) -> pl.DataFrame:
    """Select ts and device of the openings that say whether they are open, but not what they are."""
    states = _of(events, _SWITCH, "ts", "device")
    said = words(events).drop("value_text")
    # Nearly always each says both, and in one order: that is told far faster than by a join.
    return states.clear() if states.equals(said) else states.join(said, on=["ts", "device"], how="anti")


def _of(events: pl.DataFrame, variable: str, *columns: str) -> pl.DataFrame:
    """Select columns of the readings of one variable."""
    return events.select(columns).filter(events["variable"] == variable)


def filled(events: pl.DataFrame, lacking: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Add to events the word that each opening without one last said.

    events: ts, device, variable, value, value_text and perhaps is_outlier. lacking: as `without_word` gives
    it. known: as `words` gives it, of the time before.
    """
    said = (
        lacking.sort("ts")
        .join_asof(known.sort("ts"), on="ts", by="device", check_sortedness=False)
        .drop_nulls("value_text")
        .with_columns(variable=pl.lit(_KIND), value=pl.lit(None, pl.Float64), is_outlier=pl.lit(False))
    )
    # A word that nobody knows, as older lakes hold it, would stand beside the one that counts.
    unknown = (pl.col("variable") == _KIND) & ~pl.col("value_text").is_in(KINDS).fill_null(False)
    return pl.concat([events.filter(~unknown), said.select(events.columns)])
