"""Finds ids, names and keys in texts, frames, bytes, and Parquet files with their statistics.

The caller says what to search for, and decodes files of other kinds into frames.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK_BYTES = 16 << 20
BATCH_ROWS = 100_000
BINARIES_AT_ONCE = 2_000
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")
WORD_SIGNS = 5
"""A shorter text is only found as a separate word, and only in text: other bytes contain it by chance."""


@dataclass(frozen=True)
class Needles:
    """What to search for: texts and keys that must not remain anywhere.

    words: found as separate words only (`jimmy`, `jimmy/office`, not `jimmys`). parts: found inside other
    words too, in any letter case. keys: whole numbers, found as numbers, digits or eight bytes.
    """

    words: Collection[str]
    parts: Collection[str]
    keys: Collection[int]

    @cached_property
    def _long(self) -> "Needles":
        """The needles that are long enough not to be in bytes by chance, and all keys."""
        words, parts = (
            [text for text in texts if len(text) >= WORD_SIGNS] for texts in (self.words, self.parts)
        )
        return Needles(words, parts, self.keys)

    @cached_property
    def _precise(self) -> re.Pattern[str]:
        """The regular expression that decides whether a text contains a needle.

        Words, and parts shorter than WORD_SIGNS, match only as separate words. Longer parts match inside
        other words too, in any letter case. Keys match only as whole numbers.
        """
        alone = [*self.words, *(part for part in self.parts if len(part) < WORD_SIGNS)]
        inside = [part for part in self.parts if len(part) >= WORD_SIGNS]
        forms = []
        if alone:
            forms.append(rf"(?<![\w/-])(?:{_any_of(alone)})(?![\w-])")
        if inside:
            forms.append(f"(?i:{_any_of(inside)})")
        if self.keys:
            forms.append(rf"(?<!\d)(?:{_any_of(map(str, self.keys))})(?!\d)")
        return re.compile("|".join(forms) or r"(?!)")

    @cached_property
    def _texts(self) -> list[str]:
        """All needles as texts, for a first search in one pass, which may find too much."""
        return [*self.words, *self.parts, *map(str, self.keys)]

    @cached_property
    def _bytes(self) -> list[str]:
        """All needles as bytes (UTF-8, UTF-16, and keys as eight bytes), with one character for each byte."""
        encoded = [text.encode(form) for text in self._texts for form in ENCODINGS]
        return [form.decode("latin-1") for form in [*encoded, *self._little_endian]]

    @cached_property
    def _little_endian(self) -> list[bytes]:
        """The keys as eight bytes each, the least significant byte first."""
        return [key.to_bytes(8, "little") for key in self.keys]

    def in_text(self, text: str) -> bool:
        """Tell whether a text contains a needle."""
        return self._precise.search(text) is not None

    def in_bytes(self, data: bytes) -> bool:
        """Tell whether bytes of unknown encoding contain a needle."""
        for start in range(0, len(data), CHUNK_BYTES):
            # Chunks overlap, so that a needle across a boundary is found too.
            chunk = data[start : start + CHUNK_BYTES + 4096]
            first = pl.Series([chunk.decode("latin-1")])
            if not first.str.contains_any(self._bytes, ascii_case_insensitive=True)[0]:
                continue
            if any(key in chunk for key in self._little_endian):
                return True
            if any(self._in_encoded(chunk, encoding) for encoding in ENCODINGS):
                return True
        return False

    def _in_some(self, binaries: pl.Series) -> bool:
        """Tell whether any of many short values contains a needle; a first pass searches all together."""
        texts = pl.Series([data.decode("latin-1") for data in binaries], dtype=pl.String)
        likely = binaries.filter(texts.str.contains_any(self._bytes, ascii_case_insensitive=True))
        return any(map(self.in_bytes, likely))

    def _in_encoded(self, data: bytes, encoding: str) -> bool:
        """Tell whether bytes, decoded by this encoding, contain a needle.

        If they are not valid in the encoding, short words and parts are not searched for.
        """
        try:
            return self.in_text(data.decode(encoding))
        except UnicodeDecodeError:
            return self._long.in_text(data.decode(encoding, "replace"))

    def in_frame(self, frame: pl.DataFrame) -> set[str]:
        """Return the names of the columns that contain a needle."""
        return {column.name for column in frame if self.in_column(column)}

    def in_column(self, column: pl.Series) -> bool:
        """Tell whether any value of a column contains a needle."""
        if column.dtype == pl.String:
            distinct = column.drop_nulls().unique()
            likely = distinct.filter(distinct.str.contains_any(self._texts, ascii_case_insensitive=True))
            return any(self.in_text(text) for text in likely)
        if column.dtype == pl.Binary:
            distinct = column.drop_nulls().unique()
            starts = range(0, len(distinct), BINARIES_AT_ONCE)
            return any(self._in_some(distinct.slice(start, BINARIES_AT_ONCE)) for start in starts)
        if column.dtype in (pl.Int64, pl.UInt64):
            return bool(column.is_in(list(self.keys)).any())
        if column.dtype.is_nested() or column.dtype in (pl.Categorical, pl.Object):
            return self.in_text("\n".join(map(str, column.to_list())))
        return False


def in_parquet(needles: Needles, file: Path) -> Iterator[str]:
    """Yield the places of a Parquet file that contain a needle: `footer`, `statistics`, `column <name>`."""
    schema = pq.read_schema(file)
    # Read as the file stores them: each text once for thousands of rows.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    nested = [field.name for field in schema if field.type.num_fields]
    with pq.ParquetFile(file, read_dictionary=texts) as parquet:
        described = " ".join(f"{name!r} {text!r}" for name, text in (parquet.metadata.metadata or {}).items())
        if needles.in_text(described):
            yield "footer"
        if needles.in_text("\n".join(_statistics(parquet.metadata))):
            yield "statistics"
        found: set[str] = set()
        for batch in parquet.iter_batches(BATCH_ROWS):
            if needles.in_text("\n".join(str(batch.column(name).to_pylist()) for name in nested)):
                found.add(", ".join(nested))
            for name in set(batch.schema.names).difference(nested, found):
                column = batch.column(name)
                values = column.dictionary if name in texts else column
                if needles.in_column(pl.Series(values)):
                    found.add(name)
        yield from (f"column {name}" for name in sorted(found))


def _statistics(metadata: pq.FileMetaData) -> Iterator[str]:
    """Yield, as text, the least and greatest value of every column of every row group that states them."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for number in range(group.num_columns):
            column = group.column(number)
            if column.statistics is not None and column.statistics.has_min_max:
                try:
                    yield from map(str, (column.statistics.min, column.statistics.max))
                except OverflowError:
                    # Moments of years that no date can hold.
                    yield from map(str, (column.statistics.min_raw, column.statistics.max_raw))


def _any_of(texts: Collection[str] | Iterator[str]) -> str:
    """Return a regular expression that matches any of these literal texts, longest first."""
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
