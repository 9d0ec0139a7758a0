"""The work list: what is written down stays until it is done, whoever is killed in between."""

import json
import multiprocessing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from domotic_assets.flow.worklist import WINDOWS, PendingWork, Task, WorkList

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
MINUTE_KEY, DAY_KEY = "2026-11-22T08:29", "2026-11-21"


def test_nothing_is_to_be_done_before_anything_was_found(tmp_path: Path) -> None:
    assert WorkList(tmp_path).read() == PendingWork()


def test_what_is_added_is_read_by_the_next_process(tmp_path: Path) -> None:
    def change(work: PendingWork) -> None:
        work.add(WINDOWS, {MINUTE_KEY: Task(2), DAY_KEY: Task(2880, whole_listing=True)})
        work.add_dates("forecasts", [date(2026, 11, 22)])
        work.marks["listed whole"] = NOW
        work.looked_until = NOW

    WorkList(tmp_path).change(change)
    held = WorkList(tmp_path).read()
    assert held.windows == {MINUTE_KEY: Task(2), DAY_KEY: Task(2880, whole_listing=True)}
    assert (held.dates("forecasts"), held.looked_until, held.marks) == (
        [date(2026, 11, 22)],
        NOW,
        {"listed whole": NOW},
    )


def test_a_window_found_again_keeps_its_attempts_and_needs_the_whole_listing_once_any_did() -> None:
    work = PendingWork()
    work.add(WINDOWS, {DAY_KEY: Task(5, whole_listing=True)})
    work.requested(WINDOWS, [DAY_KEY], NOW)
    work.add(WINDOWS, {DAY_KEY: Task(3)})
    assert work.windows[DAY_KEY] == Task(5, True, 1, NOW + timedelta(seconds=15))


def test_a_window_that_stays_undone_is_asked_for_ever_more_rarely() -> None:
    work = PendingWork()
    work.add(WINDOWS, {MINUTE_KEY: Task(1)})
    pauses = []
    for _ in range(8):
        work.requested(WINDOWS, [MINUTE_KEY], NOW)
        pauses.append(int((work.windows[MINUTE_KEY].not_before - NOW).total_seconds()))
    assert pauses == [15, 30, 60, 120, 300, 600, 600, 600]


def test_what_is_done_is_struck_out_of_its_job_alone() -> None:
    work = PendingWork()
    work.add(WINDOWS, {MINUTE_KEY: Task(1), DAY_KEY: Task(1)})
    work.add_dates("forecasts", [date(2026, 11, 21), date(2026, 11, 22)])
    work.done(WINDOWS, [DAY_KEY, "2020-01-01"])
    work.done_dates("forecasts", [date(2026, 11, 22)])
    work.done("nothing known of it", [DAY_KEY])
    assert list(work.windows) == [MINUTE_KEY]
    assert work.dates("forecasts") == [date(2026, 11, 21)]


def test_what_somebody_sets_out_to_do_begins_anew() -> None:
    work = PendingWork()
    work.add(WINDOWS, {DAY_KEY: Task(5)})
    work.requested(WINDOWS, [DAY_KEY], NOW)
    work.begin(WINDOWS, [DAY_KEY], NOW)
    assert work.windows == {DAY_KEY: Task(not_before=NOW)}


def test_the_list_of_a_lake_of_version_0_1_is_gone_on_with(tmp_path: Path) -> None:
    task = {"files": 2, "whole_listing": True, "attempts": 1, "not_before": "2026-11-22T08:30:15+00:00"}
    older = {
        "windows": {MINUTE_KEY: task},
        "issues": ["2026-11-22"],
        "health_days": ["2026-11-20", "2026-11-21"],
        "looked_until": "2026-11-22T08:30:00+00:00",
        "marks": {"listed whole": "2026-11-22T08:30:00+00:00"},
    }
    (tmp_path / "work.json").write_text(json.dumps(older))
    held = WorkList(tmp_path).read()
    assert held.windows == {MINUTE_KEY: Task(2, True, 1, NOW + timedelta(seconds=15))}
    assert held.dates("forecasts") == [date(2026, 11, 22)]
    assert held.dates("device_health") == [date(2026, 11, 20), date(2026, 11, 21)]
    assert (held.looked_until, held.marks) == (NOW, {"listed whole": NOW})
    WorkList(tmp_path).change(lambda work: work.unmark("listed whole"))
    assert WorkList(tmp_path).read().windows == held.windows


def test_a_moment_in_the_future_counts_as_none() -> None:
    """A clock that was a year ahead set it; a few minutes are those of another process."""
    soon, ahead = NOW + timedelta(minutes=5), NOW + timedelta(days=365)
    work = PendingWork(looked_until=ahead, marks={"old": NOW, "soon": soon, "ahead": ahead})
    assert [work.mark(name, NOW) for name in ("old", "soon", "ahead", "never")] == [NOW, soon, None, None]
    assert (work.looked(NOW), work.looked(ahead)) == (None, ahead)
    work.add(WINDOWS, {DAY_KEY: Task(5)})
    work.requested(WINDOWS, [DAY_KEY], ahead)
    assert work.windows[DAY_KEY].is_ready(NOW)
    work.requested(WINDOWS, [DAY_KEY], NOW)
    assert not work.windows[DAY_KEY].is_ready(NOW)
    assert work.windows[DAY_KEY].is_ready(NOW + timedelta(seconds=30))


def test_keys_outside_the_calendar_are_listed_by_job() -> None:
    work = PendingWork()
    for job in (WINDOWS, "forecasts"):
        days = ("2019-05-01", "2026-01-01", "2026-11-22", "2099-01-01")
        work.add(job, dict.fromkeys(days, Task()))
    work.add(WINDOWS, {"2026-11-22T23:59": Task(), "2026-11-23T00": Task()})
    assert work.outside(date(2026, 1, 1), date(2026, 11, 22)) == {
        WINDOWS: ["2019-05-01", "2099-01-01", "2026-11-23T00"],
        "forecasts": ["2019-05-01", "2099-01-01"],
    }


def test_no_change_writes_nothing(tmp_path: Path) -> None:
    work_list = WorkList(tmp_path)
    work_list.change(lambda work: work.add(WINDOWS, {MINUTE_KEY: Task(1)}))
    file = tmp_path / "work.json"
    before = file.stat().st_mtime_ns
    work_list.change(lambda work: work.add(WINDOWS, {MINUTE_KEY: Task(1)}))
    assert file.stat().st_mtime_ns == before


def _add_fifty(folder: Path, writer: int) -> None:
    for number in range(50):
        day = f"20{writer:02d}-01-01T{number // 60:02d}:{number % 60:02d}"
        WorkList(folder).change(lambda work, key=day: work.add(WINDOWS, {key: Task(1)}))


def test_processes_that_change_it_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_fifty, args=(tmp_path, number)) for number in (1, 2, 3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    assert len(WorkList(tmp_path).read().windows) == 150
