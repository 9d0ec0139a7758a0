"""Masks secrets and control characters in messages of our own processes: errors, runs, alerts.

Texts of sources pass by their form instead (`harmless`). Each step takes time linear in the text.

Why: docs/decisions/0006-masking-after-bronze.md, 0039-texts-pass-by-their-form.md
"""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

MASK = "***"
REPLACEMENT_CHARACTER = "�"

# What log lines of other programs are known to contain: the user in a sensor file's name, labelled secrets,
# e-mail addresses, phone numbers, and long runs of letters with digits, which is what a token looks like.
_USER_IN_FILE_NAME = re.compile(r"(\d{2}\.\d{2}\.\d{4} \d{4}_).{1,200}?(_received)")
_LABELLED_SECRET = re.compile(
    r"((?:token|key|password|secret)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;}]+"
    r"|((?:token|bearer)\s+)(?=\S*\d)[^\s\"',;}]+",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\+\d[\d ().-]{7,}\d|\b0\d{2}[ .]\d{3}[ .]\d{2}[ .]\d{2}\b"
    r"|(?<![\w-])(?=(?:[A-Za-z_-]*\d){4})(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{16,}"
)

# Control characters (C0, DEL, C1) would break a log line or a terminal; a lone surrogate is no valid text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_AS_NUL = dict.fromkeys([*range(0x20), 0x7F], "\0")


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


def _printable(text: str) -> str:
    """Replace each control character and lone surrogate in a text by U+FFFD."""
    if text.isascii():
        # Takes a third of the time of the regular expression: some texts have megabytes.
        return text.translate(_CONTROL_AS_NUL).replace("\0", REPLACEMENT_CHARACTER)
    return _UNPRINTABLE.sub(REPLACEMENT_CHARACTER, text)


def mask_log_text(text: str, secrets: Collection[str]) -> str:
    """Mask the secrets in a log line of unknown content, and whatever looks like a token, user or contact."""
    masked = _USER_IN_FILE_NAME.sub(rf"\g<1>{MASK}\g<2>", mask(text, secrets))
    return _PERSONAL.sub(MASK, _LABELLED_SECRET.sub(rf"\g<1>\g<2>{MASK}", masked))


@lru_cache(maxsize=1024)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """Compile a pattern that matches any secret in any letter case, longest first; None if all are empty.

    Each secret is matched as it is, and with its accents composed.
    """
    forms = secrets.union(unicodedata.normalize("NFC", secret) for secret in secrets if not secret.isascii())
    longest_first = sorted((form for form in forms if form), key=lambda s: (-len(s), s))
    if not longest_first:
        return None
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
