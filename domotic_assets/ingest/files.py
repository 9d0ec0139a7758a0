"""Identifies versions of received files by hash, and folds repeated sightings of a version into one row.

What a name or the bytes mean belongs to the domain that the file comes from.

Why: docs/decisions/0009-sightings-in-bronze.md
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import polars as pl

from domotic_assets.localtime import FarMoment


class File(NamedTuple):
    """A file as a source delivered it."""

    name: str
    size_bytes: int
    modified_at: datetime
    content: bytes


def exactly(column: pl.Series, written: Sequence[datetime]) -> pl.Series:
    """Put the last writes that no date can hold into a column that was made of `written`."""
    far = {row: moment.unix_us for row, moment in enumerate(written) if isinstance(moment, FarMoment)}
    return column.to_physical().scatter([*far], [*far.values()]).cast(column.dtype) if far else column


@dataclass(frozen=True)
class Landed:
    """Rows to append to bronze, and the number of files by outcome."""

    rows: pl.DataFrame
    counts: Counter[str] = field(default_factory=Counter)


def identify(source: str, name: str, content: bytes) -> str:
    """Compute the `file_id`: 32 hex digits of the SHA-256 of source, name and bytes."""
    digest = hashlib.sha256(f"{source}\0{name}\0".encode("utf-8", "surrogateescape"))
    digest.update(content)
    return digest.hexdigest()[:32]


def versions(rows: pl.DataFrame) -> pl.DataFrame:
    """Fold bronze rows, one for each time a file version was seen, into one row per version.

    A version is a file_id, or a file_id and window if the rows have a window. Its row has its bytes and its
    latest arrival; and its first last write, as later sightings tell nothing of when it was measured.
    """
    keys = [column for column in ("window", "file_id") if column in rows.columns]
    first = pl.col("content").drop_nulls().first(), pl.col("modified_at").first()
    return (
        rows.sort("arrived_at")
        .group_by(keys, maintain_order=True)
        .agg(*first, pl.exclude("content", "modified_at").last())
        .select(rows.columns)
    )
