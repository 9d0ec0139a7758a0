"""What a listing has just found on the share, kept for who lands it: the share is listed once a build."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from domotic_assets.orchestration.windows import Window, membership, spans
from domotic_assets.sources.base import Entry


class FoundFiles:
    """Files of the sensor folder that bronze does not hold, by minute, while somebody keeps them here."""

    def __init__(self) -> None:
        self._entries: dict[datetime, list[Entry]] | None = None

    @contextmanager
    def kept(self, entries: dict[datetime, list[Entry]]) -> Iterator[None]:
        """Keep what was found until this ends. What is taken goes from `entries`, which may be large."""
        self._entries = entries
        try:
            yield
        finally:
            self._entries = None

    def take(self, windows: Sequence[Window]) -> list[Entry] | None:
        """The files of these windows by name, each once, which are kept no longer.

        None where nobody keeps any: then who asks has to list the share.
        """
        if self._entries is None:
            return None
        is_wanted = membership(spans(windows))
        taken: dict[str, Entry] = {}
        for minute in list(filter(is_wanted, self._entries)):
            taken.update((entry.name, entry) for entry in self._entries.pop(minute))
        return sorted(taken.values())
