"""Parses the bytes of one sensor file into a JSON object, or gives the reason why it is unreadable.

It is lenient if nothing is lost by it (byte-order marks, UTF-16, NaN literals, numbers of any length), so
that one odd value does not cost the file. What the object means is decided in `shape`.
"""

import json
import math
from typing import Any

import orjson

MAX_DEPTH = 256
"""Deepest nesting that is read; the same limit for every parser, whatever stack it is called from."""

MOST_BYTES = 8 * 1024 * 1024
"""Largest file that is read. A sensor file has some 5 KB; one a thousand times as large would delay all
others for seconds."""


class Unreadable(Exception):
    """The file as a whole cannot be read; `reason` is a code of QUARANTINE_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_document(content: bytes) -> dict[str, Any]:
    """Parse the bytes as one JSON object; raises Unreadable."""
    if len(content) > MOST_BYTES:
        raise Unreadable("too_large")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = _read_leniently(content)
    if type(document) is not dict:
        raise Unreadable("not_an_object")
    # A document with fewer brackets cannot be too deep and needs no closer look.
    if content.count(b"{") + content.count(b"[") > MAX_DEPTH and _is_too_deep(document):
        raise Unreadable("too_deep")
    return document


def _is_too_deep(document: dict[str, Any]) -> bool:
    """Return whether objects and lists are nested more than MAX_DEPTH levels deep."""
    layer: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        nodes = (node.values() if type(node) is dict else node for node in layer)
        layer = [child for node in nodes for child in node if type(child) in (dict, list)]
    return bool(layer)


def _read_leniently(content: bytes) -> Any:
    """Parse what strict JSON refuses: other encodings, NaN and Infinity, huge integers, lone surrogates."""
    text = content.decode(json.detect_encoding(content), errors="replace")
    try:
        return json.loads(text.removeprefix("\ufeff"), parse_int=_integer, strict=False)
    except RecursionError:
        raise Unreadable("too_deep") from None
    except ValueError:
        raise Unreadable("not_json") from None


def _integer(digits: str) -> float:
    """Parse an integer of any length; beyond a double's range it becomes infinite, and is refused later."""
    return int(digits) if len(digits) < 300 else math.copysign(math.inf, -1 if digits[0] == "-" else 1)
