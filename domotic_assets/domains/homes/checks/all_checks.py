"""Lists the checks of the homes, each with its table, severities, rule in a sentence and judging function."""

from collections.abc import Callable

from domotic_assets.domains.homes.checks import clocks, counters, files, openings, readings
from domotic_assets.domains.homes.checks import rounds as steps
from domotic_assets.domains.homes.checks.rounds import Piece
from domotic_assets.quality.check import WARN_ERROR, Check, in_percent
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Verdict, together
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import bronze, gold, silver


def _each_home(judge: Callable[[Piece], Verdict]) -> Callable[[Round], Verdict]:
    """Turn a function that judges a `Piece` (some homes) into one that judges all homes of a round."""
    return lambda judged: together(judge(piece) for piece in judged.once(steps.pieces_of))


OF_HOMES = (
    Check(
        "freshness",
        silver.SENSOR_FILES,
        "ERROR",
        "A home sent no readable file for longer than `silent_after_minutes`.",
        lambda judged: steps.present_homes(judged.work, judged.now),
    ),
    Check(
        "completeness",
        silver.SENSOR_FILES,
        WARN_ERROR,
        f"A home's day lacks minutes: below {in_percent(files.PRESENT_WARN)} present WARN, below "
        f"{in_percent(files.PRESENT_ERROR)} ERROR; more than {in_percent(files.LATE_WARN)} of its files come "
        "over a quarter of an hour late: WARN.",
        _each_home(steps.completeness),
    ),
    Check(
        "readable",
        silver.SENSOR_FILES,
        WARN_ERROR,
        f"Files of a home that cannot be read at all: from {in_percent(files.UNREADABLE_WARN)} WARN, from "
        f"{in_percent(files.UNREADABLE_ERROR)} ERROR.",
        _each_home(steps.readable),
    ),
    Check(
        "sent_once",
        bronze.SENSOR_FILES,
        "WARN",
        f"A home sends {in_percent(files.DOUBLED_WARN)} of its minutes or more in several files.",
        _each_home(steps.doubled),
    ),
    Check(
        "outliers",
        silver.SENSOR_EVENTS,
        WARN_ERROR,
        f"A variable of a home out of bounds: from {in_percent(readings.OUTLIERS_WARN)} of its readings, and "
        f"{readings.OUTLIERS_TIMES_PAST:.0f} times the share of the days before, WARN; from "
        f"{in_percent(readings.OUTLIERS_ERROR)} ERROR.",
        _each_home(steps.outliers),
    ),
    Check(
        "units",
        silver.SENSOR_EVENTS,
        "ERROR",
        f"Low, middle and high readings of a device all moved by a factor of {readings.SCALE_FACTOR:.0f} or "
        "more against the days before: its unit has changed.",
        _each_home(steps.scales),
    ),
    Check(
        "stuck",
        silver.SENSOR_EVENTS,
        "WARN",
        f"A measure of air or grid shows one exact value for {readings.STUCK_READINGS // 60} hours or more, "
        f"{readings.STUCK_TIMES_PAST:.0f} times longer than in the days before (if all day: "
        f"{readings.WHOLE_DAY_TIMES_PAST:.0f} times).",
        _each_home(steps.flat_lines),
    ),
    Check(
        "still",
        silver.SENSOR_EVENTS,
        "WARN",
        "A motion sensor or an opening did not change for a day while the feed went on, nor "
        f"{openings.STILL_TIMES_PAST} times as long as it ever rested in the days before. Not told: a home "
        "in which nothing moves, and an opening that is closed and moved on fewer than "
        f"{openings.MOVED_DAYS} dates.",
        _each_home(steps.still),
    ),
    Check(
        "opening_kinds",
        silver.SENSOR_EVENTS,
        "WARN",
        f"An opening says in {in_percent(openings.UNKNOWN_WARN)} of its minutes or more neither door nor "
        "window, or no word that is known.",
        _each_home(steps.opening_kinds),
    ),
    Check(
        "places",
        silver.SENSOR_EVENTS,
        "WARN",
        "A room's list of openings became shorter or longer, or a place in it another kind of opening: the "
        "devices behind it may have another place, and so another id.",
        _each_home(steps.places),
    ),
    Check(
        "clocks",
        silver.SENSOR_EVENTS,
        WARN_ERROR,
        f"The time that a device states is more than {clocks.DRIFT_SECONDS // 60} minutes off its file's: "
        "one device WARN; all of a home alike, then the home's clock (or its zone) is wrong: ERROR.",
        _each_home(steps.clocks_of),
    ),
    Check(
        "counters",
        silver.SENSOR_EVENTS,
        WARN_ERROR,
        "A meter does not simply count on. Below zero, or going on from another room's level (rooms "
        "swapped): ERROR; a restart, overflow, dip, spike, a level set back or one that nothing leads to: "
        "WARN.",
        _each_home(steps.counters_of),
    ),
    Check(
        "refused",
        refusals.REJECTS,
        WARN_ERROR,
        "Values of a home's variable that were refused: from "
        f"{in_percent(readings.OUTLIERS_WARN)} WARN, from {in_percent(readings.OUTLIERS_ERROR)} ERROR.",
        _each_home(steps.refused),
    ),
    Check(
        "power_against_meter",
        gold.FACT_ENERGY_MINUTE,
        "ERROR",
        f"A plug's power summed up and its meter's rise differ by a factor of {counters.POWER_FACTOR:.0f} or "
        "more: one of them has another unit.",
        _each_home(steps.power_against_meter),
    ),
    Check(
        "balance",
        gold.FACT_ENERGY_MINUTE,
        WARN_ERROR,
        f"A home's plugs took more than {in_percent(counters.PLUGS_OVER_HOUSE_WARN)} of what its house meter "
        f"shows: WARN; more than {in_percent(counters.PLUGS_OVER_HOUSE_ERROR)}: ERROR. A house meter that "
        "only says 0 beside plugs that draw: WARN.",
        _each_home(steps.balance),
    ),
)

RECONCILED = tuple(
    Check(
        "as_in_silver",
        table,
        "ERROR",
        f"{what} differ from those counted in Silver.",
        _each_home(judge),
    )
    for table, what, judge in (
        (gold.FACT_ENERGY_MINUTE, "Rows and counters of plugs", steps.reconciled_energy),
        (gold.FACT_ENVIRONMENT_MINUTE, "Sums of CO2, noise and pressure", steps.reconciled_environment),
        (gold.FACT_PRESENCE_MINUTE, "Motions", steps.reconciled_presence),
    )
)

OF_FILES = (
    Check(
        "shape",
        silver.SENSOR_EVENTS,
        WARN_ERROR,
        "The last whole day of sensor files differs from `contract.yaml` in categories, fields, kinds or "
        "rooms: what is new WARN; what is gone, or of another kind, ERROR.",
        steps.feed_as_agreed,
    ),
    Check(
        "bytes_kept",
        bronze.SENSOR_FILES,
        "ERROR",
        "Bytes in Bronze no longer have the hash that they came with.",
        steps.bytes_kept,
    ),
)

CHECKS: tuple[Check, ...] = (*OF_HOMES, *OF_FILES, *RECONCILED)
"""Every check of the homes' rows and files."""
