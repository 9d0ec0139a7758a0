"""Parses the bytes of one sensor file into a JSON object, or gives the reason why it is unreadable.

It is lenient if nothing is lost by it (byte-order marks, UTF-16, a Windows code page, NULs around it, one
object twice, NaN literals, numbers of any length), so that one odd value does not cost the file. What the
object means is decided in `shape`; values whose key stands twice in an object are found in `repeats`.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from domotic_assets.ingest.decoding import in_code_page

MAX_DEPTH = 256
"""Deepest nesting that is read; the same limit for every parser, whatever stack it is called from."""

MOST_BYTES = 8 * 1024 * 1024
"""Largest file that is read. A sensor file has some 5 KB; one a thousand times as large would delay all
others for seconds."""

_MORE_OF_CODE_PAGE = "\u00a0º"
"""Signs of the Windows code page that texts of the feed have beside those of names and units."""
_BETWEEN = " \t\r\n\0"
"""What may stand between two documents."""


class Unreadable(Exception):
    """The file as a whole cannot be read; `reason` is a code of QUARANTINE_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_document(content: bytes) -> dict[str, Any]:
    """Parse the bytes as one JSON object; raises Unreadable.

    Of a key that stands twice the last value counts. A list of one object is that object, as is an object
    whose only key is its place in a list.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable("too_large")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = read_leniently(content)
    if type(document) is list:
        document = _alike(document, [json.dumps(part, sort_keys=True) for part in document])
    if type(document) is not dict:
        raise Unreadable("not_an_object")
    document = unwrapped(document)
    # A document with fewer brackets cannot be too deep and needs no closer look.
    if content.count(b"{") + content.count(b"[") > MAX_DEPTH and is_too_deep(document):
        raise Unreadable("too_deep")
    return document


def unwrapped(document: dict[str, Any]) -> dict[str, Any]:
    """Return the object that is the only item of a document which is a list with its places as keys."""
    inner = document.get("0") if len(document) == 1 else None
    return inner if type(inner) is dict else document


def is_too_deep(document: dict[str, Any]) -> bool:
    """Return whether objects and lists are nested more than MAX_DEPTH levels deep."""
    layer: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        nodes = (node.values() if type(node) is dict else node for node in layer)
        layer = [child for node in nodes for child in node if type(child) in (dict, list)]
    return bool(layer)


def read_leniently(content: bytes, hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse what strict JSON refuses: other encodings, NaN and Infinity, huge integers, lone surrogates.

    Of equal documents end to end one is returned. hook: makes an object of its pairs, those of a key that
    stands twice included. Raises Unreadable.
    """
    if content and not content.strip(b"\0"):
        raise Unreadable("nul_padding")
    written = content.lstrip(b"\0")
    if written[1:2] != b"\0":
        # No UTF-16: NULs in front are padding, and would be taken for it.
        content = written
    text, is_whole = _text(content)
    # Of a file whose space was reserved before it was written, NULs surround what was written.
    bare = text.strip("\0").removeprefix("\ufeff").strip()
    try:
        document = _documents(bare, hook)
    except RecursionError:
        raise Unreadable("too_deep") from None
    except ValueError:
        padded = "\0" in text and bare.startswith("{")
        raise Unreadable("nul_padding" if padded else "not_json") from None
    if not is_whole:
        raise Unreadable("not_utf8")
    return document


def _documents(text: str, hook: Callable[[list[tuple[str, Any]]], Any] | None) -> Any:
    """Parse a text as one document, or as several equal ones end to end; raises ValueError or Unreadable."""
    decoder = json.JSONDecoder(parse_int=_integer, strict=False, object_pairs_hook=hook)
    found: list[Any] = []
    written: list[str] = []
    while text or not found:
        try:
            document, end = decoder.raw_decode(text)
        except ValueError:
            if found and text.startswith("{"):
                raise Unreadable("two_documents") from None
            raise
        found.append(document)
        written.append(text[:end])
        text = text[end:].lstrip(_BETWEEN)
    whole = _alike(found, written)
    if whole is found:
        raise ValueError
    return whole


def _alike(documents: list[Any], written: Sequence[str]) -> Any:
    """Return the first of several documents that are all written alike; raises Unreadable if they are not.

    Documents that are no objects are returned as they came.
    """
    if not documents or any(type(document) is not dict for document in documents):
        return documents[0] if len(documents) == 1 else documents
    if len(set(written)) > 1:
        raise Unreadable("two_documents")
    return documents[0]


def _text(content: bytes) -> tuple[str, bool]:
    """Decode bytes; returns the text, and whether none of its letters was lost.

    Bytes that are no Unicode are read in the Windows code page, if they may be in it.
    """
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding), True
    except UnicodeDecodeError:
        lossy = content.decode(encoding, errors="replace")
    if not encoding.startswith("utf-8"):
        return lossy, True
    text = in_code_page(content, _MORE_OF_CODE_PAGE)
    return (lossy, False) if text is None else (text, True)


def _integer(digits: str) -> float:
    """Parse an integer of any length; beyond a double's range it becomes infinite, and is refused later."""
    return int(digits) if len(digits) < 300 else math.copysign(math.inf, -1 if digits[0] == "-" else 1)
