"""Keeps the feed's devices, variables and device types in Silver in step with the events that name them.

Each write of a date's events stores a number with them, and the last table written here stores the same one.
If both agree, the definitions match those events, and only what changes is counted. After a run that was
interrupted between the two they differ, and the definitions of the whole date are read off its events.

Why: docs/decisions/0024-definitions-are-counted-on.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from domotic_assets.domains.homes.silver.events import (
    Naming,
    device_types,
    devices,
    devices_changed,
    variables_changed,
)
from domotic_assets.flow.pieces import FILES_AT_ONCE, parts
from domotic_assets.flow.windows import date_window
from domotic_assets.lake.store import Lake, Marks
from domotic_assets.localtime import MINUTE
from domotic_assets.schemas.homes import silver

NAMING = ("ts", "home", "room", "device", "variable", "value_text", "utc_date")
"""The columns of events from which definitions are derived."""


@dataclass(frozen=True)
class DateDefinitions:
    """The definitions of UTC dates whose events are about to be written.

    written: number of each date's last write of events. in_step: whether the definitions match those events.
    homes: how many homes send files.
    """

    lake: Lake
    dates: Sequence[date]
    homes: int
    written: Marks
    in_step: bool

    @classmethod
    def of(cls, lake: Lake, dates: Sequence[date], homes: int) -> "DateDefinitions":
        """Look up whether the definitions of these dates match their events."""
        names = [f"definitions of {day}" for day in dates]
        written, registered = (
            {name: lake.mark(table, name) for name in names}
            for table in (silver.SENSOR_EVENTS, silver.VARIABLES)
        )
        return cls(lake, dates, homes, written, written == registered)

    @property
    def following(self) -> Marks:
        """The numbers that the next write of events stores with them."""
        return {name: number + 1 for name, number in self.written.items()}

    def bring_up(self, before: Naming, after: Naming, *, wrote: bool) -> None:
        """Update the definitions of the dates, now that the events of `after` replace those of `before`.

        wrote: whether events were written; if not, none changed.
        """
        if self.in_step and not wrote:
            return
        if self.in_step:
            seen, counted = self._changed(before, after)
        else:
            seen, counted = self._read_off()
        self.lake.replace_dates(silver.DEVICES, seen, self.dates)
        types = device_types(seen)
        if not types.equals(self.lake.read(silver.DEVICE_TYPES, dates=self.dates).sort(types.columns)):
            self.lake.replace_dates(silver.DEVICE_TYPES, types, self.dates)
        # Written last: its mark records that all definitions are done.
        marks = self.following if wrote else self.written
        self.lake.replace_dates(silver.VARIABLES, counted, self.dates, marks)

    def _changed(self, before: Naming, after: Naming) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Update devices and variables by what changed between `before` and `after`; returns both frames.

        Devices whose row does not follow from the change alone are derived anew from their events.
        """
        held = self.lake.read(silver.DEVICES, dates=self.dates)
        seen, unsettled = devices_changed(held, before, after)
        if unsettled:
            these = pl.col("device").is_in(unsettled)
            events = self.lake.read(silver.SENSOR_EVENTS, dates=self.dates, where=these, columns=NAMING)
            seen = pl.concat([seen.filter(~these), devices(events)])
        return seen, variables_changed(self.lake.read(silver.VARIABLES, dates=self.dates), before, after)

    def _read_off(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Derive devices and variables from all events of the dates, some minutes at a time."""
        seen, counted = silver.DEVICES.empty(), silver.VARIABLES.empty()
        nothing = Naming.of(silver.SENSOR_EVENTS.empty())
        for day in self.dates:
            for part in parts(date_window(day), FILES_AT_ONCE, self.homes):
                between = ("ts", part.start, part.end - MINUTE)
                events = self.lake.read(silver.SENSOR_EVENTS, dates=[day], between=between, columns=NAMING)
                named = Naming.of(events)
                # In order of time each part continues the one before, so no device is left open.
                seen, _ = devices_changed(seen, nothing, named)
                counted = variables_changed(counted, nothing, named)
        return seen, counted
