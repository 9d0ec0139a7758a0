"""The pictures of what counters do are those of the code that judges."""

import pytest

from domotic_assets.pages.counters import EXAMPLES, file_of, picture
from domotic_assets.schemas.homes.counter_notes import NOTES

ENERGY_PAGE = file_of("any").parents[1] / "energy.md"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_committed_picture_is_the_one_that_is_drawn_now(kind: str) -> None:
    drawn = picture(EXAMPLES[kind])
    assert file_of(kind).read_text(encoding="utf-8") == drawn, "run `python -m domotic_assets.pages.counters`"
    assert f"images/{file_of(kind).name}" in ENERGY_PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("note", NOTES)
def test_each_note_is_seen_in_a_picture_and_explained_on_the_page(note: str) -> None:
    assert any(f">{note}" in picture(example) for example in EXAMPLES.values())
    assert f"`{note}`" in ENERGY_PAGE.read_text(encoding="utf-8")
