"""Decoders: of files that are built alike, from bytes straight to numbers and texts.

A decoder is made from one document. It reads the files that hold the same names and fitting values alone,
and refuses all others: those are read value by value, in `document` and `judgement`. What a value means is
decided in `shape`, whose order it keeps to; whose file it is and what becomes of it, in `bulk`.

Why: docs/decisions/0025-decoders-of-structures.md
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from domotic_assets.domains.homes.silver.judgement import State
from domotic_assets.domains.homes.silver.shape import HEADER, Leaf, split

_Said = TypeVar("_Said")

Decoded = tuple[str, str, str, bytes, tuple[str, ...]]
"""User, token and local time as a file says them; its numbers as doubles, end to end; its texts."""

REFUSALS = (msgspec.DecodeError, UnicodeDecodeError)
"""What a decoder raises for a file that is built otherwise or is no JSON at all."""

_HEADER_ORDER = ("user", "api_token", "datetime")

_TYPES: Mapping[str, Any] = {
    "number": float, "counter": float, "unix_time": float, "flag": bool, "state": State, "text": str,
}  # fmt: skip
"""What a kind of variable takes; flags and states stand for numbers."""
_TYPES_OF_UNKNOWN: Mapping[type, Any] = {int: float, float: float, bool: bool, str: str}
"""Of an unknown variable anything is kept: what the document has is what its decoder takes."""

_AS_NUMBER: Mapping[Any, str] = {str: "0.0", bool: "1.0 if {} else 0.0"}
"""A flag is told from here: to turn it into a double takes `pack` three times as long as to pack one."""


class Decoder:
    """Reads the files of one structure.

    leaves: places of the structure's values, in the order in which a file's numbers stand: by device and
    variable. texts: which of these are read as texts, among the numbers 0 stands for them.
    read: raises one of REFUSALS.
    """

    def __init__(self, leaves: Sequence[int], texts: Sequence[int], read: Callable[[bytes], Decoded]) -> None:
        self.leaves = tuple(leaves)
        self.texts = tuple(texts)
        self.read = read

    def at_places(self, texts: Iterable[_Said]) -> list[_Said | None]:
        """What there is of each text of a file, at the places of these among all of its readings."""
        found: list[_Said | None] = [None] * len(self.leaves)
        for place, text in zip(self.texts, texts, strict=True):
            found[place] = text
        return found

    def reads(self, content: bytes) -> bool:
        """Whether it reads a file, or refuses it."""
        try:
            self.read(content)
        except REFUSALS:
            return False
        return True


def decoder_of(document: Mapping[str, Any], leaves: Sequence[Leaf]) -> Decoder | None:
    """The decoder of files that are built like this document; None where there can be none.

    There is none where a header is missing or a value stands where none belongs. leaves: what each value of
    the document's shape is a reading of, no two of the same device and variable.
    """
    if not document.keys() >= HEADER:
        return None
    if any(type(value) is not (str if name in HEADER else dict) for name, value in document.items()):
        return None
    lines: list[str] = []
    skeleton = _skeleton(document, "decode(content)", lines)
    _, places = split(skeleton)
    _, values = split(document)
    types = [
        _TYPES_OF_UNKNOWN.get(type(value)) if leaf.kind == "unknown" else _TYPES.get(leaf.kind)
        for leaf, value in zip(leaves, values, strict=True)
    ]
    if None in types or not all(type(place) is str for place in places):
        return None
    header = [skeleton[name] for name in _HEADER_ORDER]
    try:
        structure = _structure(skeleton, dict.fromkeys(header, str) | dict(zip(places, types, strict=True)))
    except (KeyError, ValueError):
        # A header in another letter case, which is no value; or a name with a quote, which no field may have.
        return None
    order = sorted(range(len(leaves)), key=lambda leaf: (leaves[leaf].device, leaves[leaf].variable))
    texts = [at for at, leaf in enumerate(order) if types[leaf] is str]
    numbers = [_AS_NUMBER.get(types[leaf], "{}").format(places[leaf]) for leaf in order]
    taken = [*header, f"pack({', '.join(numbers)})", f"({''.join(f'{places[order[at]]}, ' for at in texts)})"]
    return Decoder(order, texts, _reader(structure, lines, taken, len(order)))


def _skeleton(node: Any, place: str, lines: list[str]) -> Any:
    """The document with each value's place instead of it; lines: code that names its dicts and lists."""
    if type(node) not in (dict, list):
        return place
    name = f"part_{len(lines)}"
    lines.append(f"{name} = {place}")
    if type(node) is dict:
        return {key: _skeleton(value, f"{name}.f{at}", lines) for at, (key, value) in enumerate(node.items())}
    return [_skeleton(item, f"{name}[{at}]", lines) for at, item in enumerate(node)]


def _structure(node: Any, types: Mapping[str, Any]) -> Any:
    """The type of documents of a skeleton; raises KeyError for a place without a type."""
    if type(node) is dict:
        fields = {f"f{at}": key for at, key in enumerate(node)}
        return msgspec.defstruct(
            "Part",
            [(field, _structure(node[key], types)) for field, key in fields.items()],
            rename=fields,
            forbid_unknown_fields=True,
            gc=False,
        )
    if type(node) is list:
        return tuple[tuple(_structure(item, types) for item in node)]  # type: ignore[misc]
    return types[node]


def _reader(
    structure: Any, lines: Sequence[str], taken: Sequence[str], numbers: int
) -> Callable[[bytes], Decoded]:
    """A function that decodes a file and takes what stands at these places.

    Compiled, as field access by generic means costs as much again as the parsing. Its source holds nothing of
    a file: parts and fields are numbered.
    """
    source = "\n    ".join(["def read(content):", *lines, f"return {', '.join(taken)}"])
    names: dict[str, Any] = {
        "decode": msgspec.json.Decoder(structure).decode,
        "pack": struct.Struct(f"{numbers}d").pack,
    }
    exec(source, names)  # nosec B102
    return cast(Callable[[bytes], Decoded], names["read"])
