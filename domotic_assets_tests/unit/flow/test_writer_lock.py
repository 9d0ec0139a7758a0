"""The lane: one process writes at a time, and a killed one stands in nobody's way."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from domotic_assets.errors import LakeError
from domotic_assets.flow.writer_lock import writer_lock


def _hold(folder: Path, held: Event) -> None:
    with writer_lock(folder, 5):
        held.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path: Path) -> multiprocessing.Process:
    """Another process that holds the lane."""
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, held), daemon=True)
    process.start()
    assert held.wait(30)
    return process


def test_a_second_process_waits_its_time_and_says_so_in_one_line(
    tmp_path: Path, holder: multiprocessing.Process
) -> None:
    began = time.monotonic()
    with pytest.raises(LakeError) as refused, writer_lock(tmp_path, 0.3):
        pass
    assert 0.3 <= time.monotonic() - began < 5
    assert "another run or build was at work on this lake" in str(refused.value)
    assert "\n" not in str(refused.value)
    holder.kill()


def test_a_killed_holder_lets_go(tmp_path: Path, holder: multiprocessing.Process) -> None:
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    with writer_lock(tmp_path, 5):
        pass


def test_the_holder_enters_again_and_keeps_it_until_the_outermost_leaves(tmp_path: Path) -> None:
    with writer_lock(tmp_path, 0):
        with writer_lock(tmp_path, 0):
            pass
        context = multiprocessing.get_context("spawn")
        held = context.Event()
        process = context.Process(target=_hold, args=(tmp_path, held), daemon=True)
        process.start()
        assert not held.wait(3)
    assert held.wait(30)
    process.kill()
