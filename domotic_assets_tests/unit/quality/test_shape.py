"""The observed shape: kinds by majority, rooms, lists and rarity, read off hand-made frames and bytes."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from domotic_assets.quality.contract import Part
from domotic_assets.quality.shape import FeedShape, feed_shape, forecast_shape, header_of, register_shape
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.table import Table

DAY = date(2023, 8, 31)
AT = datetime(2023, 8, 31, 12, tzinfo=UTC)
HEADER = ("Time", "Value", "Prediction", "Site", "Measurement", "Unit")


def rows(table: Table, *given: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([*given], schema=table.schema)


def variables(**readings: int) -> pl.DataFrame:
    """`plugs__power=3`: that many readings of plugs.power."""
    return rows(
        silver.VARIABLES,
        *({"variable": n.replace("__", "."), "readings": r, "utc_date": DAY} for n, r in readings.items()),
    )


def devices(**minutes: int) -> pl.DataFrame:
    """`jimmy__office__plugs__1=3`: a device heard in that many minutes."""
    return rows(
        silver.DEVICES,
        *({"device": n.replace("__", "/"), "minutes": m, "utc_date": DAY} for n, m in minutes.items()),
    )


def rejects(*given: tuple[str, str, str], device: str = "jimmy/office/plugs/1") -> pl.DataFrame:
    """(variable, reason, raw text) of each refused value."""
    return rows(
        refusals.REJECTS,
        *(
            {
                "source": "sensor_files",
                "variable": v,
                "reason": r,
                "raw_text": t,
                "device": device,
                "minute": AT,
            }
            for v, r, t in given
        ),
    )


def unknown(*given: tuple[str, float | None, str | None]) -> pl.DataFrame:
    schema = {"variable": pl.String, "value": pl.Float64, "value_text": pl.String}
    return pl.DataFrame([*given], schema=schema, orient="row")


def shape(
    seen: pl.DataFrame | None = None,
    heard: pl.DataFrame | None = None,
    refused: pl.DataFrame | None = None,
    events: pl.DataFrame | None = None,
    silent: tuple[str, ...] = (),
) -> FeedShape:
    return feed_shape(
        variables() if seen is None else seen,
        devices() if heard is None else heard,
        rejects() if refused is None else refused,
        unknown() if events is None else events,
        silent,
    )


def test_kinds_of_known_fields_are_the_feeds() -> None:
    found = shape(variables(plugs__total=9, plugs__is_valid=9, doorsWindows__switch=9, doorsWindows__type=9))
    assert found.feed == {
        "plugs": {"total": Part("number"), "is_valid": Part("flag")},
        "doorsWindows": {"switch": Part("state"), "type": Part("text")},
    }
    assert found.readings["plugs.total"] == 9


@pytest.mark.parametrize(
    ("accepted", "refused", "kind"),
    [(3, 2, "number"), (2, 2, "number"), (1, 2, "text"), (0, 1, "text")],
)
def test_another_kind_is_that_of_most_readings(accepted: int, refused: int, kind: str) -> None:
    seen = variables(plugs__power=accepted) if accepted else None
    found = shape(seen, refused=rejects(*[("plugs.power", "not_a_number", "21,5")] * refused))
    assert found.feed["plugs"]["power"].kind == kind
    assert found.readings["plugs.power"] == accepted + refused


@pytest.mark.parametrize(
    ("variable", "reason", "raw", "kind"),
    [
        ("plugs.power", "not_a_number", "17.62", "text"),
        ("plugs.power", "not_a_number", "true", "flag"),
        ("plugs.power", "not_a_number", '{"w": 1}', "object"),
        ("plugs.power", "not_a_number", "[1]", "list"),
        ("plugs.power", "not_finite", "NaN", "number"),
        ("plugs.power", "not_finite", "***", "number"),
        ("plugs.is_valid", "not_a_flag", "1", "number"),
        ("plugs.is_valid", "not_a_flag", "yes", "text"),
        ("doorsWindows.switch", "not_a_state", "true", "flag"),
        ("doorsWindows.switch", "not_a_state", "open", "text"),
        ("doorsWindows.type", "not_a_text", "2", "number"),
        ("gas.flow", "not_finite", "1e400", "number"),
    ],
)
def test_what_was_refused_tells_its_kind(variable: str, reason: str, raw: str, kind: str) -> None:
    category, name = variable.split(".")
    assert shape(refused=rejects((variable, reason, raw))).feed[category][name].kind == kind


def test_a_forecasts_refused_values_are_not_the_feeds() -> None:
    of_forecast = rejects(("plugs.power", "not_a_number", "x")).with_columns(source=pl.lit("weather_files"))
    assert shape(refused=of_forecast).feed == {}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([(1.0, None), (0.0, None)], "flag or number"),
        ([(1.0, None), (2.0, None)], "number"),
        ([(None, "on"), (None, "off")], "state or text"),
        ([(None, "on"), (None, "A")], "text"),
        ([(7.0, None), (None, "A"), (None, "B")], "text"),
        ([(7.0, None), (8.0, None), (None, "B")], "number"),
    ],
)
def test_kinds_of_fields_that_nobody_described(
    values: list[tuple[float | None, str | None]], kind: str
) -> None:
    events = unknown(*(("plugs.surge", *value) for value in values))
    found = shape(variables(plugs__surge=len(values)), events=events)
    assert found.feed == {"plugs": {"surge": Part(kind)}}
    assert found.readings["plugs.surge"] == len(values)


def test_a_field_of_few_of_the_readings_is_optional() -> None:
    """49 of 100 may be missed, 50 not; a category of its own is measured by itself."""
    found = shape(variables(meteos__Temperature=100, meteos__CO2=50, meteos__Noise=49, motions__motion=3))
    assert {name for name, part in found.feed["meteos"].items() if part.optional} == {"Noise"}
    assert not found.feed["motions"]["motion"].optional


def test_a_category_and_a_room_of_few_minutes_are_optional() -> None:
    heard = devices(
        jimmy__office__plugs__1=100,
        jimmy__nursery__meteos__1=3,
        jimmy__house__waters__1=1,
        anna__den__gas__1=2,
    )
    seen = variables(plugs__power=100, meteos__CO2=3, waters__flow=1, gas__flow=2)
    events = unknown(("waters.flow", 3.0, None), ("gas.flow", 3.0, None))
    found = shape(seen, heard, events=events)
    rare = {name for name, fields in found.feed.items() if any(part.optional for part in fields.values())}
    assert rare == {"meteos", "waters"}
    assert found.rooms == {
        "jimmy": {"office": Part("room"), "nursery": Part("room", True), "house": Part("room", True)},
        "anna": {"den": Part("room")},
    }


def test_rooms_are_those_that_files_name_with_or_without_a_good_reading() -> None:
    found = shape(
        variables(plugs__power=5),
        devices(jimmy__office__plugs__1=5),
        rejects(("plugs.power", "not_a_number", "x"), device="jimmy/kitchen/plugs/1"),
        silent=("jimmy/laundry/plugs/1", "jimmy/office/plugs/1"),
    )
    names = dict.fromkeys(("office", "kitchen", "laundry"), Part("room"))
    assert found.rooms == {"jimmy": names}


def test_a_second_place_makes_a_list() -> None:
    heard = devices(
        jimmy__office__plugs__1=5, jimmy__office__doorsWindows__1=5, jimmy__office__doorsWindows__2=5
    )
    assert shape(heard=heard).lists == {"doorsWindows"}


def test_a_category_that_holds_a_bare_value() -> None:
    found = shape(variables(motions__motion=5), refused=rejects(("plugs", "not_an_object", "7")))
    assert (found.bare, set(found.feed)) == ({"plugs": "number"}, {"motions"})
    one_of_many = shape(variables(plugs__power=5), refused=rejects(("plugs", "not_an_object", "7")))
    assert one_of_many.bare == {}


@pytest.mark.parametrize(
    "content",
    [
        b"Time,Value,Prediction,Site,Measurement,Unit\nrest",
        b"\xef\xbb\xbf\r\n Time ,Value,Prediction,Site,Measurement,Unit\r\n",
        b'"Time","Value","Prediction","Site","Measurement","Unit"',
        "Time,Value,Prediction,Site,Measurement,Unit\n1".encode("utf-16"),
    ],
)
def test_a_header_is_the_first_line_however_it_is_written(content: bytes) -> None:
    assert header_of(content) == HEADER


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe", b"\x00" * 5000])
def test_no_header_is_no_crash(content: bytes) -> None:
    assert not set(header_of(content)) & set(HEADER)


def test_a_forecasts_unit_is_the_one_that_most_of_its_lines_state() -> None:
    rows = pl.DataFrame({"measurement": ["PRED_GLOB", "PRED_T_2M"] * 2, "variant": ["ctrl", "none"] * 2})
    lines = [
        "Site, Measurement ,unit,Time",
        '"Aadorf, Sion",PRED_GLOB_ctrl,W,now',
        'Sion, "PRED_GLOB_ctrl" ,"W",now',
        "Sion,PRED_GLOB_ctrl,?,now",
        "Sion,PRED_T_2M,,now",
        "broken",
    ]
    found = forecast_shape("\r\n".join(lines).encode("utf-16"), rows)
    assert found.columns == ("Site", "Measurement", "unit", "Time")
    assert found.measurements == {"PRED_GLOB": {"ctrl": Part("W")}, "PRED_T_2M": {"none": Part("none")}}
    assert forecast_shape(b"Time,Value\n", rows.clear()).measurements is None


def test_a_register_without_personal_tables_and_with_optional_columns_that_are_not_read() -> None:
    catalogue = {
        "Buildings": {"IDBUILDING": "integer", "lastName": "text"},
        "users": {"password": "text"},  # pragma: allowlist secret
        "UserRelationships": {"idUser": "integer"},
        "invoices": {"iban": "text"},
    }
    assert register_shape(catalogue) == {
        "Buildings": {"IDBUILDING": Part("integer"), "lastName": Part("text", optional=True)},
        "invoices": {},
    }
