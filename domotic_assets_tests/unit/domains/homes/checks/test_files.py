"""Files that do not come, come late, come twice, or cannot be read."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.checks.files import completeness, doubled, freshness, readable
from domotic_assets.domains.weather.freshness import forecast_freshness
from domotic_assets.quality.verdict import Breach, Verdict

NOW = datetime(2023, 9, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(minutes=15)
MINUTES = 1000


@pytest.mark.parametrize(("ago", "silent"), [(1, False), (16, False), (17, True)])
def test_a_home_is_silent_when_its_last_minute_ended_too_long_ago(ago: int, silent: bool) -> None:
    verdict = freshness({"jimmy": NOW - ago * MINUTE, "jeremie": NOW}, NOW, PATIENCE)
    ended = datetime(2023, 9, 4, 11, 44, tzinfo=UTC) if silent else None
    figures = {"last minute": "2023-09-04 11:43 UTC", "minutes silent": 16}
    expected = [Breach("jimmy", "silent", "ERROR", figures, "jimmy", ended)]
    assert list(verdict.breaches) == (expected if silent else [])


def test_a_home_that_never_sent_is_silent() -> None:
    (breach,) = freshness({"jimmy": None}, NOW, PATIENCE).breaches
    assert breach.figures == {"last minute": "never", "minutes silent": None}


def test_a_forecast_that_is_not_due_is_not_missed() -> None:
    assert forecast_freshness(None, NOW) == Verdict()


@pytest.mark.parametrize(("hours", "severity"), [(2, None), (2.01, "WARN"), (24, "WARN"), (24.01, "ERROR")])
def test_a_forecast_is_overdue_after_hours(hours: float, severity: str | None) -> None:
    found = forecast_freshness(NOW - timedelta(hours=hours), NOW).breaches
    assert [breach.severity for breach in found] == ([severity] if severity else [])


def minutes(number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"home": "jimmy", "minute": [NOW + n * MINUTE for n in range(number)]},
        schema={"home": pl.String, "minute": pl.Datetime("us", "UTC")},
    )


def sent(number: int, late: int = 0) -> pl.DataFrame:
    """Versions of files: the first `late` of them a quarter of an hour and a second after their minute."""
    rows = minutes(number).rename({"minute": "window"}).with_row_index()
    delay = (
        pl.when(pl.col("index") < late)
        .then(timedelta(minutes=16, seconds=1))
        .otherwise(timedelta(minutes=16))
    )
    return rows.with_columns(arrived_at=pl.col("window") + delay).drop("index")


@pytest.mark.parametrize(
    ("present", "late", "expected"),
    [
        (1000, 0, []),
        (950, 47, []),
        (949, 0, [("missing_minutes", "WARN")]),
        (500, 0, [("missing_minutes", "WARN")]),
        (499, 0, [("missing_minutes", "ERROR")]),
        (0, 0, [("missing_minutes", "ERROR")]),
        (1000, 50, []),
        (1000, 51, [("late_files", "WARN")]),
    ],
)
def test_a_day_lacks_minutes_or_has_them_late(
    present: int, late: int, expected: list[tuple[str, str]]
) -> None:
    verdict = completeness(minutes(present), sent(present, late), {"jimmy": NOW}, NOW, NOW + MINUTES * MINUTE)
    assert [(breach.reason, breach.severity) for breach in verdict.breaches] == expected
    assert verdict.figures == {"minutes missing": MINUTES - present}


def test_minutes_before_a_homes_first_are_not_missed() -> None:
    verdict = completeness(minutes(10), sent(10), {"jimmy": NOW}, NOW - timedelta(days=1), NOW + 10 * MINUTE)
    assert verdict.passed


def test_a_resend_is_not_late() -> None:
    again = sent(10).with_columns(pl.col("arrived_at") + timedelta(hours=3))
    everything = pl.concat([sent(10), again])
    assert completeness(minutes(10), everything, {"jimmy": NOW}, NOW, NOW + 10 * MINUTE).passed


@pytest.mark.parametrize(
    ("bad", "expected"),
    [(9, []), (10, [("jimmy", "WARN")]), (99, [("jimmy", "WARN")]), (100, [("jimmy", "ERROR")])],
)
def test_files_that_cannot_be_read(bad: int, expected: list[tuple[str, str]]) -> None:
    files = pl.DataFrame(
        {
            "home": ["jimmy"] * 1000 + ["jeremie"] * 1000,
            "status": ["quarantined"] * bad + ["loaded"] * (2000 - bad),
            "reason": ["not_json"] * bad + [None] * (2000 - bad),
        }
    )
    verdict = readable(files)
    assert [(breach.subject, breach.severity) for breach in verdict.breaches] == expected
    assert all(breach.figures["mostly"] == "not_json" for breach in verdict.breaches)


def test_unreadable_files_of_nobody_are_told_too() -> None:
    files = pl.DataFrame(
        {"home": [None], "status": ["quarantined"], "reason": ["unknown_user"]},
        schema_overrides={"home": pl.String},
    )
    (breach,) = readable(files).breaches
    assert (breach.subject, breach.home, breach.severity) == ("unknown", None, "ERROR")


@pytest.mark.parametrize(("again", "expected"), [(9, []), (10, ["jimmy"])])
def test_minutes_that_come_twice(again: int, expected: list[str]) -> None:
    once = minutes(1000).rename({"minute": "window"})
    verdict = doubled(pl.concat([once, once.head(again)]))
    assert [breach.subject for breach in verdict.breaches] == expected
