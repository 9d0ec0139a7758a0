"""Compares two groups of names: which are gone, which are new, and which were probably renamed.

The same rules hold for fields of categories, rooms of homes and columns of tables. What a difference means is
decided in `drift`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from domotic_assets.quality.contract import Groups, Part, Parts

RESEMBLANCE = 0.6
"""Least similarity for a new name to count as an absent optional name under another spelling."""

COMPARED = 200
"""Characters of a name that are compared, because a feed may send names of any length."""


@dataclass(frozen=True)
class Difference:
    """Names that are gone, names that are new, and old name to new name of probable renames."""

    gone: tuple[str, ...]
    new: tuple[str, ...]
    renamed: Mapping[str, str]


def difference(
    agreed: Parts, found: Parts, same: Callable[[Part, Part], bool], resting: Collection[str] = ()
) -> Difference:
    """Compare the agreed parts of a group with those found.

    A required name is gone if it is absent. An optional one is gone only if a new name resembles it. same:
    whether a new part may be a renamed one. resting: names whose absence is not an error.
    """
    new = sorted(found.keys() - agreed.keys())
    absent = sorted(agreed.keys() - found.keys() - set(resting))
    pairs = sorted(
        ((_alike(old, name), old, name) for old in absent for name in new if same(agreed[old], found[name])),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    renamed: dict[str, str] = {}
    for alike, old, name in pairs:
        if old in renamed or name in renamed.values():
            continue
        if alike >= RESEMBLANCE or not agreed[old].optional:
            renamed[old] = name
    gone = [name for name in absent if name in renamed or not agreed[name].optional]
    return Difference(tuple(gone), tuple(new), renamed)


def _alike(one: str, other: str) -> float:
    """Compute how similar two names are, from 0 to 1, by their first COMPARED characters in any case."""
    return SequenceMatcher(None, one[:COMPARED].casefold(), other[:COMPARED].casefold()).ratio()


def same_kind(agreed: Part, found: Part) -> bool:
    """Return whether two kinds overlap: `flag or number` matches either."""
    return bool(set(agreed.kind.split(" or ")) & set(found.kind.split(" or ")))


def _same_members(agreed: Part, found: Part) -> bool:
    """Return whether two groups share more than half of their members."""
    one, other = (set(part.kind.split(", ")) for part in (agreed, found))
    return 2 * len(one & other) > max(len(one), len(other))


def resting_of(group: str, parts: Parts, resting: Collection[str]) -> set[str]:
    """Select the members of a group that `resting` lists as `group.member`."""
    return {name for name in parts if f"{group}.{name}" in resting}


def group_difference(agreed: Groups, found: Groups, resting: Collection[str] = ()) -> Difference:
    """Compare whole groups, as `difference` does. A group with a resting member is not reported missing."""
    rest = {group for group, parts in agreed.items() if resting_of(group, parts, resting)}
    return difference(as_parts(agreed), as_parts(found), _same_members, rest)


def as_parts(groups: Groups) -> Parts:
    """Turn groups into parts of one group: the kind lists a group's members; optional if all of them are."""
    return {
        group: Part(
            ", ".join(sorted(parts)) or "no column is read",
            bool(parts) and all(part.optional for part in parts.values()),
        )
        for group, parts in groups.items()
    }


def as_spelled(found: Groups, agreed: Groups) -> Groups:
    """Spell the observed register in the contract's letter case, which differs between installations."""
    tables = {table.casefold(): table for table in agreed}
    spelled: dict[str, dict[str, Part]] = {}
    for table, columns in found.items():
        name = tables.get(table.casefold(), table)
        names = {column.casefold(): column for column in agreed.get(name, ())}
        spelled[name] = {names.get(column.casefold(), column): part for column, part in columns.items()}
    return spelled
