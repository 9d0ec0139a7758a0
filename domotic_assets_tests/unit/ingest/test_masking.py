"""Masking: secrets in any letter case, overlapping ones, control characters, and log lines."""

from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domotic_assets.ingest import masking
from domotic_assets.ingest.masking import Masker, mask, mask_all, mask_log_text

pytestmark = pytest.mark.rule(11)


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("JimmyLoup left", ["JimmyLoup"], "*** left"),
        ("jimmyLOUP and JIMMYLOUP", ["JimmyLoup"], "*** and ***"),
        ("31.08.2023 2144_JimmyLoup_received.json", ["JimmyLoup"], "31.08.2023 2144_***_received.json"),
        ("JimmyLoup", ["Jimmy", "JimmyLoup"], "***"),
        ("a.c abc", ["a.c"], "*** abc"),
        ("Je\u0301ro\u0302me left", ["J\u00e9r\u00f4me"], "*** left"),
        ("J\u00e9r\u00f4me, JE\u0301R\u00d4ME", ["Je\u0301ro\u0302me"], "***, ***"),
        ("Vie\u0323\u0302t, Vi\u00ea\u0323t, Vi\u1ec7t", ["Vi\u1ec7t"], "***, ***, ***"),
        ("JimmyLoup\u0301 left", ["JimmyLoup"], "***\u0301 left"),
        ("Jerome is another", ["J\u00e9r\u00f4me"], "Jerome is another"),
        ("nothing secret", [], "nothing secret"),
        ("an empty secret hides nothing", [""], "an empty secret hides nothing"),
    ],
)
def test_each_secret_is_replaced(text: str, secrets: list[str], expected: str) -> None:
    assert mask(text, secrets) == expected


@pytest.mark.rule(9)
@pytest.mark.parametrize("sign", ["\0", "\n", "\x1b", "\x7f", "\x85", "\ud800"])
def test_control_characters_become_the_replacement_character(sign: str) -> None:
    assert mask(f"Off{sign}ice", []) == "Off\ufffdice"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31.08.2023 2144_SomebodyElse_received.json", "31.08.2023 2144_***_received.json"),
        ('{"api_token": "abc-1", "n": 2}', '{"api_token": "***", "n": 2}'),
        ("bad token=abc;", "bad token=***;"),
        ("token 7f refused", "token *** refused"),
        ("got tok-5f1c9be07a2d from the box", "got *** from the box"),
        ("mail a.b@example.ch or ring +41 79 123 45 67", "mail *** or ring ***"),
        ("ring 079 123 45 67", "ring ***"),
    ],
)
def test_a_log_line_loses_what_looks_like_a_user_token_or_contact(text: str, expected: str) -> None:
    assert mask_log_text(text, []) == expected


@pytest.mark.parametrize(
    "text",
    [
        "token refused",
        "the keyboard of 192.168.1.12 timed out after 3000 ms",
        "temperature_sensor_2 offline since 2023-09-04 00:01:02",
    ],
)
def test_a_harmless_log_line_stays_readable(text: str) -> None:
    assert mask_log_text(text, ["JimmyLoup"]) == text


LETTERS = "sSkKiIßſKİeé\u0301ab/\x01"
"""With odd other cases (long s, Kelvin sign, dotted capital I, sharp s), and an accent in two forms."""
ODD = st.text(LETTERS, min_size=0, max_size=6)


@given(
    text=st.text("sSkKiIßſKİeé\u0301ab/\x01 ", max_size=40), shared=st.sets(ODD, max_size=4), own=st.sets(ODD)
)
def test_a_masker_gives_what_mask_gives_with_all_secrets_together(
    text: str, shared: set[str], own: set[str]
) -> None:
    assert Masker(shared).mask(text, frozenset(own)) == mask(text, shared | own)


@example(text="ab" * 30, shared={"abab", "aba", "b"}, own=set(), most=12)
@example(text="xxxxab/", shared={"ab/"}, own=set(), most=6)
@example(text="xxxaaab", shared={"a"}, own={"aaab"}, most=7)
@given(
    text=st.text("ab/sSeé\u0301\x01", max_size=60),
    shared=st.sets(st.text("ab/seé\u0301", max_size=6), max_size=3),
    own=st.sets(st.text("ab/seé\u0301", max_size=6), max_size=2),
    most=st.integers(0, 12),
)
def test_the_beginning_of_a_text_is_that_of_the_whole_masked(
    text: str, shared: set[str], own: set[str], most: int
) -> None:
    """With texts that count as long from seven characters on, as those of the feed do from 40,001."""
    with patch.object(masking, "_SHORT", 3):
        found = Masker(shared).beginning(text, frozenset(own), most)
    assert found == mask(text, shared | own)[:most]


@example(texts=["aßb"], secrets={"ß"})
@example(texts=["aſb", "aSb"], secrets={"s"})
@example(texts=["a\u212ab"], secrets={"k"})
@example(texts=["aİb"], secrets={"i"})
@example(texts=["aıb"], secrets={"I"})
@given(
    texts=st.lists(st.text(f"{LETTERS}ı\ud800 ", max_size=40)),
    secrets=st.sets(ODD, max_size=4),
)
def test_many_texts_at_once_are_masked_as_one_by_one(texts: list[str], secrets: set[str]) -> None:
    assert mask_all(texts, secrets) == {text: mask(text, secrets) for text in texts}


def test_a_secret_that_goes_on_after_a_shared_one_leaves_no_rest() -> None:
    assert Masker({"Jimmy"}).mask("Jimmy-7f21 left", frozenset({"Jimmy-7f21"})) == "*** left"
