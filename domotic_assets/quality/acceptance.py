"""Builds the contract that agrees with an observed shape, and lists the agreed parts that it keeps."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from domotic_assets.quality.contract import Contract, Groups, Part
from domotic_assets.quality.difference import as_spelled, difference, group_difference, resting_of, same_kind
from domotic_assets.quality.drift import resting_fields
from domotic_assets.quality.shape import Shape


@dataclass(frozen=True)
class Accepted:
    """The contract after acceptance, and the parts that it keeps although unobserved, in words."""

    contract: Contract
    kept: tuple[str, ...]


def accepted(contract: Contract, observed: Shape) -> Accepted:
    """Build the contract that agrees with the observed shape; sources not observed keep their sections."""
    kept: list[str] = []
    if (feed := observed.feed) is not None:
        silent = {
            f"{home}.{room}"
            for home in contract.rooms.keys() - feed.rooms.keys()
            for room in contract.rooms[home]
        }
        contract = replace(
            contract,
            feed=_merged(contract.feed, feed.feed, "field", kept, resting_fields(contract, feed)),
            lists=contract.lists | feed.lists,
            rooms=_merged(contract.rooms, feed.rooms, "room", kept, silent),
        )
    if (forecast := observed.forecast) is not None:
        if forecast.measurements is None and not set(contract.columns) & set(forecast.columns):
            kept.append("forecast header: the first line of the newest file is no header")
        else:
            contract = replace(contract, columns=forecast.columns)
        if forecast.measurements is not None:
            measurements = _merged(contract.measurements, forecast.measurements, "variant", kept)
            contract = replace(contract, measurements=measurements)
    if observed.register is not None:
        register = as_spelled(observed.register, contract.register)
        contract = replace(contract, register=_merged(contract.register, register, "column", kept))
    return Accepted(contract, tuple(kept))


def _merged(
    agreed: Groups, found: Groups, noun: str, kept: list[str], resting: Collection[str] = ()
) -> Groups:
    """Merge found parts into the agreed ones; absent parts stay unless `drift` reports them removed.

    noun: what messages call a part. kept: gets a line for each absent part that stays. resting:
    `group.member` whose absence is not an error.
    """
    merged: dict[str, dict[str, Part]] = {}
    for group in sorted((agreed.keys() | found.keys()) - set(group_difference(agreed, found, resting).gone)):
        before, now = agreed.get(group, {}), found.get(group, {})
        gone = difference(before, now, same_kind, resting_of(group, before, resting)).gone
        stays = before.keys() - now.keys() - (set(gone) if group in found else set())
        kept += [f"{noun} {group}.{name} ({before[name]})" for name in sorted(stays)]
        merged[group] = {name: before[name] for name in stays} | {
            name: _taken(before.get(name), part) for name, part in now.items()
        }
    return merged


def _taken(agreed: Part | None, found: Part) -> Part:
    """Merge one part: a found kind replaces another kind; `optional` stays as a person set it."""
    if agreed is None:
        return found
    return agreed if same_kind(agreed, found) else replace(found, optional=agreed.optional)


def required(groups: Groups) -> Groups:
    """Copy groups with no part optional, to compare two sources with each other."""
    return {group: {name: Part(part.kind) for name, part in parts.items()} for group, parts in groups.items()}
