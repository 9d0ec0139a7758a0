"""`domotic live`: what it refuses before it starts anything, and what it does with what ends."""

import socket
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from domotic_assets.cli import live
from domotic_assets.cli.live import Part, run_live
from domotic_assets.errors import ConfigurationError
from domotic_assets.settings import Settings
from domotic_assets.web.reached import Reached


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.of(tmp_path / "sites.yaml", str(tmp_path / "lake"))


def test_a_port_in_use_is_named_with_a_remedy_and_nothing_is_started(
    settings: Settings, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as refused:
            run_live(settings, Reached(port, None), Console(stderr=True), None)
    assert str(refused.value) == (
        f"port {port}: another program listens there; expected a free port; name another: --port {port + 1}"
    )
    assert not (tmp_path / "lake").exists()


def wait_for_end(part: Part) -> None:
    assert part.process is not None
    part.process.wait(10)


def test_what_ends_is_started_again_and_what_keeps_ending_more_and_more_slowly(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.dagster_home.mkdir(parents=True)
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    part = Part("daemon", [sys.executable, "-c", "raise SystemExit(3)"])
    pauses = []
    live._start(part, settings)
    for _ in range(4):
        wait_for_end(part)
        live._look_after([part], settings, Console(stderr=True))
        pauses.append(part.not_before - now[0])
        now[0] = part.not_before
        if part.process is None:
            live._look_after([part], settings, Console(stderr=True))
    wait_for_end(part)
    assert pauses == [0.0, 1.0, 3.0, 7.0]
    assert "daemon ended (3); starting it again in 7 s" in capsys.readouterr().err


def test_a_simulated_feed_that_is_done_is_not_started_again(settings: Settings) -> None:
    settings.dagster_home.mkdir(parents=True)
    part = Part("simulated feed", [sys.executable, "-c", "pass"], ends=True)
    live._start(part, settings)
    wait_for_end(part)
    for _ in range(2):
        live._look_after([part], settings, Console(stderr=True))
        time.sleep(0.01)
    assert part.process is None
