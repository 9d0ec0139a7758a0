"""`domotic simulate` as a person types it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domotic_assets.cli.simulate import history_span, simulate
from domotic_assets.registry.loading import load_sites
from domotic_assets.simulator.defects import DEFECTS
from domotic_assets_tests.support.worlds import SITES

NOW = datetime(2023, 9, 6, 10, 30, 25, tzinfo=UTC)


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    file = tmp_path / "sites.yaml"
    file.write_text(SITES, encoding="utf-8")
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


def test_it_fills_the_folders_that_the_registry_names(sites: Path) -> None:
    """Ten live minutes of two homes after no history, at a pace of a tenth of a second for all."""
    done = run("--sites", sites, "--start", "2023-09-04", "--days", "0", "--defect", "all=0",
               "--live", "--speed", "6000", "--minutes", "10")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(list((sites.parent / "share").iterdir())) == 20
    assert not list((sites.parent / "later").iterdir())


def test_with_out_it_writes_all_sources_and_their_registry(sites: Path, tmp_path: Path) -> None:
    out, truth = tmp_path / "out", tmp_path / "truth"
    defects = ("--defect", "all=0", "--defect", "byte_order_mark=1")
    history = ("--start", "2023-09-04", "--days", "0", "--truth", truth)
    live = ("--live", "--speed", "6000", "--minutes", "2")
    done = run("--sites", sites, "--out", out, "--homes", "3", *defects, *history, *live)
    assert done.exit_code == 0, done.output
    assert {entry.name for entry in out.iterdir()} == {
        "share",
        "later",
        "weather",
        "register.sqlite",
        "simulation.json",
        "sites.yaml",
    }
    assert len(load_sites(out / "sites.yaml").registry.homes) == 3
    assert {entry.name for entry in truth.iterdir()} == {
        "defects.csv",
        "first.csv",
        "second.csv",
        "home-003.csv",
    }
    assert all(file.read_bytes().startswith(b"\xef\xbb\xbf") for file in (out / "share").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--homes", "3"], "the registry has 2 homes; more of them need --out"),
        (["--minutes", "3"], "--speed and --minutes belong to --live"),
        (["--defect", "moths=0.1"], "allowed are all, bad_number, bare_meteos"),
        (["--defect", "late=2"], "expected a share from 0 to 1, as in late=0.01"),
        (["--defect", "late"], "found 'late'; expected a share"),
    ],
)
def test_a_wrong_option_says_what_is_right(sites: Path, arguments: list[str], message: str) -> None:
    done = run("--sites", sites, *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert [entry.name for entry in sites.parent.iterdir()] == ["sites.yaml"]


def test_a_share_that_holds_files_is_left_alone_if_asked(sites: Path) -> None:
    """Empty the first time, filled the second; without the option the other day's files would join."""
    once = ("--sites", sites, "--start", "2023-09-04", "--days", "1", "--if-empty")
    run(*once)
    first = sorted((sites.parent / "share").iterdir())
    done = run("--sites", sites, "--start", "2023-09-05", "--days", "1", "--if-empty")
    assert done.exit_code == 0
    assert "holds files already" in done.output
    assert first
    assert sorted((sites.parent / "share").iterdir()) == first


def test_help_lists_every_defect_with_its_share() -> None:
    text = run("--help").output
    for name, defect in DEFECTS.items():
        assert f"{name:<20}{defect.share:<8g}{defect.meaning}" in text


@pytest.mark.parametrize(
    ("start", "days", "live", "begin", "minutes"),
    [
        (None, None, False, datetime(2023, 9, 3, tzinfo=UTC), 3 * 1440 + 630),
        (None, 1, False, datetime(2023, 9, 5, tzinfo=UTC), 1440 + 630),
        (None, None, True, datetime(2023, 9, 6, tzinfo=UTC), 630),
        (None, 2, True, datetime(2023, 9, 4, tzinfo=UTC), 2 * 1440 + 630),
        (datetime(2023, 8, 1), 2, True, datetime(2023, 8, 1, tzinfo=UTC), 2 * 1440),
        (datetime(2023, 8, 1), None, False, datetime(2023, 8, 1, tzinfo=UTC), 3 * 1440),
    ],
)
def test_history_reaches_up_to_now_unless_its_start_is_named(
    start: datetime | None, days: int | None, live: bool, begin: datetime, minutes: int
) -> None:
    assert history_span(start, days, live, NOW) == (begin, minutes)
