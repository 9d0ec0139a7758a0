"""Compares names as people read them: form of accents, letter case and blanks make no difference.

Why: docs/decisions/0031-names-by-one-key.md
"""

import unicodedata

from domotic_assets.escaping import without_unseen

_NO_JOINTS = str.maketrans("", "", " _-")
_FULL_WIDTH = {0xFEE0 + code: code for code in range(0x21, 0x7F)}


def name_key(name: str) -> str:
    """Return what all spellings of a name have in common: spellings with equal keys are one name.

    This is its `plain_name` with letter case folded, and full-width letters, figures and signs as usual ones.
    """
    plain = plain_name(name)
    if not plain.isascii():
        plain = plain.translate(_FULL_WIDTH)
    return unicodedata.normalize("NFC", plain.casefold())


def plain_name(name: str) -> str:
    """Compose the accents of a name (NFC), drop blanks at its ends, and make each run within one space.

    A Mac writes `é` as two characters, and a person types `Office ` for `Office`. Characters without width
    or that set a direction are dropped: soft hyphens, joiners, byte-order marks, U+202E and its like.
    """
    return " ".join(unicodedata.normalize("NFC", without_unseen(name)).split())


def joined_name(name: str) -> str:
    """Return a name without blanks, `_` and `-`, in one letter case: `api_token` and `Api Token` are one."""
    return name_key(name).translate(_NO_JOINTS)


def accent_forms(name: str) -> frozenset[str]:
    """List the forms in which a name may be written: as it is, with accents composed, and decomposed."""
    return frozenset({name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)})
