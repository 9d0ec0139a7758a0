"""Carries what sources hold through the flows of the domains, without Dagster: the order of steps, once."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from graphlib import TopologicalSorter

from domotic_assets.domains.all_domains import FLOWS
from domotic_assets.domains.homes.flows import health, landing
from domotic_assets.domains.weather.flows import discover_forecasts
from domotic_assets.flow.flow import Asked, Flow
from domotic_assets.flow.windows import Window, cover
from domotic_assets.flow.workspace import Workspace

TO_SILVER = ("sensor_files", "sensor_silver")
TO_FACTS = (*TO_SILVER, "minute_facts")
FORECASTS = ("weather_files", "weather_forecasts", "fact_weather_hour", "fact_weather_day")


def in_order(flows: Sequence[Flow] = FLOWS) -> list[Flow]:
    """The flows, each after those whose tables it reads."""
    by_name = {flow.name: flow for flow in flows}
    writer = {table: flow.name for flow in flows for table in flow.writes}
    reads = {
        flow.name: {writer[source] for table in flow.writes for source in flow.inputs_of(table)}
        for flow in flows
    }
    return [by_name[name] for name in TopologicalSorter(reads).static_order()]


def carry(
    work: Workspace,
    windows: Sequence[Window] | None = None,
    issues: Sequence[date] | None = None,
    *,
    flows: Collection[str] | None = None,
) -> list[Window]:
    """Run flows (all by default) over windows and dates of issue (what is new by default); the windows.

    Local dates are those that the windows touch.
    """
    chosen = [flow for flow in in_order() if flows is None or flow.name in flows]
    if windows is None:
        windows = cover(landing.discover_sensor_files(work).minutes, datetime.now(UTC))
    if issues is None and any(flow.partition == "issue" for flow in chosen):
        issues = discover_forecasts(work)
    for flow in chosen:
        dates = issues or ()
        if flow.partition == "local date":
            dates = health.health_days_to_refresh(work, health.local_days(work, windows))
        if flow.partition in (None, "window") or dates:
            for _ in flow.run(work, Asked(flow.writes, windows, dates)):
                pass
    return list(windows)
