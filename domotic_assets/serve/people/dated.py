"""Writes the SQL by which dimensions and weather end where a person's dates end.

Gold's dimensions are those of today. A person sees of them what readings on their own dates prove, and what
is known as of today alone only of homes where their dates go on. What that means for each table stands in
`matrix.DATED`. Readings are looked up in a small table that `note_readings` makes once for a connection.
"""

from collections.abc import Iterable, Sequence

import duckdb

from domotic_assets.escaping import literal
from domotic_assets.schemas import calendar, gold, predictions, weather
from domotic_assets.schemas.homes import gold as homes
from domotic_assets.schemas.homes.variables import CATEGORIES
from domotic_assets.schemas.table import NO_KEY, Subject, Table
from domotic_assets.serve.file_index import place_of
from domotic_assets.serve.people.scopes import Cut, RowFilter, Scope
from domotic_assets.serve.tables import name_of

SOURCE, VIEWS = "source", "memory"
"""The catalogs of the admin's file, and of the views that limit what a mart may read."""
SEEN = f"{VIEWS}.seen"
"""The schema of what was read where and when, made from all facts."""
_READINGS, _ISSUES, _DAYS = (f"{SEEN}.{name}" for name in ("readings", "issues", "days"))
_FIRST_DATE, _END_DATE = 101_01, 9999_12_31
_OPENING = CATEGORIES["doorsWindows"]


def note_readings(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of what was read where and on which dates, of the forecasts' issues, and of UTC days.

    They are tiny, where asking the facts again for each person and mart would read them a hundred times.
    """
    minutes = (
        f"SELECT apartment_key, room_key, {device} AS device_key, date_key, true AS is_reading, "  # noqa: S608
        "min(datetime_key) // 10000 AS first_day, max(datetime_key) // 10000 AS last_day "
        f"FROM {SOURCE}.{name_of(fact.name)} GROUP BY ALL"
        for fact in gold.MINUTE_FACTS
        for device in ["device_key" if "device_key" in fact.schema else f"{NO_KEY}::BIGINT"]
    )
    dates = (
        "SELECT apartment_key, room_key, device_key, date_key, coalesce(uptime_pct > 0, false), "  # noqa: S608
        f"date_key, date_key FROM {SOURCE}.{name_of(homes.FACT_DEVICE_HEALTH_DAY.name)}"
    )
    issues = " UNION ALL ".join(
        f"SELECT site_key, {place_of(fact)} AS issue, {day} AS day FROM {SOURCE}.{name_of(fact.name)}"  # noqa: S608
        for fact, day in (
            (weather.FACT_WEATHER_HOUR, "datetime_key // 10000"),
            (weather.FACT_WEATHER_DAY, place_of(weather.FACT_WEATHER_DAY)),
        )
    )
    connection.execute(f"CREATE SCHEMA {SEEN}")
    connection.execute(f"CREATE TABLE {_READINGS} AS {' UNION ALL '.join([*minutes, dates])}")
    connection.execute(
        f"CREATE TABLE {_ISSUES} AS SELECT site_key, issue, least(issue, min(day)) AS first_day, "  # noqa: S608
        f"issue AS last_day FROM ({issues}) GROUP BY site_key, issue"
    )
    connection.execute(
        f"CREATE TABLE {_DAYS} AS SELECT date_key::BIGINT AS day, "  # noqa: S608
        f"strftime(date - {calendar.DAYS_AHEAD}, '%Y%m%d')::BIGINT AS days_before, "
        "coalesce(first_date, date_key) AS first_date, coalesce(last_date, date_key) AS last_date "
        f"FROM {SOURCE}.{name_of(calendar.DIM_DATE.name)} LEFT JOIN ("
        "SELECT datetime_key // 10000 AS utc_day, min(date_key) AS first_date, max(date_key) AS last_date "
        f"FROM {SOURCE}.{name_of(calendar.DIM_DATETIME.name)} GROUP BY ALL) ON utc_day = date_key"
    )


def condition(table: Table, cut: Cut) -> str:
    """Return the condition in SQL for the rows of a table that are within a cut."""
    match table.subject:
        case Subject.NOBODY:
            return _NOBODYS.get(table.name, lambda _cut: "true")(cut)
        case Subject.HOME if table.name == homes.DIM_ROOM.name:
            return (
                f"room_key IN (SELECT room_key FROM {_READINGS} WHERE is_reading AND {_within(cut.windows)})"  # noqa: S608
            )
        case Subject.HOME:
            return in_windows(table, cut.windows)
        case Subject.DEVICE:
            seen = f"device_key IN ({_devices(cut.windows)})"
            return f"{in_windows(table, cut.windows)} AND {seen}" if "date_key" in table.schema else seen
        case Subject.SITE if table.place is None:
            return _site_condition(cut, "site_key", None)
        case Subject.SITE:
            return _site_condition(cut, "site_key", place_of(table))
        case Subject.PROVIDER:
            return any_of("provider", [literal(name) for name in sorted(cut.providers)])
    raise ValueError(f"{table.name}: rows that are {table.subject} cannot be cut for a person")


def value(table: Table, column: str, quoted: str, cut: Cut, scope: Scope) -> str:
    """Return the SQL of a column's value: Gold's own, or what was known at the end of a person's dates.

    quoted: the column's name in SQL.
    """
    owned = scope.homes_shown(table.name, column)
    if owned is not None:
        return f"CASE WHEN {any_of('apartment_key', owned)} THEN {literal(scope.user)} END"
    known = _PAST.get((table.name, column))
    if known is not None:
        present = _is_present(table, cut)
        return f"CASE WHEN {present} THEN {quoted} ELSE {known} END" if present != "true" else quoted
    if (table.name, column) == (homes.DIM_DEVICE.name, "is_active"):
        return f"(({quoted} OR NOT {_is_present(table, cut)}) AND device_key IN ({_devices(cut.active)}))"
    return quoted


def in_windows(table: Table, windows: Sequence[RowFilter]) -> str:
    """Return the condition for rows of the windows' homes, and of dates and minutes if the table has any."""
    names = table.schema
    return either(
        " AND ".join(
            [f"apartment_key = {window.apartment_key}"]
            + (_between("date_key", window) if "date_key" in names else [])
            + ([f"datetime_key > {window.after_minute}"] if "datetime_key" in names else [])
        )
        for window in windows
    )


def any_of(column: str, values: Iterable[object]) -> str:
    """Return a condition in SQL: the column has one of the values (in SQL); `false` if there are none."""
    listed = ", ".join(map(str, values))
    return f"{column} IN ({listed})" if listed else "false"


def either(conditions: Iterable[str]) -> str:
    """Return a condition in SQL: at least one of the conditions holds; `false` if there are none."""
    return f"({' OR '.join(f'({condition})' for condition in conditions) or 'false'})"


def _between(column: str, window: RowFilter) -> list[str]:
    """Return the conditions for dates of a window."""
    return [f"{column} >= {window.first_date_key}", f"{column} < {window.end_date_key}"]


def _within(windows: Sequence[RowFilter]) -> str:
    """Return the condition for rows of `seen.readings` in the windows."""
    return either(
        " AND ".join([f"apartment_key = {w.apartment_key}", *_between("date_key", w)]) for w in windows
    )


def _devices(windows: Sequence[RowFilter]) -> str:
    """Return a SELECT of the devices with a reading in the windows.

    Other devices may belong to people who lived there before or after.
    """
    return f"SELECT device_key FROM {_READINGS} WHERE is_reading AND {_within(windows)}"  # noqa: S608


def _site_condition(cut: Cut, site: str, issue: str | None) -> str:
    """Return the condition for rows of the sites of homes where dates go on, by the entries that go on.

    issue: SQL of the date of issue, which must lie on own dates; None for rows without one.
    """
    apartments = f"{SOURCE}.{name_of(homes.DIM_APARTMENT.name)}"
    found = []
    for window in cut.going_on:
        key = f"(SELECT weather_site_key FROM {apartments} WHERE apartment_key = {window.apartment_key})"  # noqa: S608
        endless = (window.first_date_key, window.end_date_key) == (_FIRST_DATE, _END_DATE)
        dates = [] if issue is None or endless else _between(issue, window)
        found.append(" AND ".join([f"{site} = {key}", *dates]))
    return either(found)


def _is_present(table: Table, cut: Cut) -> str:
    """Return the condition for rows of homes where the person's dates go on; `true` if they do everywhere."""
    if cut.present.issuperset(cut.apartment_keys):
        return "true"
    present = any_of("apartment_key", sorted(cut.present))
    if "apartment_key" in table.schema:
        return present
    rooms = f"SELECT room_key FROM {SOURCE}.{name_of(homes.DIM_ROOM.name)} WHERE {present}"  # noqa: S608
    return f"room_key IN ({rooms})"


def _days(cut: Cut, what: str) -> str:
    """Return a SELECT from the calendar's UTC days of what a cut shows, and DAYS_AHEAD on."""
    shown = (
        f"SELECT first_day, last_day FROM {_READINGS} WHERE {_within(cut.windows)} "  # noqa: S608
        f"AND (is_reading OR device_key IN ({_devices(cut.windows)}))"
    )
    if cut.going_on:
        issues = _site_condition(cut, "site_key", "issue")
        shown += f" UNION ALL SELECT first_day, last_day FROM {_ISSUES} WHERE {issues}"  # noqa: S608
    return (
        f"SELECT {what} FROM {_DAYS}, "  # noqa: S608
        f"(SELECT min(first_day) AS first_day, max(last_day) AS last_day FROM ({shown})) "
        "WHERE day >= first_day AND days_before <= last_day"
    )


def _minutes(cut: Cut) -> str:
    """Return the condition for minutes of the calendar."""
    first, last = _days(cut, "min(day) * 10000"), _days(cut, "max(day) * 10000 + 2359")
    return f"datetime_key >= ({first}) AND datetime_key <= ({last})"


def _dates(cut: Cut) -> str:
    """Return the condition for the dates that the minutes of the calendar, and what is shown, are of."""
    own = f"SELECT date_key FROM {_READINGS} WHERE {_within(cut.windows)}"  # noqa: S608
    return (
        f"(date_key IN ({_days(cut, 'unnest([day, first_date, last_date])')}) "
        f"OR date_key IN ({own} AND (is_reading OR device_key IN ({_devices(cut.windows)}))))"
    )


def _models(cut: Cut) -> str:
    """Return the condition for models: all while dates of a home go on, else those of the person's time."""
    if cut.present:
        return "true"
    end = max((window.end_date_key for window in cut.windows), default=0)
    return f"strftime(trained_at, '%Y%m%d')::INTEGER < {end}"


def _capital(text: str) -> str:
    """Return the SQL of a text with a capital at its beginning alone."""
    return f"upper(left({text}, 1)) || lower(substr({text}, 2))"


_NOBODYS = {
    calendar.DIM_DATETIME.name: _minutes,
    calendar.DIM_DATE.name: _dates,
    predictions.DIM_MODEL.name: _models,
}
_ROOM = "regexp_replace(room_id, '^[^/]*/', '')"
_ROOM_OF_DEVICE = "regexp_extract(device_id, '^[^/]*/(.*)/[^/]*/[^/]*$', 1)"
_PAST = {
    (homes.DIM_APARTMENT.name, "name"): "apartment_id",
    (homes.DIM_APARTMENT.name, "building_id"): "NULL",
    (homes.DIM_APARTMENT.name, "building_name"): "NULL",
    (homes.DIM_APARTMENT.name, "floor"): "NULL",
    (homes.DIM_APARTMENT.name, "weather_site_key"): str(NO_KEY),
    (homes.DIM_ROOM.name, "room_name"): _capital(_ROOM),
    (homes.DIM_ROOM.name, "room_type"): "'unknown'",
    (homes.DIM_DEVICE.name, "device_name"): f"{_capital(_ROOM_OF_DEVICE)} || ' ' || sensor_type || ' ' || "
    "regexp_extract(device_id, '[^/]*$')",
    (homes.DIM_DEVICE.name, "device_type"): f"CASE WHEN sensor_type = {literal(_OPENING.sensor_type)} "
    f"THEN {literal(_OPENING.device_type)} ELSE device_type END",
}
"""Columns that Gold knows as of today alone, and the SQL of what is told where a person's dates are over."""
