"""A domain is added by the lines that CONTRIBUTING.md names; its declarations do everything else."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.untraced
def test_a_domain_is_built_published_refreshed_cut_exported_and_forgotten(tmp_path: Path) -> None:
    """The product is handed the lines, and is not changed."""
    command = [sys.executable, "-m", "domotic_assets_tests.sample_domain.life", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
