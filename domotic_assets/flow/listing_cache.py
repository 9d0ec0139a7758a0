"""What a listing has just found on the share, kept for who lands it: the share is listed once a build."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from domotic_assets.flow.pieces import within
from domotic_assets.flow.windows import Window


class ListingCache:
    """Files of the sensor folder that bronze does not hold, while somebody keeps them here."""

    def __init__(self) -> None:
        self._rows: pl.DataFrame | None = None

    @contextmanager
    def kept(self, rows: pl.DataFrame) -> Iterator[None]:
        """Keep what was found, `files.as_rows` with the `window` of each, until this ends."""
        self._rows = rows
        # Here, too, what was taken is held no longer.
        del rows
        try:
            yield
        finally:
            self._rows = None

    def take(self, windows: Sequence[Window]) -> pl.DataFrame | None:
        """The files of these windows by name, each once, which are kept no longer.

        None where nobody keeps any: then who asks has to list the share.
        """
        if self._rows is None:
            return None
        is_wanted = self._rows.select(within("window", windows)).to_series()
        taken, self._rows = self._rows.filter(is_wanted), self._rows.filter(~is_wanted)
        return taken.drop("window").unique("name").sort("name")
