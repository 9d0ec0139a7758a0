"""Opens the admin's file for a publication, as often as databases are filled at once.

All are opened under the publishing lock, so that they read the same one, even if another is published after.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.people import cut, dated
from domotic_assets.serve.people.matrix import refuse_unruled
from domotic_assets.serve.postgres.layout import MartShape
from domotic_assets.serve.postgres.readers import shapes_of

_PURPOSE = "postgresql"


@dataclass(frozen=True)
class Source:
    """An open connection to the admin's file, and what is read from it once.

    newest: the UTC minute of the newest data. shapes: of the marts, in their order.
    """

    connection: duckdb.DuckDBPyConnection
    views: cut.Views
    marts: tuple[cut.Mart, ...]
    shapes: tuple[MartShape, ...]
    newest: datetime


@contextmanager
def opened(serve: Path, number: int) -> Iterator[tuple[Source, ...]]:
    """Open the admin's present file several times, each time with a folder for what does not fit into memory.

    Raises LakeError if there is no file that is proved, or the folder cannot be written, ContractError if the
    matrix has no rule for a table or mart.
    """
    with ExitStack() as held:
        try:
            # What a killed publication spilled is removed here, and by `domotic forget`.
            folder = publish.clear_staging(serve, _PURPOSE).parent
            with publish.publishing(serve):
                file = publish.source_file(serve)
                connections = [
                    held.enter_context(cut.attached(file, folder / f"spill-{one}")) for one in range(number)
                ]
        except (OSError, duckdb.IOException) as error:
            raise publish.unwritable(serve, error) from error
        for connection in connections:
            # They work at the same time, and would wait for each other's threads.
            connection.execute(f"SET threads = {max(1, (os.cpu_count() or 1) // number)}")
        yield tuple(map(_source, connections))


def _source(connection: duckdb.DuckDBPyConnection) -> Source:
    """Read what a publication needs to know of the admin's file."""
    dated.note_readings(connection)
    marts = tuple(cut.marts_of(connection))
    refuse_unruled((table.name for table in gold.TABLES), (mart.name for mart in marts))
    return Source(
        connection, cut.Views(connection), marts, tuple(shapes_of(connection)), cut.newest(connection)
    )
