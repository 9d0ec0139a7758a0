"""Refused files tried again after a fix: by a build, by the live feed, on a sealed day; and the report."""

import ast
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from dagster._daemon.types import DaemonHeartbeat

from domotic_assets import domains
from domotic_assets.domains.homes.silver import judgement
from domotic_assets.flow.windows import read_key
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import rejects
from domotic_assets.operate.rejects import Selection, reject_report
from domotic_assets.orchestration import replay as replaying
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.build import build
from domotic_assets.orchestration.internals.instance import open_instance
from domotic_assets.orchestration.replay import replay
from domotic_assets.schemas.homes import gold, silver
from domotic_assets.schemas.refusals import QUARANTINE_REASONS, REJECT_REASONS
from domotic_assets_tests.support.builders import (
    REGISTRY,
    SAMPLE_TIME,
    ShareFile,
    opening,
    payload,
    share_file,
    to_bytes,
    write_share,
    write_sites,
)
from domotic_assets_tests.support.carry import TO_SILVER, carry
from domotic_assets_tests.support.feed import Feed
from domotic_assets_tests.support.lakes import assert_same, contents, open_lake

pytestmark = pytest.mark.usefixtures("unpublished")

SITES = REGISTRY.replace("  register_rows: {kind: sqlite, address: register.sqlite}\n", "")
DAY = "2023-08-31"
NOW = datetime(2023, 9, 2, tzinfo=UTC)
EARLY = datetime(2022, 12, 1, 12, tzinfo=UTC)
AJAR = share_file(doorsWindows={"Kitchen": [opening("Door", "ajar")]})
"""A state that nobody knows yet."""
TOO_OLD = ShareFile(
    "resent.json",
    to_bytes(payload(at=datetime(2022, 12, 1, 12, tzinfo=UTC))),
    SAMPLE_TIME + timedelta(hours=1),
)
"""From before the history begins."""


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """A lake with a value refused, a file quarantined, and clean files; their day is sealed."""
    sites = write_sites(tmp_path, SITES)
    write_share(tmp_path / "share", [AJAR, TOO_OLD, share_file("jeremie")])
    found = open_lake(sites, tmp_path / "lake")
    carry(found, [read_key(DAY)], flows=TO_SILVER)
    with open_instance(found) as instance:
        instance.add_dynamic_partitions(tags.WINDOW, [DAY])
    return found


def reasons(work: Workspace) -> list[str]:
    return sorted(rejects.refusals(work)["reason"])


def fix_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a door may be ajar, which is open."""
    monkeypatch.setitem(judgement._STATES, "ajar", 1.0)


def kitchen_door(work: Workspace) -> list[float]:
    where = (pl.col("device") == "jimmy/kitchen/doorsWindows/1") & (
        pl.col("variable") == "doorsWindows.switch"
    )
    return work.lake.read(silver.SENSOR_EVENTS, where=where)["value"].to_list()


def open_flags(work: Workspace) -> int:
    return work.lake.read(gold.FACT_ENVIRONMENT_MINUTE, where=pl.col("door_open_flag") == 1).height


@pytest.mark.rule(5)
def test_after_a_fix_of_code_all_is_as_if_built_so_at_first(
    work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reasons(work) == ["no_readable_time", "not_a_state"]
    assert (kitchen_door(work), open_flags(work)) == ([], 0)
    fix_code(monkeypatch)
    done = replay(work, Selection(reason="not_a_state"), NOW)
    assert (done.outcomes, done.windows, done.live) == ({"now loaded": 1}, (DAY,), False)
    assert (kitchen_door(work), open_flags(work)) == ([1.0], 1)
    assert reasons(work) == ["no_readable_time"]
    assert work.worklist.read().windows == {}
    anew = open_lake(tmp_path / "sites.yaml", tmp_path / "anew")
    build(anew)
    assert_same(contents(work), contents(anew))


@pytest.mark.usefixtures("work")
def test_after_a_fix_of_the_registry_the_quarantined_file_is_loaded(tmp_path: Path) -> None:
    write_sites(tmp_path, SITES.replace("history_start: 2023-01-01", "history_start: 2022-01-01"))
    fixed = open_lake(tmp_path / "sites.yaml", tmp_path / "lake")
    assert replay(fixed, Selection(home="jimmy"), NOW).outcomes == {"now loaded": 1, "still refused": 1}
    files = fixed.lake.read(
        silver.SENSOR_FILES, where=pl.col("minute") == datetime(2022, 12, 1, 12, tzinfo=UTC)
    )
    assert files["status"].to_list() == ["loaded"]


def test_nothing_refused_is_nothing_done(work: Workspace) -> None:
    done = replay(work, Selection(day=date(2023, 8, 30)), NOW)
    assert (done.outcomes, done.windows) == ({}, ())


def test_a_live_feed_takes_it_up_on_a_sealed_day(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day is sealed: Dagster has its key and no finer one, and the listing finds nothing new."""
    with open_instance(work) as instance:
        assert instance.get_dynamic_partitions(tags.WINDOW) == [DAY]
        instance.add_daemon_heartbeat(DaemonHeartbeat(NOW.timestamp(), "SENSOR", "one", []))
    fix_code(monkeypatch)
    monkeypatch.setattr(replaying, "LIVE_WAIT_SECONDS", 0)
    done = replay(work, Selection(reason="not_a_state"), NOW + timedelta(seconds=30))
    assert (done.outcomes, done.windows, done.live) == ({"waiting for the live feed": 1}, (DAY,), True)
    assert list(work.worklist.read().windows) == [DAY]
    assert kitchen_door(work) == []
    ran = Feed(work).tick(NOW + timedelta(minutes=1), "arrivals")
    assert [run.keys for run in ran if run.job == tags.WINDOWS_JOB] == [(DAY,)]
    assert (kitchen_door(work), open_flags(work), reasons(work)) == ([1.0], 1, ["no_readable_time"])


def test_a_daemon_that_is_silent_for_minutes_is_no_live_feed(work: Workspace) -> None:
    with open_instance(work) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(NOW.timestamp(), "SENSOR", "one", []))
        assert not replaying.is_live(instance, NOW + timedelta(minutes=3))
        assert replaying.is_live(instance, NOW + timedelta(minutes=1))


def test_the_report_says_what_whose_why_and_how_much(work: Workspace) -> None:
    # Of Jimmy: 79 readings in the whole sample, of which the openings (4 devices of 4 values) become one.
    assert reject_report(work, date(2023, 8, 25)).splitlines() == [
        "| home | reason | meaning | refused | share |",
        "|---|---|---|---|---|",
        "| jimmy | no_readable_time | neither the file nor its name says a time that can be believed | 1 | "
        "50.00% of 2 files |",
        '| jimmy | not_a_state | something else where "on" or "off" belongs | 1 | 1.49% of 67 readings |',
    ]
    assert reject_report(work, date(2023, 9, 1)) == "Nothing was refused since 2023-09-01."


def _codes() -> tuple[set[str], set[str]]:
    """(codes that silver gives to values or files, all its texts), read off its source."""
    given: set[str] = set()
    texts: set[str] = set()
    rooms = Path(str(domains.__file__)).parent
    for source in (*rooms.glob("*/silver.py"), *rooms.glob("*/silver/*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                arguments = node.args if name == "Unreadable" else []
                arguments = [*arguments, *(k.value for k in node.keywords if k.arg == "reason")]
                given |= {
                    a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)
                }
    return given, texts


def test_every_reason_that_can_be_given_has_a_meaning_and_every_meaning_a_reason() -> None:
    given, texts = _codes()
    known = {**REJECT_REASONS, **QUARANTINE_REASONS}
    assert len(given) >= 10
    assert given - known.keys() == set()
    assert {text for text in texts if text.startswith(("not_", "bad_", "too_"))} - known.keys() == set()
    assert known.keys() - texts == set()
    assert all(rejects.meaning(code) == known[code] for code in known if code != "not_an_object")
    assert rejects.meaning("not_an_object") != rejects.meaning("not_an_object", whole_file=True)
