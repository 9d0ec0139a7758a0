"""From problems, tick by tick, to what each channel has to be told: when, how often, and what never.

Pure: what was known, the problems of now and the time go in; what is known goes out. A channel is only
taken to know what it has accepted.
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
"""What starts or ends within this goes into one message; what lasts for less is not told."""

CALM = timedelta(hours=1)
"""A problem that keeps coming back is over after so long without it; news that is not urgent waits for it."""

RETURNS, RETURNS_WITHIN = 3, timedelta(days=1)
"""A problem that starts this often in this time keeps coming back."""

CROWD = 5
"""Of a job or check with so many problems told already, one more is not urgent."""

FORGET_AFTER = timedelta(days=7)
"""A channel that was dead for longer is not told of what has been over since."""

BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 600, 1800))
"""How long a channel that refused is left alone, by refusals in a row."""


@dataclass(frozen=True)
class Incident:
    """A problem from its first tick to its end. gone: since when it is not seen. over: when it ended."""

    problem: Problem
    seen: datetime
    gone: datetime | None = None
    over: datetime | None = None

    @property
    def id(self) -> str:
        """Of this one and no other time that the problem came."""
        return f"{self.problem.key} {self.seen.isoformat()}"


@dataclass(frozen=True)
class Told:
    """What a channel accepted: incidents by id; when last; how often in a row it refused since."""

    incidents: Mapping[str, Literal["started", "ended"]] = field(default_factory=dict)
    at: datetime | None = None
    refusals: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True)
class Known:
    """All incidents that matter still, by id, and what each channel was told, by its name."""

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    channels: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True)
class News:
    """What goes into one message. passed: what came and went before it could be told."""

    started: Sequence[Incident] = ()
    ended: Sequence[Incident] = ()
    passed: Sequence[Incident] = ()


def observe(known: Known, problems: Iterable[Problem], channels: Collection[Channel], now: datetime) -> Known:
    """What is known once these problems are seen, all that there are now."""
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


def _seen_again(one: Incident, problem: Problem | None, returns: bool, now: datetime) -> Incident:
    """An incident at this tick: it lasts, it is gone, or it has been gone for long enough to be over."""
    if problem is not None:
        return replace(one, problem=replace(problem, since=one.problem.since), gone=None)
    gone = one.gone or now
    return replace(one, gone=gone, over=now if now - gone >= (CALM if returns else PAUSE) else None)


def _newcomer(incidents: Mapping[str, Incident]) -> Told:
    """A new channel hears of what is wrong, and not of what is over."""
    return Told({id_: "ended" for id_, one in incidents.items() if one.over is not None})


def _matters(one: Incident, channels: Iterable[Channel], told: Mapping[str, Told], now: datetime) -> bool:
    """Whether an incident lasts, may come back, or is owed to a channel."""
    if one.over is None or now - one.over < RETURNS_WITHIN:
        return True
    owed = any(_owes(told[channel.name], one) for channel in channels if concerns(channel, one.problem))
    return owed and now - one.over < FORGET_AFTER


def _without(told: Told, kept: Collection[str]) -> Told:
    return replace(told, incidents={id_: what for id_, what in told.incidents.items() if id_ in kept})


def _owes(told: Told, one: Incident) -> bool:
    """Whether a channel has not heard of an incident's end, though of its start or though it lasted."""
    what = told.incidents.get(one.id)
    return what == "started" or (what is None and one.gone is not None and one.gone - one.seen > PAUSE)


def concerns(channel: Channel, problem: Problem) -> bool:
    """Whether a channel's people are told of a problem: a tenant of a home that sends nothing, theirs."""
    if channel.audience == "engineer":
        return True
    return problem.kind == "silence" and problem.home in channel.homes


def due(known: Known, channel: Channel, now: datetime) -> News | None:
    """What the channel is to be told now; None where there is nothing, or not yet."""
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
    """Whether homes are silent because we cannot read the share: no tenant can mend that."""
    return channel.audience == "tenant" and any(
        one.problem.kind == "source" and one.problem.about == bronze.SENSOR_FILES.id and one.over is None
        for one in known.incidents.values()
    )


def _is_urgent(news: News, lasting: Iterable[Incident], told: Told) -> bool:
    """News is, but for what came and went, and for more of what the channel knows to be wrong a lot."""
    crowds = Counter(one.problem.family for one in lasting if one.id in told.incidents)
    return bool(news.ended) or any(crowds[one.problem.family] < CROWD for one in news.started)


def accepted(known: Known, channel: str, news: News, now: datetime) -> Known:
    """What is known once the channel took the message."""
    told = known.channels[channel]
    heard = dict(told.incidents)
    heard |= {one.id: "started" for one in news.started}
    heard |= {one.id: "ended" for one in (*news.ended, *news.passed)}
    return replace(known, channels={**known.channels, channel: Told(heard, now)})


def refused(known: Known, channel: str, now: datetime) -> Known:
    """What is known once the channel did not take the message: it is left alone for a while."""
    told = known.channels[channel]
    pause = BACK_OFF[min(told.refusals, len(BACK_OFF) - 1)]
    held = replace(told, refusals=told.refusals + 1, not_before=now + pause)
    return replace(known, channels={**known.channels, channel: held})
