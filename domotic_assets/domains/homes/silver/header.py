"""Reads the header of a sensor file: the secrets that it holds, and the time on its home's clock.

Which home and which minute follow from that is decided in `flatten`.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from domotic_assets.domains.homes.silver.document import Unreadable
from domotic_assets.domains.homes.silver.shape import SHORTEST_SECRET
from domotic_assets.localtime import clock_reading
from domotic_assets.same_name import accent_forms, joined_name

MOST_SECRETS, LONGEST_SECRET = 100, 10_000
"""Most secrets of one header, and the longest: every text of the file is searched for them."""
_SECRET_NAMES = frozenset({"apitoken", "token", "user", "username", "password", "secret"})
"""Names of secrets, as `joined_name` gives them."""
_USUAL_SECRETS = frozenset({"user", "api_token"})

_INSIDE_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)", re.ASCII)


def own_secrets_of(document: Mapping[str, Any]) -> frozenset[str]:
    """Collect the spellings of every text in a file's user, token and other secrets, to be masked.

    A secret is known by its name, at any depth. Raises Unreadable for more than MOST_SECRETS spellings, or a
    text longer than LONGEST_SECRET.
    """
    waiting = [value for node in _objects(document) for key, value in node.items() if is_secret_name(key)]
    if len(waiting) <= len(_USUAL_SECRETS) and set(map(type, waiting)) <= {str}:
        # The usual case, cached, as the files of a home have the same texts.
        return _own_texts(tuple(waiting))
    found: set[str] = set()
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting += [*value, *value.values()]
        elif type(value) is list:
            waiting += value
        elif type(value) is not bool and value is not None:
            found |= _own_texts((str(value),))
            if len(found) > MOST_SECRETS:
                raise Unreadable("too_large")
    return frozenset(found)


def without_inner_secrets(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the secrets of a document, so that none is kept as a reading; its own header stays.

    The document itself is returned if it has none but these.
    """
    if not holds_inner_secrets(document):
        return document
    header = {key: value for key, value in document.items() if key in _USUAL_SECRETS}
    rest: dict[str, Any] = _bare(document)
    return header | rest


def holds_inner_secrets(document: Mapping[str, Any]) -> bool:
    """Return whether a document has secrets beside the `user` and `api_token` of its header."""
    return any(
        is_secret_name(key) and not (node is document and key in _USUAL_SECRETS)
        for node in _objects(document)
        for key in node
    )


def _bare(node: Any) -> Any:
    """Copy a JSON value without its secrets. It is no deeper than `document.MAX_DEPTH`."""
    if type(node) is dict:
        return {key: _bare(value) for key, value in node.items() if not is_secret_name(key)}
    return [_bare(item) for item in node] if type(node) is list else node


def _objects(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a document and every object within it."""
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if type(node) is dict:
            yield node
            node = node.values()
        waiting += [value for value in node if type(value) in (dict, list)]


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a key names a secret, in whatever letter case, with whatever blanks and hyphens."""
    return joined_name(name) in _SECRET_NAMES


@lru_cache(maxsize=1024)
def _own_texts(texts: tuple[str, ...]) -> frozenset[str]:
    """Collect the `spellings` of a file's user and token. texts: these as the file's header has them.

    Raises Unreadable if one is longer than LONGEST_SECRET characters.
    """
    if any(len(text) > LONGEST_SECRET for text in texts):
        raise Unreadable("too_large")
    return frozenset[str]().union(*map(spellings, texts))


@lru_cache(maxsize=1024)
def spellings(secret: str) -> frozenset[str]:
    """List the spellings of a secret: as it is, and as JSON writes it inside a text.

    Empty if the secret is shorter than SHORTEST_SECRET.
    """
    bare = secret.strip()
    if len(bare) < SHORTEST_SECRET:
        return frozenset()
    # Letter cases that a mask misses although it ignores case are listed here: `ß` as `SS`, `Ü` as `\u00dc`.
    forms = {bare} if bare.isascii() else {bare, bare.upper(), bare.lower()}
    # A mask finds accents in either form, but not in JSON's escapes of them.
    return frozenset(forms | {json.dumps(text)[1:-1] for form in forms for text in accent_forms(form)})


@lru_cache(maxsize=8192)
def _parse_local(text: str) -> datetime | None:
    """Parse the text `DD.MM.YYYY HH:MM` as a naive local time; None for any other text."""
    match = _INSIDE_TIME.fullmatch(text.strip())
    if match is None:
        return None
    day, month, year, hour, minute = map(int, match.groups())
    return clock_reading(year, month, day, hour, minute)


def read_local(value: Any) -> datetime | None:
    """Parse `DD.MM.YYYY HH:MM` as a naive local time; None for anything else."""
    return _parse_local(value) if type(value) is str and len(value) < 64 else None


def unix_times(document: Mapping[str, Any]) -> list[float]:
    """Collect the unix times, in seconds, at which plugs and the house meter measured."""
    found: list[float] = []
    for category, key in (("plugs", "timePlug"), ("consumptions", "timeConsumption")):
        rooms = document.get(category)
        for device in rooms.values() if type(rooms) is dict else ():
            seconds = device.get(key) if type(device) is dict else None
            if isinstance(seconds, int | float) and math.isfinite(seconds):
                found.append(float(seconds))
    return found
