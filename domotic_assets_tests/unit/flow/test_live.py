"""Who keeps a lake live: one at a time, said as long as any of its processes is there."""

import subprocess
import sys
from pathlib import Path

import pytest

from domotic_assets.errors import LakeError
from domotic_assets.flow.live import is_kept_live, kept_live

WAITS = [sys.executable, "-c", "print('here', flush=True); input()"]


def test_a_lake_is_kept_live_by_one_until_it_ends(tmp_path: Path) -> None:
    assert not is_kept_live(tmp_path)
    with kept_live(tmp_path):
        assert is_kept_live(tmp_path)
        with pytest.raises(LakeError, match=r"end it first; `fuser -v '.*live\.lock'`"), kept_live(tmp_path):
            pytest.fail("two at once")
        assert is_kept_live(tmp_path), "the refused one takes nothing away"
    assert not is_kept_live(tmp_path)


def test_a_part_that_is_left_still_keeps_it_live_and_one_that_was_killed_does_not(tmp_path: Path) -> None:
    with kept_live(tmp_path):
        part = subprocess.Popen(WAITS, close_fds=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        run = subprocess.Popen(WAITS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with part, run:
        assert part.stdout is not None
        assert part.stdout.readline() == b"here\n"
        assert is_kept_live(tmp_path)
        part.kill()
        part.wait()
        assert not is_kept_live(tmp_path), "what a part starts says nothing"
        run.kill()
