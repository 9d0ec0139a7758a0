"""Finds where observed shapes differ from the contract, judges how severe it is, and puts it in words.

New parts are a warning. Parts that are gone or of another kind are an error, as something downstream relied
on them.
"""

from collections.abc import Collection
from dataclasses import replace

from domotic_assets.ingest.units import factor_and_offset
from domotic_assets.quality.contract import Contract, Groups, Part, Parts
from domotic_assets.quality.difference import (
    Difference,
    as_parts,
    as_spelled,
    difference,
    group_difference,
    resting_of,
    same_kind,
)
from domotic_assets.quality.shape import NO_UNIT, FeedShape, ForecastShape, Shape
from domotic_assets.quality.verdict import Breach, Figure, Verdict
from domotic_assets.schemas.weather import WEATHER_MEASUREMENTS

FORECAST = "forecast"

LONGEST = 200
"""Characters of a name, or of a group's names, that a breach repeats: a feed may send names of any length."""


def drift(contract: Contract, observed: Shape) -> Verdict:
    """List every difference between the contract and the observed shape, errors first."""
    breaches: list[Breach] = []
    figures: dict[str, Figure] = {}
    if observed.feed is not None:
        breaches += _feed_drift(contract, observed.feed)
        figures |= {"fields": _size(observed.feed.feed), "rooms": _size(observed.feed.rooms)}
    if observed.forecast is not None:
        breaches += _forecast_drift(contract, observed.forecast)
        figures["forecast_columns"] = len(observed.forecast.columns)
    if observed.register is not None:
        register = as_spelled(observed.register, contract.register)
        breaches += _compare(contract.register, register, "table", "column")
        figures["register_columns"] = _size(observed.register)
    return Verdict(sorted(breaches, key=lambda breach: breach.severity), figures)


def _feed_drift(contract: Contract, seen: FeedShape) -> list[Breach]:
    """Find the breaches of the contract in a day's sensor files: categories, fields, kinds, rooms."""
    lost = {name: kind for name, kind in seen.bare.items() if name in contract.feed}
    agreed = {category: fields for category, fields in contract.feed.items() if category not in lost}
    breaches = [
        _changed("category", category, "rooms with devices", f"a value ({kind})")
        for category, kind in lost.items()
    ]
    breaches += [
        _changed("category", category, "one device a room", "a list of devices")
        for category in sorted(seen.lists & contract.feed.keys() - contract.lists)
    ]
    breaches += _compare(agreed, seen.feed, "category", "field", resting_fields(contract, seen))
    breaches = [
        replace(breach, figures={**breach.figures, "readings": seen.readings[breach.subject]})
        if breach.subject in seen.readings
        else breach
        for breach in breaches
    ]
    # A home that sent nothing has lost no room; the check `freshness` reports that it is silent.
    heard = {home: rooms for home, rooms in contract.rooms.items() if home in seen.rooms}
    for breach in _compare(heard, seen.rooms, "home", "room"):
        breaches.append(replace(breach, home=breach.subject.partition(".")[0]))
    return breaches


def resting_fields(contract: Contract, seen: FeedShape) -> set[str]:
    """List fields whose absence is not an error: of silent homes, and of categories that gave no reading."""
    mute = {f"{category}.{name}" for category in seen.mute for name in contract.feed.get(category, ())}
    return mute | seen.resting


def _forecast_drift(contract: Contract, seen: ForecastShape) -> list[Breach]:
    """Find the breaches of the contract in a forecast file: header, order of columns, variants and units.

    If the first line holds no agreed column, the missing header is the only breach.
    """
    if contract.columns and not set(contract.columns) & set(seen.columns):
        # The line found instead is no header and could hold anything: no message repeats it.
        return [Breach(FORECAST, "removed_header", "ERROR", {"contract": ",".join(contract.columns)})]
    # Columns are found by their names, in any letter case and order.
    spelled = {column.casefold(): column for column in contract.columns}
    columns = [spelled.get(column.casefold(), column) for column in seen.columns]
    agreed, found = ({FORECAST: dict.fromkeys(c, Part("column"))} for c in (contract.columns, columns))
    breaches = _compare(agreed, found, "header", "column")
    kept = [column for column in contract.columns if column in columns]
    order = [column for column in columns if column in contract.columns]
    if kept != order:
        breaches.append(
            replace(_changed("order", FORECAST, ",".join(kept), ",".join(order)), severity="WARN")
        )
    if seen.measurements is not None:
        breaches += map(
            _as_read, _compare(contract.measurements, seen.measurements, "measurement", "variant")
        )
    return breaches


def _as_read(breach: Breach) -> Breach:
    """Add what becomes of the values to the breach of a changed unit; a warning if they are still right."""
    declared = WEATHER_MEASUREMENTS.get(breach.subject.partition(".")[0])
    if breach.reason != "type_changed_variant" or declared is None:
        return breach
    unit = str(breach.figures["observed"])
    if unit == NO_UNIT or factor_and_offset(unit, declared.unit) is not None:
        return replace(
            breach, severity="WARN", figures={**breach.figures, "values": f"read in {declared.unit}"}
        )
    return replace(breach, figures={**breach.figures, "values": "refused"})


def _short(text: str) -> str:
    """Cut a text to LONGEST characters; `…` replaces the end."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _compare(
    agreed: Groups, found: Groups, group_noun: str, noun: str, resting: Collection[str] = ()
) -> list[Breach]:
    """Find breaches of groups and of their members. resting: `group.member` whose absence is no error."""
    groups = group_difference(agreed, found, resting)
    breaches = _breaches("", as_parts(agreed), as_parts(found), groups, group_noun)
    for group in sorted(agreed.keys() & found.keys()):
        before, now = agreed[group], found[group]
        members = difference(before, now, same_kind, resting_of(group, before, resting))
        breaches += _breaches(f"{group}.", before, now, members, noun)
        breaches += [
            _changed(noun, f"{group}.{name}", before[name].kind, now[name].kind)
            for name in sorted(before.keys() & now.keys())
            if not same_kind(before[name], now[name])
        ]
    return breaches


def _breaches(prefix: str, before: Parts, now: Parts, found: Difference, noun: str) -> list[Breach]:
    """Turn a difference into breaches; those of a probable rename name each other."""
    was = {name: old for old, name in found.renamed.items()}
    removed = [
        Breach(
            _short(prefix + name),
            f"removed_{noun}",
            "ERROR",
            _named(before[name], "renamed_to", found.renamed.get(name)),
        )
        for name in found.gone
    ]
    added = [
        Breach(
            _short(prefix + name), f"added_{noun}", "WARN", _named(now[name], "renamed_from", was.get(name))
        )
        for name in found.new
    ]
    return removed + added


def _named(part: Part, key: str, other: str | None) -> dict[str, Figure]:
    """Build the figures of a part that is gone or new: its kind, and under `key` its other name if renamed.

    other: its new or old name in a probable rename, else None.
    """
    figures: dict[str, Figure] = {"kind": _short(part.kind)}
    return figures if other is None else figures | {key: _short(other)}


def _changed(noun: str, subject: str, agreed: str, found: str) -> Breach:
    """Build the breach (ERROR) of a subject that the contract and the source describe differently."""
    return Breach(subject, f"type_changed_{noun}", "ERROR", {"contract": agreed, "observed": found})


def _size(groups: Groups) -> int:
    """Count the parts of all groups."""
    return sum(map(len, groups.values()))


NO_CONTRACT = "no_contract"
_WORDS = {
    NO_CONTRACT: "no contract yet: `domotic contract accept` writes what the sources look like now",
    "removed_header": "removed header of the forecast: the first line holds none of its columns",
}
_ASPECTS = {"variant": "unit", "order": "order of the columns", "category": "form"}


def describe(breach: Breach) -> str:
    """Describe a breach in words, such as `removed field meteos.CO2 (number), perhaps renamed to co2`."""
    if breach.reason in _WORDS:
        return _WORDS[breach.reason]
    figures = breach.figures
    change, noun = breach.reason.rsplit("_", 1)
    if change == "type_changed":
        aspect = _ASPECTS.get(noun, "type")
        words = (
            f"{aspect} of {breach.subject}: contract {figures['contract']}, observed {figures['observed']}"
        )
        return f"{words}, values {figures['values']}" if "values" in figures else words
    words = f"{change} {noun} {breach.subject}"
    if figures["kind"] != noun:
        words += f" ({figures['kind']})"
    if "renamed_to" in figures:
        words += f", perhaps renamed to {figures['renamed_to']}"
    if "renamed_from" in figures:
        words += f", perhaps {figures['renamed_from']} renamed"
    return words
