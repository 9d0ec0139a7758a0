"""Encodings of text files."""

import pytest

from domotic_assets.ingest.decoding import decode

TEXT = "Genève, Aadorf / Tänikon, °C, W/m²"


@pytest.mark.rule(9)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-15"])
def test_a_text_is_read_in_the_encoding_that_it_was_written_in(encoding: str) -> None:
    assert decode(TEXT.encode(encoding)) == TEXT


@pytest.mark.rule(9)
@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_is_known_by_the_nul_of_its_first_letter(order: str) -> None:
    assert decode(TEXT.encode(f"utf-16-{order}")) == TEXT


@pytest.mark.rule(9)
@pytest.mark.parametrize(
    ("content", "text"),
    [
        # A letter in UTF-8 beside a byte that is none: the byte is damaged.
        (b"Gen\xc3\xa8ve Sion\xe9", "Genève Sion\ufffd"),
        # No sign of any name or unit.
        (b"Sion\xd7", "Sion\ufffd"),
        (b"Sion\x81", "Sion\ufffd"),
    ],
)
def test_a_damaged_byte_is_no_letter(content: bytes, text: str) -> None:
    assert decode(content) == text
