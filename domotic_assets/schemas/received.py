"""Declares the columns that all tables of received files have: exact bytes, name, arrival."""

import polars as pl

from domotic_assets.schemas.table import Column, moment, text, whole

FILE_COLUMNS = (
    text("file_id", "hash of source, name and bytes", nullable=False),
    text("name", "file name as on the source; holds a user name", nullable=False),
    moment(
        "arrived_at",
        "last write, else the time it is of; never before an earlier version of the name",
        nullable=False,
    ),
    moment("modified_at", "last write as the source stated it, in any year", nullable=False),
    whole("size_bytes", "size as the source stated it when the file was read", "B", nullable=False),
    Column("content", pl.Binary(), "the bytes, unchanged; null where an earlier row of the file_id has them"),
)
