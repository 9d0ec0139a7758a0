"""What files are built with: bounded memory, and a folder for what does not fit."""

from pathlib import Path

import pytest

from domotic_assets.serve import connection as built_with
from domotic_assets.serve.connection import in_memory

ROWS = 5_000_000


def test_what_does_not_fit_into_memory_goes_to_the_folder_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built_with, "MOST_MEMORY_MB", 120)
    monkeypatch.setattr(built_with, "MEMORY_OF_A_THREAD_MB", 0)
    spill = tmp_path / "spill"
    with in_memory(spill) as connection:
        assert connection.execute("SELECT current_setting('memory_limit')").fetchone() == ("114.4 MiB",)
        connection.execute(
            "CREATE TABLE many AS SELECT range AS n, hash(n)::VARCHAR AS text FROM range(?) ORDER BY text",
            [ROWS],
        )
        assert sum(file.stat().st_size for file in spill.iterdir()) > 20_000_000
        found = connection.execute("SELECT count(*), sum(n) FROM many").fetchone()
        assert found == (ROWS, ROWS * (ROWS - 1) // 2)
    assert not spill.exists()


def test_memory_grows_with_the_threads_that_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_with.os, "cpu_count", lambda: 16)
    with in_memory(tmp_path) as connection:
        assert connection.execute("SELECT current_setting('memory_limit')").fetchone() == ("1.9 GiB",)
