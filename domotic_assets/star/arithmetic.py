"""Arithmetic whose result does not depend on how many rows are worked on together."""

import polars as pl


def divided(value: pl.Expr, by: float) -> pl.Expr:
    """value ÷ by, to the last bit the same for a row alone and among others.

    Polars divides by a constant in a frame of one row, and multiplies with its inverse in all others: the
    last bit would tell how a run was cut. Here it is always multiplied.
    """
    return value * (1.0 / by)
