"""Keeps the files that a listing found until they are landed, so that a build lists the share once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from domotic_assets.flow.pieces import within
from domotic_assets.flow.windows import Window


class ListingCache:
    """Files of the sensor folder that a listing found and bronze does not hold yet."""

    def __init__(self) -> None:
        self._rows: pl.DataFrame | None = None

    @contextmanager
    def kept(self, rows: pl.DataFrame) -> Iterator[None]:
        """Hold the listed files until the context ends.

        rows: as `sources.files.folders.as_rows` makes them, with the `window` of each.
        """
        self._rows = rows
        # Drop this reference too, so that the memory of taken rows is freed.
        del rows
        try:
            yield
        finally:
            self._rows = None

    def take(self, windows: Sequence[Window]) -> pl.DataFrame | None:
        """Remove the files of these windows from the cache, and return them by name, each once.

        None if no listing is held: the caller then has to list the share.
        """
        if self._rows is None:
            return None
        is_wanted = self._rows.select(within("window", windows)).to_series()
        taken, self._rows = self._rows.filter(is_wanted), self._rows.filter(~is_wanted)
        return taken.drop("window").unique("name").sort("name")
