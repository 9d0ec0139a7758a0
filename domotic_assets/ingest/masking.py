"""Masks secrets and control characters in every text before it leaves bronze.

Only the replacement belongs here. The caller decides which texts are secret: the feed users of the registry,
and the user and token of the file at hand.

Why: docs/decisions/0006-masking-after-bronze.md
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

import polars as pl

MASK = "***"
REPLACEMENT_CHARACTER = "�"

# What log lines of other programs are known to contain: the user in a sensor file's name, labelled secrets,
# e-mail addresses, phone numbers, and long runs of letters with digits, which is what a token looks like.
_USER_IN_FILE_NAME = re.compile(r"(\d{2}\.\d{2}\.\d{4} \d{4}_).+?(_received)")
_LABELLED_SECRET = re.compile(
    r"((?:token|key|password|secret)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;}]+"
    r"|((?:token|bearer)\s+)(?=\S*\d)[^\s\"',;}]+",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\+\d[\d ().-]{7,}\d|\b0\d{2}[ .]\d{3}[ .]\d{2}[ .]\d{2}\b"
    r"|(?<![\w-])(?=(?:[A-Za-z_-]*\d){4})(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{16,}"
)

_SHORT = 20_000
"""Longest text whose results are cached: all names of a file together are shorter; longer ones come once."""

# Control characters (C0, DEL, C1) would break a log line or a terminal; a lone surrogate is no valid text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_AS_NUL = dict.fromkeys([*range(0x20), 0x7F], "\0")

# Non-ASCII letters that match ASCII ones in another case (long s, Kelvin sign, two i), and lone surrogates.
_ODD_CASES = re.compile("[\u017f\u212a\u0130\u0131\ud800-\udfff]")


def mask(text: str, secrets: Collection[str]) -> str:
    """Replace each secret in a text, in any letter case, by `***` and each control character by U+FFFD.

    Accents are composed (NFC), so that a text has one form and a secret is found in whatever form it comes.
    Of overlapping secrets the longest is replaced first, so that none leaves a readable rest.
    """
    pattern = _pattern(frozenset(secrets))
    masked = pattern.sub(MASK, text) if pattern is not None else text
    if not masked.isascii():
        masked = unicodedata.normalize("NFC", masked)
        if pattern is not None:
            masked = pattern.sub(MASK, masked)
    return _printable(masked)


def _found(pattern: re.Pattern[str], text: str) -> bool:
    """Tell whether `mask` would replace something by this pattern: in the text, or once it is composed."""
    if pattern.search(text) is not None:
        return True
    return not text.isascii() and pattern.search(unicodedata.normalize("NFC", text)) is not None


def _printable(text: str) -> str:
    """Replace each control character and lone surrogate in a text by U+FFFD."""
    if text.isascii():
        # Takes a third of the time of the regular expression: some texts have megabytes.
        return text.translate(_CONTROL_AS_NUL).replace("\0", REPLACEMENT_CHARACTER)
    return _UNPRINTABLE.sub(REPLACEMENT_CHARACTER, text)


def mask_all(texts: Iterable[str], secrets: Collection[str]) -> dict[str, str]:
    """Mask each text, and return it by the original; thousands of secrets are searched for in one pass."""
    together = frozenset(secrets)
    plain, other = _by_plainness(together)
    distinct = set(texts)
    simple = [
        text
        for text in distinct
        if _ODD_CASES.search(text) is None and unicodedata.is_normalized("NFC", text)
    ]
    found = pl.Series(simple, dtype=pl.String).str.contains_any(
        pl.Series(plain, dtype=pl.String).implode(), ascii_case_insensitive=True
    )
    clean = {
        text
        for text, holds in zip(simple, found, strict=True)
        if not holds and (other is None or not _found(other, text))
    }
    return {text: mask(text, () if text in clean else together) for text in distinct}


class Masker:
    """Masks texts of many files that share most of their secrets. Same results as `mask` with all of them.

    Texts repeat from file to file (names of a shape, states), so the results for short ones are cached.
    """

    def __init__(self, shared: Collection[str]) -> None:
        self._shared = frozenset(shared)

    def holds(self, text: str, own: frozenset[str]) -> bool:
        """Tell whether a text contains a shared secret, or one of the file's own."""
        search = _search_once if len(text) <= _SHORT else _search
        return search(text, self._shared) or search(text, own)

    def mask(self, text: str, own: frozenset[str]) -> str:
        """Mask the shared secrets and the file's own in a text, as `mask` does."""
        secrets = self._shared | own if self.holds(text, own) else frozenset[str]()
        return (_mask_once if len(text) <= _SHORT else mask)(text, secrets)

    def beginning(self, text: str, own: frozenset[str], most: int) -> str:
        """Return the first `most` characters of the masked text, without searching megabytes of it."""
        part = text[: 2 * _SHORT]
        masked = self.mask(part, own)
        if len(part) < len(text):
            # A secret that is cut off there, or matches otherwise, affects only the end of the part, as do
            # accents of its last letter.
            doubtful = len(MASK) * max(map(len, self.secrets(own)), default=0)
            if _last_letter(masked) < most + doubtful:
                masked = self.mask(text, own)
        return masked[:most]

    def secrets(self, own: frozenset[str]) -> frozenset[str]:
        """Return the secrets to mask in one file: the shared ones of all files, and `own`, this file's."""
        return self._shared | own


def _last_letter(text: str) -> int:
    """Return the place of the last character that is no accent of one before it; 0 if there is none."""
    return next((place for place in range(len(text) - 1, 0, -1) if not unicodedata.combining(text[place])), 0)


def _search(text: str, secrets: frozenset[str]) -> bool:
    """Tell whether `mask` would find a secret; many ASCII secrets are found faster one by one."""
    plain, other = _by_plainness(secrets)
    if not text.isascii():
        pattern = _pattern(secrets)
        return pattern is not None and _found(pattern, text)
    lowered = text.lower()
    return any(secret in lowered for secret in plain) or (
        other is not None and other.search(text) is not None
    )


_search_once = lru_cache(maxsize=65_536)(_search)
_mask_once = lru_cache(maxsize=65_536)(mask)


@lru_cache(maxsize=1024)
def _by_plainness(secrets: frozenset[str]) -> tuple[list[str], re.Pattern[str] | None]:
    """Split secrets into those of ASCII, in lower case, and a pattern of the others (None: no others)."""
    plain = [secret.lower() for secret in secrets if secret and secret.isascii()]
    return plain, _pattern(frozenset(secret for secret in secrets if not secret.isascii()))


def mask_log_text(text: str, secrets: Collection[str]) -> str:
    """Mask the secrets in a log line of unknown content, and whatever looks like a token, user or contact."""
    return mask_suspicious(mask(text, secrets))


def mask_suspicious(text: str) -> str:
    """Mask whatever looks like a token, user or contact in a log line."""
    masked = _USER_IN_FILE_NAME.sub(rf"\g<1>{MASK}\g<2>", text)
    return _PERSONAL.sub(MASK, _LABELLED_SECRET.sub(rf"\g<1>\g<2>{MASK}", masked))


@lru_cache(maxsize=1024)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """Compile a pattern that matches any secret in any letter case, longest first; None if all are empty.

    Each secret is matched as it is, and with its accents composed, for `_found` and `mask`.
    """
    forms = secrets.union(unicodedata.normalize("NFC", secret) for secret in secrets if not secret.isascii())
    longest_first = sorted((form for form in forms if form), key=lambda s: (-len(s), s))
    if not longest_first:
        return None
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
