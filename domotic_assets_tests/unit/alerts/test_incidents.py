"""When a channel is told of what: once of a start, once of an end, grouped, not too often, never in vain."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domotic_assets.alerts.incidents import (
    Incident,
    Known,
    News,
    Told,
    accepted,
    as_of,
    due,
    observe,
    refused,
)
from domotic_assets.alerts.problems import Kind, Problem
from domotic_assets.registry.channels import AlertChannel, WebhookChannel

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
TICK = timedelta(seconds=30)
ENGINEER = WebhookChannel(name="ops", kind="webhook", url_env="A", at_most_every_minutes=10)
TENANT = WebhookChannel(
    name="jimmy", kind="webhook", url_env="B", audience="tenant", homes=("jimmy",), at_most_every_minutes=10
)


def check(name: str, home: str | None = None, kind: Kind = "check", since: datetime = START) -> Problem:
    return Problem(kind, name, "silver/sensor_events", since, home)


class Desk:
    """Ticks every half minute; keeps what each channel accepted. down: channels that refuse."""

    def __init__(self, *channels: AlertChannel) -> None:
        self.channels = channels or (ENGINEER,)
        self.known = Known()
        self.now = START
        self.down: set[str] = set()
        self.tried: list[datetime] = []
        self.got: list[tuple[datetime, str, News]] = []

    def tick(self, problems: Iterable[Problem], ticks: int = 1) -> None:
        problems = list(problems)
        for _ in range(ticks):
            self.known = observe(self.known, problems, self.channels, self.now)
            for channel in self.channels:
                news = due(self.known, channel, self.now)
                if news is None:
                    continue
                self.tried.append(self.now)
                if channel.name in self.down:
                    self.known = refused(self.known, channel.name, self.now)
                else:
                    self.known = accepted(self.known, channel.name, news, self.now)
                    self.got.append((self.now, channel.name, news))
            self.now += TICK

    def told(self, name: str = "ops") -> list[tuple[int, list[str], list[str], list[str]]]:
        """Of each message: its second, and the names of what started, ended, and came and went."""
        return [
            (
                int((at - START).total_seconds()),
                *([one.problem.name for one in some] for some in (news.started, news.ended, news.passed)),
            )
            for at, channel, news in self.got
            if channel == name
        ]


def test_a_problem_is_told_when_it_starts_and_when_it_ends_and_never_again() -> None:
    desk = Desk()
    desk.tick([check("a")], 60)
    desk.tick([], 60)
    # Seen at 0 s: told a pause later. Gone at 1800 s: over at 1860 s, told a pause later.
    assert desk.told() == [(60, ["a"], [], []), (1920, [], ["a"], [])]


def test_what_starts_within_the_pause_goes_into_one_message_and_what_comes_later_waits_its_turn() -> None:
    desk = Desk()
    desk.tick([check("a")])
    desk.tick([check("a"), check("b")])
    desk.tick([check("a"), check("b")])
    desk.tick([check("a"), check("b"), check("c"), check("d")], 60)
    # The first message at 60 s; the next one no earlier than ten minutes after it.
    assert desk.told() == [(60, ["a", "b"], [], []), (660, ["c", "d"], [], [])]


def test_a_hundred_failures_are_one_message() -> None:
    desk = Desk()
    desk.tick([Problem("run", "windows", f"key {n}", START) for n in range(100)], 60)
    ((_, _, news),) = desk.got
    assert len(news.started) == 100


@pytest.mark.parametrize("ticks", [1, 2])
def test_what_lasts_for_less_than_the_pause_makes_no_noise(ticks: int) -> None:
    desk = Desk()
    desk.tick([check("a")], ticks)
    desk.tick([], 600)
    assert desk.told() == []


def test_what_came_and_went_between_two_messages_is_a_line_of_the_next() -> None:
    desk = Desk()
    desk.tick([check("a")], 4)  # told at 60 s
    desk.tick([check("a"), check("b")], 6)
    desk.tick([check("a")], 4)
    desk.tick([check("a"), check("c")], 40)
    assert desk.told() == [(60, ["a"], [], []), (660, ["c"], [], ["b"])]


def test_a_problem_that_is_gone_for_a_tick_goes_on() -> None:
    desk = Desk()
    desk.tick([check("a")], 10)
    desk.tick([])
    desk.tick([check("a")], 100)
    assert desk.told() == [(60, ["a"], [], [])]


def test_a_flapping_problem_is_held_until_it_has_been_away_for_an_hour() -> None:
    """Ten minutes there, ten minutes not, for a day: three starts are told, then it counts as one."""
    desk = Desk()
    for _ in range(72):
        desk.tick([check("a")], 20)
        desk.tick([], 20)
    assert sum(len(started) for _, started, _, _ in desk.told()) == 3
    assert sum(len(ended) for _, _, ended, _ in desk.told()) == 2
    desk.tick([], 200)
    assert sum(len(ended) for _, _, ended, _ in desk.told()) == 3


def test_more_and_more_of_what_is_known_to_fail_is_told_hourly() -> None:
    """A full disk: a window more fails every minute of six hours."""
    desk = Desk()
    failed: list[Problem] = []
    for minute in range(360):
        failed.append(Problem("run", "windows", f"minute {minute:03}", START))
        desk.tick(failed, 2)
    assert len(desk.got) <= 8
    assert sum(len(news.started) for _, _, news in desk.got) >= 300


def test_a_crowd_in_one_check_does_not_delay_another() -> None:
    desk = Desk()
    crowd = [check("a", f"home{n}") for n in range(20)]
    desk.tick(crowd, 40)
    desk.tick([*crowd, check("b")], 40)
    assert [started for _, started, _, _ in desk.told()][1:] == [["b"]]


def test_a_channel_that_refuses_is_tried_ever_more_seldom_and_told_everything_in_the_end() -> None:
    desk = Desk()
    desk.down = {"ops"}
    desk.tick([check("a")], 20)
    desk.tick([check("b")], 20)
    pauses = [int((later - sooner).total_seconds()) for sooner, later in pairwise(desk.tried)]
    assert pauses == [30, 60, 120, 300, 600]
    desk.down = set()
    desk.tick([check("b")], 120)
    ((_, started, ended, passed),) = desk.told()
    assert (started, ended, passed) == (["b"], [], ["a"])


def test_a_channel_that_is_down_does_not_hold_up_another() -> None:
    other = WebhookChannel(name="other", kind="webhook", url_env="C")
    desk = Desk(ENGINEER, other)
    desk.down = {"ops"}
    desk.tick([check("a")], 10)
    assert (desk.told("ops"), desk.told("other")) == ([], [(60, ["a"], [], [])])


def test_a_new_channel_hears_of_what_is_wrong_and_not_of_what_is_over() -> None:
    desk = Desk()
    desk.tick([check("a"), check("b")], 30)
    desk.tick([check("b")], 60)
    desk.channels = (ENGINEER, WebhookChannel(name="new", kind="webhook", url_env="C"))
    desk.tick([check("b")], 10)
    assert [what for _, *what in desk.told("new")] == [[["b"], [], []]]


def test_a_tenant_hears_of_their_own_silent_home_alone() -> None:
    desk = Desk(TENANT)
    others = [check("freshness", "jeremie", "silence"), check("outliers", "jimmy"), check("grain")]
    desk.tick([*others, check("freshness", "jimmy", "silence")], 10)
    assert [(one.problem.kind, one.problem.home) for _, _, news in desk.got for one in news.started] == [
        ("silence", "jimmy")
    ]


def test_a_tenant_is_not_sent_to_the_box_while_it_is_us_who_cannot_read_the_share() -> None:
    desk = Desk(TENANT, ENGINEER)
    silent = check("freshness", "jimmy", "silence")
    share = Problem("source", "reachable", "bronze/sensor_files", START)
    desk.tick([share, silent], 100)
    assert (desk.told("jimmy"), len(desk.told("ops"))) == ([], 1)
    desk.tick([silent], 10)
    assert [started for _, started, _, _ in desk.told("jimmy")] == [["freshness"]]


def test_the_forecasts_source_is_no_reason_to_keep_silence_from_a_tenant() -> None:
    desk = Desk(TENANT)
    forecasts = Problem("source", "reachable", "bronze/weather_files", START)
    desk.tick([forecasts, check("freshness", "jimmy", "silence")], 10)
    assert len(desk.got) == 1


def test_what_was_over_long_ago_is_forgotten() -> None:
    desk = Desk()
    desk.tick([check("a")], 10)
    desk.tick([], 10)
    assert desk.known.incidents
    desk.now += timedelta(days=1)
    desk.tick([], 2)
    assert (desk.known.incidents, desk.known.channels["ops"].incidents) == ({}, {})


def test_a_channel_that_was_dead_for_a_week_is_not_told_of_what_is_over() -> None:
    desk = Desk()
    desk.down = {"ops"}
    desk.tick([check("a")], 10)
    desk.tick([], 10)
    desk.now += timedelta(days=6)
    desk.tick([])
    assert desk.known.incidents
    desk.now += timedelta(days=2)
    desk.tick([])
    assert desk.known.incidents == {}


def test_a_start_keeps_the_time_that_was_first_said() -> None:
    desk = Desk()
    desk.tick([check("a", since=START)])
    desk.tick([check("a", since=START + timedelta(hours=1))], 10)
    ((_, _, news),) = desk.got
    assert news.started[0].problem.since == START


# Whatever happens ------------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
steps = st.lists(
    st.tuples(
        st.sets(st.sampled_from(NAMES)), st.integers(1, 60), st.sets(st.sampled_from(["ops", "jimmy"]))
    ),
    max_size=25,
)


def silences(names: Collection[str]) -> list[Problem]:
    return [check(name, "jimmy", "silence") for name in sorted(names)]


@settings(deadline=None, max_examples=60)
@given(steps)
def test_whatever_happens_starts_and_ends_match_nothing_is_left_untold_and_the_rate_holds(
    script: list[tuple[set[str], int, set[str]]],
) -> None:
    desk = Desk(ENGINEER, TENANT)
    for names, ticks, down in script:
        desk.down = down
        desk.tick(silences(names), ticks)
    desk.down = set()
    last = script[-1][0] if script else set()
    desk.tick(silences(last), 260)
    for channel in ("ops", "jimmy"):
        messages = [(at, news) for at, name, news in desk.got if name == channel]
        gaps = [later - sooner for (sooner, _), (later, _) in pairwise(messages)]
        assert all(gap >= timedelta(minutes=10) for gap in gaps)
        assert all(news.started or news.ended or news.passed for _, news in messages)
        open_now: set[str] = set()
        ever: list[str] = []
        for _, news in messages:
            for one in news.ended:
                open_now.remove(one.id)
            for one in news.started:
                assert one.id not in open_now
                open_now.add(one.id)
            ever += [one.id for one in (*news.started, *news.passed)]
        assert len(ever) == len(set(ever))
        assert sorted(id_.split()[1] for id_ in open_now) == sorted(last)


def test_moments_of_a_clock_that_was_ahead_count_as_none() -> None:
    """A channel is told of what is wrong, and of what is over, as soon as it would be without them."""
    ahead = START + timedelta(days=365)
    lasting = Incident(check("a"), ahead)
    over = Incident(check("b"), ahead, ahead, ahead)
    told = Told({over.id: "started"}, ahead, 2, ahead)
    known = as_of(Known({lasting.id: lasting, over.id: over}, {"ops": told}), START)
    assert known.channels["ops"].at is None
    assert known.channels["ops"].not_before is None
    later = START + timedelta(hours=2)
    news = due(known, ENGINEER, later)
    assert news is not None
    assert [one.problem.name for one in news.started] == ["a"]
    assert [one.problem.name for one in news.ended] == ["b"]
    assert as_of(known, START) == known
