"""Which windows carry what is new, which run is asked for, and which listing is due."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domotic_assets.domains.homes.flows.arrivals import (
    LISTED_RECENT,
    RunChoice,
    UnderWay,
    choose,
    listing_due,
)
from domotic_assets.flow.windows import assign, detailed_days
from domotic_assets.flow.worklist import LISTED_WHOLE, PendingWork, Task
from domotic_assets.registry.registry import Tunables

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def minutes(start: str, number: int, files: int = 2) -> dict[datetime, int]:
    return {at(start) + timedelta(minutes=n): files for n in range(number)}


def keys(files: dict[datetime, int], detailed: set[date] | None = None) -> dict[str, int]:
    return {window.key: number for window, number in assign(files, NOW, detailed or set()).items()}


def test_a_live_minute_is_a_minute_also_the_last_of_its_hour() -> None:
    assert keys(minutes("2026-11-22T09:29", 1)) == {"2026-11-22T09:29": 2}
    assert keys(minutes("2026-11-22T08:59", 1)) == {"2026-11-22T08:59": 2}


def test_after_an_outage_finished_hours_are_hours_and_the_present_one_is_minutes() -> None:
    found = keys(minutes("2026-11-22T06:30", 3 * 60))
    assert {key: number for key, number in found.items() if len(key) == 13} == {
        "2026-11-22T06": 60,
        "2026-11-22T07": 120,
        "2026-11-22T08": 120,
    }
    assert sorted(key for key in found if len(key) > 13) == [f"2026-11-22T09:{n:02d}" for n in range(30)]


def test_history_is_days() -> None:
    found = keys(minutes("2026-09-01T00:00", 2 * 1440) | minutes("2026-11-21T23:00", 60))
    assert found == {"2026-09-01": 2880, "2026-09-02": 2880, "2026-11-21": 120}


def test_a_late_minute_of_a_day_in_detail_is_a_minute_and_of_a_sealed_day_the_day() -> None:
    late = minutes("2026-11-21T13:07", 1, files=1)
    assert keys(late, {date(2026, 11, 21)}) == {"2026-11-21T13:07": 1}
    assert keys(late) == {"2026-11-21": 1}


def test_a_day_is_in_detail_while_a_minute_or_hour_of_it_has_a_key() -> None:
    registered = ["2026-11-19", "2026-11-20T07", "2026-11-21T09:01", "2026-11-21"]
    assert detailed_days(registered) == {date(2026, 11, 20), date(2026, 11, 21)}


LIVE = {"2026-11-22T09:28": Task(2), "2026-11-22T09:29": Task(2)}


def test_new_minutes_go_together_in_order_and_are_registered_with_the_run() -> None:
    both = ("2026-11-22T09:28", "2026-11-22T09:29")
    assert choose(PendingWork({"windows": dict(reversed(LIVE.items()))}), [], NOW) == RunChoice(
        both, both, "live", False
    )


def test_one_live_run_is_in_flight_and_what_comes_meanwhile_joins_the_next() -> None:
    assert choose(PendingWork({"windows": dict(LIVE)}), [], NOW, UnderWay({"live"})) is None


def test_history_waits_for_live_minutes_and_comes_newest_first_bounded_in_files() -> None:
    days = {f"2026-09-{day:02d}": Task(2880) for day in range(1, 6)}
    assert choose(PendingWork({"windows": days | LIVE}), [], NOW, UnderWay({"history"})).kind == "live"
    chosen = choose(PendingWork({"windows": days | LIVE}), [], NOW, UnderWay({"live"}))
    assert chosen == RunChoice(("2026-09-05", "2026-09-04"), ("2026-09-05", "2026-09-04"), "history", False)
    assert choose(PendingWork({"windows": days}), [], NOW, UnderWay({"history"})) is None


def test_a_window_of_more_files_than_a_run_takes_goes_alone() -> None:
    chosen = choose(PendingWork({"windows": {"2026-09-01": Task(100_000), "2026-09-02": Task(1)}}), [], NOW)
    assert chosen.keys == ("2026-09-02",)
    assert choose(PendingWork({"windows": {"2026-09-01": Task(100_000)}}), [], NOW).keys == ("2026-09-01",)


def test_keys_that_dagster_has_go_together_only_side_by_side() -> None:
    registered = ["2026-11-22T09:01", "2026-11-22T09:02", "2026-11-22T09:03", "2026-11-22T09:04"]
    late = {key: Task(1) for key in (registered[0], registered[1], registered[3])}
    assert choose(PendingWork({"windows": late}), registered, NOW) == RunChoice(
        ("2026-11-22T09:01", "2026-11-22T09:02"), (), "late", False
    )


def test_what_was_asked_for_in_vain_goes_alone_after_its_pause_and_behind_what_is_new() -> None:
    failing = {
        "2026-11-22T09:10": Task(2, attempts=2, not_before=NOW - timedelta(seconds=1)),
        "2026-11-22T09:11": Task(2, attempts=1, not_before=NOW - timedelta(seconds=1)),
        "2026-11-22T09:12": Task(2, attempts=1, not_before=NOW + timedelta(seconds=1)),
    }
    assert choose(PendingWork({"windows": failing | LIVE}), list(failing), NOW).keys == tuple(LIVE)
    assert choose(PendingWork({"windows": failing}), list(failing), NOW).keys == ("2026-11-22T09:10",)
    assert (
        choose(PendingWork({"windows": {k: t for k, t in failing.items() if k.endswith("2")}}), [], NOW)
        is None
    )


def test_a_window_under_way_is_not_asked_for_again_however_long_it_takes() -> None:
    asked = {"2026-09-01": Task(2880, attempts=1, not_before=NOW - timedelta(minutes=5))}
    running = UnderWay({"history"}, {"2026-09-01"})
    assert choose(PendingWork({"windows": asked}), ["2026-09-01"], NOW, running) is None
    assert choose(PendingWork({"windows": asked}), ["2026-09-01"], NOW).keys == ("2026-09-01",)


def test_one_window_that_needs_the_whole_listing_makes_its_run_take_it() -> None:
    tasks = {"2026-11-22T09:28": Task(1), "2026-11-22T09:29": Task(1, whole_listing=True)}
    assert choose(PendingWork({"windows": tasks}), [], NOW).whole_listing


@pytest.mark.parametrize(
    ("marks", "due"),
    [
        ({}, "whole"),
        ({LISTED_WHOLE: NOW - timedelta(minutes=59)}, None),
        ({LISTED_WHOLE: NOW - timedelta(minutes=60)}, "recent"),
        ({LISTED_WHOLE: NOW - timedelta(hours=9), LISTED_RECENT: NOW - timedelta(minutes=5)}, None),
        ({LISTED_WHOLE: NOW - timedelta(hours=10), LISTED_RECENT: NOW - timedelta(minutes=5)}, "whole"),
    ],
    ids=["never listed", "listed lately", "an hour ago", "names of the last days lately", "not yet today"],
)
def test_the_share_is_listed_whole_once_a_day_and_the_last_days_every_hour(
    marks: dict[str, datetime], due: str | None
) -> None:
    assert listing_due(PendingWork(marks=marks), Tunables(), NOW) == due
