"""Lists the flows and checks of every domain in code. A new domain adds a line to each list."""

from domotic_assets.domains.calendar import flows as calendar_flows
from domotic_assets.domains.homes.checks import all_checks as homes_checks
from domotic_assets.domains.homes.flows import all_flows as homes_flows
from domotic_assets.domains.predictions import flows as predictions_flows
from domotic_assets.domains.register import checks as register_checks
from domotic_assets.domains.register import flows as register_flows
from domotic_assets.domains.weather import checks as weather_checks
from domotic_assets.domains.weather import flows as weather_flows
from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.flow import Flow
from domotic_assets.flow.workspace import Workspace
from domotic_assets.quality.check import Check
from domotic_assets.quality.stored import table_checks
from domotic_assets.schemas import bronze, gold, silver

FLOWS: tuple[Flow, ...] = (
    *homes_flows.FLOWS,
    *weather_flows.FLOWS,
    *register_flows.FLOWS,
    *calendar_flows.FLOWS,
    *predictions_flows.FLOWS,
)

CHECKS: tuple[Check, ...] = (
    *homes_checks.CHECKS,
    *weather_checks.CHECKS,
    *register_checks.CHECKS,
    *table_checks((*bronze.TABLES, *silver.TABLES, *gold.TABLES)),
)
"""Every check of a round. `reachable` is judged by the sensors, the published file by dbt's tests."""


def refuse_unknown_sources(work: Workspace) -> None:
    """Raise ConfigurationError for a source of sites.yaml that no flow reads."""
    known = {flow.source for flow in FLOWS if flow.source is not None}
    if unknown := sorted(work.registry.sources.keys() - known):
        raise ConfigurationError(
            f"sources.{unknown[0]}: nothing reads a source of this name",
            where=str(work.settings.sites_file),
            expected=f"one of {', '.join(sorted(known))}",
            remedy="correct the name",
        )
