"""What is known outlives its process, whole or as it was before."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domotic_assets.alerts.incidents import Incident, Known, Told
from domotic_assets.alerts.memory import FILE, Memory, recall, remember
from domotic_assets.alerts.problems import Problem
from domotic_assets.alerts.runs import FailedRun

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
PROBLEM = Problem("run", "windows", "2026-11-22T08", NOW, None, "unexpected OSError", "/runs/x")
INCIDENT = Incident(PROBLEM, NOW, NOW, None)
FULL = Memory(
    Known({INCIDENT.id: INCIDENT}, {"ops": Told({INCIDENT.id: "started"}, NOW, 2, NOW)}),
    NOW,
    ("x",),
    (FailedRun("windows", (NOW, NOW), PROBLEM), FailedRun("dims", None, PROBLEM)),
)


def test_what_is_remembered_is_recalled(tmp_path: Path) -> None:
    assert recall(tmp_path) == Memory()
    remember(tmp_path / "new", FULL)
    assert recall(tmp_path / "new") == FULL


@pytest.mark.parametrize("content", ["", "{", '{"known": 3}', "null"])
def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert recall(tmp_path) == Memory()


def test_a_write_that_is_cut_short_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, FULL)

    def full_disk(_handle: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        remember(tmp_path, Memory())
    assert recall(tmp_path) == FULL
