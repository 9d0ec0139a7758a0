"""Writes the dimensions of predictions."""

from collections.abc import Mapping

from domotic_assets.domains.predictions import dims
from domotic_assets.flow.dims import Written, replace_dims
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.predictions import DIM_HORIZON, DIM_MODEL, DIM_TARGET


def write_dims(work: Workspace) -> Mapping[str, Written]:
    """Write gold/dim_model, dim_horizon and dim_target where they differ from what the lake holds."""
    return replace_dims(
        work,
        {DIM_MODEL: dims.dim_model(), DIM_HORIZON: dims.dim_horizon(), DIM_TARGET: dims.dim_target()},
    )
