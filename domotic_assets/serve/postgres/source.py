"""Opens the admin's file for a publication, as often as databases are filled at once.

The file is linked first, so that all of them read the same one, even if another is published meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.people import cut
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
def kept(serve: Path) -> Iterator[Path]:
    """Keep the admin's present file, while others may be published; the path is valid inside.

    Raises LakeError if the folder cannot be written or there is no file.
    """
    try:
        # What a killed publication spilled is removed here, and by `domotic forget`.
        link = publish.clear_staging(serve, _PURPOSE)
        link.hardlink_to(publish.published_file(serve))
    except OSError as error:
        raise publish.unwritable(serve, error) from error
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)


@contextmanager
def opened(file: Path, name: str) -> Iterator[Source]:
    """Open the admin's file; raises ContractError if the matrix has no rule for a table or mart.

    name: of the folder beside the file that takes what does not fit into memory.
    """
    with cut.opened(file, file.with_name(name)) as connection:
        marts = tuple(cut.marts_of(connection))
        refuse_unruled((table.name for table in gold.TABLES), (mart.name for mart in marts))
        shapes = tuple(shapes_of(connection))
        yield Source(connection, cut.Views(connection), marts, shapes, cut.newest(connection))
