"""How the feed stands: lag, what is missing and what was refused, by hand, on ordinary and long days."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domotic_assets.flow.worklist import PendingWork, Task
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate.status import UNREACHABLE, FeedStatus, HomeStatus, duration, feed_status
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import silver
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.memory_lake import MemoryLake

MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """Two homes and an empty lake."""
    settings = Settings.of(builders.write_sites(tmp_path), str(tmp_path / "lake"), {})
    return Workspace(settings, builders.sites(tmp_path), MemoryLake("memory"))


def take(
    work: Workspace, first: str, number: int = 1, *, status: str = "loaded", home: str = "jimmy"
) -> None:
    """Files of minutes in a row, as silver has them; what is quarantined has no minute."""
    rows: list[dict[str, Any]] = []
    for n in range(number):
        window = utc(first) + n * MINUTE
        rows.append(
            {
                "file_id": f"{home} {window} {status}",
                "home": home,
                "window": window,
                "minute": None if status == "quarantined" else window,
                "arrived_at": window + timedelta(seconds=5),
                "status": status,
                "events": 0,
                "rejects": 0,
                "nulls": 0,
                "utc_date": window.date(),
            }
        )
    work.lake.append(silver.SENSOR_FILES, frame(silver.SENSOR_FILES, rows))


def refuse(work: Workspace, window: str, reason: str, number: int = 1, home: str = "jimmy") -> None:
    """Values refused in a file of a window."""
    rows = [
        {
            "source": "sensor_files",
            "file_id": "f",
            "home": home,
            "window": utc(window),
            "json_path": f"{reason} {n}",
            "raw_text": "n/a",
            "reason": reason,
            "utc_date": utc(window).date(),
        }
        for n in range(number)
    ]
    work.lake.append(refusals.REJECTS, frame(refusals.REJECTS, rows))


def frame(table: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(table.schema) | row for row in rows], schema=table.schema)


def status_of(work: Workspace, now: str, home: str = "jimmy") -> HomeStatus:
    return next(found for found in feed_status(work, utc(now)).homes if found.home == home)


def test_a_home_that_never_sent_anything_lacks_every_minute_of_its_day(work: Workspace) -> None:
    found = status_of(work, "2023-09-05 08:30:20")
    assert (found.last_minute, found.lag, found.present, found.quarantined) == (None, None, 0, 0)
    # Its day began at 22:00 UTC: two hours, and eight and a half.
    assert found.missing == 630
    assert found.refused == {}


def test_minutes_are_counted_from_local_midnight_to_the_last_that_is_over(work: Workspace) -> None:
    """In winter the day begins at 23:00 UTC."""
    take(work, "2024-01-14 22:55", 10)
    take(work, "2024-01-14 23:30", 3, status="partial")
    take(work, "2024-01-14 23:40")
    take(work, "2024-01-14 23:32", 2, status="superseded")
    take(work, "2024-01-14 23:35", home="jeremie")
    found = status_of(work, "2024-01-14 23:40:30")
    # Of 23:00 to 23:39: 23:00 … 23:04 and 23:30 … 23:32; the minute that runs is not counted yet.
    assert (found.present, found.missing) == (8, 32)
    assert found.last_minute == utc("2024-01-14 23:40")
    assert found.lag == timedelta(seconds=-30), "its minute is not even over"
    other = status_of(work, "2024-01-14 23:40:30", "jeremie")
    assert (other.present, other.missing, other.lag) == (1, 39, timedelta(minutes=4, seconds=30))


def test_the_long_day_of_autumn_has_both_passes_of_its_hour(work: Workspace) -> None:
    """29 October 2023 begins at 22:00 UTC; its hour from two to three is 00:00 to 02:00 UTC."""
    take(work, "2023-10-28 22:00", 240)
    before_the_end = status_of(work, "2023-10-29 22:59:00")
    assert (before_the_end.present, before_the_end.missing) == (240, 1499 - 240)
    after_both = status_of(work, "2023-10-29 02:00:00")
    assert (after_both.present, after_both.missing) == (240, 0)
    next_day = status_of(work, "2023-10-29 23:10:00")
    assert (next_day.present, next_day.missing) == (0, 10)


def test_files_of_the_same_minute_are_one_minute(work: Workspace) -> None:
    take(work, "2023-09-05 08:00")
    take(work, "2023-09-05 08:00", status="partial")
    assert status_of(work, "2023-09-05 08:01:00").present == 1


def test_what_was_refused_today_is_counted_by_reason(work: Workspace) -> None:
    take(work, "2023-09-04 21:59", 2, status="quarantined")
    take(work, "2023-09-05 08:00", status="quarantined", home="jeremie")
    refuse(work, "2023-09-04 21:59", "not_a_number", 7)
    refuse(work, "2023-09-04 22:00", "not_a_number", 2)
    refuse(work, "2023-09-05 08:00", "too_long")
    refuse(work, "2023-09-05 08:00", "too_long", 5, home="jeremie")
    found = status_of(work, "2023-09-05 08:30:00")
    assert (found.quarantined, found.refused) == (1, {"not_a_number": 2, "too_long": 1})
    assert found.last_minute is None, "a file that cannot be read has no minute"


def test_what_waits_what_fails_and_what_cannot_be_reached(work: Workspace) -> None:
    since = utc("2023-09-05 08:00")

    def change(held: PendingWork) -> None:
        held.keys["windows"] = {
            "2023-09-05T08:01": Task(2, attempts=1),
            "2023-09-05T08:00": Task(2, attempts=2),
        }
        held.marks = {"listed whole": since, f"{UNREACHABLE}bronze/weather_files": since}
        held.add_dates("device_health", [date(2023, 9, 5)])

    work.worklist.change(change)
    found = feed_status(work, utc("2023-09-05 08:30"))
    assert (found.waiting, found.failing) == (2, ["2023-09-05T08:00"])
    assert found.unreachable == {"bronze/weather_files": since}


def test_the_page_shows_a_row_for_each_home(work: Workspace) -> None:
    take(work, "2023-09-05 08:26")
    refuse(work, "2023-09-05 08:26", "not_a_number", 1200)
    shown: FeedStatus = feed_status(work, utc("2023-09-05 08:30:20"))
    assert shown.as_markdown().splitlines()[2:] == [
        "| jimmy | 2023-09-05 08:26 | 3 min | 1 | 629 | 0 | 1,200 not_a_number |",
        "| jeremie | none | – | 0 | 630 | 0 | none |",
    ]


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (-1, "0 min"),
        (0.9, "0 min"),
        (59, "59 min"),
        (60, "1 h 0 min"),
        (310, "5 h 10 min"),
        (2879, "47 h 59 min"),
        (2880, "2 d"),
    ],
)
def test_durations(minutes: float, text: str) -> None:
    assert duration(minutes * MINUTE) == text
