"""Does arithmetic whose result does not depend on how many rows are processed together."""

import polars as pl


def divided(value: pl.Expr, by: float) -> pl.Expr:
    """Divide by a constant; the result is the same to the last bit for a row alone and among others.

    Polars divides by a constant in a frame of one row, and multiplies by its inverse in all others: the last
    bit would depend on how a run was cut. Here it always multiplies.
    """
    return value * (1.0 / by)
