"""The words: short, whatever there is to say, with the homes' names and clocks."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domotic_assets.alerts.incidents import Incident, News
from domotic_assets.alerts.messages import message_for
from domotic_assets.alerts.problems import Kind, Problem
from domotic_assets.registry.channels import Channel
from domotic_assets_tests.support.builders import REGISTRY, registry

SEEN = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
GONE = SEEN + timedelta(minutes=25)
NOW = SEEN + timedelta(minutes=30)
ENGINEER = Channel(name="ops")
TENANT = Channel(name="both", audience="tenant", homes=("jimmy", "jeremie"))


def incident(
    name: str,
    home: str | None = None,
    kind: Kind = "check",
    minute: int = 0,
    over: bool = False,
    about: str = "t",
) -> Incident:
    problem = Problem(kind, name, about, SEEN + timedelta(minutes=minute), home, "found", "/link")
    return Incident(problem, SEEN, GONE if over else None, GONE if over else None)


def lines(news: News, channel: Channel = ENGINEER) -> list[str]:
    return message_for(channel, news, registry(), NOW).text.splitlines()


def test_homes_of_one_check_share_a_line_and_the_check_that_failed_first_is_explained() -> None:
    crowd = [incident("outliers", f"h{n}", minute=5) for n in range(5)]
    assert lines(News(started=[*crowd, incident("grain", minute=1)])) == [
        "Check grain of t fails, since 12:01.",
        "  Found: found",
        "  Look: Dagster UI, /link",
        "  Do: the check's page shows the figures and a sample; `domotic status` shows each home's feed.",
        "Check outliers of t fails for h0, h1, h2 and 2 more, since 12:05.",
        "Times are of Europe/Zurich.",
    ]


def test_what_is_left_out_is_counted() -> None:
    started = [incident(f"check{n}", home, minute=n) for n in range(6) for home in ("a", "b")]
    assert lines(News(started))[-2:] == [
        "And 6 more of 3 other jobs or checks.",
        "Times are of Europe/Zurich.",
    ]


def test_an_end_names_both_times_and_what_came_and_went_is_told_apart() -> None:
    news = News(
        ended=[incident("windows", kind="run", over=True, about="2026-11-22T04")],
        passed=[incident("freshness", "jimmy", "silence", 3, True)],
    )
    message = message_for(ENGINEER, news, registry(), NOW)
    assert (message.title, message.started, message.ended) == (
        "domotic: 1 problem ended, 1 problem came and went", 0, 1,
    )  # fmt: skip
    assert message.text.splitlines()[:2] == [
        "Over: Job windows fails for 2026-11-22T04 (12:00 to 12:25).",
        "Came and went: No readings from jimmy (check freshness of t) (12:03 to 12:25).",
    ]


def test_a_time_of_another_day_has_its_date_on_the_clock_of_the_reader() -> None:
    # 23:30 UTC is half past midnight in Sion: today there.
    today = incident("freshness", "jimmy", "silence", minute=-690)
    yesterday = incident("freshness", "jeremie", "silence", minute=-750)
    assert lines(News([today, yesterday]), TENANT)[:2] == [
        "No readings from Apartment Jeremie since 2026-11-21 23:30.",
        "No readings from Apartment Jimmy since 00:30.",
    ]


def test_a_tenant_reads_of_an_end_and_of_what_came_and_went() -> None:
    news = News(
        ended=[incident("freshness", "jimmy", "silence", over=True)],
        passed=[incident("freshness", "jeremie", "silence", over=True)],
    )
    message = message_for(TENANT, news, registry(), NOW)
    assert message.title == "Readings from your home"
    assert message.text.splitlines() == [
        "Apartment Jimmy sends readings again, since 12:25.",
        "Apartment Jeremie sent no readings from 12:00 to 12:25.",
    ]


some = st.lists(
    st.builds(
        incident,
        st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]),
        st.sampled_from(["jimmy", "jeremie"]),
        st.sampled_from(["run", "check", "silence", "source"]),
        st.integers(0, 20),
        st.just(True),
        st.sampled_from(["t", "u", "v"]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(some, some, some)
def test_a_message_has_at_most_ten_lines_whatever_there_is(
    started: list[Incident], ended: list[Incident], passed: list[Incident]
) -> None:
    for channel in (ENGINEER, TENANT):
        text = message_for(channel, News(started, ended, passed), registry(), NOW).text
        assert len(text.splitlines()) <= 10


HOSTILE = (
    "<!channel> @here [see](http://evil.example) <http://evil.example|x> `x` *b* evil.example\n\nBcc: a@b.ch"
)
LINK = "/assets/a?view=checks&checkDetail=b"
ACTIVE = re.compile(r"[<>@\[\]*|]|https?:|\w\.[a-z]{2,}|`x`", re.IGNORECASE)


def test_nothing_that_a_feed_or_a_registry_names_acts_in_a_message() -> None:
    problem = Problem(
        "check", HOSTILE, HOSTILE, SEEN, HOSTILE, HOSTILE, "/assets/a?view=checks&checkDetail=b"
    )
    started, over = Incident(problem, SEEN), Incident(problem, SEEN, GONE, GONE)
    for kind in ("check", "run", "source", "silence"):
        one = replace(started, problem=replace(problem, kind=kind))
        message = message_for(ENGINEER, News([one], [over], [over]), registry(), NOW)
        assert ACTIVE.findall(message.title + message.text) == []
        assert len(message.text.splitlines()) == 7
        assert LINK in message.text
    named = registry(REGISTRY.replace("name: Apartment Jimmy", f"name: {json.dumps(HOSTILE)}"))
    silent = incident("freshness", "jimmy", "silence", over=True)
    told = message_for(TENANT, News([silent], [silent], [silent]), named, NOW)
    assert ACTIVE.findall(told.title + told.text) == []
    assert len(told.text.splitlines()) == 4
