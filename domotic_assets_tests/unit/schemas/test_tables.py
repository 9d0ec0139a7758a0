"""The declared tables agree with each other: keys, references, partitions, names, units."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.schemas import ALL_TABLES, gold, register, silver, weather
from domotic_assets.schemas.table import NO_KEY, OWNER_COLUMNS, Cadence, Table, is_ordered, surrogate_key

TABLES = list(ALL_TABLES.values())
GOLD = {table.name: table for table in gold.TABLES}
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.id)

# The unit a Gold column's name ends in, and the unit it then must declare.
UNIT_ENDINGS = {
    "_w": "W", "_wh": "Wh", "_kwh": "kWh", "_chf": "CHF", "_c": "°C", "_pct": "%", "_ppm": "ppm", "_db": "dB",
    "_hpa": "hPa", "_mm": "mm", "_ms": "m/s", "_wm2": "W/m²", "_min": "min",
}  # fmt: skip


def test_each_table_is_declared_once() -> None:
    declared = [*silver.TABLES, *gold.TABLES]
    assert len({table.id for table in declared}) == len(declared)
    assert all(ALL_TABLES[table.id] is table for table in declared)


def test_the_design_names_these_gold_tables() -> None:
    assert set(GOLD) == {
        "dim_datetime", "dim_date", "dim_apartment", "dim_room", "dim_device", "dim_tariff",
        "dim_weather_site", "dim_model", "dim_horizon", "dim_target", "fact_energy_minute",
        "fact_environment_minute", "fact_presence_minute", "fact_device_health_day",
        "fact_weather_hour", "fact_weather_day",
    }  # fmt: skip


@each_table
def test_column_names_are_unique_lower_case_and_described(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert all(column.description for column in table.columns)
    assert table.grain.startswith("one row per ")


@each_table
def test_keys_sort_and_partition_are_columns(table: Table) -> None:
    names = {column.name for column in table.columns}
    assert table.primary_key
    assert names >= set(table.primary_key)
    assert names >= set(table.sort)
    assert names >= {key.column for key in table.foreign_keys}
    if table.partition is not None:
        assert table.column(table.partition).dtype == pl.Date()


@each_table
def test_frame_has_the_declared_columns_in_order(table: Table) -> None:
    assert table.empty().columns == [column.name for column in table.columns]
    assert table.empty().height == 0


@each_table
def test_ranges_have_a_lower_end_below_the_upper(table: Table) -> None:
    for column in table.columns:
        if column.minimum is not None and column.maximum is not None:
            assert column.minimum < column.maximum


@pytest.mark.parametrize("table", gold.TABLES, ids=lambda table: table.id)
def test_foreign_keys_point_to_a_key_of_the_same_type(table: Table) -> None:
    for key in table.foreign_keys:
        target = GOLD[key.table]
        assert target.primary_key == (key.target,)
        assert table.column(key.column).dtype == target.column(key.target).dtype


@pytest.mark.parametrize("table", gold.FACTS, ids=lambda table: table.id)
def test_every_key_of_a_fact_points_somewhere(table: Table) -> None:
    referenced = {key.column for key in table.foreign_keys}
    keys = {column.name for column in table.columns if column.name.endswith("_key")}
    # The date lies before the calendar's first day where the data starts with an old forecast.
    assert keys - {"issue_date_key"} == referenced


@pytest.mark.parametrize("table", gold.FACTS, ids=lambda table: table.id)
def test_a_measures_name_ends_in_its_unit(table: Table) -> None:
    variants = "|".join(weather.WEATHER_VARIANTS)
    for column in table.columns:
        if column.dtype == pl.Float64() and column.name not in {"presence_prob", "hours", "counter_total"}:
            stem = re.sub(rf"_({variants}|avg|sum)$", "", column.name)
            ending = "_" + stem.rsplit("_", 1)[1]
            assert UNIT_ENDINGS.get(ending, "Wh/m²" if ending == "_whm2" else None) == column.unit, (
                column.name
            )


@pytest.mark.rule(1)
def test_a_counter_is_never_summed_nor_a_power() -> None:
    energy = GOLD["fact_energy_minute"]
    assert energy.column("counter_total").aggregation == "counter"
    assert energy.column("power_w").aggregation == "level"
    assert energy.column("energy_wh").aggregation == "total"


@pytest.mark.parametrize("table", [*silver.TABLES, *gold.TABLES], ids=lambda table: table.id)
def test_right_of_bronze_no_column_holds_processing_time_or_a_run(table: Table) -> None:
    forbidden = {"ingested_at", "processed_at", "loaded_at", "created_at", "updated_at", "run_id", "batch_id"}
    assert not forbidden & {column.name for column in table.columns}


@pytest.mark.rule(11)
@pytest.mark.parametrize("table", [*silver.TABLES, *gold.TABLES], ids=lambda table: table.id)
def test_right_of_bronze_a_file_is_its_id(table: Table) -> None:
    assert not {"file_name", "feed_user", "user", "api_token"} & {column.name for column in table.columns}


def test_a_surrogate_key_is_the_first_52_bits_of_sha_256() -> None:
    # printf jimmy/office | sha256sum | cut -c1-13
    assert surrogate_key("jimmy/office") == 0x73B24484CA3AE
    assert NO_KEY == -1


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"]))), st.booleans())
def test_rows_are_in_order_as_python_sorts_them(pairs: list[tuple[int, str]], strictly: bool) -> None:
    rows = pl.DataFrame(pairs, schema={"one": pl.Int64, "other": pl.String}, orient="row")
    expected = sorted(pairs) == pairs and not (strictly and len(set(pairs)) < len(pairs))
    assert is_ordered(rows, ["one", "other"], strictly=strictly) is expected
    # Categories are in the order of their texts, whichever of them was seen first.
    for first in ("ab", "ba"):
        categories = pl.Categorical(pl.Categories.random())
        both = pl.Series([*first]).cast(categories)
        named = rows.with_columns(pl.col("other").cast(categories))
        assert is_ordered(named, ["one", "other"], strictly=strictly) is expected, both


def test_a_null_is_in_no_order() -> None:
    assert not is_ordered(pl.DataFrame({"one": [1, None]}), ["one"])
    assert is_ordered(pl.DataFrame({"one": [1, 2], "other": [None, None]}), ["one"], strictly=True)


@each_table
def test_a_table_says_whose_a_row_is_how_it_is_written_and_where_its_rows_lie(table: Table) -> None:
    """Forgetting, publishing and upkeep rest on this alone."""
    names = set(table.schema.names())
    naming_an_owner = names & {name for owners in OWNER_COLUMNS.values() for name in owners}
    # A change of the register names its building in its JSON.
    assert bool(naming_an_owner) == table.is_owned or table == register.REGISTER_ROWS
    assert set(table.owner_columns) == (naming_an_owner if table.is_owned else set())
    assert (table.place is None) == (table.cadence is Cadence.WHOLE)
    if table.place is not None:
        assert {table.place.column, table.place.less_days or table.place.column} <= names
        assert table.partition is not None
    if table.minute_column is not None:
        assert table.minute_column in table.primary_key or table.id == "silver/sensor_files"


def test_what_a_table_does_not_say_of_itself_is_refused() -> None:
    with pytest.raises(TypeError, match="'subject', 'cadence', and 'place'"):
        Table(layer="gold", name="fact_new", grain="one row per thing", columns=(), primary_key=())  # type: ignore[call-arg]
