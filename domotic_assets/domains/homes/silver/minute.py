"""Decides which minute the readings of a file are of: name, time inside, unix times and arrival, weighed.

The time inside is what the sender meant, but its clock may be off or stand still, while names go on. So it
wins over a name only where the unix times beside it, or the arrival, speak for it.

Why: docs/decisions/0032-arrival-is-a-hint.md
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from domotic_assets.domains.homes.bronze.names import NEAR, NameReader
from domotic_assets.ingest.arrival import is_arrival
from domotic_assets.localtime import ARRIVAL_SLACK, PRECISE, PROMPT, Moment, candidates, votes_of, which_pass


class Evidence(NamedTuple):
    """What is known of a file before its content is read.

    window, source: the minute that Bronze gave it, and where that was read. written: its last write when it
    was first seen, as far as a date can hold it.
    """

    name: str
    window: datetime
    source: str
    written: datetime


class Reading(NamedTuple):
    """The minute of a file's readings, where it was read (`inside` or `name`), and a note on it."""

    minute: datetime
    source: str
    note: str | None = None


def reading_of(
    names: NameReader,
    evidence: Evidence,
    clock_zone: str,
    local: datetime | None,
    unix_times: Sequence[float],
    *,
    has_time: bool,
) -> Reading | None:
    """Decide the minute of a file; None if nothing tells it.

    clock_zone: of the home's clock. local: the time inside, naive; None if it cannot be read. has_time:
    whether the file has a time inside, readable or not. unix_times: in seconds.
    """
    meant = [] if local is None else [m for m in candidates(local, clock_zone) if m.utc >= names.start]
    said = _said(names, evidence, meant, unix_times)
    if not meant:
        note = "unreadable_inside" if has_time else "missing_inside"
        return None if said is None else Reading(said, "name", note)
    inside = _inside(names, evidence, meant, said, unix_times)
    if said is None:
        believed = (
            evidence.written < names.start
            or inside.utc - NEAR <= evidence.written
            or any(votes_of([inside.utc], unix_times, NEAR))
        )
        return Reading(inside.utc, "inside", inside.note) if believed else None
    if inside.utc == said:
        return Reading(said, "inside", inside.note)
    if abs(inside.utc - said) > NEAR and abs(inside.utc - evidence.written) > NEAR:
        return Reading(said, "name", "inside_far")
    if _speaks_for_inside(said, inside.utc, evidence.written, unix_times):
        return Reading(inside.utc, "inside", inside.note)
    return Reading(said, "name", "inside_contradicted")


def _said(
    names: NameReader, evidence: Evidence, meant: Sequence[Moment], unix_times: Sequence[float]
) -> datetime | None:
    """Return the minute of the name; None if it is not believed.

    If Bronze did not believe it, it is judged again: an earlier version believed the machine's clock.
    """
    if evidence.source == "name":
        return evidence.window
    inside = [moment.utc for moment in meant]
    place = names.place(names.read(evidence.name), evidence.written, unix_times, inside)
    return place.window if place is not None and place.source == "name" else None


def _inside(
    names: NameReader,
    evidence: Evidence,
    meant: Sequence[Moment],
    said: datetime | None,
    unix_times: Sequence[float],
) -> Moment:
    """Choose the moment that the time inside means; in the repeated hour that of the name, if it can."""
    for moment in meant:
        if moment.utc == said:
            return moment
    passes = [moment.utc for moment in meant]
    believed = is_arrival(evidence.written, passes[0], names.history_start)
    chosen = which_pass(passes, evidence.written if believed else None, unix_times)
    return meant[passes.index(chosen)]


def _speaks_for_inside(
    said: datetime, inside: datetime, written: datetime, unix_times: Sequence[float]
) -> bool:
    """Tell whether the unix times speak for the time inside, or else the last write; name and inside differ.

    No time inside is believed that lies after a prompt arrival.
    """
    for_name, for_inside = votes_of([said, inside], unix_times, PRECISE)
    if for_inside != for_name:
        lies_ahead = _is_prompt(written, said) and inside > written + ARRIVAL_SLACK
        return for_inside > for_name and not lies_ahead
    if not _is_prompt(written, inside) or not _is_prompt(written, said):
        return _is_prompt(written, inside)
    # Half a minute after its own minute a file is nearer to the next one, which it cannot be of.
    return inside <= written and written - inside < abs(written - said)


def _is_prompt(written: datetime, minute: datetime) -> bool:
    """Tell whether a last write lies where a file of this minute usually arrives."""
    return minute - ARRIVAL_SLACK <= written <= minute + PROMPT
