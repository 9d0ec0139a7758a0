"""Builds decoders, which turn the bytes of files with one structure straight into numbers and texts.

A decoder is made from one document. It reads only files with the same names and fitting values, and refuses
all others: those are read value by value, in `document` and `judgement`. What a value means is decided in
`shape`, whose order the decoder keeps. Homes and minutes of the files belong in `bulk`.

Why: docs/decisions/0025-decoders-of-structures.md
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
import polars as pl
import pyarrow as pa

from domotic_assets.domains.homes.silver.judgement import State
from domotic_assets.domains.homes.silver.neighbours import names_units
from domotic_assets.domains.homes.silver.shape import HEADER, Leaf, split, texts_in
from domotic_assets.domains.homes.silver.words import DOOR, WINDOW
from domotic_assets.ingest.harmless import LARGEST_NUMBER

_Said = TypeVar("_Said")

Decoded = tuple[str, str, str, bytes, tuple[str, ...]]
"""User, token and local time as the file states them; its numbers as doubles, end to end; its texts."""

REFUSALS = (msgspec.DecodeError, UnicodeDecodeError)
"""What a decoder raises for a file of another structure, or one that is no JSON at all."""

QUOTE = b'"'

_HEADER_ORDER = ("user", "api_token", "datetime")

_MEASURE = Annotated[float, msgspec.Meta(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)]
"""A larger number may be one of a phone: its file is read value by value."""
_TYPES: Mapping[str, Any] = {
    "number": _MEASURE, "counter": float, "unix_time": float, "flag": bool, "state": State, "text": str,
    "word": Literal[DOOR, WINDOW],
}  # fmt: skip
"""Type that a decoder accepts for a kind of variable; flags and states become numbers."""
_TYPES_OF_PRIVATE: Mapping[type, Any] = {int: _MEASURE, float: _MEASURE, bool: bool}
_TYPES_OF: Mapping[str, Mapping[type, Any]] = {
    "unknown": {**_TYPES_OF_PRIVATE, str: str},
    "private": _TYPES_OF_PRIVATE,
}
"""Of a variable that is not declared the decoder accepts the type that the document has."""

_SPOKEN = (str, _TYPES["word"])
"""Types whose values are texts."""
_AS_NUMBER: Mapping[Any, str] = dict.fromkeys(_SPOKEN, "0.0") | {bool: "1.0 if {} else 0.0"}
"""Source of the number that is packed for a text or a flag: `pack` takes three times as long to turn a flag
into a double as to pack a double."""


class Decoder:
    """Reads the files of one structure.

    leaves: places of the structure's values, in the order of a file's numbers: by device and variable. texts:
    positions in that order that are read as texts; their number is 0. free: places among these of texts that
    may be any. quotes: the fewest of a file: it has more if a key stands twice, of which the decoder keeps
    the last in silence, or if a text has one. read: decodes the bytes of a file; raises one of REFUSALS.
    """

    def __init__(
        self,
        leaves: Sequence[int],
        texts: Sequence[int],
        free: Sequence[int],
        quotes: int,
        read: Callable[[bytes], Decoded],
    ) -> None:
        self.leaves = tuple(leaves)
        self.texts = tuple(texts)
        self.free = tuple(free)
        self.quotes = quotes
        self.read = read

    def at_places(self, texts: Iterable[_Said]) -> list[_Said | None]:
        """Spread one item for each text over all readings of a file: None at the places of numbers."""
        found: list[_Said | None] = [None] * len(self.leaves)
        for place, text in zip(self.texts, texts, strict=True):
            found[place] = text
        return found

    def reads(self, content: bytes) -> bool:
        """Return whether the decoder can read a file, and keeps all that it says."""
        try:
            self.read(content)
        except REFUSALS:
            return False
        return content.count(QUOTE) == self.quotes


def quotes_in(content: bytes) -> int:
    """Count the quotes of many bytes, as a column."""
    signs = pa.Array.from_buffers(pa.uint8(), len(content), [None, pa.py_buffer(content)])
    return int((pl.Series(signs) == ord(QUOTE)).sum())


def decoder_of(document: Mapping[str, Any], leaves: Sequence[Leaf]) -> Decoder | None:
    """Build the decoder of files with the structure of this document; None if there can be none.

    There is none if a header is missing, a key names a secret, a field is a unit, or a value is found where
    none belongs. leaves: what each value of the document's shape measures, no two of the same
    device and variable.
    """
    if not document.keys() >= HEADER or names_units(document):
        return None
    if any(
        type(value) not in ((str,) if name in HEADER else (dict, list)) for name, value in document.items()
    ):
        return None
    lines: list[str] = []
    skeleton = _skeleton(document, "decode(content)", lines)
    _, places = split(skeleton)
    _, values = split(document)
    types = [
        _TYPES_OF[leaf.kind].get(type(value)) if leaf.kind in _TYPES_OF else _TYPES.get(leaf.kind)
        for leaf, value in zip(leaves, values, strict=True)
    ]
    if None in types or not all(type(place) is str for place in places):
        return None
    header = [skeleton[name] for name in _HEADER_ORDER]
    try:
        structure = _structure(skeleton, dict.fromkeys(header, str) | dict(zip(places, types, strict=True)))
    except (KeyError, ValueError):
        # A name with a quote cannot be a field.
        return None
    order = sorted(range(len(leaves)), key=lambda leaf: (leaves[leaf].device, leaves[leaf].variable))
    texts = [at for at, leaf in enumerate(order) if types[leaf] in _SPOKEN]
    numbers = [_AS_NUMBER.get(types[leaf], "{}").format(places[leaf]) for leaf in order]
    taken = [*header, f"pack({', '.join(numbers)})", f"({''.join(f'{places[order[at]]}, ' for at in texts)})"]
    free = [nth for nth, at in enumerate(texts) if types[order[at]] is str]
    return Decoder(order, texts, free, 2 * texts_in(document), _reader(structure, lines, taken, len(order)))


def _skeleton(node: Any, place: str, lines: list[str]) -> Any:
    """Replace each value of a document by its place; adds code to `lines` that names its dicts and lists."""
    if type(node) not in (dict, list):
        return place
    name = f"part_{len(lines)}"
    lines.append(f"{name} = {place}")
    if type(node) is dict:
        return {key: _skeleton(value, f"{name}.f{at}", lines) for at, (key, value) in enumerate(node.items())}
    return [_skeleton(item, f"{name}[{at}]", lines) for at, item in enumerate(node)]


def _structure(node: Any, types: Mapping[str, Any]) -> Any:
    """Build the type of documents of a skeleton; raises KeyError for a place without a type."""
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
    """Compile the function that decodes a file and returns the values at these places.

    Compiled, as generic access to fields costs as much again as the parsing. Its source holds nothing from a
    file: parts and fields are numbered.
    """
    source = "\n    ".join(["def read(content):", *lines, f"return {', '.join(taken)}"])
    names: dict[str, Any] = {
        "decode": msgspec.json.Decoder(structure).decode,
        "pack": struct.Struct(f"{numbers}d").pack,
    }
    exec(source, names)  # nosec B102
    return cast(Callable[[bytes], Decoded], names["read"])
