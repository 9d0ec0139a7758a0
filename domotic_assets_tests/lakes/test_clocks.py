"""Right names, and any clocks of sender, share and machine: each reading once, in its own minute."""

import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from domotic_assets_tests.support.clocks import Machine, feed_of, minutes_of_numbers
from domotic_assets_tests.support.lakes import assert_same

pytestmark = pytest.mark.untraced

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
HOMES = 20
"""Homes of one lake, each with a sender and a share of its own: steps cost the same for one."""
FEEDS = int(os.environ.get("DOMOTIC_CLOCK_FEEDS", "120"))
"""`make drill-clocks` shows 5,000."""


def show_feeds(seed: int) -> None:
    """By wrong clocks each reading of HOMES feeds is in its minute, and each row is that of right clocks."""
    feed = feed_of(Random(seed), HOMES)
    with TemporaryDirectory(dir=FAST) as folder:
        wrong = Machine(Path(folder) / "wrong", feed).run(feed.clocks)
        right = Machine(Path(folder) / "right", feed).run(feed.right_clocks)
        assert minutes_of_numbers(right.lake) == sorted(feed.truth.items()), f"seed {seed}"
        assert minutes_of_numbers(wrong.lake) == sorted(feed.truth.items()), f"seed {seed}"
        assert_same(wrong.tables(), right.tables())


@pytest.mark.rule(4)
@pytest.mark.parametrize("seed", range(FEEDS // HOMES))
def test_no_clock_moves_loses_or_doubles_a_reading(seed: int) -> None:
    show_feeds(seed)
