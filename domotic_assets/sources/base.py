"""Defines the one interface of every source: pull from a position, get a bounded batch and a new position.

What a source delivers belongs here; how a kind of source is accessed belongs in its own module. The position
is stored only after the batch is safely in bronze, so the same batch may come twice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

Item_co = TypeVar("Item_co", covariant=True)
Position = TypeVar("Position")


class Entry(NamedTuple):
    """A file as a listing shows it, before its bytes are read."""

    name: str
    size_bytes: int
    modified_at: datetime


class Payload(NamedTuple):
    """A file's exact bytes, with its entry from the listing."""

    name: str
    size_bytes: int
    modified_at: datetime
    content: bytes

    @property
    def entry(self) -> Entry:
        """The file's entry in the listing."""
        return Entry(self.name, self.size_bytes, self.modified_at)


@dataclass(frozen=True)
class Batch(Generic[Item_co, Position]):
    """Result of a pull: items, the position after them, and whether more items are left."""

    items: tuple[Item_co, ...]
    position: Position
    more: bool


class Source(Protocol[Item_co, Position]):
    """A place that data comes from. One pull returns at most `limit` items."""

    def pull(self, position: Position, limit: int) -> Batch[Item_co, Position]:
        """Return at most `limit` items that the position does not know, and the position after them.

        Raises SourceError if the place cannot be read.
        """
        ...
