"""An opening that does not say what it is, is what it last was."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domotic_assets.domains.homes.gold.kinds import filled, without_word, words

START = datetime(2023, 9, 4, tzinfo=UTC)
DEVICE, OTHER = "jimmy/office/doorsWindows/1", "jimmy/office/doorsWindows/2"
SCHEMA = {
    "ts": pl.Datetime("us", "UTC"), "device": pl.String, "variable": pl.String, "value": pl.Float64,
    "value_text": pl.String, "is_outlier": pl.Boolean,
}  # fmt: skip


def minutes(*said: str | None, device: str = DEVICE) -> pl.DataFrame:
    """A state each minute, with the word that goes with it; None is none."""
    rows = []
    for minute, word in enumerate(said):
        ts = START + timedelta(minutes=minute)
        rows.append((ts, device, "doorsWindows.switch", 1.0, None, False))
        if word is not None:
            rows.append((ts, device, "doorsWindows.type", None, word, False))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.mark.rule(3)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("Window", "Window"), ["Window", "Window"]),
        (("Window", None, None, "Door", None), ["Window", "Window", "Window", "Door", "Door"]),
        ((None, "Window", None), [None, "Window", "Window"]),
        ((None, None), [None, None]),
        # A word that an older lake holds as the feed wrote it.
        (("Window", "window", None), ["Window", "Window", "Window"]),
        (("Fenster",), [None]),
    ],
)
def test_a_word_holds_until_the_next(said: tuple[str | None, ...], expected: list[str | None]) -> None:
    events = pl.concat([minutes(*said), minutes("Door", "Window", device=OTHER)])
    whole = filled(events, without_word(events), words(events)).filter(device=DEVICE)
    found = dict(words(whole).select("ts", "value_text").iter_rows())
    assert [found.get(START + timedelta(minutes=at)) for at in range(len(said))] == expected
    assert whole.filter(variable="doorsWindows.type").height == len([word for word in expected if word])
    assert whole.filter(variable="doorsWindows.switch").height == len(said)
