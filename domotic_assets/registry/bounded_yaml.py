"""Reads YAML that a person hands in, and refuses what would take more than seconds before it is built.

The parser in C builds nested lists by recursion: at some depth the process dies. Aliases, tags and sheer size
can cost hours. Events come one by one, without recursion, so the first one too many ends the reading.

Why: docs/decisions/0038-foreign-text.md
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from domotic_assets.errors import ConfigurationError

LARGEST_BYTES = 8 * 1024 * 1024
"""Largest file: sites.yaml of a thousand homes has 0.8 MB."""

DEEPEST = 40
"""Most lists and maps within each other; sites.yaml and contract.yaml need six."""

MOST_VALUES = 500_000
"""Most values, each alias counted as all that it stands for."""

_TAG_DIRECTIVE = re.compile(r"^%TAG", re.MULTILINE)


@dataclass
class _Open:
    """A list or map whose end has not come. values: so many of its values did. wants_key: of a map."""

    is_map: bool
    anchor: str | None
    values: int = 1
    wants_key: bool = True


def read_bounded(file: Path) -> str:
    """Read a file of at most LARGEST_BYTES as UTF-8 text.

    Raises ConfigurationError for a larger one, OSError and UnicodeDecodeError as `Path.read_text` does.
    """
    with file.open("rb") as handle:
        content = handle.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ConfigurationError(
            "too large",
            where=str(file),
            expected=f"at most {LARGEST_BYTES:,} bytes",
            remedy="name the file that is meant",
        )
    return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def refuse_bombs(text: str, name: str) -> None:
    """Raise ConfigurationError for YAML that is too deep, has too many values, or holds tags.

    name: of the file, for errors. Raises yaml.YAMLError for what is no YAML.
    """
    # Directives are read before the first event, and each is compared with all before it.
    directive = _TAG_DIRECTIVE.search(text)
    if directive is not None:
        raise _refused(name, text.count("\n", 0, directive.start()) + 1, *_TAG)
    sizes: dict[str | None, int] = {}
    levels: list[_Open] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            done = levels.pop()
            sizes[done.anchor] = done.values
            if levels:
                levels[-1].values += done.values
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent | yaml.CollectionStartEvent):
            wrong = _wrong(event, levels)
            size = sizes.get(event.anchor, 1) if isinstance(event, yaml.AliasEvent) else 1
            total += size
            if total > MOST_VALUES:
                wrong = f"more than {MOST_VALUES:,} values, aliases resolved", "a smaller file"
            if wrong is not None:
                assert event.start_mark is not None
                raise _refused(name, event.start_mark.line + 1, *wrong)
            if isinstance(event, yaml.CollectionStartEvent):
                levels.append(_Open(isinstance(event, yaml.MappingStartEvent), event.anchor))
            elif levels:
                levels[-1].values += size
            if isinstance(event, yaml.ScalarEvent) and event.anchor is not None:
                sizes[event.anchor] = 1


_TAG = "a tag", "values without tags, as in the shipped file"


def _wrong(
    event: yaml.ScalarEvent | yaml.AliasEvent | yaml.CollectionStartEvent, levels: list[_Open]
) -> tuple[str, str] | None:
    """Say what is wrong with a value at its place, and what is expected; None if nothing is.

    levels: the lists and maps around it, of which the last notes whether its next value is a key.
    """
    if isinstance(event, yaml.AliasEvent):
        if any(level.anchor == event.anchor for level in levels):
            return "an alias within what it stands for", "an alias of what is complete"
    elif event.tag not in (None, "!"):
        return _TAG
    if levels and levels[-1].is_map:
        if levels[-1].wants_key and not isinstance(event, yaml.ScalarEvent):
            return "a key that is no text", "plain text before the colon"
        levels[-1].wants_key = not levels[-1].wants_key
    if isinstance(event, yaml.CollectionStartEvent) and len(levels) == DEEPEST:
        return f"lists and maps over {DEEPEST} deep", f"at most {DEEPEST} levels"
    return None


def _refused(name: str, line: int, what: str, expected: str) -> ConfigurationError:
    """Make the error for YAML that is not read. what: what is wrong with it."""
    return ConfigurationError(what, where=f"{name}:{line}", expected=expected, remedy="mend that line")
