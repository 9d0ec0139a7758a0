"""What a benchmark says of a process tree: the most memory it held at once, given back or not."""

import sys

from domotic_assets_tests.bench.measuring import cost_of

HOLD = "import time; held = b'1' * ({} << 20); time.sleep(0.5); del held; time.sleep(0.3)"
BESIDE = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {HOLD.format(60)!r}]); "


def test_memory_that_was_given_back_counts() -> None:
    nothing, held = (cost_of([sys.executable, "-c", HOLD.format(size)]).peak_mb for size in (0, 120))
    assert 110 < held - nothing < 135


def test_what_children_hold_at_the_same_time_counts() -> None:
    alone, together = (cost_of([sys.executable, "-c", start + HOLD.format(60)]) for start in ("", BESIDE))
    assert 50 < together.peak_mb - alone.peak_mb < 90
