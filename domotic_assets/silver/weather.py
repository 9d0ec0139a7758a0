"""Forecast files to forecast rows: every variant, step and issue of the latest readable version of each name.

Reading bytes, refusing bad values and flagging outliers belong here; columns a measurement and daily
figures are Gold's. The file is cut into lines before fields are looked for, so a broken quote costs its
own line and swallows no other.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from domotic_assets.schemas.gold import WEATHER_MEASUREMENTS, WEATHER_VARIANTS
from domotic_assets.schemas.silver import REJECTS, WEATHER_FORECASTS
from domotic_assets.schemas.table import UTC_TIME
from domotic_assets.silver.masking import REPLACEMENT_CHARACTER, mask

SOURCE = "weather_files"
HEADER = ("Time", "Value", "Prediction", "Site", "Measurement", "Unit")
MISSING_VALUE = -99999.0
NO_VARIANT = "none"
RAW_TEXT_LIMIT = 200

# dim_datetime reaches eight days beyond the data: a valid time further off is a damaged one.
EARLIEST_BEFORE_ISSUE = timedelta(days=1)
LATEST_AFTER_ISSUE = timedelta(days=9)

_FIELD = r'"(?:[^"]|"")*"|[^",]*'
_LINE = "^" + ",".join(rf"\s*(?P<{column}>{_FIELD})\s*" for column in HEADER) + "$"
_KEY = ("site", "measurement", "variant", "valid_at", "step")


@dataclass(frozen=True)
class WeatherReading:
    """What forecast files gave. `summary`: one row per file version with its status and counts."""

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


def read_weather_files(files: pl.DataFrame, secrets: Collection[str]) -> WeatherReading:
    """Rows of `WEATHER_FORECASTS` and `REJECTS` from file versions shaped as bronze `WEATHER_FILES`.

    Of each name the latest readable version counts, whole. A version that is no CSV with the forecast's
    header is quarantined: one reject with reason `not_csv`, and the version before it goes on counting.
    """
    forecasts, rejects, summary = [WEATHER_FORECASTS.empty()], [REJECTS.empty()], []
    counted: set[str] = set()
    newest_first = files.unique("file_id").sort("arrived_at", "file_id", descending=True)
    for version in newest_first.iter_rows(named=True):
        file_id, issue = version["file_id"], version["utc_date"]
        if version["name"] in counted:
            summary.append((file_id, issue, "superseded", 0, 0, 0, 0))
            continue
        lines = _lines(version["content"])
        if lines is None:
            rejects.append(_quarantine(version["content"], file_id, issue, secrets))
            summary.append((file_id, issue, "quarantined", 0, 0, 0, 1))
            continue
        counted.add(version["name"])
        good, bad, nulls = _read(lines, file_id, issue, secrets)
        forecasts.append(good)
        rejects.append(bad)
        status = "partial" if bad.height else "loaded"
        summary.append((file_id, issue, status, lines.height, good.height, nulls, bad.height))
    return WeatherReading(
        pl.concat(forecasts).sort("utc_date", *WEATHER_FORECASTS.sort),
        pl.concat(rejects).sort(REJECTS.sort),
        pl.DataFrame(summary, schema=SUMMARY_SCHEMA, orient="row").sort("utc_date", "file_id"),
    )


def _decode(content: bytes) -> str:
    """The text of UTF-8 or UTF-16 with or without byte-order mark; a damaged byte becomes U+FFFD."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if content[:1] == b"\0":
        return content.decode("utf-16-be", "replace")
    if content[1:2] == b"\0":
        return content.decode("utf-16-le", "replace")
    return content.decode("utf-8-sig", "replace")


def _lines(content: bytes) -> pl.DataFrame | None:
    """One row per line that is not blank, with its number in the file; None where the header is another."""
    text = _decode(content).replace("\r\n", "\n").replace("\r", "\n")
    lines = (
        pl.DataFrame({"text": text.split("\n")})
        .with_row_index("line", offset=1)
        .filter(pl.col("text").str.strip_chars() != "")
    )
    if lines.is_empty():
        return None
    header = _fields(lines.head(1)).select(HEADER).row(0)
    return lines.slice(1) if header == HEADER else None


def _fields(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with one column a field, without its quotes; all null where a line has not six fields."""
    fields = lines.with_columns(pl.col("text").str.extract_groups(_LINE).alias("field")).unnest("field")
    unquoted = [
        pl.when(pl.col(column).str.starts_with('"'))
        .then(pl.col(column).str.slice(1, pl.col(column).str.len_chars() - 2).str.replace_all('""', '"'))
        .otherwise(pl.col(column))
        .str.strip_chars()
        .alias(column)
        for column in HEADER
    ]
    return fields.with_columns(unquoted)


def _read(
    lines: pl.DataFrame, file_id: str, issue: date, secrets: Collection[str]
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Forecasts, rejects and the count of missing values of one file."""
    fields = _fields(lines)
    whole = pl.col("Time").is_not_null()
    number = pl.col("Value").cast(pl.Float64, strict=False)
    rows = fields.with_columns(
        _mapped(fields["Time"], lambda text: _valid_time(text, issue), UTC_TIME).alias("valid_at"),
        _mapped(fields["Site"], lambda text: _name(text, secrets), pl.String()).alias("site"),
        _mapped(fields["Measurement"], lambda text: _name(text, secrets), pl.String()).alias("measurement"),
        _mapped(fields["Unit"], lambda text: mask(text, secrets), pl.String()).alias("unit"),
        pl.col("Prediction").str.extract(r"^([0-9]{1,4})$").cast(pl.Int64).alias("step"),
        pl.when(number.is_finite()).then(number).alias("number"),
        ((pl.col("Value") == "") | (number == MISSING_VALUE).fill_null(False)).alias("is_missing"),
    )
    refusals = (
        ("", pl.col("text"), ~whole, pl.lit("bad_row")),
        (": Time", pl.col("Time"), whole & pl.col("valid_at").is_null(), pl.lit("bad_time")),
        (
            ": Value",
            pl.col("Value"),
            whole & pl.col("number").is_null() & ~pl.col("is_missing"),
            pl.when(number.is_null()).then(pl.lit("not_a_number")).otherwise(pl.lit("not_finite")),
        ),
        (": Prediction", pl.col("Prediction"), whole & pl.col("step").is_null(), pl.lit("not_a_number")),
        (": Site", pl.col("text"), whole & pl.col("site").is_null(), pl.lit("bad_row")),
        (": Measurement", pl.col("text"), whole & pl.col("measurement").is_null(), pl.lit("bad_row")),
    )
    rejects = pl.concat(
        rows.filter(refused).select(
            json_path=pl.format("line {}{}", pl.col("line"), pl.lit(column)), raw_text=raw, reason=reason
        )
        for column, raw, refused, reason in refusals
    )
    keyed = rows.drop_nulls(["valid_at", "site", "measurement", "step"])
    forecasts = (
        _with_variant(keyed)
        .with_columns(value=pl.when(~pl.col("is_missing")).then(pl.col("number")))
        # A line whose value was refused stays, without one, as its time and step are good; but it never
        # hides a readable line of the same key. Of readable ones the last wins.
        .sort(pl.col("number").is_not_null() | pl.col("is_missing"), "line")
        .unique(_KEY, keep="last", maintain_order=True)
        .with_columns(is_outlier=_is_outlier(), file_id=pl.lit(file_id), utc_date=pl.lit(issue))
        .select(list(WEATHER_FORECASTS.schema))
    )
    nulls = int(rows.select((whole & pl.col("is_missing")).sum()).item())
    return forecasts, _reject_rows(rejects, file_id, issue, secrets), nulls


def _mapped(texts: pl.Series, function: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """`function` of each text; called once a distinct text, of which a file has few."""
    distinct = texts.drop_nulls().unique().to_list()
    return texts.replace_strict(
        distinct, [function(text) for text in distinct], default=None, return_dtype=dtype
    )


def _valid_time(text: str, issue: date) -> datetime | None:
    """The UTC time of a text that states its offset; None where it does not or lies far from the issue."""
    try:
        moment = datetime.fromisoformat(text)
        utc = moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    midnight = datetime(issue.year, issue.month, issue.day, tzinfo=UTC)
    if utc is None or not midnight - EARLIEST_BEFORE_ISSUE <= utc < midnight + LATEST_AFTER_ISSUE:
        return None
    return utc


def _name(text: str, secrets: Collection[str]) -> str | None:
    """A site or measurement, masked; None where it is empty or holds damaged bytes: a key must be whole."""
    return None if text == "" or REPLACEMENT_CHARACTER in text else mask(text, secrets)


def _with_variant(rows: pl.DataFrame) -> pl.DataFrame:
    """`PRED_T_2M_ctrl` as measurement `PRED_T_2M` and variant `ctrl`; `none` where no variant is stated.

    Of a known measurement whatever follows is its variant; of an unknown one only a known variant is.
    """
    known = "|".join(map(re.escape, WEATHER_MEASUREMENTS))
    variants = "|".join(map(re.escape, WEATHER_VARIANTS))
    parts = pl.col("measurement").str.extract_groups(rf"^(?:({known})_(.+)|(.+)_({variants}))$").struct
    return rows.with_columns(
        measurement=pl.coalesce(parts["1"], parts["3"], "measurement"),
        variant=pl.coalesce(parts["2"], parts["4"], pl.lit(NO_VARIANT)),
    )


def _is_outlier() -> pl.Expr:
    """Whether a value lies outside its measurement's bounds; where there are none it never does."""
    bounded = [m for m in WEATHER_MEASUREMENTS.values() if m.minimum is not None and m.maximum is not None]
    inside = [
        (pl.col("measurement") != m.name) | pl.col("value").is_between(m.minimum, m.maximum) for m in bounded
    ]
    return (~pl.all_horizontal(inside)).fill_null(False)


def _reject_rows(refused: pl.DataFrame, file_id: str, issue: date, secrets: Collection[str]) -> pl.DataFrame:
    """`REJECTS` rows of one file from json_path, raw_text and reason."""
    raw = _mapped(refused["raw_text"], lambda text: mask(text, secrets)[:RAW_TEXT_LIMIT], pl.String())
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


def _quarantine(content: bytes, file_id: str, issue: date, secrets: Collection[str]) -> pl.DataFrame:
    """The one reject of a version that cannot be read at all: its first line, masked."""
    first_line = _decode(content[: 16 * RAW_TEXT_LIMIT]).splitlines()[:1] or [""]
    refused = pl.DataFrame({"json_path": ["line 1"], "raw_text": first_line, "reason": ["not_csv"]})
    return _reject_rows(refused, file_id, issue, secrets)
