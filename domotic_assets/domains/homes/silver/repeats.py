"""Finds what a file says twice: a key that stands twice in an object, a device's variable with two values.

JSON parsers keep the last value of a key and drop the others in silence. Here the last counts too, but every
other value that differs from it is refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson
import polars as pl

from domotic_assets.domains.homes.silver.decoder import QUOTE, quotes_in
from domotic_assets.domains.homes.silver.document import Unreadable, is_too_deep, read_leniently, unwrapped
from domotic_assets.domains.homes.silver.judgement import READINGS, BesideOf, Group, Judged, raw_text
from domotic_assets.domains.homes.silver.shape import texts_in
from domotic_assets.schemas.homes.variables import CATEGORIES

REASON = "duplicate_reading"
_LARGE = 64 * 1024
"""Bytes from which quotes are counted as a column."""


def may_repeat_keys(content: bytes, document: Mapping[str, Any]) -> bool:
    """Return whether a file may hold a key twice: it has more quotes than the texts of its document need.

    Nothing is known of a file that escapes signs, as it may escape quotes, or that cannot be written anew.
    """
    if len(content) > _LARGE:
        return quotes_in(content) != 2 * texts_in(document)
    if b"\\" in content:
        return True
    try:
        # Written anew, as that is faster than counting the texts of the document.
        return content.count(QUOTE) != orjson.dumps(document).count(QUOTE)
    except orjson.JSONEncodeError:
        return True


def repeated_keys(content: bytes, most: int) -> list[dict[str, Any]]:
    """Find the values that later ones of the same key replaced, each in a document of its own, as it lies.

    In the order of the file. Raises Unreadable if there are more than `most`, or they lie too deep.
    """
    lost: dict[int, list[tuple[str, Any]]] = {}

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        whole = dict(pairs)
        if len(whole) < len(pairs):
            last = {key: place for place, (key, _) in enumerate(pairs)}
            lost[id(whole)] = [pair for place, pair in enumerate(pairs) if last[pair[0]] != place]
        return whole

    def within(node: Any) -> Iterator[dict[str, Any]]:
        # Of a list the place is kept as the key of an object, its equivalent form.
        pairs: Iterable[tuple[Any, Any]] = (
            node.items() if type(node) is dict else enumerate(node) if type(node) is list else ()
        )
        for key, value in lost.get(id(node), ()):
            yield from ({key: part} for part in within(value))
            yield {key: value}
        for key, value in pairs:
            yield from ({str(key): part} for part in within(value))

    document = read_leniently(content, keep)
    if type(document) is list:
        document = document[0]
    document = unwrapped(document)
    try:
        found = list(islice(within(document), most + 1)) if lost else []
    except RecursionError:
        raise Unreadable("too_deep") from None
    if len(found) > most:
        raise Unreadable("too_large")
    if any(map(is_too_deep, found)):
        raise Unreadable("too_deep")
    return [_beside(document, part) for part in found]


def _beside(document: dict[str, Any], lost: dict[str, Any]) -> dict[str, Any]:
    """Write a lost value so that it is read like what replaced it.

    A list of an unknown category is one value, and no list of rooms.
    """
    ((category, value),) = lost.items()
    is_one = category not in CATEGORIES and type(document.get(category)) is list and type(value) is dict
    return {category: [value]} if is_one else lost


def without_repeats(judged: Judged, groups: Sequence[Group], ranks: pl.Series, beside_of: BesideOf) -> Judged:
    """Keep the last reading that a file has of a device and variable; a different earlier one is refused.

    ranks: by number of a leaf, equal for leaves of one device and variable.
    """
    repeating = {
        file: (group, place) for group in groups if group.repeats for place, file in enumerate(group.files)
    }
    if not repeating:
        return judged
    theirs = judged.readings["file"].is_in(list(repeating))
    key = ["file", "rank"]
    readings = judged.readings.filter(theirs)
    readings = readings.with_columns(rank=ranks[readings["leaf"]]).sort(*key, "leaf")
    values = pl.struct("value", "value_text", "value_text_length")
    counts = pl.col("leaf") == pl.col("leaf").last().over(key)
    differs = values.ne_missing(values.last().over(key))
    refused = list(judged.refused)
    for file, leaf in readings.filter(~counts & differs).select("file", "leaf").iter_rows():
        group, place = repeating[file]
        value = group.values[place * len(group.leaves) + leaf - group.begins[place]]
        refused.append((file, leaf, raw_text(value, beside_of(file)), REASON))
    kept = pl.concat([judged.readings.filter(~theirs), readings.filter(counts).select(*READINGS)])
    return Judged(kept, refused, judged.nulls)
