"""The contract's file: what it says, what is refused, and that the shipped one fits sources and registry."""

from pathlib import Path

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.quality.contract import Contract, Part, parse_contract, render_contract
from domotic_assets.registry.loading import load_sites
from domotic_assets.schemas.homes.variables import VARIABLES
from domotic_assets.schemas.register import NEVER_READ, REGISTER
from domotic_assets.schemas.weather import WEATHER_MEASUREMENTS, WEATHER_VARIANTS
from domotic_assets_tests.support.shared_data import REPOSITORY

TEXT = """\
feed:
  plugs:
    power: number
    temperature: optional number
lists: [doorsWindows]
rooms:
  jimmy: {office: room}
forecast:
  columns: [Time, Value]
  measurements:
    PRED_T_2M: {ctrl: °C, q10: optional °C}
register:
  devices: {idDevice: integer}
"""


def test_it_says_kinds_order_units_and_what_may_be_absent() -> None:
    found = parse_contract(TEXT, "contract.yaml")
    assert found.feed == {"plugs": {"power": Part("number"), "temperature": Part("number", optional=True)}}
    assert found.lists == {"doorsWindows"}
    assert found.rooms == {"jimmy": {"office": Part("room")}}
    assert found.columns == ("Time", "Value")
    assert found.measurements == {"PRED_T_2M": {"ctrl": Part("°C"), "q10": Part("°C", optional=True)}}
    assert found.register == {"devices": {"idDevice": Part("integer")}}


def test_names_that_yaml_takes_for_something_else_are_names() -> None:
    text = TEXT.replace("power: number", "on: number").replace("office: room", "1: room")
    found = parse_contract(text, "contract.yaml")
    assert set(found.feed["plugs"]) == {"on", "temperature"}
    assert set(found.rooms["jimmy"]) == {"1"}


def test_what_is_written_is_read_again_whatever_the_names() -> None:
    """YAML would read on, no, 1 and null as something else than text."""
    odd = ["on", "no", "1", "null", "", "a: b", "- c", "# d", "é\u2028", "'", "***", "x" * 200, "optional y"]
    contract = Contract(
        feed={name: {other: Part("number", name == "on") for other in odd} for name in odd},
        lists=frozenset(odd),
        rooms={"jimmy": {}},
        columns=tuple(odd),
        measurements={"m": {"ctrl": Part("%"), "q10": Part("kg/m2", optional=True)}},
        register={"other": {}},
    )
    assert parse_contract(render_contract(contract), "contract.yaml") == contract


def test_it_is_written_sorted_so_that_a_new_field_is_one_line() -> None:
    fields = {"power": Part("number"), "total": Part("number")}
    before = render_contract(Contract(feed={"plugs": fields})).splitlines()
    after = render_contract(Contract(feed={"plugs": {"surge": Part("number"), **fields}})).splitlines()
    assert [line for line in after if line not in before] == ["    surge: number"]
    assert len(after) == len(before) + 1
    assert [line.strip() for line in after if line.startswith("    ")] == [
        "power: number",
        "surge: number",
        "total: number",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("feed:\n  plugs: }\n", "contract.yaml:2: not valid YAML"),
        ("", "the file: "),
        (TEXT.replace("lists: [doorsWindows]\n", ""), "contract.yaml: lists: Field required"),
        (TEXT + "extra: 1\n", "contract.yaml: extra: Extra inputs are not permitted"),
        (TEXT.replace("power: number", "power: [number]"), "contract.yaml: feed.plugs.power: "),
        (TEXT.replace("[Time, Value]", "Time"), "contract.yaml: forecast.columns: "),
        ("feed: \x07", "contract.yaml: not valid YAML"),
    ],
)
def test_a_file_that_is_no_contract_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_contract(text, "contract.yaml")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "domotic contract accept" in str(refused.value)


@pytest.fixture(scope="module")
def shipped() -> Contract:
    file = REPOSITORY / "contract.yaml"
    return parse_contract(file.read_text(encoding="utf-8"), str(file))


def test_the_shipped_contract_is_as_it_would_be_written(shipped: Contract) -> None:
    assert render_contract(shipped) == (REPOSITORY / "contract.yaml").read_text(encoding="utf-8")


def test_the_shipped_contract_names_every_variable_that_the_product_knows(shipped: Contract) -> None:
    """Counters and unix seconds are numbers to a feed."""
    alike = {"counter": "number", "unix_time": "number"}
    found = {
        f"{c}.{field}": part.kind for c, fields in shipped.feed.items() for field, part in fields.items()
    }
    assert found == {variable.id: alike.get(variable.kind, variable.kind) for variable in VARIABLES.values()}
    assert shipped.lists == {"doorsWindows"}


def test_the_shipped_contract_has_the_rooms_of_the_shipped_registry(shipped: Contract) -> None:
    registry = load_sites(Path(REPOSITORY / "sites.yaml")).registry
    assert {home: set(rooms) for home, rooms in shipped.rooms.items()} == {
        home.id: {room.id for room in home.rooms.values()} for home in registry.homes
    }


def test_the_shipped_contract_has_the_forecast_as_documented(shipped: Contract) -> None:
    assert shipped.columns == ("Time", "Value", "Prediction", "Site", "Measurement", "Unit")
    assert {name: parts["ctrl"].kind for name, parts in shipped.measurements.items()} == {
        "PRED_T_2M": "°C",
        "PRED_RELHUM_2M": "%",
        "PRED_TOT_PREC": "kg/m2",
        "PRED_GLOB": "Watt/m2",
        "PRED_DURSUN": "min",
        "PRED_FF_10M": "m/s",
    }
    assert shipped.measurements.keys() == set(WEATHER_MEASUREMENTS)
    assert {tuple(sorted(parts)) for parts in shipped.measurements.values()} == {
        tuple(sorted(WEATHER_VARIANTS))
    }


def test_the_shipped_contract_misses_every_column_that_is_read_and_no_other(shipped: Contract) -> None:
    missed = {
        (table, name)
        for table, columns in shipped.register.items()
        for name, part in columns.items()
        if not part.optional
    }
    assert missed == {(table.name, column.name) for table in REGISTER.values() for column in table.columns}
    assert not shipped.register.keys() & NEVER_READ
