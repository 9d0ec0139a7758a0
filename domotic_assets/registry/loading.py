"""Reads sites.yaml, and explains each mistake in it by file, line, key, what was found and what is allowed.

A value that is personal or secret is never repeated.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    ValidationError,
)

from domotic_assets.errors import ConfigurationError
from domotic_assets.registry.bounded_yaml import read_bounded, refuse_bombs
from domotic_assets.registry.entry import UNSPOKEN_KEYS, Entry
from domotic_assets.registry.registry import Registry

MOST_LINES, LONGEST_LINE = 20, 1000
"""Mistakes that are told each in a line, and characters of a line: a value may have megabytes."""


class _Loader(yaml.CSafeLoader):
    """Reads every scalar as text (or null); the types of the entries convert it.

    YAML 1.1 would read 22:00 as the number 1320 and `on` as true. The parser in C reads a thousand homes
    many times as fast, and the file is read again each time a person's rights could have changed.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping; raises for a duplicate key, as YAML would silently keep the later one."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Sites:
    """A registry and the folder that its relative addresses start from."""

    registry: Registry
    folder: Path

    def path(self, address: str) -> Path:
        """Resolve a folder or file that sites.yaml names to its absolute path."""
        return (self.folder / Path(address).expanduser()).resolve()


def load_sites(file: Path) -> Sites:
    """Read and validate sites.yaml.

    Raises ConfigurationError that names the file, the line, the key, what was found and what is allowed;
    a value that is personal is not repeated.
    """
    return Sites(parse_registry(read_sites(file), str(file)), file.resolve().parent)


def read_sites(file: Path) -> str:
    """Read the text of sites.yaml; raises ConfigurationError if that fails."""
    try:
        return read_bounded(file)
    except FileNotFoundError:
        raise ConfigurationError(
            "no such file",
            where=str(file),
            expected="a registry of homes and sources",
            remedy="name one with --sites, or start from the shipped sites.yaml",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from None


def unreadable(file: Path, error: Exception) -> ConfigurationError:
    """Make the error for a configuration file that exists and cannot be read."""
    return ConfigurationError(
        f"cannot be read ({type(error).__name__})",
        where=str(file),
        expected="readable UTF-8 text",
        remedy="check the file's permissions and encoding",
    )


def parse_registry(text: str, name: str = "sites.yaml") -> Registry:
    """Parse a text of sites.yaml into a registry; raises as `load_sites`; name: of the file, for errors."""
    try:
        refuse_bombs(text, name)
        loader = _Loader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else {}
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _no_yaml(f"{name}:{line}", f"the character U+{error.character:04X}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _no_yaml(f"{name}:{mark.line + 1}" if mark else name, str(error.problem)) from None
    try:
        return Registry.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        lines = [_explain(one, node, name)[:LONGEST_LINE] for one in found[:MOST_LINES]]
        if len(found) > MOST_LINES:
            lines.append(f"{name}: and {len(found) - MOST_LINES:,} more mistakes")
        raise ConfigurationError(lines[0], more=tuple(lines[1:])) from None


def _no_yaml(where: str, what: str) -> ConfigurationError:
    """Make the error for text that is not valid YAML. where: file and line. what: the mistake."""
    return ConfigurationError(
        f"not valid YAML: {what}",
        where=where,
        expected="YAML as in the shipped sites.yaml",
        remedy="mend that line",
    )


_KIND_AT = {"sources": 2, "alerts": 3}
"""Position of the kind in the path of a finding, by section whose entries have kinds."""


def _explain(error: Any, node: yaml.Node | None, name: str) -> str:
    """Describe one finding in one line: file:line, key, found, allowed."""
    loc = list(error["loc"])
    allowed, found = error["msg"].removeprefix("Value error, "), error["input"]
    known_keys = _allowed_keys(loc)
    # In sections whose entries have kinds, the path contains the kind, which is no key of the file.
    kind_at = _KIND_AT.get(str(loc[0])) if loc else None
    named = [part for place, part in enumerate(loc) if place != kind_at] + (
        ["kind"] if error["type"].startswith("union_tag") else []
    )
    path = list(error.get("ctx", {}).get("path", named))
    line, key = _locate(node, path)
    dotted = ".".join(str(part) for part in path) or "(the whole file)"
    if error["type"] in ("missing", "union_tag_not_found"):
        return f"{name}:{line}: {dotted}: nothing found; this key is required"
    if error["type"] == "extra_forbidden":
        return f"{name}:{line}: {dotted}: unknown key; allowed here are {known_keys}"
    if error["type"] == "union_tag_invalid":
        found, allowed = error["ctx"]["tag"], f"allowed are {error['ctx']['expected_tags']}"
    # A value with an @ may be an address with a password, or an e-mail address.
    unspoken = key in UNSPOKEN_KEYS or "@" in str(found)
    if unspoken or not isinstance(found, str | int | float | bool | None):
        return f"{name}:{line}: {dotted}: {allowed}"
    return f"{name}:{line}: {dotted}: found {found!r}; {allowed}"


def _locate(node: yaml.Node | None, path: list[str | int]) -> tuple[int, str]:
    """Find the line of the deepest part of the path that the file contains, and the last key on the way."""
    line = node.start_mark.line + 1 if node is not None else 1
    key = ""
    for part in path:
        if isinstance(node, yaml.MappingNode):
            key = str(part)
            for key_node, value_node in node.value:
                if key_node.value == part:
                    line, node = key_node.start_mark.line + 1, value_node
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line, key


def _allowed_keys(path: list[str | int]) -> str:
    """List the keys that are allowed in the entry that contains the last part of the path."""
    model: Any = Registry
    annotation: Any = None
    for part in path[:-1]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if isinstance(part, str) and part in fields:
            annotation = fields[part].annotation
            model = next(iter(_entry_types(annotation)), model)
        else:
            kinds = {_kind(entry): entry for entry in _entry_types(annotation)}
            model = kinds.get(str(part), model)
    names = sorted(field.alias or name for name, field in model.model_fields.items())
    return ", ".join(names)


def _entry_types(annotation: Any) -> list[Any]:
    """Find the types of entries inside `tuple[Home, ...]`, `dict[str, Room]` or `Home | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Entry):
        return [annotation]
    return [entry for part in getattr(annotation, "__args__", ()) for entry in _entry_types(part)]


def _kind(entry: Any) -> str | None:
    """Return the kind of an entry type; None for a type without kinds."""
    kind = entry.model_fields.get("kind")
    return kind.annotation.__args__[0] if kind is not None else None
