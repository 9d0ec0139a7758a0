"""Lists the flows of the homes: share to minute facts, device health, and the past days that checks need."""

from datetime import timedelta

from domotic_assets.domains.homes.checks import rounds
from domotic_assets.domains.homes.flows import dims, facts, health, landing, reading
from domotic_assets.flow import worklist
from domotic_assets.flow.flow import Asked, Flow, Job, Made, look_at_folder
from domotic_assets.flow.workspace import Workspace
from domotic_assets.quality.check import CHECKS
from domotic_assets.schemas.homes import bronze, gold, silver
from domotic_assets.schemas.refusals import REJECTS

WINDOWS = Job(worklist.WINDOWS, "Sensor files to the minute facts and the published file, window by window.")
HEALTH = Job("device_health", "Device health, by local date.")

NOTHING_COMES = (timedelta(minutes=20), timedelta(hours=1))
"""How long no file at all may arrive before a warning and an error, for example because the feed's processes
are gone. One silent home is found by the check `freshness`."""


def _land(work: Workspace, asked: Asked) -> Made:
    """Land the sensor files of the requested windows in Bronze; yields the table with its counts of files."""
    outcome = landing.land_sensor_files(work, asked.windows, by_name=asked.by_name)
    yield bronze.SENSOR_FILES, outcome.counts


def _flatten(work: Workspace, asked: Asked) -> Made:
    """Rebuild Silver of the requested windows from Bronze; yields each requested table and the counts."""
    outcome = reading.flatten_sensor_files(work, asked.windows)
    for table in asked.tables:
        yield table, outcome.counts


def _facts(work: Workspace, asked: Asked) -> Made:
    """Write the requested minute facts of the requested windows; yields each table with its row count."""
    steps = {
        gold.FACT_ENERGY_MINUTE: facts.energy_facts,
        gold.FACT_ENVIRONMENT_MINUTE: facts.environment_facts,
        gold.FACT_PRESENCE_MINUTE: facts.presence_facts,
    }
    for table in asked.tables:
        yield table, {"rows": steps[table](work, asked.windows)}


def _health(work: Workspace, asked: Asked) -> Made:
    """Write device health of the requested local dates, and remove these dates from the work list.

    Yields the table with its row count.
    """
    rows = health.health_facts(work, asked.dates)
    work.worklist.change(lambda held: held.done_dates(HEALTH.name, asked.dates))
    yield gold.FACT_DEVICE_HEALTH_DAY, {"rows": rows}


def _reading_days(work: Workspace, _asked: Asked) -> Made:
    """Write silver/reading_days of the last whole UTC dates; yields the table with the number of dates."""
    judged = rounds.present_round(work)
    yield silver.READING_DAYS, {"dates": rounds.remember_days(work, judged.span.end)}


FLOWS = (
    Flow(
        name="sensor_files",
        about="Files of the share, exactly as received.",
        writes=(bronze.SENSOR_FILES,),
        run=_land,
        job=WINDOWS,
        partition="window",
        fresh_within=NOTHING_COMES,
        source=landing.SOURCE,
        look=look_at_folder(landing.SOURCE),
    ),
    Flow(
        name="sensor_silver",
        about="Clean events, the definitions read off them, refused values and the status of each file.",
        writes=(
            silver.SENSOR_EVENTS,
            silver.DEVICES,
            silver.VARIABLES,
            silver.DEVICE_TYPES,
            REJECTS,
            silver.SENSOR_FILES,
        ),
        reads=(bronze.SENSOR_FILES,),
        run=_flatten,
        job=WINDOWS,
        partition="window",
        proved=(silver.SENSOR_EVENTS, silver.SENSOR_FILES),
    ),
    Flow(
        name="minute_facts",
        about="Energy, environment and presence of each minute.",
        writes=(gold.FACT_ENERGY_MINUTE, gold.FACT_ENVIRONMENT_MINUTE, gold.FACT_PRESENCE_MINUTE),
        reads=(silver.SENSOR_EVENTS, silver.SENSOR_FILES, silver.DEVICES),
        run=_facts,
        job=WINDOWS,
        partition="window",
        proved=(gold.FACT_ENERGY_MINUTE, gold.FACT_ENVIRONMENT_MINUTE, gold.FACT_PRESENCE_MINUTE),
        apart=True,
    ),
    Flow(
        name="fact_device_health_day",
        about="What was expected of each device, what came, and what was wrong with it.",
        writes=(gold.FACT_DEVICE_HEALTH_DAY,),
        reads=(silver.SENSOR_EVENTS, REJECTS, silver.DEVICES),
        run=_health,
        job=HEALTH,
        partition="local date",
    ),
    dims.FLOW,
    Flow(
        name="reading_days",
        about="What the days before looked like, which checks compare the present day with.",
        writes=(silver.READING_DAYS,),
        reads=(silver.SENSOR_EVENTS,),
        run=_reading_days,
        job=CHECKS,
    ),
)
