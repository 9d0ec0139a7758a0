"""Reads the header of a sensor file: the secrets that it holds, and the time on its home's clock.

Which home and which minute follow from that is decided in `flatten`, what a secret is in `ingest.secrets`.
"""

import math
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from domotic_assets.ingest.harmless import is_harmless
from domotic_assets.ingest.secrets import SHORTEST_PIECE, Secrecy, Secrets, is_one_word, secrecy_of
from domotic_assets.localtime import clock_reading
from domotic_assets.same_name import name_key
from domotic_assets.schemas.homes.variables import VARIABLES

_LEAST = 10 ** (SHORTEST_PIECE - 1)
_LARGEST = 1e300
"""Bounds of the magnitude of a number that is looked for as a secret."""
_DECLARED = frozenset(variable.field for variable in VARIABLES.values())
"""Fields whose numbers are measures, even in a room that is called like a secret."""
_SENDER = ("user", "api_token")
"""Headers that are the same in all files of a home: beside what they hold its names must pass."""
_INSIDE_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d)", re.ASCII)


@lru_cache(maxsize=4096)
def header_secrets(user: str, token: str) -> Secrets:
    """Prepare the secrets of a usual header. Kept, as the files of a home have the same."""
    return Secrets.of({user, token})


def own_secrets_of(document: Mapping[str, Any], rooms: Collection[str]) -> set[str]:
    """Collect every text, number and key that lies below a key that names a secret, at any depth.

    No key that passes by its form, no text of one harmless word, and no number of a key that measures: what
    `owner: home` says is not looked for in the rest of the file. rooms: keys (`name_key`) of rooms that
    sites.yaml names: no secrets, whatever they mean elsewhere.
    """
    found = {document[name] for name in _SENDER if type(document.get(name)) is str}
    # Each node with whether it is a secret. No recursion: a document may be deep.
    waiting: list[tuple[Any, Secrecy]] = [(document, Secrecy.NONE)]
    while waiting:
        node, secrecy = waiting.pop()
        if type(node) is dict:
            for key, value in node.items():
                if secrecy and key not in _DECLARED and not is_harmless(key):
                    found.add(key)
                elif secrecy and key in _DECLARED and type(value) in (int, float):
                    continue
                told = Secrecy.NONE if name_key(key) in rooms else secrecy_of(key)
                waiting.append((value, max(secrecy, told)))
        elif type(node) is list:
            waiting += [(item, secrecy) for item in node]
        elif secrecy and type(node) is str:
            if not is_one_word(node):
                found.add(node)
        elif secrecy is Secrecy.ALL and type(node) in (int, float) and _LEAST <= abs(node) < _LARGEST:
            found.add(f"{node:.15g}" if type(node) is float else str(node))
    return found


def sender_secrets_of(document: Mapping[str, Any]) -> set[str]:
    """Collect the texts of user and token, in whatever form they are: those of `own_secrets_of` for names."""
    return own_secrets_of({name: document[name] for name in _SENDER if name in document}, ())


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
