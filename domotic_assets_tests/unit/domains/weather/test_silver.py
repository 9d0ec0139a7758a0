"""Forecast files: which version counts, what a bad value costs, encodings, variants and bounds."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domotic_assets.domains.weather.silver import WeatherReading, read_weather_files
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets.schemas.weather import WEATHER_FILES, WEATHER_FORECASTS

pytestmark = pytest.mark.rule(10)

HEADER = "Time,Value,Prediction,Site,Measurement,Unit"
ISSUE = date(2023, 9, 4)
GOOD = "2023-09-04 03:00:00+00:00,11.5,03,Sion,PRED_T_2M_ctrl,°C"


def version(content: bytes, *, file_id: str = "f1", hour: int = 7, day: int = 4) -> pl.DataFrame:
    arrived = datetime(2023, 9, day, hour, tzinfo=UTC)
    issue = date(2023, 9, day)
    row = (file_id, f"Pred_{issue}.csv", arrived, arrived, len(content), content, issue)
    return pl.DataFrame([row], schema=WEATHER_FILES.schema, orient="row")


def csv(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines, ""]).encode()


def read(*lines: str) -> WeatherReading:
    return read_weather_files(version(csv(*lines)), ["JimmyLoup"], {})


def values(forecasts: pl.DataFrame) -> list[float | None]:
    return forecasts["value"].to_list()


def told(text: str) -> str:
    """What a reject shows of a text: nothing, unless it is short and has words and few figures alone."""
    return text if len(re.findall(r"\d", text)) <= 3 and len(text) < 30 else "***"


def refusals(rejects: pl.DataFrame) -> list[tuple[str, str, str]]:
    return rejects.select("json_path", "raw_text", "reason").sort("json_path").rows()


def test_a_line_becomes_a_row() -> None:
    reading = read(GOOD)
    assert reading.forecasts.schema == WEATHER_FORECASTS.schema
    assert reading.forecasts.rows() == [
        ("Sion", "PRED_T_2M", "ctrl", datetime(2023, 9, 4, 3, tzinfo=UTC), 3, 11.5, "°C", False, "f1", ISSUE)
    ]
    assert reading.rejects.schema == REJECTS.schema
    assert reading.summary.rows() == [("f1", ISSUE, "loaded", 1, 1, 0, 0)]


def test_no_files_give_empty_frames() -> None:
    reading = read_weather_files(WEATHER_FILES.empty(), [], {})
    assert reading.forecasts.schema == WEATHER_FORECASTS.schema
    assert reading.rejects.schema == REJECTS.schema
    assert reading.summary.height == 0


def test_no_value_is_null_and_counted() -> None:
    reading = read(
        GOOD.replace("11.5", "-99999.0"), GOOD.replace("11.5", "-99999").replace("03,Sion", "04,Sion")
    )
    assert values(reading.forecasts) == [None, None]
    assert reading.summary.select("nulls", "rejects").row(0) == (2, 0)


def test_every_variant_step_and_unknown_measurement_is_kept() -> None:
    names = [
        "PRED_T_2M_ctrl", "PRED_T_2M_q10", "PRED_T_2M_q90", "PRED_T_2M_stde", "PRED_T_2M_q50",
        "PRED_T_2M", "PRED_SNOW_q10", "PRED_SNOW_DEPTH",
    ]  # fmt: skip
    lines = [GOOD.replace("PRED_T_2M_ctrl", name) for name in names] + [GOOD.replace(",03,", ",33,")]
    rows = read(*lines).forecasts.select("measurement", "variant", "step").rows()
    assert sorted(rows) == [
        ("PRED_SNOW", "q10", 3),
        ("PRED_SNOW_DEPTH", "none", 3),
        ("PRED_T_2M", "ctrl", 3),
        ("PRED_T_2M", "ctrl", 33),
        ("PRED_T_2M", "none", 3),
        ("PRED_T_2M", "q10", 3),
        ("PRED_T_2M", "q50", 3),
        ("PRED_T_2M", "q90", 3),
        ("PRED_T_2M", "stde", 3),
    ]


def test_measurements_are_known_in_any_letter_case() -> None:
    reading = read(GOOD.replace("PRED_T_2M_ctrl", "pred_t_2m_CTRL"), GOOD.replace("11.5", "12.5"))
    assert reading.forecasts.select("measurement", "variant", "value").rows() == [("PRED_T_2M", "ctrl", 12.5)]
    assert refusals(reading.rejects) == [("line 2: Value", "11.5", "contradicted")]


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("measurement", "inside", "outside"),
    [
        ("PRED_T_2M", ("-50", "60"), ("-50.1", "60.1")),
        ("PRED_RELHUM_2M", ("0", "100"), ("-0.1", "100.1")),
        ("PRED_TOT_PREC", ("0", "500"), ("-0.1", "500.1")),
        ("PRED_GLOB", ("0", "1500"), ("-3.3", "1500.1")),
        ("PRED_DURSUN", ("-1", "9999"), ()),
        ("PRED_NEW", ("-1e7", "1e7"), ()),
    ],
)
def test_outliers_are_flagged_and_kept(
    measurement: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    texts = [*inside, *outside]
    lines = [
        f"2023-09-04 03:00:00+00:00,{text},{step:02d},Sion,{measurement}_ctrl,"
        for step, text in enumerate(texts)
    ]
    forecasts = read(*lines).forecasts.sort("step")
    assert values(forecasts) == [float(text) for text in texts]
    assert forecasts["is_outlier"].to_list() == [False] * len(inside) + [True] * len(outside)


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    "text",
    [
        "2023-09-04 03:00:00+00:00",
        "2023-09-04T05:00:00+02:00",
        "2023-09-03 22:30:00-04:30",
        "2023-09-04 03:00:00Z",
        "2023-09-04 05:00+0200",
    ],
)
def test_any_offset_is_placed_in_utc(text: str) -> None:
    forecasts = read(GOOD.replace("2023-09-04 03:00:00+00:00", text)).forecasts
    assert forecasts["valid_at"].to_list() == [datetime(2023, 9, 4, 3, tzinfo=UTC)]


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "",
        "2023-09-04 03:00:00",
        "2023-13-04 03:00:00Z",
        "2093-09-04 03:00:00Z",
        "2023-09-04 03:00:00+00:00,50",
    ],
)
def test_an_unreadable_time_is_refused(text: str) -> None:
    quoted = f'"{text}"' if "," in text else text
    reading = read(GOOD.replace("2023-09-04 03:00:00+00:00", quoted), GOOD.replace(",03,", ",04,"))
    assert values(reading.forecasts) == [11.5]
    assert refusals(reading.rejects) == [("line 2: Time", told(text), "bad_time")]
    assert reading.summary["status"].item() == "partial"


@pytest.mark.rule(5)
@pytest.mark.rule(9)
@pytest.mark.parametrize(
    ("text", "raw", "reason"),
    [
        ("n/a", "n/a", "not_a_number"),
        ('"21,5"', "21,5", "not_a_number"),
        ("NaN", "NaN", "not_finite"),
        ("-inf", "-inf", "not_finite"),
        ("1e999", "***", "not_finite"),
        ("x jimmyloup", "***", "not_a_number"),
        ("41791234567e400", "***", "not_finite"),  # pragma: allowlist secret
    ],
)
def test_a_bad_value_costs_itself_only(text: str, raw: str, reason: str) -> None:
    reading = read(GOOD.replace("11.5", text), GOOD.replace(",03,", ",04,"))
    assert values(reading.forecasts.sort("step")) == [None, 11.5]
    assert refusals(reading.rejects) == [("line 2: Value", raw, reason)]
    row = reading.rejects.row(0, named=True)
    assert (row["source"], row["file_id"], row["utc_date"]) == ("weather_files", "f1", ISSUE)
    assert reading.summary.select("status", "nulls", "rejects").row(0) == ("partial", 0, 1)


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("one,two", "line 3"),
        (GOOD + ",7", "line 3"),
        (GOOD.replace("11.5", "11,5"), "line 3"),
        (GOOD.replace("Sion", '"Sion'), "line 3"),
        (GOOD.replace("Sion", ""), "line 3: Site"),
        (GOOD.replace("PRED_T_2M_ctrl", ""), "line 3: Measurement"),
    ],
)
def test_a_broken_line_swallows_no_other(line: str, path: str) -> None:
    around = [GOOD.replace(",03,", f",{step},") for step in ("04", "05", "06")]
    reading = read(around[0], line, *around[1:])
    assert reading.forecasts["step"].to_list() == [4, 5, 6]
    assert refusals(reading.rejects) == [(path, told(line), "bad_row")]


@pytest.mark.rule(5)
@pytest.mark.parametrize("step", ["x3", "-1", "3.0", "٣", "12345678901234567890"])
def test_a_step_that_is_no_number_is_refused(step: str) -> None:
    reading = read(GOOD.replace(",03,", f",{step},"))
    assert reading.forecasts.height == 0
    assert refusals(reading.rejects) == [("line 2: Prediction", told(step), "not_a_number")]


def test_quotes_may_surround_a_site_with_commas_and_quotes() -> None:
    lines = [GOOD.replace("Sion", '"Gütsch, Andermatt"'), GOOD.replace("Sion", '"the ""old"" one"')]
    assert sorted(read(*lines).forecasts["site"]) == ["Gütsch, Andermatt", 'the "old" one']


@pytest.mark.rule(5)
def test_of_lines_that_contradict_each_other_the_last_counts_and_the_others_are_rejects() -> None:
    lines = [GOOD.replace("11.5", text) for text in ("11.5", "12.5", "11.50", "11.5", "broken", "-99999")]
    reading = read(*lines)
    assert values(reading.forecasts) == [11.5]
    assert refusals(reading.rejects) == [
        ("line 3: Value", "12.5", "contradicted"),
        ("line 6: Value", "broken", "not_a_number"),
    ]
    assert reading.summary.select("status", "nulls", "rejects").row(0) == ("partial", 1, 2)


@pytest.mark.rule(5)
def test_lines_of_two_spellings_of_one_site_or_of_two_units_contradict_each_other_too() -> None:
    lines = [
        GOOD.replace("Sion", " SION").replace("11.5", "10"),
        GOOD.replace("11.5", "50").replace("°C", "°F"),
        GOOD.replace("11.5", "280.15").replace("°C", "K"),
        GOOD.replace("11.5", "10"),
    ]
    reading = read_weather_files(version(csv(*lines)), [], {"sion": "Sion"})
    assert reading.forecasts.select("site", "value", "unit").rows() == [("Sion", 10.0, "°C")]
    assert refusals(reading.rejects) == [("line 4: Value", "280.15", "contradicted")]


@pytest.mark.rule(10)
@pytest.mark.parametrize(
    ("measurement", "text", "unit", "expected"),
    [
        ("PRED_T_2M_ctrl", "50", "°F", (10.0, "°C", False)),
        ("PRED_T_2M_q10", "140", "fahrenheit", (60.0, "°C", False)),
        ("PRED_T_2M_ctrl", "141", "°F", (60.5555556, "°C", True)),
        ("PRED_T_2M_q90", "283.15", "K", (10.0, "°C", False)),
        # A deviation is a difference: it has a scale, and neither an offset nor bounds.
        ("PRED_T_2M_stde", "9", "°F", (5.0, "°C", False)),
        ("PRED_T_2M_stde", "5", "Kelvin", (5.0, "°C", False)),
        ("PRED_TOT_PREC_stde", "600", "mm", (600.0, "mm", False)),
        ("PRED_GLOB_stde", "-1", "Watt/m2", (-1.0, "Watt/m2", False)),
        ("PRED_TOT_PREC_ctrl", "0.001", "m", (1.0, "mm", False)),
        ("PRED_TOT_PREC_ctrl", "0.5", "inch", (12.7, "mm", False)),
        ("PRED_TOT_PREC_ctrl", "1.5", "kg m-2", (1.5, "kg m-2", False)),
        ("PRED_GLOB_ctrl", "0.25", "kW/m²", (250.0, "W/m²", False)),
        ("PRED_FF_10M_ctrl", "36", "km/h", (10.0, "m/s", False)),
        ("PRED_FF_10M_ctrl", "10", "knots", (5.1444444, "m/s", False)),
        ("PRED_DURSUN_ctrl", "1.5", "h", (90.0, "min", False)),
        ("PRED_RELHUM_2M_ctrl", "0.45", "1", (45.0, "%", False)),
        # No unit means the declared one; an undeclared measurement has that of the file.
        ("PRED_T_2M_ctrl", "10", "", (10.0, "°C", False)),
        ("PRED_NEW_ctrl", "10", "furlong", (10.0, "furlong", False)),
        ("PRED_NEW_ctrl", "10", "", (10.0, "", False)),
        ("PRED_T_2M_ctrl", "-99999", "°F", (None, "°C", False)),
    ],
)
def test_a_value_is_read_in_the_unit_of_its_measurement(
    measurement: str, text: str, unit: str, expected: tuple[float | None, str, bool]
) -> None:
    reading = read(
        GOOD.replace("PRED_T_2M_ctrl", measurement).replace("11.5", text).replace("°C", unit),
        # The usual unit beside it.
        GOOD.replace("PRED_T_2M", "PRED_OTHER"),
    )
    rows = reading.forecasts.filter(pl.col("measurement") != "PRED_OTHER")
    value, stated, outlier = rows.select("value", "unit", "is_outlier").row(0)
    assert (value, stated, outlier) == (pytest.approx(expected[0]), *expected[1:])
    assert reading.rejects.height == 0


@pytest.mark.rule(10)
@pytest.mark.parametrize(
    ("measurement", "unit", "shown"),
    [
        ("PRED_T_2M_ctrl", "x", "***"), ("PRED_T_2M_stde", "%", "11.5 %"),
        ("PRED_TOT_PREC_ctrl", "mm/h", "11.5 mm/h"), ("PRED_GLOB_q10", "kJ/m2", "***"),
        ("PRED_FF_10M_ctrl", "Bft", "11.5 Bft"), ("PRED_RELHUM_2M_ctrl", "°C", "***"),
    ],
)  # fmt: skip
def test_a_value_in_a_unit_that_cannot_be_converted_is_a_reject(
    measurement: str, unit: str, shown: str
) -> None:
    line = GOOD.replace("PRED_T_2M_ctrl", measurement).replace("°C", unit)
    lines = [line, line.replace("11.5", "-99999").replace(",03,", ",04,"), line.replace(",03,", ",05,x,")]
    reading = read(*lines)
    assert values(reading.forecasts) == [None, None]
    assert refusals(reading.rejects) == [
        ("line 2: Unit", shown, "unknown_unit"),
        ("line 4", "***", "bad_row"),
    ]


def test_a_number_that_no_unit_could_hold_is_not_finite() -> None:
    reading = read(GOOD.replace("11.5", "1e305").replace("PRED_T_2M", "PRED_DURSUN").replace("°C", "h"))
    assert values(reading.forecasts) == [None]
    assert refusals(reading.rejects) == [("line 2: Value", "***", "not_finite")]


@pytest.mark.parametrize(
    "header",
    [
        "time,VALUE,Prediction,site,Measurement,unit",
        ' "Time" , Value,"Prediction",Site,Measurement,Unit',
        "Unit,Measurement,Site,Prediction,Value,Time",
        "Model,Time,Value,Prediction,Site,Measurement,Unit,Run",
    ],
)
def test_columns_are_found_by_their_names(header: str) -> None:
    names = [name.strip('" ').lower() for name in header.split(",")]
    fields = {
        "time": '"2023-09-04 03:00:00+00:00"',
        "value": " 11.5",
        "prediction": "03",
        "site": '"the, ""old"""',
        "measurement": "PRED_T_2M_ctrl",
        "unit": "°C",
    }
    lines = [",".join(fields.get(name, "else") for name in names), "one,two"]
    reading = read_weather_files(version("\n".join([header, *lines]).encode()), [], {})
    columns = ("site", "measurement", "variant", "valid_at", "step", "value", "unit")
    assert reading.forecasts.select(columns).rows() == [
        ('the, "old"', "PRED_T_2M", "ctrl", datetime(2023, 9, 4, 3, tzinfo=UTC), 3, 11.5, "°C")
    ]
    assert refusals(reading.rejects) == [("line 3", "one,two", "bad_row")]


@pytest.mark.rule(9)
@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + csv(GOOD),
        csv(GOOD).replace(b"\n", b"\r\n"),
        csv(GOOD).replace(b"\n", b"\r"),
        csv(GOOD).replace(b"\n", b"\n\n"),
        csv(GOOD).decode().encode("utf-16"),
        csv(GOOD).decode().encode("utf-16-le"),
        csv(GOOD).decode().encode("utf-16-be"),
        csv(GOOD).decode().encode("cp1252"),
    ],
)
def test_encodings_and_line_ends(content: bytes) -> None:
    reading = read_weather_files(version(content), [], {})
    assert reading.forecasts.select("value", "unit").rows() == [(11.5, "°C")]
    assert reading.rejects.height == 0


@pytest.mark.rule(9)
def test_a_damaged_byte_costs_its_line_only() -> None:
    content = csv(GOOD.replace("Sion", "Sion_x"), GOOD).replace(b"Sion_x", b"Sion\xe9")
    reading = read_weather_files(version(content), [], {})
    assert reading.forecasts["site"].to_list() == ["Sion"]
    assert reading.rejects.select("json_path", "reason").rows() == [("line 2: Site", "bad_row")]


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\x00\x01\x02", b"<html>JimmyLoup</html>", b"Time,Value\n1,2\n", csv(GOOD)[5:]]
)
def test_a_file_without_the_header_is_quarantined(content: bytes) -> None:
    reading = read_weather_files(version(content), ["JimmyLoup"], {})
    assert reading.forecasts.height == 0
    assert reading.rejects.select("file_id", "json_path", "reason").rows() == [("f1", "line 1", "not_csv")]
    assert "JimmyLoup" not in reading.rejects["raw_text"].item()
    assert reading.summary.rows() == [("f1", ISSUE, "quarantined", 0, 0, 0, 1)]


@pytest.mark.rule(6)
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_the_latest_readable_version_counts_whole(order: list[int]) -> None:
    versions = [
        version(csv(GOOD, GOOD.replace(",03,", ",04,")), file_id="old", hour=7),
        version(csv(GOOD.replace("11.5", "12.5")), file_id="new", hour=8),
        version(b"cut off", file_id="broken", hour=9),
        version(csv(GOOD.replace("09-04", "09-05")), file_id="other day", day=5),
    ]
    reading = read_weather_files(pl.concat([versions[i] for i in order]), [], {})
    assert reading.forecasts.select("file_id", "value", "utc_date").rows() == [
        ("new", 12.5, date(2023, 9, 4)),
        ("other day", 11.5, date(2023, 9, 5)),
    ]
    assert dict(reading.summary.select("file_id", "status").iter_rows()) == {
        "old": "superseded", "new": "loaded", "broken": "quarantined", "other day": "loaded",
    }  # fmt: skip


@pytest.mark.rule(11)
def test_no_text_shows_a_feed_user() -> None:
    lines = [
        GOOD.replace("Sion", "JimmyLoup's").replace("°C", "JIMMYLOUP").replace("T_2M", "NEW"),
        GOOD.replace("Sion", "Rue du Lac 5").replace("T_2M_ctrl", "T_2M_JimmyLoup"),
        GOOD.replace("T_2M_ctrl", "0791234567"),
        "of JimmyLoup",
        GOOD.replace("11.5", "a" * 198 + "JimmyLoup"),
    ]
    reading = read(*lines)
    hidden = "hidden-[0-9a-f]{12}"
    found = reading.forecasts.filter(pl.col("value") == 11.5).sort("site")
    assert not [
        text for text in map(str, found.rows()) if re.search("jimmy|loup|rue|lac|0791", text, re.IGNORECASE)
    ]
    assert sorted(found["unit"]) == ["***", "°C", "°C"]
    assert found.filter(site="Sion")["measurement"].str.contains(f"^PRED_{hidden}$|^{hidden}$").all()
    assert found.filter(measurement="PRED_T_2M")["variant"].str.contains(f"^{hidden}$").all()
    assert found.filter(measurement="PRED_NEW").select("variant").row(0) == ("ctrl",)
    raw = dict(reading.rejects.select("json_path", "raw_text").iter_rows())
    assert raw == {"line 5": "***", "line 6: Value": "***"}


@pytest.mark.rule(9)
def test_every_row_of_a_full_file_is_read() -> None:
    lines = [
        f"2023-09-04 {hour:02d}:00:00+00:00,{hour}.5,{step:02d},Site {site},{measurement}_{variant},x"
        for site in range(8)
        for measurement in (
            "PRED_T_2M",
            "PRED_RELHUM_2M",
            "PRED_TOT_PREC",
            "PRED_GLOB",
            "PRED_DURSUN",
            "PRED_FF_10M",
        )
        for variant in ("ctrl", "q10", "q90", "stde")
        for step in range(33)
        for hour in range(24)
    ]
    reading = read_weather_files(version(csv(*lines)), ["JimmyLoup"], {})
    assert reading.forecasts.height == 8 * 6 * 4 * 33 * 24


def test_rows_are_in_the_order_of_the_table_whatever_that_of_the_lines() -> None:
    lines = [
        f"2023-09-{day:02d} {hour:02d}:00:00+00:00,1.5,{step},{site},{measurement},x"
        for step in ("3", "03", "10", "0")
        for day, hour in ((5, 1), (4, 23))
        for site in ("Visp", '"Gütsch, Andermatt"', "Genève / Cointrin")
        for measurement in ("PRED_T_2M_q10", "PRED_T_2M_ctrl", "PRED_SNOW", "PRED_GLOB_ctrl")
    ]
    forecasts = read(*lines).forecasts
    keys = forecasts.select(WEATHER_FORECASTS.sort).rows()
    assert keys == sorted(keys)
    # Steps 3 and 03 are the same.
    assert len(keys) == len(set(keys)) == 3 * 2 * 3 * 4


def test_files_of_one_date_come_in_one_order() -> None:
    other = version(csv(GOOD.replace("Sion", "Aigle"))).with_columns(name=pl.lit("another name"))
    day_before = version(csv(GOOD.replace("09-04", "09-03")), file_id="f3", day=3)
    reading = read_weather_files(pl.concat([version(csv(GOOD), file_id="f2"), day_before, other]), [], {})
    assert reading.forecasts.select("utc_date", "site", "file_id").rows() == [
        (date(2023, 9, 3), "Sion", "f3"),
        (ISSUE, "Aigle", "f1"),
        (ISSUE, "Sion", "f2"),
    ]


@pytest.mark.parametrize(
    "head",
    [
        '"2023-09-04 03:00:00+00:00",11.5,03,',
        '2023-09-04 03:00:00+00:00, "11.5" ,03,',
        '2023-09-04 03:00:00+00:00,11.5,"03",',
        '\t" 2023-09-04 03:00:00+00:00","11.5 ","03" ,',
        " 2023-09-04 03:00:00+00:00 ,\u00a011.5\u2003, 03 ,",
    ],
)
def test_quotes_and_blanks_around_any_field(head: str) -> None:
    reading = read(f'{head} "Gütsch, Andermatt" , PRED_T_2M_ctrl,"°C"')
    assert reading.rejects.height == 0
    assert reading.forecasts.select("site", "variant", "valid_at", "step", "value", "unit").rows() == [
        ("Gütsch, Andermatt", "ctrl", datetime(2023, 9, 4, 3, tzinfo=UTC), 3, 11.5, "°C")
    ]


@pytest.mark.parametrize("texts", [("11.5", '"12.5"', "13.5"), ('"11.5"', "12.5", '"13.5"')])
def test_the_last_line_wins_quoted_or_not(texts: tuple[str, ...]) -> None:
    assert values(read(*(GOOD.replace("11.5", text) for text in texts)).forecasts) == [13.5]


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "line",
    [
        # A time may have any sign between date and hour, but no quote.
        GOOD.replace("04 03", '04"03'),
        GOOD.replace("11.5", '"11.5'),
        GOOD.replace("11.5", '11.5"'),
        GOOD.replace(",03,", ',0"3,'),
        GOOD.replace("Sion,", '"Sion,'),
        GOOD.replace("Sion", '"Sion" x'),
        '"' + GOOD + '"',
        ",,",
        ",,,,",
        ",,,,,,",
        '"',
    ],
)
def test_a_line_that_is_not_six_fields_is_refused_whole(line: str) -> None:
    reading = read(line, GOOD)
    assert values(reading.forecasts) == [11.5]
    assert refusals(reading.rejects) == [("line 2", told(line), "bad_row")]


@pytest.mark.rule(6)
def test_a_header_alone_is_named_and_replaces_no_forecast() -> None:
    versions = [version(csv(GOOD)), version(csv(), file_id="cut off", hour=8)]
    reading = read_weather_files(pl.concat(versions), [], {})
    assert values(reading.forecasts) == [11.5]
    assert reading.rejects.select("file_id", "json_path", "raw_text", "reason").rows() == [
        ("cut off", "line 1", HEADER, "no_lines")
    ]
    assert reading.summary.rows() == [
        ("cut off", ISSUE, "quarantined", 0, 0, 0, 1),
        ("f1", ISSUE, "loaded", 1, 1, 0, 0),
    ]


def test_lines_of_which_none_has_fields_are_all_refused() -> None:
    reading = read("one", "two")
    assert reading.forecasts.height == 0
    assert refusals(reading.rejects) == [("line 2", "one", "bad_row"), ("line 3", "two", "bad_row")]


def line_by_line(
    columns: Sequence[str], lines: Sequence[str]
) -> tuple[dict[tuple[object, ...], tuple[float | None, str]], dict[str, str]]:
    """What the lines say, each read by itself: value and unit by key, and the reasons of rejects by path."""
    field = r'"(?:[^"]|"")*"|[^",]*'
    pattern = re.compile(",".join([rf"\s*({field})\s*"] * len(columns)))
    said: dict[tuple[object, ...], list[tuple[str, float | None, str]]] = {}
    refused = {}
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        match = pattern.fullmatch(line)
        if match is None:
            refused[f"line {number}"] = "bad_row"
            continue
        texts = [
            (text[1:-1].replace('""', '"') if text.startswith('"') else text).strip()
            for text in match.groups()
        ]
        time, text, step, site, measurement, unit = (texts[columns.index(name)] for name in OWN_COLUMNS)
        bad = {
            "Time": ("bad_time", time not in TIMES),
            "Prediction": ("not_a_number", not step.isdigit()),
            "Site": ("bad_row", not site),
            "Measurement": ("bad_row", not measurement),
        }
        faults = {f"line {number}: {name}": reason for name, (reason, is_bad) in bad.items() if is_bad}
        name, _, variant = measurement.rpartition("_")
        if variant not in ("ctrl", "q10", "q90", "stde"):
            name, variant = measurement, "none"
        # A broken quote may bring the text of another field here.
        value = float(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) and text != "-99999" else None
        after = unit
        if value is None and text not in ("", "-99999"):
            refused[f"line {number}: Value"] = "not_a_number"
        if name in MEANT:
            found = MEANT[name].get(unit)
            after = unit if found is None else found[0]
            if found is None and value is not None:
                refused[f"line {number}: Unit"] = "unknown_unit"
            value = None if found is None or value is None else found[1 + (variant == "stde")](value)
        refused |= faults
        if not faults:
            key = (site, name, variant, TIMES[time], int(step))
            said.setdefault(key, []).append((f"line {number}: Value", value, after))
    held = {}
    for key, stated in said.items():
        with_value = [(value, unit) for _, value, unit in stated if value is not None]
        readable = [
            (value, unit) for path, value, unit in stated if {path, path[:-5] + "Unit"}.isdisjoint(refused)
        ]
        held[key] = [(None, stated[-1][2]), *readable[-1:], *with_value[-1:]][-1]
        for path, value, _ in stated:
            if value is not None and value != pytest.approx(held[key][0], abs=1e-6):
                refused[path] = "contradicted"
    return held, refused


OWN_COLUMNS = HEADER.split(",")
TIMES = {
    "2023-09-04 03:00:00+00:00": datetime(2023, 9, 4, 3, tzinfo=UTC),
    "2023-09-04 05:00:00+02:00": datetime(2023, 9, 4, 3, tzinfo=UTC),
    "2023-09-05 00:00:00Z": datetime(2023, 9, 5, tzinfo=UTC),
}
NUMBERS = ("10", "-3", "0.0", "50", "283.15")


def same(value: float) -> float:
    return value


# By measurement and unit: the unit afterwards, what a value becomes, and what a deviation becomes.
MEANT = {
    "PRED_T_2M": {
        "°C": ("°C", same, same),
        "": ("°C", same, same),
        "°F": ("°C", lambda value: (value - 32) / 1.8, lambda value: value / 1.8),
    },
    "PRED_TOT_PREC": {
        "kg/m2": ("kg/m2", same, same),
        "": ("mm", same, same),
        "m": ("mm", lambda value: 1000 * value, lambda value: 1000 * value),
    },
}
PLAIN_FIELDS = {
    "Time": (*TIMES, *TIMES, "soon"),
    "Value": (*NUMBERS, *NUMBERS, "-99999", "", "n/a"),
    "Prediction": ("0", "3", "03", "x"),
    "Site": ("Sion", "Visp", '"Gütsch, Andermatt"', '"the ""old"" one"', ""),
    "Measurement": (
        "PRED_T_2M_ctrl", "PRED_T_2M_q10", "PRED_T_2M_stde", "PRED_TOT_PREC_ctrl", "PRED_NEW_q90", "",
    ),
    "Unit": ("°C", "°F", "m", "kg/m2", "x", ""),
    "Model": ("a", "", '"b,c"'),
}  # fmt: skip
AROUND = ("{}", "{}", "{}", "{}", " {}\t", '"{}"', '" {} "', '"{}', '{}"', "{},", "\u00a0{}")


@given(st.integers(0, 2**32))
@settings(max_examples=int(os.environ.get("DOMOTIC_FORECASTS", "300")))
@pytest.mark.rule(5)
@pytest.mark.rule(9)
def test_every_value_of_a_mutated_file_is_in_silver_or_a_reject(seed: int) -> None:
    """Units, repeated and contradicting lines, orders of columns and lines, missing and broken values."""
    chance = Random(seed)
    # Most files have few odd fields, and some none.
    oddness = chance.choice((0.0, 0.01, 0.2))
    columns = list(OWN_COLUMNS)
    if chance.random() < 0.3:
        columns += ["Model"] * chance.randrange(2)
        chance.shuffle(columns)
    few = {name: chance.sample(texts, chance.randint(1, len(texts))) for name, texts in PLAIN_FIELDS.items()}
    lines = [
        ",".join(
            (chance.choice(AROUND) if chance.random() < oddness else "{}").format(chance.choice(few[name]))
            for name in columns
        )
        for _ in range(chance.choice((1, 5, 60)))
    ]
    content = "\n".join([",".join(columns), *lines]).encode()
    reading = read_weather_files(version(content), ["JimmyLoup"], {})
    said, refused = line_by_line(columns, lines)
    keys = ("site", "measurement", "variant", "valid_at", "step")
    rows = reading.forecasts.select(*keys, "value", "unit").rows()
    assert [(*key, unit) for *key, _, unit in rows] == [
        (*key, said[key][1])
        for key in sorted(said)  # type: ignore[type-var]
    ]
    assert [row[-2] for row in rows] == [
        pytest.approx(said[key][0], abs=1e-6)
        for key in sorted(said)  # type: ignore[type-var]
    ]
    assert dict(reading.rejects.select("json_path", "reason").iter_rows()) == refused
    assert reading.rejects.height == len(refused)
    if lines != [""]:
        assert reading.summary.select("lines", "forecasts", "rejects").row(0) == (
            len([line for line in lines if line.strip()]), len(said), len(refused),
        )  # fmt: skip
