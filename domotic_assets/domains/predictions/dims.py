"""Builds the dimensions of predictions: models, horizons, targets."""

import polars as pl

from domotic_assets.schemas.predictions import DIM_HORIZON, DIM_MODEL, DIM_TARGET
from domotic_assets.schemas.table import surrogate_key

HORIZONS = (("hour", 1), ("hour", 24), ("day", 24))
TARGETS = ("energy_kwh", "presence_flag")


def dim_model() -> pl.DataFrame:
    """Build `DIM_MODEL`: one row per trained model; empty until one is trained."""
    return DIM_MODEL.empty()


def dim_horizon() -> pl.DataFrame:
    """Build `DIM_HORIZON`: one row per prediction horizon."""
    rows = [(surrogate_key(f"{kind}/{hours}"), kind, hours) for kind, hours in HORIZONS]
    return pl.DataFrame(rows, schema=DIM_HORIZON.schema, orient="row").sort(DIM_HORIZON.sort)


def dim_target() -> pl.DataFrame:
    """Build `DIM_TARGET`: one row per predicted quantity."""
    rows = [(surrogate_key(name), name) for name in TARGETS]
    return pl.DataFrame(rows, schema=DIM_TARGET.schema, orient="row").sort(DIM_TARGET.sort)
