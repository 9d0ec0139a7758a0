"""A home's box, a forecast and a register name things as markup: no page of Dagster does what they say.

The Markdown of checks and reports is shown in Chromium by Dagster's own renderer.
"""

import json
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from domotic_assets import escaping
from domotic_assets.domains.all_domains import CHECKS, FLOWS
from domotic_assets.domains.homes.checks import rounds
from domotic_assets.flow.windows import day_window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import rejects, status
from domotic_assets.orchestration import check_results
from domotic_assets.orchestration.assets import key
from domotic_assets.orchestration.check_results import check_result, in_words
from domotic_assets.orchestration.sensors import reachable_checks
from domotic_assets.simulator.register import write_register
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.carry import FORECASTS, TO_SILVER, carry
from domotic_assets_tests.support.dagster_markdown import show
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.shared_data import REPOSITORY

DAY = datetime(2023, 9, 4, 12, tzinfo=UTC)
MUTATION = "/graphql?query=mutation{stopSensor(id:1){__typename}}"
HOSTILE = (
    f"![x]({MUTATION})",
    f"|![x]({MUTATION})",
    f"\\|![x]({MUTATION})|",
    f"`|`![x]({MUTATION})",
    f"``` ![x]({MUTATION}) `",
    f"x\n\n![x]({MUTATION})",
    f"x\r![x]({MUTATION})\u2028![y]({MUTATION})",
    f"[x](javascript:fetch('{MUTATION}'))",
    f"<img src='{MUTATION}' onerror=alert(1)>",
    f"&lt;img src={MUTATION}&gt; &#33;[x]({MUTATION})",
    f"![x][r]\n\n[r]: {MUTATION}",
    f"[^1]\n\n[^1]: ![x]({MUTATION})",
    "http://evil.example/x",
    "http\\://evil.example/x",
    "www.evil.example",
    "somebody@evil.example",
    "<http://evil.example/y>",
    "# heading", "- item", "1. item", "> quote", "---", "***bold*** _it_ ~~gone~~", "    code",
    "| a | b |\n|---|---|",
    "a\u202eb\u200bc\x1b[2J",
)  # fmt: skip
FORECAST = "2023-09-05 00:00:00+00:00,1,00,Sion,PRED_T_2M_ctrl,°C"
OF_TEXT = {"div", "p", "code", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A lake whose feed, forecast and register call their parts as HOSTILE says."""
    folder = tmp_path_factory.mktemp("hostile")
    work = open_lake(builders.write_sites(folder), folder / "lake")
    (folder / "contract.yaml").write_text((REPOSITORY / "contract.yaml").read_text())
    for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)):
        fields: dict[str, Any] = dict.fromkeys(HOSTILE, 1)
        rooms = {name: {"power": 1.0, "total": 5.0} for name in HOSTILE}
        sections = {"meteos": {"Office": fields}, "plugs": rooms, HOSTILE[0]: rooms}
        minutes = [day + timedelta(minutes=n) for n in range(3)]
        files = [builders.share_file("jimmy", minute, **sections) for minute in minutes]
        builders.write_share(folder / "share", files)
        carry(work, [day_window(day)], flows=TO_SILVER)
    header = ",".join(['"' + name.replace('"', '""') + '"' for name in HOSTILE if "\n" not in name])
    forecast = [f"Time,Value,Prediction,Site,Measurement,Unit,{header}", FORECAST]
    (folder / "weather" / "Pred_2023-09-05.csv").write_text("\n".join(forecast) + "\n")
    carry(work, flows=FORECASTS[:2])
    write_register(folder / "register.sqlite", 1, work.registry.homes, DAY)
    with sqlite3.connect(folder / "register.sqlite") as connection:
        for name in HOSTILE:
            connection.execute(f"ALTER TABLE rooms ADD COLUMN {escaping.identifier(name)} TEXT")
    return work


def pages(work: Workspace) -> Iterator[str]:
    """Every text of checks and reports that Dagster's pages show as Markdown."""
    judged = rounds.present_round(work)
    for check in CHECKS:
        found = check_result(key(check.table), check.name, check.judge(judged), work.lake.uri(check.table))
        yield found.description or ""
        yield from (v.value for v in found.metadata.values() if isinstance(v, dg.MarkdownMetadataValue))
    yield rejects.reject_report(work, (DAY - timedelta(days=5)).date())
    yield status.feed_status(work, DAY).as_markdown()


def test_no_name_of_a_feed_makes_a_page_ask_or_show_anything_but_text(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_results, "BREACHES_SHOWN", 1000)
    texts = [text for text in pages(work) if text]
    shown, asked = show(texts)
    assert asked == []
    assert {name for one in shown for name in one.elements} - OF_TEXT == set()
    # The names of columns are shown, and so is the attack, as text.
    everything = "\n".join(one.text for one in shown)
    assert "![x](/graphql" in everything
    assert "www.evil.example" in everything


def test_a_path_in_an_error_of_a_source_is_shown_as_text(work: Workspace) -> None:
    """The folder that sites.yaml names reaches the description of the check `reachable`."""
    folder = f"![x]({MUTATION.replace('/', '')}) \u202e\x1b[2J"
    sites = (
        (work.sites.folder / "sites.yaml")
        .read_text()
        .replace("address: share", f"address: {json.dumps(folder)}")
    )
    other = work.sites.folder / "other.yaml"
    other.write_text(sites)
    lost = open_lake(other, work.sites.folder / "lake")
    assert lost.sites != work.sites
    (flow,) = [flow for flow in FLOWS if flow.name == "sensor_files"]
    (check,) = reachable_checks(lost, [flow])
    found = check()
    assert not found.passed
    (shown,), asked = show([found.description])
    assert asked == []
    assert set(shown.elements) <= {"div", "p", "code"}
    assert "![x](graphql" in shown.text
    assert not set("\u202e\x1b") & set(found.description + in_words(found))


SIGNS = [
    *"`|\\*_~<>[]()!&#;:/.-+=@\"' \n\tw1a\u202e\u200b\x1bé",
    "http://a.b", "www.a.b", "``", "&amp;", "\\|", "1. ", "- ",
]  # fmt: skip


def test_any_text_is_shown_as_it_is_written() -> None:
    """2,000 random texts, each alone and in a cell of a table: its letters and no element of its own."""
    chance = random.Random(7)
    texts = ["".join(chance.choices(SIGNS, k=chance.randint(1, 12))) for _ in range(2000)]
    alone, asked = show([escaping.markdown(text) for text in texts])
    assert asked == []
    wrong = [
        (text, one)
        for text, one in zip(texts, alone, strict=True)
        if one.text != escaping.visible_line(text) or set(one.elements) - {"div", "p", "code"}
    ]
    assert wrong == []
    (table,), asked = show([escaping.markdown_table(["a", "b"], [[text, text[::-1]] for text in texts])])
    assert asked == []
    cells = [escaping.visible_line(cell) for text in texts for cell in (text, text[::-1])]
    assert list(table.cells) == cells
    assert set(table.elements) - OF_TEXT == set()
