"""Defines the contract: the agreed shape of the sources, and the file that a person reads and commits.

Names and kinds only, never a value. Observed shapes belong in `shape`, the comparison in `drift`.

Why: docs/decisions/0016-contract-beside-the-registry.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml
from pydantic import Field, ValidationError

from domotic_assets.errors import ConfigurationError
from domotic_assets.escaping import yaml_text
from domotic_assets.registry.bounded_yaml import refuse_bombs
from domotic_assets.registry.entry import Entry

OPTIONAL = "optional "

LONGEST = 200
"""Characters of a key that an error repeats."""


@dataclass(frozen=True, slots=True)
class Part:
    """A field, room, column or variant: its kind, and whether it may be missing altogether."""

    kind: str
    optional: bool = False

    @classmethod
    def of(cls, text: str) -> "Part":
        """Parse a text of the contract file, such as `optional number`."""
        return cls(text.removeprefix(OPTIONAL).strip(), text.startswith(OPTIONAL))

    def __str__(self) -> str:
        return f"{OPTIONAL if self.optional else ''}{self.kind}"


Parts = Mapping[str, Part]
Groups = Mapping[str, Parts]
"""Group to its parts: categories with their fields, homes with their rooms, tables with their columns."""


@dataclass(frozen=True)
class Contract:
    """The agreed shape of the sources.

    feed: category to field to kind. lists: categories that may have several devices in a room. rooms: home to
    room. columns: the forecast's header, in order. measurements: measurement to variant to unit. register:
    table to column to kind of type.
    """

    feed: Groups = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    rooms: Groups = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    measurements: Groups = field(default_factory=dict)
    register: Groups = field(default_factory=dict)


_Texts = dict[str, dict[str, str]]


class _Forecast(Entry):
    columns: tuple[str, ...]
    measurements: _Texts


class _File(Entry):
    """Keys of the contract file; every scalar is read as text."""

    feed: _Texts
    lists: frozenset[str]
    rooms: _Texts
    forecast: _Forecast
    tables: _Texts = Field(alias="register")


def parse_contract(text: str, name: str) -> Contract:
    """Parse the text of a contract file called `name`; raises ConfigurationError that names file and key."""
    try:
        refuse_bombs(text, name)
        # This loader builds text only, no objects. YAML 1.1 would read a field `on` as true.
        file = _File.model_validate(yaml.load(text, yaml.CBaseLoader))  # nosec B506
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        raise _unusable(f"{name}:{mark.line + 1}" if mark else name, "not valid YAML") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise _unusable(
            name, f"{'.'.join(map(str, first['loc']))[:LONGEST] or 'the file'}: {first['msg']}"
        ) from None
    return Contract(
        feed=_parsed(file.feed),
        lists=file.lists,
        rooms=_parsed(file.rooms),
        columns=file.forecast.columns,
        measurements=_parsed(file.forecast.measurements),
        register=_parsed(file.tables),
    )


def _unusable(where: str, what: str) -> ConfigurationError:
    """Make the error of a contract that cannot be read. where: its file and line. what: what is wrong."""
    return ConfigurationError(
        what,
        where=where,
        expected="a contract as in the shipped contract.yaml",
        remedy="mend it, or delete the file and write it afresh with `domotic contract accept`",
    )


def _parsed(texts: _Texts) -> Groups:
    """Parse the texts of a section of the contract file into parts."""
    return {
        group: {name: Part.of(text) for name, text in members.items()} for group, members in texts.items()
    }


_SECTIONS = (
    """\
# The shape that the sources are agreed to have: names and kinds, never values.
# `domotic contract diff` compares a day with it: what is new is a warning; what is gone, or of another
# kind, is an error. `domotic contract accept` writes this file: review its diff and commit it.
# What is `optional` may be absent altogether; anything else is missed once no home sends it. The word is
# a person's to write: accept keeps it, and sets it only for what is new and was rarely seen.

# Sensor files: category, field, kind (number, flag = true/false, state = on/off, text).""",
    "# Categories of which a room may hold several devices.",
    "# Rooms by home, by the ids that sites.yaml gives them.",
    "# Forecast files: the header in its order; unit by measurement and variant.",
    """\
# The building register: columns by table, with the kind of their type (`text or time`: either). Columns that
# are never read are optional: an account need not see them. Of tables that are never read none is listed.""",
)


def render_contract(contract: Contract) -> str:
    """Render the text of a contract file: sorted, one name a line, so that a change is one line of a diff."""
    sections = (
        {"feed": _texts(contract.feed)},
        {"lists": sorted(contract.lists)},
        {"rooms": _texts(contract.rooms)},
        {"forecast": {"columns": [*contract.columns], "measurements": _texts(contract.measurements)}},
        {"register": _texts(contract.register)},
    )
    return "\n".join(
        f"{comment}\n{yaml_text(section)}" for comment, section in zip(_SECTIONS, sections, strict=True)
    )


def _texts(groups: Groups) -> _Texts:
    """Format parts as the texts of a section of the contract file, sorted by group and name."""
    return {
        group: {name: str(part) for name, part in sorted(parts.items())}
        for group, parts in sorted(groups.items())
    }
