"""The sample domain's flow: Silver events of batteries to Gold, window by window."""

import polars as pl

from domotic_assets.domains.homes.flows.all_flows import WINDOWS
from domotic_assets.flow.flow import Asked, Flow, Made
from domotic_assets.flow.reading import read_within
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes.silver import SENSOR_EVENTS
from domotic_assets.schemas.homes.variables import BATTERY_VARIABLES
from domotic_assets.star.keys import key_of, minute_fact
from domotic_assets_tests.sample_domain.schema import FACT_BATTERY_MINUTE


def write_batteries(work: Workspace, asked: Asked) -> Made:
    """gold/fact_battery_minute of these windows: the minutes of Silver's readings are replaced whole."""
    read = pl.col("variable").is_in(BATTERY_VARIABLES) & ~pl.col("is_outlier")
    columns = ["ts", "home", "room", "device", "value"]
    events = read_within(work, SENSOR_EVENTS, "ts", asked.windows, columns, read)
    keyed = events.with_columns(
        device_key=key_of("device"),
        room_key=key_of("room"),
        apartment_key=key_of("home"),
        battery_pct="value",
    )
    rows = minute_fact(keyed, FACT_BATTERY_MINUTE, work.registry.time_zones())
    minutes = rows.select("datetime_key", "utc_date").unique().sort("datetime_key")
    work.lake.replace_values(
        FACT_BATTERY_MINUTE, rows, "datetime_key", minutes["datetime_key"], minutes["utc_date"]
    )
    yield FACT_BATTERY_MINUTE, {"rows": rows.height}


FLOWS = (
    Flow(
        name="fact_battery_minute",
        about="Batteries of each minute.",
        writes=(FACT_BATTERY_MINUTE,),
        reads=(SENSOR_EVENTS,),
        run=write_batteries,
        job=WINDOWS,
        partition="window",
        proved=(FACT_BATTERY_MINUTE,),
    ),
)
