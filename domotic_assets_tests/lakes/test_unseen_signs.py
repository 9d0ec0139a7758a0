"""Signs that turn a line or have no width are part of no name, wherever it comes from; Bronze stays exact."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domotic_assets.flow.windows import day_window, read_key
from domotic_assets.schemas import gold, silver
from domotic_assets.schemas.homes import bronze
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import carry
from domotic_assets_tests.support.lakes import assert_same, contents, open_lake

pytestmark = pytest.mark.rule(8)

AT = datetime(2023, 9, 4, 12, tzinfo=UTC)
UNSEEN = "\u202e\u202a\u2066\u2069\u200e\u200f\u061c\u200b\u2060\ufeff\u00ad"
UNSEEN_SIGN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def spelled(name: str) -> str:
    """A name with such a sign after each letter."""
    return "".join(letter + UNSEEN[place % len(UNSEEN)] for place, letter in enumerate(name))


def files(spell: Any) -> list[builders.ShareFile]:
    """Three minutes of a home whose rooms, fields and categories are spelled so."""
    sections: dict[str, Any] = {
        "plugs": {spell("Office"): builders.plug(), spell("Attic"): builders.plug()},
        "meteos": {spell("Office"): {"Humidity": 41.0, spell("CO2"): 500, spell("Wind"): 3.5}},
        spell("Pumps"): {spell("Cellar"): {spell("flow"): 2.5}},
    }
    return [builders.share_file("jimmy", AT + timedelta(minutes=n), **sections) for n in range(3)]


def build(folder: Path, spell: Any, keys: list[str]) -> Any:
    """A lake of these files, windows by windows."""
    sites = builders.write_sites(folder)
    named = sites.read_text().replace("name: Apartment Jimmy", f'name: "{spell("Apartment Jimmy")}"')
    sites.write_text(named.replace("name: Office,", f'name: "{spell("Office")}",'), encoding="utf-8")
    builders.write_share(folder / "share", files(spell))
    work = open_lake(sites, folder / "lake")
    write_register(folder / "register.sqlite", 1, work.registry.homes, AT)
    with sqlite3.connect(folder / "register.sqlite") as connection:
        connection.create_function("spelled", 1, spell)
        connection.execute("UPDATE devices SET name = spelled(name)")
        connection.execute("UPDATE rooms SET name = spelled(name)")
    for key in keys or [AT.strftime("%Y-%m-%d")]:
        carry(work, [read_key(key)])
    return work


def test_no_name_holds_one_and_spellings_with_them_are_the_same_name(tmp_path: Path) -> None:
    work, plain = build(tmp_path / "a", spelled, []), build(tmp_path / "b", str, [])
    told = 0
    for table in (*silver.TABLES, *gold.TABLES):
        rows = work.lake.read(table)
        for column in rows.select(pl.col(pl.String)).columns:
            texts = [text for text in rows[column].to_list() if text is not None]
            told += len(texts)
            assert [text for text in texts if UNSEEN_SIGN.search(text)] == [], (table.id, column)
    assert told > 100
    for dim in gold.DIMS:
        one, other = (lake.read(dim).sort(dim.primary_key) for lake in (work.lake, plain.lake))
        assert one.equals(other), dim.id
    kept = work.lake.read(bronze.SENSOR_FILES)["content"].to_list()
    assert sorted(kept) == sorted(file.content for file in files(spelled))


def test_the_law_of_windows_holds(tmp_path: Path) -> None:
    minutes = [(AT + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M") for n in (2, 0, 1)]
    one, other = build(tmp_path / "a", spelled, []), build(tmp_path / "b", spelled, minutes)
    assert_same(contents(one), contents(other))
    assert day_window(AT).start < AT
