"""Dimensions of predictions: models, horizons, targets."""

import polars as pl

from domotic_assets.schemas.predictions import DIM_HORIZON, DIM_MODEL, DIM_TARGET
from domotic_assets.schemas.table import surrogate_key

HORIZONS = (("hour", 1), ("hour", 24), ("day", 24))
TARGETS = ("energy_kwh", "presence_flag")


def dim_model() -> pl.DataFrame:
    """One row per trained model: `DIM_MODEL`, empty until one is trained."""
    return DIM_MODEL.empty()


def dim_horizon() -> pl.DataFrame:
    """One row per prediction horizon: `DIM_HORIZON`."""
    rows = [(surrogate_key(f"{kind}/{hours}"), kind, hours) for kind, hours in HORIZONS]
    return pl.DataFrame(rows, schema=DIM_HORIZON.schema, orient="row").sort(DIM_HORIZON.sort)


def dim_target() -> pl.DataFrame:
    """One row per predicted quantity: `DIM_TARGET`."""
    rows = [(surrogate_key(name), name) for name in TARGETS]
    return pl.DataFrame(rows, schema=DIM_TARGET.schema, orient="row").sort(DIM_TARGET.sort)
