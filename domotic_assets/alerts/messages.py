"""Writes alert messages of at most ten lines, in words for engineers or for tenants."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from domotic_assets.alerts.incidents import Incident, News
from domotic_assets.alerts.problems import Kind, Problem
from domotic_assets.escaping import PlainMessage, message, own_path
from domotic_assets.localtime import zone
from domotic_assets.registry.channels import Channel
from domotic_assets.registry.registry import Registry

NAMED = 3
"""How many items are named; the others are only counted."""

_DO: dict[Kind, PlainMessage] = {
    "run": message("open the run's first red step; what it was to process is requested again by itself"),
    "check": message(
        "the check's page shows the figures and a sample; `domotic status` shows each home's feed"
    ),
    "silence": message(
        "see whether the home's box has power and network, and whether it still writes to the share"
    ),
    "source": message(
        "see to the source's server, network and credentials; the feed goes on once it answers"
    ),
}


@dataclass(frozen=True)
class Message:
    """One message, as text. started, ended: number of problems."""

    title: PlainMessage
    text: PlainMessage
    started: int = 0
    ended: int = 0


TEST = Message(
    message("domotic: test"),
    message("This is a test of the alerts. Messages of problems will come to this address."),
)


def message_for(channel: Channel, news: News, registry: Registry, now: datetime) -> Message:
    """Write the message of a channel's news, in words for its audience."""
    return (_for_tenant if channel.audience == "tenant" else _for_engineer)(news, registry, now)


def _for_engineer(news: News, registry: Registry, now: datetime) -> Message:
    """Write the news for engineers, by job or check; times are in the registry's calendar time zone."""
    started, ended = len(news.started), len(news.ended)
    counts = {"started": started, "ended": ended, "came and went": len(news.passed)}
    title = ", ".join(f"{_count(number)} {what}" for what, number in counts.items() if number)
    clock = _clock(registry.calendar_time_zone, now)
    lines = _started([one.problem for one in news.started], clock)
    for word, some in (("Over", news.ended), ("Came and went", news.passed)):
        families = _families(one.problem for one in some)
        if families:
            shown = [
                message("{} ({})", _subject(family), _lasted(some, family, clock)) for family in families
            ]
            lines.append(message("{}: {}.", word, _some(shown, "; ")))
    lines.append(message("Times are of {}.", registry.calendar_time_zone))
    return Message(message("domotic: {}", title), _joined(lines, "\n"), started, ended)


def _started(problems: Sequence[Problem], clock: Callable[[datetime], str]) -> list[PlainMessage]:
    """Write a line per job or check, the first with last error, link and remedy; count those past NAMED."""
    families = _families(problems)
    lines = [
        message("{}, since {}.", _subject(family), clock(min(one.since for one in family)))
        for family in families[:NAMED]
    ]
    if not lines:
        return []
    first = families[0][0]
    about = [message("  Found: {}", first.detail)] if first.detail else []
    about += [message("  Look: Dagster UI, {}", own_path(first.link))] if first.link else []
    lines[1:1] = [*about, message("  Do: {}.", _DO[first.kind])]
    if rest := families[NAMED:]:
        lines.append(message("And {} more of {} other jobs or checks.", sum(map(len, rest)), len(rest)))
    return lines


def _families(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Group problems that a person would look at together; the family that began first comes first."""
    ordered = sorted(problems, key=lambda one: (one.family, one.since, one.key))
    families = [list(members) for _, members in groupby(ordered, lambda one: one.family)]
    return sorted(families, key=lambda family: min(one.since for one in family))


def _subject(family: Sequence[Problem]) -> PlainMessage:
    """Say what is wrong and for whom: `Check outliers of silver/sensor_events fails for jimmy, jeremie`."""
    first = family[0]
    if first.kind == "run":
        keys = [one.about for one in family if one.about]
        fails = message("Job {} fails", first.name)
        return message("{} for {}", fails, _some(keys)) if keys else fails
    if first.kind == "source":
        return message("The source of {} cannot be read (check {})", first.about, first.name)
    homes = [one.home for one in family if one.home]
    if first.kind == "silence":
        return message("No readings from {} (check {} of {})", _some(homes), first.name, first.about)
    fails = message("Check {} of {} fails", first.name, first.about)
    return message("{} for {}", fails, _some(homes)) if homes else fails


def _lasted(some: Sequence[Incident], family: Sequence[Problem], clock: Callable[[datetime], str]) -> str:
    """Write the time from a family's first start to its last end."""
    ends = [one.gone for one in some if one.problem in family and one.gone]
    return f"{clock(min(one.since for one in family))} to {clock(max(ends))}"


def _for_tenant(news: News, registry: Registry, now: datetime) -> Message:
    """Write the news for tenants, with a line per home and incident; times are in the home's time zone."""
    homes = {home.id: home for home in registry.homes}

    def say(some: Sequence[Incident], template: str, *times: str) -> PlainMessage:
        """Write a line per home; the template gets the home's name, and these times on its own clock."""
        lines = []
        for one in sorted(some, key=lambda incident: incident.problem.since):
            home = homes[one.problem.home or ""]
            clock = _clock(home.time_zone, now)
            on_clock = {"since": clock(one.problem.since), "end": "" if one.gone is None else clock(one.gone)}
            lines.append(message(template, home.name, *map(on_clock.__getitem__, times)))
        return _some(lines, "\n") if lines else message("")

    parts = [
        say(news.started, "No readings from {} since {}.", "since"),
        message("Please check that the box has power and that the network works, then wait ten minutes.")
        if news.started
        else message(""),
        say(news.ended, "{} sends readings again, since {}.", "end"),
        say(news.passed, "{} sent no readings from {} to {}.", "since", "end"),
    ]
    title = message("No readings from your home" if news.started else "Readings from your home")
    text = _joined([part for part in parts if part], "\n")
    return Message(title, text, len(news.started), len(news.ended))


def _clock(zone_name: str, now: datetime) -> Callable[[datetime], str]:
    """Return a function that writes a moment in this zone: the time, with the date unless it is today."""
    here = zone(zone_name)
    today = now.astimezone(here).date()

    def say(moment: datetime) -> str:
        local = moment.astimezone(here)
        return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"

    return say


def _some(names: Sequence[str], between: str = ", ") -> PlainMessage:
    """Join the first NAMED names and count the others."""
    first = _joined(names[:NAMED], between)
    return message("{} and {} more", first, len(names) - NAMED) if len(names) > NAMED else first


def _joined(parts: Sequence[str], between: str) -> PlainMessage:
    """Join parts, of which those not written yet are foreign. between: a separator of ours."""
    return message(between.join(["{}"] * len(parts)), *parts)


def _count(number: int) -> str:
    """Write a number of problems, such as `1 problem` or `2 problems`."""
    return f"{number} problem{'' if number == 1 else 's'}"
