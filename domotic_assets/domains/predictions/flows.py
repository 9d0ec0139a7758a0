"""Writes the dimensions of predictions."""

from domotic_assets.domains.predictions import dims
from domotic_assets.flow.dims import DIMS, replace_dims
from domotic_assets.flow.flow import Asked, Flow, Made
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.predictions import DIM_HORIZON, DIM_MODEL, DIM_TARGET


def write_dims(work: Workspace, _asked: Asked) -> Made:
    """Write gold/dim_model, dim_horizon and dim_target if they differ from what the lake holds."""
    frames = {DIM_MODEL: dims.dim_model(), DIM_HORIZON: dims.dim_horizon(), DIM_TARGET: dims.dim_target()}
    return replace_dims(work, frames)


FLOWS = (
    Flow(
        name="predictions_dims",
        about="Models, horizons and targets of predictions.",
        writes=(DIM_MODEL, DIM_HORIZON, DIM_TARGET),
        run=write_dims,
        job=DIMS,
    ),
)
