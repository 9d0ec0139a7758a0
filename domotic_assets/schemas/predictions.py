"""Declares the dimensions of predictions: model, horizon, target."""

from domotic_assets.schemas.star import key_column, small_whole
from domotic_assets.schemas.table import (
    Cadence,
    Subject,
    Table,
    moment,
    text,
)

DIM_MODEL = Table(
    layer="gold",
    name="dim_model",
    grain="one row per trained model; empty until one is",
    columns=(
        key_column("model_key", "model"),
        text("model_version", "version", nullable=False),
        text("model_type", "kind of model", nullable=False),
        moment("trained_at", "when it was trained", nullable=False),
        text("description", "what it does", nullable=False),
    ),
    primary_key=("model_key",),
    subject=Subject.NOBODY,
    cadence=Cadence.WHOLE,
    place=None,
    sort=("model_key",),
)

DIM_HORIZON = Table(
    layer="gold",
    name="dim_horizon",
    grain="one row per prediction horizon",
    columns=(
        key_column("horizon_key", "horizon"),
        text("horizon_type", "hour or day", nullable=False),
        small_whole("horizon_hours", "hours ahead"),
    ),
    primary_key=("horizon_key",),
    subject=Subject.NOBODY,
    cadence=Cadence.WHOLE,
    place=None,
    sort=("horizon_key",),
)

DIM_TARGET = Table(
    layer="gold",
    name="dim_target",
    grain="one row per predicted quantity",
    columns=(key_column("target_key", "target"), text("target_name", "what is predicted", nullable=False)),
    primary_key=("target_key",),
    subject=Subject.NOBODY,
    cadence=Cadence.WHOLE,
    place=None,
    sort=("target_key",),
)
