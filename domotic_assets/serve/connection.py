"""Opens the DuckDB connection that builds published files, with bounded memory and a folder to spill to.

Why: docs/decisions/0029-published-files-take-bounded-memory.md
"""

import os
from pathlib import Path

import duckdb

MOST_MEMORY_MB = 512
MEMORY_OF_A_THREAD_MB = 128
"""DuckDB asks for this much per thread, and may refuse to work with less."""


def in_memory(spill: Path) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that builds files with bounded memory, however long they are.

    Without a limit DuckDB keeps what it has written as long as the machine has room. spill: the folder for
    what does not fit.
    """
    most = max(MOST_MEMORY_MB, MEMORY_OF_A_THREAD_MB * (os.cpu_count() or 1))
    return duckdb.connect(config={"temp_directory": str(spill), "memory_limit": f"{most}MB"})
