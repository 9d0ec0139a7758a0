"""Shows the text of a received file to a person: what passes by its form, and `***` in place of all else.

It works on any text, whole or cut off, in one pass over its tokens: no file is too odd or too large for it.
"""

import json
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from domotic_assets.domains.homes.silver.header import read_local
from domotic_assets.ingest.harmless import is_measure, is_site
from domotic_assets.ingest.masking import MASK
from domotic_assets.ingest.secrets import SHORTEST_PIECE, Secrets, is_secret_name
from domotic_assets.schemas.homes.variables import CATEGORIES, VARIABLES
from domotic_assets.schemas.weather import WEATHER_MEASUREMENTS, WEATHER_VARIANTS

MOST_CHARACTERS = 1_000_000
"""Characters of a file that are masked and shown; the others are counted."""

_TOKEN = re.compile(
    r"""(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?(?![\w.:+-]))"""
    r"""|(?P<quoted>"(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\\n]|\\.)*(?:'|\Z|(?=\n)))"""
    r"""|(?P<bare>[^\s{}\[\],:"']+)|(?P<sign>[\s{}\[\],:]+|.)""",
    re.DOTALL | re.ASCII,
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_LONGEST_NUMBER = 24
_KNOWN = frozenset(
    {"user", "api_token", "datetime", *CATEGORIES, *(variable.field for variable in VARIABLES.values())}
).union(*({name, *(f"{name}_{variant}" for variant in WEATHER_VARIANTS)} for name in WEATHER_MEASUREMENTS))
"""Names that the feeds are known to have."""


class _Token(NamedTuple):
    """A part of the text.

    kind: group of _TOKEN. said: what a quoted or bare one says. secret: whether a key says that it is one.
    """

    kind: str
    text: str
    said: str
    secret: bool


def masked_text(content: bytes, users: Collection[str]) -> str:
    """Return a file as text, with everything masked that does not pass by its form or beside its secrets.

    For reading, not exact: what is shown of an escaped text is decoded.
    """
    encoding = json.detect_encoding(content)
    text = content[: 4 * MOST_CHARACTERS].decode(encoding, errors="replace").removeprefix("\ufeff")
    tokens = list(_tokens(text[:MOST_CHARACTERS].replace("\r\n", "\n")))
    told = (read_local(token.said) for token in tokens)
    minute = next((time.replace(tzinfo=UTC) for time in told if time is not None), None)
    secrets = Secrets.of({token.said for token in tokens if token.secret}).beside(Secrets.of(set(users)))
    rest = len(text) - MOST_CHARACTERS
    more = f"\n… {rest} characters more" if rest > 0 else ""
    return "".join(_shown(token, secrets, minute) for token in tokens) + more


def _tokens(text: str) -> Iterator[_Token]:
    """Cut a text into tokens, each with whether a key before or around it says that it is a secret."""
    matches = list(_TOKEN.finditer(text))
    # Depth of brackets at which a secret began, if within one; whether the next value is one.
    depth, inside, next_is_secret = 0, 0, False
    for match, following in zip(matches, [*islice(matches, 1, None), None], strict=True):
        kind, part = match.lastgroup or "sign", match[0]
        if kind == "sign":
            for sign in part:
                if sign in "{[":
                    depth += 1
                    if next_is_secret and not inside:
                        inside = depth
                    next_is_secret = False
                elif sign in "}]":
                    inside = 0 if depth <= inside else inside
                    depth -= 1
                elif sign == ",":
                    next_is_secret = False
            yield _Token(kind, part, part, False)
            continue
        said = _said(part) if kind == "quoted" else part
        is_key = following is not None and following[0].lstrip()[:1] == ":"
        yield _Token(kind, part, said, bool(inside) or (next_is_secret and not is_key))
        next_is_secret = is_key and is_secret_name(said)


def _said(quoted: str) -> str:
    """Return what a quoted text says, its escapes decoded if they can be."""
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1] if quoted[-1:] == quoted[:1] and len(quoted) > 1 else quoted[1:]


def _shown(token: _Token, secrets: Secrets, minute: datetime | None) -> str:
    """Return a token as it may be seen. minute: the first that the text tells, on whatever clock."""
    kind, text, said, secret = token
    if kind == "sign":
        return text if text.isprintable() or text.isspace() else "\ufffd"
    may_pass = not secret and (
        kind == "time"
        or said in _KNOWN
        or read_local(said) is not None
        or (_is_number(said, secrets, minute) if kind == "bare" else False)
        or (is_site(said) and not secrets.overlap(said))
    )
    if not may_pass:
        return text[:1] + MASK + text[:1] if kind == "quoted" else MASK
    end = text[:1] if text[-1:] == text[:1] and len(text) > 1 else ""
    return text[:1] + said + end if kind == "quoted" else text


def _is_number(text: str, secrets: Secrets, minute: datetime | None) -> bool:
    """Return whether a text is a number that may be a measure."""
    if len(text) > _LONGEST_NUMBER or _NUMBER.fullmatch(text) is None:
        return False
    number = float(text)
    return is_measure(number, minute) and not secrets.overlap_number(number, SHORTEST_PIECE)
