"""Records what really happened, before any defect: the independent oracle of tests.

`truth_row` returns a home's current minute; `TruthFiles` writes all minutes, and which defect struck when.
"""

import csv
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from domotic_assets.simulator.world import World

TruthValue = str | int | float

DEFECT_COLUMNS = ("home", "minute_utc", "defect", "plug_room")


def truth_row(world: World) -> dict[str, TruthValue]:
    """Return the truth of a home's current UTC minute, as one row.

    A column of a room is named `measure:Room`, a column of an opening `measure:Room:place`. Figures are what
    faultless sensors show: rounded as in the feed, energies exact in thousandths of a Wh. The house meter's
    energy is its power over the minute.
    """
    row: dict[str, TruthValue] = {
        "minute_utc": f"{world.utc:%Y-%m-%dT%H:%M}",
        "clock": f"{world.clock:%Y-%m-%dT%H:%M}",
        "house_power_w": world.meter.total_w,
        "house_energy_wh": world.meter.total_w / 60,
        "people_home": world.people_home,
        "outdoor_temperature_c": round(world.weather.temperature_c, 1),
    }
    for room, plug in world.plugs.items():
        row[f"plug_power_w:{room}"] = plug.power_w
        row[f"plug_energy_wh:{room}"] = plug.energy_mwh / 1000
    for room, openings in world.openings.items():
        for place, opening in enumerate(openings, 1):
            row[f"{opening.kind.lower()}_open:{room}:{place}"] = int(opening.is_open)
    for room, motion in world.motions.items():
        row[f"motion:{room}"] = int(motion.seen)
        row[f"people_awake:{room}"] = world.people_awake[room]
    for room in world.household.stations:
        air = world.air[room]
        row[f"co2_ppm:{room}"] = round(air.co2_ppm)
        row[f"temperature_c:{room}"] = round(air.temperature_c, 1)
        row[f"humidity_pct:{room}"] = round(air.humidity_pct)
    return row


class TruthFiles:
    """Writes `<home>.csv` for each home, and `defects.csv`, into a folder; a context manager."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._open: list[TextIO] = []
        self._homes: dict[str, csv.DictWriter[str]] = {}
        self._defects = csv.writer(self._file("defects.csv"))
        self._defects.writerow(DEFECT_COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open:
            file.close()

    def write(self, world: World, struck: Mapping[str, str]) -> None:
        """Write the world's current minute and the defects that struck its file."""
        row = truth_row(world)
        writer = self._homes.get(world.home.id)
        if writer is None:
            writer = csv.DictWriter(self._file(f"{world.home.id}.csv"), fieldnames=list(row))
            writer.writeheader()
            self._homes[world.home.id] = writer
        writer.writerow(row)
        for defect, room in struck.items():
            self._defects.writerow((world.home.id, row["minute_utc"], defect, room))

    def _file(self, name: str) -> TextIO:
        """Open an empty text file of this name in the folder, replacing an old one; `__exit__` closes it."""
        file = (self._folder / name).open("w", newline="", encoding="utf-8")
        self._open.append(file)
        return file


def open_truth(folder: Path | None) -> AbstractContextManager[TruthFiles | None]:
    """Return a context manager over the truth's files in a folder; it yields None if none is given."""
    return nullcontext() if folder is None else TruthFiles(folder)
