"""The connection by which files for readers are built: what memory it may take, and where the rest goes.

Why: docs/decisions/0029-published-files-take-bounded-memory.md
"""

import os
from pathlib import Path

import duckdb

MOST_MEMORY_MB = 512
MEMORY_OF_A_THREAD_MB = 128
"""DuckDB asks for as much a thread, and may refuse to work with less."""


def in_memory(spill: Path) -> duckdb.DuckDBPyConnection:
    """A connection without a file of its own, to build others, which take no more memory the longer they are.

    DuckDB would keep what it has written as long as the machine has room. spill: the folder for what does
    not fit.
    """
    most = max(MOST_MEMORY_MB, MEMORY_OF_A_THREAD_MB * (os.cpu_count() or 1))
    return duckdb.connect(config={"temp_directory": str(spill), "memory_limit": f"{most}MB"})
