"""The bench itself: figures are judged and shown as they are, readings are counted apart from ours."""

import json
import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from domotic_assets_tests.bench import __main__ as command
from domotic_assets_tests.bench import baselines, flattening, report, samples
from domotic_assets_tests.bench.figures import Figure, as_json, as_table, number, read_json
from domotic_assets_tests.bench.flames import flame_graph
from domotic_assets_tests.bench.measuring import medians
from domotic_assets_tests.bench.plots import growth
from domotic_assets_tests.bench.profiles import package_of
from domotic_assets_tests.support.builders import SAMPLE_TIME, payload, to_bytes
from domotic_assets_tests.unit.domains.homes.silver.test_flatten import READINGS

BETTER = Figure("flatten", "quick", 2.0, "µs", "(a) slow", 8.0, 4.0, 3.0)
WORSE = Figure("history", "large", 1800.0, "MB", goal=1500, at_most=True, note="one build")


def test_a_goal_is_met_by_the_ratio_or_without_a_baseline_by_the_value() -> None:
    assert (BETTER.met, WORSE.met) == (True, False)
    assert Figure("flatten", "bare", 1.0, "s").met is None
    assert Figure("minute", "grows", 2.0, "s", "before", 1.0, 2.0, 1.3, at_most=True).met is False


def test_the_page_shows_every_figure_and_says_what_is_missed() -> None:
    table = as_table([BETTER, WORSE])
    assert "| quick | 2 µs | (a) slow: 8 µs | 4 | ≥ 3 | yes |" in table
    assert "| large (one build) | 1,800 MB |  |  | ≤ 1,500 | **no** |" in table
    page = report.page([BETTER, WORSE], {"flatten": "a machine", "history": "another"})
    assert page.index("a machine") < page.index("| quick") < page.index("another") < page.index("| large")


def test_figures_for_machines_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.json"
    assert read_json(file) == ([], {})
    file.write_text(as_json([BETTER, WORSE], {"flatten": "a machine"}))
    assert read_json(file) == ([BETTER, WORSE], {"flatten": "a machine"})
    assert [row["met"] for row in json.loads(file.read_text())["figures"]] == [True, False]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (4.561, "4.56"), (789.4, "789"), (12345.6, "12,346")]
)
def test_numbers_show_three_figures(value: float, text: str) -> None:
    assert number(value) == text


def test_a_file_s_values_are_counted_apart_from_the_product() -> None:
    assert baselines.values_in(to_bytes(payload(at=SAMPLE_TIME))) == READINGS
    assert (
        baselines.values_in(
            b'{"User": "x", "odd": 1, "plugs": {"Office": 3}, "more": {"Room": [1, {"a": 2}]}}'
        )
        == 4
    )


def test_what_is_lost_is_not_accounted_for(tmp_path: Path) -> None:
    feed = samples.simulated(tmp_path, 30)
    files = samples.files_of(feed, 40)
    figures = flattening.measured("some files", feed, files, repeats=1)
    assert [figure.goal for figure in figures] == [12.0, 5.0, 0.35]
    rows = samples.bronze_of(feed, files)
    done = flattening.flatten(rows, feed.registry)
    flattening.accounted_for(done, rows)
    first = done.files.with_columns(events=done.files["events"] - 1)
    with pytest.raises(AssertionError, match="accounted for"):
        flattening.accounted_for(replace(done, files=first), rows)


def test_a_measured_file_goes_back_by_whole_weeks_and_nothing_else_changes(tmp_path: Path) -> None:
    file = tmp_path / "04.09.2023 0002_SomeUser_received.json"
    inside = '{"datetime": "%s 00:02", "timePlug": %d, "total": 1693778520, "x": "04.09.2023"}'
    file.write_text(inside % ("04.09.2023", 1_693_778_520))
    os.utime(file, (1_694_390_400, 1_694_390_400))
    samples.write_earlier(file, tmp_path, timedelta(weeks=1))
    earlier = tmp_path / "28.08.2023 0002_SomeUser_received.json"
    # 604,800 seconds before.
    assert earlier.read_text() == inside % ("28.08.2023", 1_693_173_720)
    assert earlier.stat().st_mtime == 1_693_785_600


def test_works_take_turns() -> None:
    order: list[str] = []
    medians({"one": lambda: order.append("one"), "other": lambda: order.append("other")}, repeats=2)
    assert order == ["one", "other", "one", "other"]


def test_pictures_are_xml_that_names_what_it_shows() -> None:
    stacks = Counter({("main (a.py)", "<lambda> (b & c.py)"): 3, ("main (a.py)",): 1})
    flames = ElementTree.fromstring(flame_graph(stacks, "a < b"))
    titles = [found.text for found in flames.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["all 100.0%", "main (a.py) 100.0%", "<lambda> (b & c.py) 75.0%"]
    plot = growth("a & b", "minutes", {"wall, s": [(100, 1.0), (200, 2.0)]})
    assert ElementTree.fromstring(plot).find("{http://www.w3.org/2000/svg}polyline") is not None


@pytest.mark.parametrize(
    ("frame", "package"),
    [
        (
            "flatten (domotic_assets/domains/homes/silver/flatten.py:99)",
            "domotic_assets/domains/homes/silver",
        ),
        ("run (domotic_assets/settings.py:9)", "domotic_assets"),
        ("carry (domotic_assets_tests/drills/days.py:7)", "domotic_assets_tests"),
        ("collect (polars/lazyframe/engine.py:410)", "polars"),
        ("fullmatch (re/__init__.py:20)", "python"),
        ("read_bytes (pathlib.py:1050)", "python"),
        ("_find (<frozen importlib._bootstrap>:1)", "python"),
    ],
)
def test_a_frame_is_of_the_package_of_its_file(frame: str, package: str) -> None:
    assert package_of(frame) == package


def test_a_suite_that_cannot_be_measured_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"silver": None, "history": [WORSE]}
    monkeypatch.setattr(command, "_measured", lambda suite, _: found[suite])
    monkeypatch.setattr(sys, "argv", ["bench", "silver", "history", "--no-docs"])
    with pytest.raises(SystemExit, match="without figures, as said above: silver"):
        command.main()
    assert "1,800 MB" in capsys.readouterr().out
