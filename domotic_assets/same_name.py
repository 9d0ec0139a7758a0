"""Compares names as people read them: form of accents, letter case and blanks make no difference.

Why: docs/decisions/0031-names-by-one-key.md
"""

import unicodedata


def name_key(name: str) -> str:
    """Return what all spellings of a name have in common: spellings with equal keys are one name.

    This is its `plain_name` with letter case folded.
    """
    return unicodedata.normalize("NFC", plain_name(name).casefold())


def plain_name(name: str) -> str:
    """Compose the accents of a name (NFC), drop blanks at its ends, and make each run within one space.

    A Mac writes `é` as two characters, and a person types `Office ` for `Office`.
    """
    return " ".join(unicodedata.normalize("NFC", name).split())


def accent_forms(name: str) -> frozenset[str]:
    """List the forms in which a name may be written: as it is, with accents composed, and decomposed."""
    return frozenset({name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)})
