"""A build that cannot begin says why in one line, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

from domotic_assets_tests.support.builders import REGISTRY, write_sites


def build(folder: Path) -> str:
    """What `domotic build` complains of in a process of its own; it must fail and print nothing else."""
    command = [sys.executable, "-c", "from domotic_assets.cli.main import main; main()", "build"]
    paths = ["--sites", str(folder / "sites.yaml"), "--lake", str(folder / "lake")]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_missing_share_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    write_sites(tmp_path)
    (tmp_path / "share").rmdir()
    assert build(tmp_path) == (
        f"error: {tmp_path / 'share'}: the folder cannot be listed (No such file or directory); "
        "expected a readable folder; "
        "create it or correct `sources` in sites.yaml (`domotic simulate` fills one)\n"
    )


def test_a_lake_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    write_sites(tmp_path)
    (tmp_path / "lake").write_text("a file where the folder belongs")
    complaint = build(tmp_path)
    assert complaint.startswith(f"error: {tmp_path / 'lake'}")
    assert complaint.count("\n") == 1


def test_a_wrong_registry_is_one_line_and_touches_no_lake(tmp_path: Path) -> None:
    write_sites(tmp_path, REGISTRY.replace("role: admin", "role: king"))
    complaint = build(tmp_path)
    assert complaint.startswith(f"error: {tmp_path / 'sites.yaml'}:")
    assert "people.0.role: found 'king'" in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "lake").exists()
