"""Checks our own tables: columns, keys and references, Bronze's bytes, and Gold against Silver."""

from collections.abc import Callable, Collection, Mapping

import polars as pl

from domotic_assets.quality.verdict import Breach, Figures, Verdict
from domotic_assets.schemas.table import NO_KEY, Table, is_ordered

TOLERANCE = 1e-9
"""Largest relative difference of sums of the same numbers in another order."""


def keys(table: Table, rows: pl.DataFrame, held: Mapping[str, pl.DataType]) -> Verdict:
    """Check that a table matches its declaration in `schemas`.

    rows: its key columns and those that may not be null. held: the columns as they are stored. A breach is a
    fault of this code, whatever the feed sent. A column that may be null may be missing until the next write.
    """
    breaches = [
        Breach(
            f"{table.id}.{column.name}",
            "column_differs",
            "ERROR",
            {"declared": str(column.dtype), "stored": stored},
        )
        for column in table.columns
        if (stored := str(held.get(column.name, "missing"))) != str(column.dtype)
        and not (column.nullable and column.name not in held)
    ]
    breaches += [
        Breach(f"{table.id}.{name}", "column_unknown", "ERROR", {"stored": str(held[name])})
        for name in sorted(held.keys() - table.schema.keys())
    ]
    # Most tables come in order of the key; to check that is cheap, and proves that no key occurs twice.
    ordered = is_ordered(rows, table.primary_key, strictly=True)
    doubles = (rows.clear() if ordered else rows).group_by(table.primary_key).len().filter(pl.col("len") > 1)
    if not doubles.is_empty():
        doubles = doubles.sort(table.primary_key)
        sample = ", ".join(str(value) for value in doubles.row(0)[:-1])
        figures: Figures = {"keys": doubles.height, "rows": int(doubles["len"].sum()), "first": sample}
        breaches.append(Breach(table.id, "key_twice", "ERROR", figures))
    for column in table.columns:
        nulls = 0 if column.nullable or column.name not in rows.columns else rows[column.name].null_count()
        if nulls:
            breaches.append(Breach(f"{table.id}.{column.name}", "key_null", "ERROR", {"rows": nulls}))
    return Verdict(breaches, {"rows": rows.height})


def references(table: Table, rows: pl.DataFrame, known: Mapping[str, Collection[int]]) -> Verdict:
    """Check that the keys of a fact exist in its dimensions.

    rows: the distinct keys of the fact. known: dimension to its keys.
    """
    breaches = []
    for key in table.foreign_keys:
        allowed = [*known[key.table], *([NO_KEY] if key.allow_none else [])]
        lost = rows[key.column].drop_nulls().unique().sort()
        lost = lost.filter(~lost.is_in(allowed))
        if len(lost):
            figures: Figures = {"keys": len(lost), "first": int(lost[0]), "dimension": key.table}
            breaches.append(Breach(f"{table.id}.{key.column}", "no_such_key", "ERROR", figures))
    return Verdict(breaches, {"keys": rows.height})


def bytes_kept(source: str, files: pl.DataFrame, identify: Callable[[str, bytes], str]) -> Verdict:
    """Check that Bronze's bytes are unchanged: each file's id is the hash of source, name and bytes.

    source: the subject of a breach. files: file_id, name, content; rows without content are sightings and are
    skipped. identify: computes the id from name and bytes.
    """
    held = files.drop_nulls("content").select("file_id", "name", "content")
    changed = [file_id for file_id, name, content in held.iter_rows() if identify(name, content) != file_id]
    figures: Figures = {"files": held.height}
    if not changed:
        return Verdict((), figures)
    breach = Breach(source, "bytes_changed", "ERROR", {"files": len(changed), "first": changed[0]})
    return Verdict([breach], figures)


def reconciled(subject: str, gold: Mapping[str, float], silver: Mapping[str, float]) -> Verdict:
    """Check that Gold's sums of a span equal Silver's. gold, silver: measure to sum or count, same names."""
    breaches = [
        Breach(f"{subject}.{name}", "differs_from_silver", "ERROR", {"gold": gold[name], "silver": expected})
        for name, expected in sorted(silver.items())
        if abs(gold[name] - expected) > TOLERANCE * max(abs(expected), 1.0)
    ]
    return Verdict(breaches, {"measures": len(silver)})
