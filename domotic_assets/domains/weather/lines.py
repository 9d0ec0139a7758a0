"""Cuts the bytes of a forecast file into lines, and the lines into the texts of their fields.

A file is cut into lines before fields are looked for, so that a broken quote costs only its own line. What
the texts mean belongs in `series` and `silver`.
"""

import csv
from codecs import BOM_UTF8

import polars as pl

from domotic_assets.ingest.decoding import decode

HEADER = ("Time", "Value", "Prediction", "Site", "Measurement", "Unit")

_COLUMNS = [name.casefold() for name in HEADER]

_LONGEST_HEADER = 400
"""Characters from which a line is no header; it may name columns beside those of HEADER."""

# A line is cut in two: the fields that differ from line to line, and its series; a file has few series.
_HEAD, _SERIES = HEADER[:3], HEADER[3:]

_PARTS = (*_HEAD, "series")

_FIELD = r'"(?:[^"]|"")*"|[^",]*'

_HEAD_PATTERN, SERIES_PATTERN = (
    ",".join(rf"\s*(?P<{column}>{_FIELD})\s*" for column in columns) for columns in (_HEAD, _SERIES)
)


def read_lines(content: bytes) -> pl.DataFrame | None:
    """Split a file into its lines that are not blank, after the header, with their numbers.

    text: the line as it stands. fields: the same, with the fields of HEADER alone and in their order; null if
    the line has not as many fields as the header. None if the header is not the forecast's.
    """
    lines = (
        _text(content)
        .to_frame("text")
        .lazy()
        .select(pl.col("text").str.split("\n").explode())
        .with_row_index("line", offset=1)
        .filter(pl.col("text").str.strip_chars() != "")
        .collect()
    )
    if lines.is_empty():
        return None
    below = lines.slice(1)
    names = _header(lines["text"].item(0))
    if any(names.count(column) != 1 for column in _COLUMNS):
        return None
    if names == _COLUMNS:
        return below.with_columns(fields="text")
    # Another order or further columns, as another version of the forecast may have.
    groups = below["text"].str.extract_groups("^" + ",".join(rf"\s*({_FIELD})\s*" for _ in names) + "$")
    places = [pl.col(groups.struct.fields[names.index(column)]) for column in _COLUMNS]
    return below.hstack(groups.struct.unnest().select(fields=pl.concat_str(places, separator=",")))


def _text(content: bytes) -> pl.Series:
    """Decode a file into a series of one text, with one kind of line end.

    Undamaged UTF-8, as in almost every file, is used directly: a fifth of the work of `decode`.
    """
    try:
        text = pl.Series([content.removeprefix(BOM_UTF8)]).cast(pl.String)
    except pl.exceptions.ComputeError:
        text = pl.Series([decode(content)])
    if b"\0" in content[:2]:
        text = pl.Series([decode(content)])
    if b"\r" in content:
        text = text.str.replace_all("\r\n", "\n", literal=True).str.replace_all("\r", "\n", literal=True)
    return text


def _header(line: str) -> list[str]:
    """Parse the names of the columns, in small letters; empty list if the line is longer than any header."""
    if len(line) > _LONGEST_HEADER:
        return []
    return [name.strip().casefold() for name in next(csv.reader([line], skipinitialspace=True), [])]


def extract_fields(texts: pl.Series, pattern: str) -> pl.DataFrame:
    """Extract one column per group of the pattern, without quotes; all null if a text does not match."""
    groups = texts.str.extract_groups(pattern).struct.unnest()
    unquoted = [
        pl.when(pl.col(column).str.starts_with('"'))
        .then(pl.col(column).str.slice(1, pl.col(column).str.len_chars() - 2).str.replace_all('""', '"'))
        .otherwise(pl.col(column))
        .str.strip_chars()
        .alias(column)
        for column in HEADER
        if column in groups.columns
    ]
    return groups.with_columns(unquoted)


def read_parts(lines: pl.DataFrame) -> tuple[dict[str, pl.Series], pl.DataFrame]:
    """Find the distinct texts of each column in _PARTS, and for each line the indexes of its own texts.

    A line is cut at its first commas: a third of the work of a pattern, with the same result if its head
    holds no quote. The index of a part that a line lacks is null.
    """
    cut = pl.col("fields").str.splitn(",", len(_PARTS)).struct.rename_fields(_PARTS)
    parts = lines.select(cut.alias("cut")).unnest("cut")
    texts = _distinct(parts)
    if pl.concat([texts[name] for name in _HEAD]).str.contains('"', literal=True).any():
        is_quoted = pl.any_horizontal(pl.col(_HEAD).str.contains('"', literal=True)).fill_null(False)
        numbered = lines.select("line", "fields").hstack(parts)
        quoted = numbered.filter(is_quoted).select("line", "fields")
        fields = extract_fields(quoted["fields"], f"^{_HEAD_PATTERN},(?P<{_PARTS[-1]}>(?s:.*))$")
        parts = pl.concat([numbered.filter(~is_quoted), quoted.hstack(fields)]).sort("line").select(_PARTS)
        texts = _distinct(parts)
    return texts, parts.select(pl.col(name).cast(pl.Enum(texts[name])).to_physical() for name in _PARTS)


def _distinct(columns: pl.DataFrame) -> dict[str, pl.Series]:
    """Find the distinct texts of each column."""
    texts = columns.select(pl.all().drop_nulls().unique().implode())
    return {column.name: column.explode(empty_as_null=False) for column in texts}
