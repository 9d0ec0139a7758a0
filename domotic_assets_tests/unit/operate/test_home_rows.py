"""What is searched for before a home counts as forgotten."""

import unicodedata

import pytest

from domotic_assets.operate.home_rows import HomeIds

USER = "J\u00e9r\u00f4meX"


@pytest.mark.rule(11)
@pytest.mark.parametrize("known", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_user_is_found_in_either_form_of_its_accents(known: str, written: str) -> None:
    user, text = (unicodedata.normalize(form, USER) for form in (known, written))  # type: ignore[arg-type]
    needles = HomeIds("jimmy", users=frozenset({user})).needles
    assert needles.in_text(f"18.11.2026 0900_{text}_received.json")
    assert needles.in_bytes(b'{"user": "' + text.encode() + b'"}')
