"""Cases from public reports: small feeds that once gave a wrong figure, with the right one."""

import os
import shutil
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from domotic_assets.domains.homes.flows import arrivals, landing
from domotic_assets.flow.worklist import WINDOWS, Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import gold, silver
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.lakes import RIGHT_OF_BRONZE, open_lake

pytestmark = pytest.mark.untraced
TO_ROOMS = ("sensor_files", "sensor_silver", "minute_facts", "homes_dims")


def delivered(shared: Path, folder: Path, name: str) -> Path:
    """The folder of a case, each file last written when its list says."""
    case = folder / name
    shutil.copytree(shared / "cases" / "2026-11" / name, case)
    for line in (case / "arrivals.tsv").read_text().splitlines():
        file, written = line.split("\t")
        seconds = datetime.fromisoformat(written).timestamp()
        os.utime(case / file, (seconds, seconds))
    return case


def carried(shared: Path, folder: Path, name: str) -> Workspace:
    """A lake with a case's files."""
    case = delivered(shared, folder, name)
    work = open_lake(case / "sites.yaml", case / "lake")
    carry(work, flows=TO_ROOMS)
    return work


def energy_by_room(work: Workspace) -> dict[str, float]:
    """Wh by room id."""
    rows = work.lake.read(gold.FACT_ENERGY_MINUTE).join(work.lake.read(gold.DIM_ROOM), on="room_key")
    summed = rows.group_by("room_id").agg(pl.col("energy_kwh").sum() * 1000)
    return {room: round(energy, 6) for room, energy in summed.iter_rows()}


def texts(work: Workspace) -> Iterator[str]:
    """Every text right of bronze, that of lists included."""
    for table in RIGHT_OF_BRONZE:
        for column in work.lake.read(table):
            flat = column.explode() if isinstance(column.dtype, pl.List) else column
            if flat.dtype == pl.String:
                yield from flat.drop_nulls().unique()


@pytest.mark.rule(8)
def test_a_room_is_one_in_whatever_form_its_name_comes(shared: Path, tmp_path: Path) -> None:
    """Of ten and of six minutes at 600 W, the first has no reading before it: 9 and 5 times 10 Wh."""
    found = energy_by_room(carried(shared, tmp_path, "room_decomposed"))
    assert found == {"nfdroom/sejour": 90, "spaceroom/bureau": 50}


@pytest.mark.rule(11)
def test_a_user_is_known_and_masked_in_either_form(shared: Path, tmp_path: Path) -> None:
    work = carried(shared, tmp_path, "user_decomposed")
    assert work.lake.read(silver.SENSOR_FILES)["status"].to_list() == ["loaded"] * 6
    user = work.registry.homes[0].feed_user.casefold()
    found = [unicodedata.normalize("NFC", text).casefold() for text in texts(work)]
    assert "bureau ***" in found
    assert not [text for text in found if user in text]


@pytest.mark.rule(4)
def test_a_last_write_before_the_history_makes_no_window_there(shared: Path, tmp_path: Path) -> None:
    """Neither of a file of another kind, nor of a home's own whose clock was not set."""
    case = delivered(shared, tmp_path, "stray_old_file")
    late = case / "share" / "18.11.2026 0904_GoodX_received.json"
    os.utime(late, (0, 0))
    work = open_lake(case / "sites.yaml", case / "lake")
    # A window that an earlier version put there, and that could never run.
    work.worklist.change(lambda held: held.add(WINDOWS, {"2019-05-01": Task(1), "2026-11-18": Task(5)}))
    arrivals.look(work, [], work.now())
    assert [*work.worklist.read().windows] == ["2026-11-18"]
    carry(work, flows=TO_ROOMS)
    files = work.lake.read(silver.SENSOR_FILES).sort("window")
    assert files["status"].to_list() == ["loaded"] * 5
    assert files["minute"].dt.strftime("%H:%M").to_list() == [f"08:0{n}" for n in range(5)]
    found = landing.discover_sensor_files(work)
    assert (found.files, dict(found.left)) == (0, {"without a time": 1})


def test_files_of_before_the_history_are_counted_and_left(shared: Path, tmp_path: Path) -> None:
    case = delivered(shared, tmp_path, "stray_old_file")
    (case / "share" / "settings.json").rename(case / "share" / "01.05.2019 0900_GoodX_received.json")
    found = landing.discover_sensor_files(open_lake(case / "sites.yaml", case / "lake"))
    assert (found.files, dict(found.left)) == (5, {"before history_start": 1})
