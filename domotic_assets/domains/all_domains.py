"""Every domain in code: its checks, and what writes its dimensions. A domain adds a line to each list."""

from collections.abc import Callable, Mapping

from domotic_assets.domains.calendar import flows as calendar_flows
from domotic_assets.domains.homes.checks import all_checks as homes_checks
from domotic_assets.domains.homes.flows import dims as homes_dims
from domotic_assets.domains.predictions import flows as predictions_flows
from domotic_assets.domains.register import checks as register_checks
from domotic_assets.domains.weather import checks as weather_checks
from domotic_assets.domains.weather import flows as weather_flows
from domotic_assets.flow.dims import Written
from domotic_assets.flow.workspace import Workspace
from domotic_assets.quality.check import Check
from domotic_assets.quality.stored import table_checks
from domotic_assets.schemas import bronze, gold, silver

CHECKS: tuple[Check, ...] = (
    *homes_checks.CHECKS,
    *weather_checks.CHECKS,
    *register_checks.CHECKS,
    *table_checks((*bronze.TABLES, *silver.TABLES, *gold.TABLES)),
)
"""Every check that a round makes. The sensors tell `reachable`, dbt the tests of the published file."""

DIMS: tuple[Callable[[Workspace], Mapping[str, Written]], ...] = (
    calendar_flows.write_dims,
    homes_dims.write_dims,
    weather_flows.write_dims,
    predictions_flows.write_dims,
)


def write_dims(work: Workspace) -> dict[str, Written]:
    """Write every dimension that differs from what the lake holds; what was done by the table's name."""
    return {name: written for write in DIMS for name, written in write(work).items()}
