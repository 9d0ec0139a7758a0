"""Parses the series of a forecast: site, measurement, variant and unit, and what becomes of its values.

A file has many lines and few series.
"""

import re
from collections.abc import Callable, Collection, Mapping

import polars as pl

from domotic_assets.domains.weather.lines import SERIES_PATTERN, extract_fields
from domotic_assets.escaping import without_unseen
from domotic_assets.ingest.masking import REPLACEMENT_CHARACTER, mask
from domotic_assets.ingest.units import factor_and_offset
from domotic_assets.same_name import name_key, plain_name
from domotic_assets.schemas.weather import DEVIATION, WEATHER_MEASUREMENTS, WEATHER_VARIANTS

NO_VARIANT = "none"

_SERIES_KEY = ("site", "measurement", "variant")


def read_series(texts: pl.Series, secrets: Collection[str], sites: Mapping[str, str]) -> pl.DataFrame:
    """Parse each text into site, measurement, variant and unit, masked, with what becomes of its values.

    `place` is that of the series in the table's order, null if its site or measurement is refused.
    `is_whole`: whether the text has three fields. Further columns: those of `_rules`.
    """
    fields = extract_fields(texts, f"^{SERIES_PATTERN}$")
    named = fields.select(
        is_whole=pl.col("Site").is_not_null(),
        site=map_texts(fields["Site"], lambda text: _site(text, secrets, sites), pl.String()),
        measurement=map_texts(fields["Measurement"], lambda text: _measurement(text, secrets), pl.String()),
        unit=map_texts(fields["Unit"], lambda text: mask(text, secrets), pl.String()),
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


def _measurement(text: str, secrets: Collection[str]) -> str | None:
    """Name a measurement with its variant as declared, else as the file does; None if `_name` gives none."""
    name = _name(text, secrets)
    return name if name is None else _SPELLED.get(name_key(name), name)


def _site(text: str, secrets: Collection[str], sites: Mapping[str, str]) -> str | None:
    """Name a site as sites.yaml does, else as the file does, masked; None if `_name` gives none.

    sites: names by `name_key`. Of an unknown site only the letter case distinguishes names.
    """
    name = _name(plain_name(text), secrets)
    return name if name is None else sites.get(name_key(name), name)


def _name(text: str, secrets: Collection[str]) -> str | None:
    """Mask a site or measurement; None if it is empty or holds damaged bytes, as a key must be whole."""
    name = without_unseen(text)
    return None if name == "" or REPLACEMENT_CHARACTER in name else mask(name, secrets)


def map_texts(texts: pl.Series, function: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """Apply a function to each text, called once per distinct text; null stays null."""
    held = texts.to_list()
    results = {text: function(text) for text in set(held) if text is not None}
    return pl.Series(texts.name, [results.get(text) for text in held], dtype=dtype)
