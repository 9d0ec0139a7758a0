"""Spellings of one name: accents in either form, letter case, blanks."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.same_name import name_key, plain_name

SEJOUR = "S\u00e9jour"


@pytest.mark.parametrize(
    "spelling",
    [
        SEJOUR,
        "Se\u0301jour",
        " s\u00c9JOUR\t",
        "SE\u0301JOUR\u00a0",
        "\u3000S\u00e9jour",
        "\ufeffS\u200be\u00ad\u0301jour",
        "\uff33\u00e9\uff4aour",
    ],
)
def test_spellings_of_one_name(spelling: str) -> None:
    assert name_key(spelling) == "s\u00e9jour"


@pytest.mark.parametrize(
    ("one", "other"), [("Sejour", SEJOUR), ("Office 1", "Office1"), ("Bad", "Bath"), ("", "_")]
)
def test_other_names_stay_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_blanks_within_become_one_and_case_stays() -> None:
    assert plain_name("  Wine \u00a0 Cellar ") == "Wine Cellar"


@given(st.text(max_size=20))
def test_every_form_of_a_name_has_its_key(name: str) -> None:
    key = name_key(name)
    assert name_key(key) == key
    assert {name_key(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")} == {key}  # type: ignore[arg-type]
