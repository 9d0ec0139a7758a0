"""Decides, tick by tick, which problems each channel must be told of, when, and which never.

The functions are pure: they take what was known, the present problems and the time, and return what is known
now. A channel counts as told only of what it has accepted.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from domotic_assets.alerts.problems import Problem
from domotic_assets.registry.channels import Channel
from domotic_assets.schemas.homes import bronze

PAUSE = timedelta(seconds=60)
"""Starts and ends within this time go into one message; a problem that lasts for less is not reported."""

CALM = timedelta(hours=1)
"""How long a recurring problem must be gone to be over, and how long news that is not urgent waits."""

RETURNS, RETURNS_WITHIN = 3, timedelta(days=1)
"""A problem that starts this often within this time is recurring."""

CROWD = 5
"""If a channel knows this many problems of a job or check, one more is not urgent."""

FORGET_AFTER = timedelta(days=7)
"""How long after its end a problem is still reported to a channel that could not be reached before."""

BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 600, 1800))
"""How long to wait before sending again to a channel that refused, by refusals in a row."""


@dataclass(frozen=True)
class Incident:
    """A problem from the first tick that saw it to its end.

    gone: since when it is no longer seen; None while it lasts. over: when it counted as ended; None before.
    """

    problem: Problem
    seen: datetime
    gone: datetime | None = None
    over: datetime | None = None

    @property
    def id(self) -> str:
        """Identifies this occurrence of a problem, apart from its other occurrences."""
        return f"{self.problem.key} {self.seen.isoformat()}"


@dataclass(frozen=True)
class Told:
    """What a channel has accepted.

    incidents: the last news accepted of each incident, by id. at: when it last accepted a message.
    refusals: refusals in a row since then. not_before: when it may be tried again.
    """

    incidents: Mapping[str, Literal["started", "ended"]] = field(default_factory=dict)
    at: datetime | None = None
    refusals: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True)
class Known:
    """All incidents that still matter, by id, and what each channel was told, by its name."""

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    channels: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True)
class News:
    """Content of one message. passed: incidents that started and ended before they could be reported."""

    started: Sequence[Incident] = ()
    ended: Sequence[Incident] = ()
    passed: Sequence[Incident] = ()


def observe(known: Known, problems: Iterable[Problem], channels: Collection[Channel], now: datetime) -> Known:
    """Return what is known after a tick. problems: all that exist now."""
    present = {problem.key: problem for problem in problems}
    starts = Counter(one.problem.key for one in known.incidents.values() if now - one.seen < RETURNS_WITHIN)
    seen: dict[str, Incident] = {}
    for one in known.incidents.values():
        if one.over is None:
            key = one.problem.key
            one = _seen_again(one, present.pop(key, None), starts[key] >= RETURNS, now)
        seen[one.id] = one
    for problem in present.values():
        begun = Incident(problem, now)
        seen[begun.id] = begun
    told = {channel.name: known.channels.get(channel.name) or _newcomer(seen) for channel in channels}
    kept = {id_: one for id_, one in seen.items() if _matters(one, channels, told, now)}
    return Known(kept, {name: _without(one, kept.keys()) for name, one in told.items()})


def as_of(known: Known, now: datetime) -> Known:
    """Return what is known, without moments in the future: a clock that was ahead set them.

    Incidents of the future began, or ended, now. A channel that was told in the future was not told.
    """
    back = {
        one.id: replace(
            one,
            seen=min(one.seen, now),
            gone=one.gone and min(one.gone, now),
            over=one.over and min(one.over, now),
        )
        for one in known.incidents.values()
    }
    channels = {
        name: Told(
            {back[id_].id: what for id_, what in told.incidents.items() if id_ in back},
            None if told.at is None or told.at > now else told.at,
            told.refusals,
            None if told.not_before is None or told.not_before > now + BACK_OFF[-1] else told.not_before,
        )
        for name, told in known.channels.items()
    }
    return Known({one.id: one for one in back.values()}, channels)


def _seen_again(one: Incident, problem: Problem | None, returns: bool, now: datetime) -> Incident:
    """Update an incident at this tick: it lasts, is gone, or has been gone for long enough to be over."""
    if problem is not None:
        return replace(one, problem=replace(problem, since=one.problem.since), gone=None)
    gone = one.gone or now
    return replace(one, gone=gone, over=now if now - gone >= (CALM if returns else PAUSE) else None)


def _newcomer(incidents: Mapping[str, Incident]) -> Told:
    """Make the record of a new channel, which is told of what is wrong but not of what is over."""
    return Told({id_: "ended" for id_, one in incidents.items() if one.over is not None})


def _matters(one: Incident, channels: Iterable[Channel], told: Mapping[str, Told], now: datetime) -> bool:
    """Return whether an incident lasts, may come back, or is still to be reported to a channel."""
    if one.over is None or now - one.over < RETURNS_WITHIN:
        return True
    owed = any(_owes(told[channel.name], one) for channel in channels if concerns(channel, one.problem))
    return owed and now - one.over < FORGET_AFTER


def _without(told: Told, kept: Collection[str]) -> Told:
    """Return a channel's record without the incidents whose ids are not in `kept`."""
    return replace(told, incidents={id_: what for id_, what in told.incidents.items() if id_ in kept})


def _owes(told: Told, one: Incident) -> bool:
    """Return whether a channel must still hear of an incident's end.

    It must if it heard of the start, or if it heard of neither and the incident lasted longer than PAUSE.
    """
    what = told.incidents.get(one.id)
    return what == "started" or (what is None and one.gone is not None and one.gone - one.seen > PAUSE)


def concerns(channel: Channel, problem: Problem) -> bool:
    """Return whether a channel gets a problem: engineers get all, tenants only silence of their own homes."""
    if channel.audience == "engineer":
        return True
    return problem.kind == "silence" and problem.home in channel.homes


def due(known: Known, channel: Channel, now: datetime) -> News | None:
    """Return the news for a channel; None if there is none, or if it has to wait."""
    told = known.channels[channel.name]
    mine = [one for one in known.incidents.values() if concerns(channel, one.problem)]
    lasting = [one for one in mine if one.gone is None]
    news = News(
        () if _is_ours(channel, known) else [one for one in lasting if one.id not in told.incidents],
        [one for one in mine if one.over is not None and told.incidents.get(one.id) == "started"],
        [one for one in mine if one.over and one.id not in told.incidents and _owes(told, one)],
    )
    since = [one.seen for one in news.started] + [one.over for one in (*news.ended, *news.passed) if one.over]
    if not since or now - min(since) < (PAUSE if _is_urgent(news, lasting, told) else CALM):
        return None
    if told.at is not None and now - told.at < timedelta(minutes=channel.at_most_every_minutes):
        return None
    return None if told.not_before is not None and now < told.not_before else news


def _is_ours(channel: Channel, known: Known) -> bool:
    """Return whether silence is kept from a tenant: the share is unreadable, which no tenant can fix."""
    return channel.audience == "tenant" and any(
        one.problem.kind == "source" and one.problem.about == bronze.SENSOR_FILES.id and one.over is None
        for one in known.incidents.values()
    )


def _is_urgent(news: News, lasting: Iterable[Incident], told: Told) -> bool:
    """Return whether news cannot wait for CALM.

    Urgent is any end, and a start in a job or check with fewer than CROWD problems known to the channel.
    """
    crowds = Counter(one.problem.family for one in lasting if one.id in told.incidents)
    return bool(news.ended) or any(crowds[one.problem.family] < CROWD for one in news.started)


def accepted(known: Known, channel: str, news: News, now: datetime) -> Known:
    """Return what is known after a channel accepted the message."""
    told = known.channels[channel]
    heard = dict(told.incidents)
    heard |= {one.id: "started" for one in news.started}
    heard |= {one.id: "ended" for one in (*news.ended, *news.passed)}
    return replace(known, channels={**known.channels, channel: Told(heard, now)})


def refused(known: Known, channel: str, now: datetime) -> Known:
    """Return what is known after a channel refused the message: back off before sending to it again."""
    told = known.channels[channel]
    pause = BACK_OFF[min(told.refusals, len(BACK_OFF) - 1)]
    held = replace(told, refusals=told.refusals + 1, not_before=now + pause)
    return replace(known, channels={**known.channels, channel: held})
