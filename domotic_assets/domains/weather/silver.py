"""Reads forecast files into rows: every variant, step and issue of each name's latest readable version.

Refusing bad values and flagging outliers belong here, reading lines in `lines` and `series`. Columns per
measurement and daily figures belong to Gold.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.domains.weather.lines import read_lines, read_parts
from domotic_assets.domains.weather.series import map_texts, read_series
from domotic_assets.ingest.decoding import decode
from domotic_assets.ingest.harmless import LARGEST_NUMBER, is_measure, shown_text
from domotic_assets.ingest.masking import MASK
from domotic_assets.ingest.secrets import Secrets, passes
from domotic_assets.ingest.units import DECIMALS
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.schemas.weather import WEATHER_FORECASTS

SOURCE = "weather_files"

MISSING_VALUE = -99999.0

_PHONE = r"^(?:\+[0-9]{6}|0[0-9]{4})"
"""A number that is written as one of a phone."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
_LONGEST_NUMBER = 10
"""Characters of a number in a reject: a longer one may be a phone number with a point in it."""
_BEGINNING = 3_200
"""Bytes of a file that cannot be read of which the first line is looked at."""

LARGEST = 1e300
"""Magnitude from which a value counts as not finite: another unit of it could be too large for a number."""

# dim_datetime reaches eight days beyond the data: a valid time further off is a damaged one.
EARLIEST_BEFORE_ISSUE = timedelta(days=1)

LATEST_AFTER_ISSUE = timedelta(days=9)

_STEPS = 10_000  # A step has at most four digits.

_REFUSED, _MISSING, _READ = range(3)
"""Ranks of lines of one key: a line with a value counts before one without, and that before a refused one."""


@dataclass(frozen=True)
class WeatherReading:
    """The result of reading forecast files. summary: one row per file version, with its status and counts."""

    forecasts: pl.DataFrame
    rejects: pl.DataFrame
    summary: pl.DataFrame


SUMMARY_SCHEMA = pl.Schema(
    {
        "file_id": pl.String(),
        "utc_date": pl.Date(),
        "status": pl.String(),
        "lines": pl.Int64(),
        "forecasts": pl.Int64(),
        "nulls": pl.Int64(),
        "rejects": pl.Int64(),
    }
)


def read_weather_files(
    files: pl.DataFrame, users: Collection[str], sites: Mapping[str, str]
) -> WeatherReading:
    """Read rows of `WEATHER_FORECASTS` and `REJECTS` from file versions shaped as bronze `WEATHER_FILES`.

    Of each name the latest readable version counts, whole. A version that is no CSV with the forecast's
    header, or has no line below it, is quarantined: it gets one reject with reason `not_csv` or `no_lines`,
    and the version before it still counts.
    users: feed users, which no text may overlap. sites: the name of each site that sites.yaml knows, by
    `name_key`.
    """
    secrets = Secrets.of(set(users))
    forecasts, rejects, summary = [WEATHER_FORECASTS.empty()], [REJECTS.empty()], []
    counted: set[str] = set()
    newest_first = files.unique("file_id").sort("arrived_at", "file_id", descending=True)
    # Without the last write, which may be of a year that no date can hold.
    newest_first = newest_first.select("file_id", "utc_date", "name", "content")
    for version in newest_first.iter_rows(named=True):
        file_id, issue = version["file_id"], version["utc_date"]
        if version["name"] in counted:
            summary.append((file_id, issue, "superseded", 0, 0, 0, 0))
            continue
        lines = read_lines(version["content"])
        if lines is None or lines.is_empty():
            reason = "not_csv" if lines is None else "no_lines"
            rejects.append(_quarantine(version["content"], file_id, issue, secrets, reason))
            summary.append((file_id, issue, "quarantined", 0, 0, 0, 1))
            continue
        counted.add(version["name"])
        good, bad, nulls = _read(lines, file_id, issue, secrets, sites)
        forecasts.append(good)
        rejects.append(bad)
        status = "partial" if bad.height else "loaded"
        summary.append((file_id, issue, status, lines.height, good.height, nulls, bad.height))
    return WeatherReading(
        _together(forecasts),
        pl.concat(rejects).sort(REJECTS.sort),
        pl.DataFrame(summary, schema=SUMMARY_SCHEMA, orient="row").sort("utc_date", "file_id"),
    )


def _times(texts: pl.Series, issue: date) -> pl.DataFrame:
    """Parse each text as a UTC time (`valid_at`), and rank the times (`moment`); null if it is refused."""
    times = texts.str.strip_chars()
    valid_at = map_texts(times, lambda text: _valid_time(text, issue), UTC_TIME)
    return pl.DataFrame({"Time": times, "valid_at": valid_at, "moment": valid_at.rank("dense")})


def _values(texts: pl.Series) -> pl.DataFrame:
    """Parse the number of each text, null if it is none or not finite, and rank the text.

    A value is missing if its text is empty or MISSING_VALUE.
    """
    number = pl.col("Value").cast(pl.Float64, strict=False)
    is_missing = (pl.col("Value") == "") | (number == MISSING_VALUE).fill_null(False)
    may_be_phone = (number.abs() >= LARGEST_NUMBER) | pl.col("Value").str.contains(_PHONE)
    is_read = number.abs().lt(LARGEST).fill_null(False) & ~may_be_phone
    return (
        texts.to_frame("Value")
        .lazy()
        .select(pl.col("Value").str.strip_chars())
        .with_columns(
            number=pl.when(is_read).then(number),
            rank=pl.when(is_missing).then(_MISSING).when(is_read).then(_READ).otherwise(_REFUSED),
        )
        .collect()
    )


def _steps(texts: pl.Series) -> pl.DataFrame:
    """Parse the step of each text; null if it is none."""
    step = pl.col("Prediction").str.extract(r"^([0-9]{1,4})$").cast(pl.Int64)
    stripped = texts.to_frame("Prediction").lazy().select(pl.col("Prediction").str.strip_chars())
    return stripped.with_columns(step=step).collect()


def _read(
    lines: pl.DataFrame, file_id: str, issue: date, secrets: Secrets, sites: Mapping[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Read the lines of one file; returns forecasts, rejects and the number of missing values.

    Texts repeat, so each one is parsed once, and lines are sorted by numbers alone.
    """
    texts, places = read_parts(lines)
    times = _times(texts["Time"], issue)
    understood = {
        "Time": times,
        "Value": _values(texts["Value"]),
        "Prediction": _steps(texts["Prediction"]),
        "series": read_series(texts["series"], secrets, sites),
    }
    columns = (frame.select(pl.all().gather(places[name])) for name, frame in understood.items())
    # One number in the order of the table's key, null if a part of the key is. It has room for the series and
    # times of twenty million lines.
    series_and_time = pl.col("place").cast(pl.Int64) * (times.height + 1) + pl.col("moment")
    rows = pl.concat([lines, *columns], how="horizontal").with_columns(
        pl.col("is_whole").fill_null(False), key=series_and_time * _STEPS + pl.col("step")
    )
    if understood["series"]["refused_unit"].count():
        is_refused = pl.col("refused_unit").is_not_null() & (pl.col("rank") == _READ)
        rows = rows.with_columns(rank=pl.when(is_refused).then(_REFUSED).otherwise("rank"))
    # A line whose value was refused stays with a null value, as its time and step are good. Of several lines
    # of a key one with a value wins over one without, and the last over the ones before.
    ordered = (
        rows.lazy()
        .drop_nulls("key")
        .sort(pl.col("key") * (_READ + 1) + pl.col("rank"), maintain_order=True)
        .with_columns(value=pl.when(pl.col("rank") == _READ).then(_converted(understood["series"])))
    )
    forecasts = (
        ordered.filter(_IS_LAST)
        .with_columns(
            file_id=pl.lit(file_id),
            utc_date=pl.lit(issue),
            is_outlier=~pl.col("value").is_between(pl.col("minimum"), pl.col("maximum")).fill_null(True),
        )
        .select(list(WEATHER_FORECASTS.schema))
        .collect()
    )
    nulls = rows.filter("is_whole", rank=_MISSING).height
    rejects = _refused(
        rows.filter(~pl.col("is_whole") | pl.col("key").is_null() | (pl.col("rank") == _REFUSED))
    )
    if forecasts.height < rows["key"].count():
        rejects = pl.concat([rejects, _contradicted(ordered)])
    return forecasts, _reject_rows(rejects, file_id, issue, secrets), nulls


_IS_LAST = pl.col("key").ne_missing(pl.col("key").shift(-1))
"""Whether a line is the last of its key, and so counts, among lines in the order of their keys."""


def _converted(series: pl.DataFrame) -> pl.Expr:
    """Build the value of a line in the unit of its series. series: as `read_series` returns them."""
    stated = pl.col("number")
    if series["factor"].null_count() == series.height:
        return stated
    converted = (stated * pl.col("factor") + pl.col("offset")).round(DECIMALS)
    return pl.when(pl.col("factor").is_null()).then(stated).otherwise(converted)


def _contradicted(ordered: pl.LazyFrame) -> pl.DataFrame:
    """Build json_path, raw_text and reason of lines that a later one of the same key contradicts.

    ordered: lines by key, the one that counts last. A line that says what that one says, or that has no
    value, loses nothing.
    """
    lines = ordered.select("key", "line", "Value", "value", is_last=_IS_LAST).collect()
    counting = lines.filter("is_last").select("key", counting="value")
    return (
        lines.filter(~pl.col("is_last"))
        .join(counting, on="key")
        .filter(pl.col("value") != pl.col("counting"))
        .select(
            json_path=pl.format("line {}: Value", "line"), raw_text="Value", reason=pl.lit("contradicted")
        )
    )


def _refused(rows: pl.DataFrame) -> pl.DataFrame:
    """Build json_path, raw_text and reason of all that is wrong in these lines, one row a fault."""
    whole, is_refused = pl.col("is_whole"), pl.col("rank") == _REFUSED
    number = pl.col("Value").cast(pl.Float64, strict=False)
    refusals = (
        ("", pl.col("text"), ~whole, pl.lit("bad_row")),
        (": Time", pl.col("Time"), whole & pl.col("valid_at").is_null(), pl.lit("bad_time")),
        (
            ": Value",
            pl.col("Value"),
            whole & pl.col("number").is_null() & is_refused,
            pl.when(number.is_null())
            .then(pl.lit("not_a_number"))
            .when(number.abs() < LARGEST)
            .then(pl.lit("withheld"))
            .otherwise(pl.lit("not_finite")),
        ),
        (
            ": Unit",
            pl.format("{} {}", "Value", "refused_unit"),
            whole & pl.col("number").is_not_null() & is_refused,
            pl.lit("unknown_unit"),
        ),
        (": Prediction", pl.col("Prediction"), whole & pl.col("step").is_null(), pl.lit("not_a_number")),
        (": Site", pl.col("text"), whole & pl.col("site").is_null(), pl.lit("bad_row")),
        (": Measurement", pl.col("text"), whole & pl.col("measurement").is_null(), pl.lit("bad_row")),
    )
    return pl.concat(
        rows.lazy()
        .filter(refused)
        .select(json_path=pl.format("line {}{}", pl.col("line"), pl.lit(column)), raw_text=raw, reason=reason)
        for column, raw, refused, reason in refusals
    ).collect()


def _together(forecasts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Concatenate the forecasts of files by date of issue; rows of one issue are in the table's order.

    forecasts: rows of one file each, in the table's order.
    """
    by_issue = sorted((rows for rows in forecasts if rows.height), key=_issue)
    together = pl.concat([WEATHER_FORECASTS.empty(), *by_issue])
    if len(set(map(_issue, by_issue))) == len(by_issue):
        return together
    return together.sort("utc_date", *WEATHER_FORECASTS.sort)


def _issue(rows: pl.DataFrame) -> date:
    """Return the date of issue of one file's forecasts, which must have at least one row."""
    issue: date = rows["utc_date"].item(0)
    return issue


def _valid_time(text: str, issue: date) -> datetime | None:
    """Parse a time that states its offset into UTC; None if it does not, or lies far from the issue."""
    if "," in text:
        # Python would read what follows an offset and a comma as part of the offset.
        return None
    try:
        moment = datetime.fromisoformat(text)
        utc = moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    midnight = datetime(issue.year, issue.month, issue.day, tzinfo=UTC)
    if utc is None or not midnight - EARLIEST_BEFORE_ISSUE <= utc < midnight + LATEST_AFTER_ISSUE:
        return None
    return utc


def _reject_rows(refused: pl.DataFrame, file_id: str, issue: date, secrets: Secrets) -> pl.DataFrame:
    """Build `REJECTS` rows of one file from json_path, raw_text and reason."""
    raw = map_texts(refused["raw_text"], lambda text: _shown(text, secrets), pl.String())
    nothing = {name: pl.lit(None, dtype) for name, dtype in REJECTS.schema.items()}
    stated = {
        "source": pl.lit(SOURCE),
        "file_id": pl.lit(file_id),
        "json_path": pl.col("json_path"),
        "raw_text": raw,
        "reason": pl.col("reason"),
        "utc_date": pl.lit(issue),
    }
    return refused.select(**{**nothing, **stated})


def _shown(text: str, secrets: Secrets) -> str:
    """Show a refused text if it is a measure or passes by its form."""
    if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
        return text if is_measure(float(text)) else MASK
    return shown_text(text) if passes(text, secrets) else MASK


def _quarantine(content: bytes, file_id: str, issue: date, secrets: Secrets, reason: str) -> pl.DataFrame:
    """Build the one reject of a version that cannot be read at all: its first line, if that passes."""
    first_line = decode(content[:_BEGINNING]).splitlines()[:1] or [""]
    refused = pl.DataFrame({"json_path": ["line 1"], "raw_text": first_line, "reason": [reason]})
    return _reject_rows(refused, file_id, issue, secrets)
