"""Parses the series of a forecast: site, measurement, variant and unit, and what becomes of its values.

A file has many lines and few series.
"""

import re
from collections.abc import Callable, Mapping

import polars as pl

from domotic_assets.domains.weather.lines import SERIES_PATTERN, extract_fields
from domotic_assets.ingest.harmless import hidden_name, is_site, shown_text
from domotic_assets.ingest.masking import MASK, REPLACEMENT_CHARACTER
from domotic_assets.ingest.secrets import Secrets, passes
from domotic_assets.ingest.units import factor_and_offset
from domotic_assets.same_name import name_key, plain_name
from domotic_assets.schemas.weather import DEVIATION, WEATHER_MEASUREMENTS, WEATHER_VARIANTS

NO_VARIANT = "none"

_KEY = "forecast"
"""Key of names that are made of a hash: a forecast belongs to no home."""

_SERIES_KEY = ("site", "measurement", "variant")


def read_series(texts: pl.Series, secrets: Secrets, sites: Mapping[str, str]) -> pl.DataFrame:
    """Parse each text into site, measurement, variant and unit, with what becomes of its values.

    A site or measurement that is not known and does not pass by its form gets a name made of a hash, a unit
    a mask.

    `place` is that of the series in the table's order, null if its site or measurement is refused.
    `is_whole`: whether the text has three fields. Further columns: those of `_rules`.
    """
    fields = extract_fields(texts, f"^{SERIES_PATTERN}$")
    named = fields.select(
        is_whole=pl.col("Site").is_not_null(),
        site=map_texts(fields["Site"], lambda text: _site(text, secrets, sites), pl.String()),
        measurement=map_texts(fields["Measurement"], lambda text: _measurement(text, secrets), pl.String()),
        unit=map_texts(fields["Unit"], lambda text: _unit(text, secrets), pl.String()),
    )
    series = _with_variant(named)
    places = series.select(_SERIES_KEY).drop_nulls().unique().sort(_SERIES_KEY).with_row_index("place")
    placed = series.join(places, on=_SERIES_KEY, how="left", maintain_order="left").drop("unit")
    # In one chunk, as it is looked up for every line: in several chunks that costs three times as much.
    return placed.hstack(_rules(series)).rechunk()


_RULES = pl.Schema(
    {
        "unit": pl.String(),
        "factor": pl.Float64(),
        "offset": pl.Float64(),
        "refused_unit": pl.String(),
        "minimum": pl.Float64(),
        "maximum": pl.Float64(),
    }
)


def _rules(series: pl.DataFrame) -> pl.DataFrame:
    """Build what becomes of each series' values, from measurement, variant and stated unit; one row a series.

    unit: that of the values afterwards. factor, offset: value × factor + offset is the value in that unit;
    null if nothing is converted. refused_unit: the stated unit if it is none of the measurement's, else null.
    minimum, maximum: bounds of the values; null if there are none.
    A series that states no unit has the declared one, and an undeclared measurement that of the file.
    """
    rows: list[tuple[str | float | None, ...]] = []
    for name, variant, unit in series.select("measurement", "variant", "unit").iter_rows():
        declared = WEATHER_MEASUREMENTS.get(name)
        if declared is None or unit is None:
            rows.append((unit, None, None, None, None, None))
            continue
        found = factor_and_offset(unit, declared.unit) if unit else (1.0, 0.0)
        is_deviation = variant == DEVIATION
        bounds = (None, None) if is_deviation else (declared.minimum, declared.maximum)
        if found is None:
            rows.append((unit, None, None, unit, *bounds))
        elif found == (1, 0):
            rows.append((unit or declared.unit, None, None, None, *bounds))
        else:
            # A deviation is a difference: one of 9 °F is one of 5 °C.
            rows.append((declared.unit, found[0], 0.0 if is_deviation else found[1], None, *bounds))
    return pl.DataFrame(rows, schema=_RULES, orient="row")


def _with_variant(rows: pl.DataFrame) -> pl.DataFrame:
    """Split `PRED_T_2M_ctrl` into measurement `PRED_T_2M` and variant `ctrl`; `none` if no variant is stated.

    Whatever follows a known measurement is its variant; after an unknown one only a known variant is.
    """
    known = "|".join(map(re.escape, WEATHER_MEASUREMENTS))
    variants = "|".join(map(re.escape, WEATHER_VARIANTS))
    parts = pl.col("measurement").str.extract_groups(rf"^(?:({known})_(.+)|(.+)_({variants}))$").struct
    return rows.with_columns(
        measurement=pl.coalesce(parts["1"], parts["3"], "measurement"),
        variant=pl.coalesce(parts["2"], parts["4"], pl.lit(NO_VARIANT)),
    )


_SPELLED = {
    name_key(name): name
    for measurement in WEATHER_MEASUREMENTS
    for name in (measurement, *(f"{measurement}_{variant}" for variant in WEATHER_VARIANTS))
}


_UNITS = frozenset(measurement.unit for measurement in WEATHER_MEASUREMENTS.values())


def _measurement(text: str, secrets: Secrets) -> str | None:
    """Name a measurement with its variant as declared, else as the file does or by a hash; None if empty."""
    if not _is_whole(text):
        return None
    declared = _SPELLED.get(name_key(text))
    if declared is not None:
        return declared
    # Whatever follows a known measurement is its variant, and after another only a known variant is.
    known = next((f"{name}_" for name in WEATHER_MEASUREMENTS if text.startswith(f"{name}_")), "")
    variant = next((f"_{name}" for name in WEATHER_VARIANTS if not known and text.endswith(f"_{name}")), "")
    rest = text.removeprefix(known).removesuffix(variant)
    return known + (shown_text(rest) if passes(rest, secrets) else hidden_name(rest, _KEY)) + variant


def _site(text: str, secrets: Secrets, sites: Mapping[str, str]) -> str | None:
    """Name a site as sites.yaml does, else as the file does or by a hash; None if `_is_whole` says no.

    sites: names by `name_key`. Of an unknown site only the letter case distinguishes names.
    """
    name = plain_name(text)
    if not _is_whole(name):
        return None
    known = sites.get(name_key(name))
    if known is not None:
        return known
    return name if is_site(name) and not secrets.overlap(name) else hidden_name(name, _KEY)


def _unit(text: str, secrets: Secrets) -> str:
    """Show a unit as the file states it if it is one of a measurement, or passes by its form."""
    is_known = any(factor_and_offset(text, unit) for unit in _UNITS)
    return shown_text(text) if is_known or passes(text, secrets) else MASK


def _is_whole(text: str) -> bool:
    """Return whether a site or measurement is not empty and has no damaged bytes, as a key must be whole."""
    return text != "" and REPLACEMENT_CHARACTER not in text


def map_texts(texts: pl.Series, function: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """Apply a function to each text, called once per distinct text; null stays null."""
    held = texts.to_list()
    results = {text: function(text) for text in set(held) if text is not None}
    return pl.Series(texts.name, [results.get(text) for text in held], dtype=dtype)
