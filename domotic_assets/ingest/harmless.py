"""Judges by form which text of unknown origin may leave Bronze: a whitelist, whatever else was ever seen.

A text passes if it is short, each of its words is one of `vocabulary`, and it has no more figures than
MOST_FIGURES: no token, half of one, name, phone number or address has that form, nor its Base64, hex,
percent-encoded, escaped or reversed writing. Texts that overlap a secret of their own file are held back as
well (`secrets`). A name that does not pass gets one made of a hash.

Why: docs/decisions/0039-texts-pass-by-their-form.md
"""

import hmac
import re
import unicodedata
from datetime import datetime, timedelta
from functools import lru_cache

from domotic_assets.ingest.vocabulary import MEASURES, PARTS, PLACES, ROOMS, SITES, WORDS
from domotic_assets.same_name import name_key

LONGEST = 60
"""Characters of the longest text that passes: a longer one is not looked at, so that it costs nothing."""
MOST_FIGURES = 3
"""Most figures of a text that passes: half a phone number has more, as have a PIN and a postal code."""
MOST_WORDS = 8
LARGEST_NUMBER = 1e8
"""Magnitude from which a number of an unknown measure may be somebody's phone number."""
NEAR_THE_MINUTE = timedelta(days=366).total_seconds()
"""Seconds from its file's minute within which a unix time is believed: others look like German mobiles'."""

_SHORTEST_PART, _SHORTEST_ROOM = 4, 3
"""Letters of the shortest part of a compound, and of one that is a room: `bad` and `zimmer`."""
_LONGEST_CODE = 2
"""Figures beside a letter that is alone: `W-17`, and no number plate."""
_NAMES = frozenset(
    "bainbridge bridgewater rainwater waterhouse watergang lightfoot casagrande casarez".split()  # noqa: SIM905
)
"""Compounds that are names of people."""
_FORM = re.compile(r"[\w \-./,:;()\[\]{}\"'%°²³*+&?!=<>|~]*")
_WORD = re.compile(r"[^\W\d_²³]+")
_TERM = re.compile(
    r"(?<![^\W_])(?:co2|no2|(?<=/)[ckm]?m[23]|pm(?:1|10|2[._]?5)|(?:l|pf|is_valid)[123]|[tuv]_(?:2|10)m)(?![^\W_])",
    re.IGNORECASE,
)
"""Figures that are part of what a device measures."""
_AFTER_NUMBER = re.compile(r"(?<![^\W\d_])\d+ ?°?([^\W\d_²³]{1,3})(?:/[^\W\d_]{1,2}[23²³]?)?(?![^\W_])")
_ORDINAL = re.compile(r"(?<![^\W_])(\d)(?:er|ère|ème|st|nd|rd|th)(?![^\W_])")
_VERSION = re.compile(r"(?:version )?v?\d\.\d{1,2}\.\d", re.ASCII | re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-zà-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])")
_GREATEST = ("temperature", "humidity", "co2", "power", "noise", "pressure", "current", "voltage", "value")
_WHOLE = frozenset(
    """
    n/a N/A NaN -NaN m/s l/s l/h W/m2 J/m2 g/m3 W/m² J/m² g/m³ m³/h m3/h m2 m3 ug/m3 mg/m3
    NE NW SE SW NNE NNW SSE SSW HT NT HP HC
    Sous-sol max_temp feed_in self_consumption cloud_coverage
    """.split()  # noqa: SIM905
).union(f"{what}_max" for what in _GREATEST)
"""Texts that pass although letters of them are single."""
_GARDEN = re.compile(r"winter[ _-](?:garden|garten)", re.IGNORECASE)
"""The one room with a word that is a common name of people."""
_HIDDEN, _HASHED = "hidden-", 12


def plain_form(text: str) -> str:
    """Return the letters and figures of a text, without accents, in one letter case."""
    signs = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in signs if sign.isalnum()).replace("μ", "u")


_WORDS, _PARTS, _PLACES, _MEASURES, _ROOMS = (
    frozenset(map(plain_form, words)) for words in (WORDS, PARTS, PLACES, MEASURES, ROOMS.split())
)


@lru_cache(maxsize=65_536)
def _passes(text: str) -> bool:
    """Apply `is_harmless` to a text that is short enough; results are kept, as texts repeat."""
    text = _ORDINAL.sub(r"\1", _GARDEN.sub("wintergarden", unicodedata.normalize("NFC", text)))
    if text in _WHOLE or _VERSION.fullmatch(text):
        return True
    if _FORM.fullmatch(text) is None or sum(map(str.isdigit, text)) > MOST_FIGURES:
        return False
    if any(sign.isnumeric() and not sign.isdecimal() and sign not in "²³" for sign in text):
        return False
    if not _is_spelled(text):
        return False
    words = words_of(text)
    single = sum(len(word) == 1 for word in words)
    return len(words) <= MOST_WORDS and single <= 1 and all(map(_is_word, words))


def _is_spelled(text: str) -> bool:
    """Return whether short words beside figures are units after a number: number plates have others.

    Beside one figure also rooms and devices: `WC 2`.
    """
    rest = _TERM.sub(" ", text)
    figures = sum(map(str.isdecimal, rest))
    if not figures:
        return True
    words = words_of(rest)
    if len(words) == 1 and len(words[0]) == 1:
        return figures <= _LONGEST_CODE
    rest = _AFTER_NUMBER.sub(lambda found: " " if _follows_number(found[1]) else found[0], rest)
    short = [word for word in words_of(rest) if len(word) < _SHORTEST_PART]
    return not short or (figures == 1 and all(word in _PLACES and len(word) > 1 for word in short))


def _follows_number(word: str) -> bool:
    """Return whether a word is a unit."""
    return plain_form(word) in _MEASURES


def is_harmless(text: str) -> bool:
    """Return whether a text has the form of what a device says: known words and a few figures."""
    return len(text) <= LONGEST and _passes(text)


def shown_text(text: str) -> str:
    """Return a text that passes with its accents composed, so that it has one form."""
    return unicodedata.normalize("NFC", text)


def is_site(name: str) -> bool:
    """Return whether a weather site has the name of a public station, or a harmless one."""
    return name in SITES or is_harmless(name)


def is_measure(number: float, minute: datetime | None = None) -> bool:
    """Return whether a number of an unknown measure can be no phone number: small, or a unix time.

    minute: of the number's file. A unix time is believed only near it.
    """
    if abs(number) < LARGEST_NUMBER:
        return True
    return minute is not None and abs(number - minute.timestamp()) < NEAR_THE_MINUTE


def words_of(text: str) -> list[str]:
    """Cut a text into its words, in their plain form: `maxPower_1` has two."""
    words: list[str] = []
    for run in _WORD.findall(text):
        whole = plain_form(run)
        words += [whole] if whole in _WORDS else map(plain_form, _HUMP.split(run))
    return words


def _is_word(word: str) -> bool:
    """Return whether a plain word is one letter, in the vocabulary, or made of two or three words of it."""
    return len(word) <= 1 or word in _WORDS or _is_compound(word, 3)


def _is_compound(word: str, parts: int) -> bool:
    """Return whether a plain word is made of at most so many words, and is no name of people."""
    if word in _NAMES:
        return False
    if _is_part(word):
        return True
    ends = range(_SHORTEST_ROOM, len(word) - _SHORTEST_ROOM + 1) if parts > 1 else ()
    return any(_is_part(word[:end]) and _is_compound(word[end:], parts - 1) for end in ends)


def _is_part(word: str) -> bool:
    """Return whether a plain word may be part of a compound."""
    return word in _PARTS and len(word) >= (_SHORTEST_ROOM if word in _ROOMS else _SHORTEST_PART)


def hidden_name(name: str, key: str) -> str:
    """Make the name under which readings of a name that does not pass are kept; one for all its spellings.

    key: what a reader does not know: the home's feed user. Without it a phone number could be found by
    trying all of them.
    """
    secret, told = (name_key(text).encode("utf-8", "surrogatepass") for text in (key, name))
    return _HIDDEN + hmac.digest(secret or b"\0", told, "sha256").hex()[:_HASHED]
