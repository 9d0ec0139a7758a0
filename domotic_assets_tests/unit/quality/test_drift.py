"""Drift between a hand-made contract and hand-made shapes: every kind of difference, in exact words."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from domotic_assets.quality.acceptance import Accepted, accepted, required
from domotic_assets.quality.contract import Contract, Groups, Part, parse_contract
from domotic_assets.quality.drift import describe, drift
from domotic_assets.quality.shape import FeedShape, ForecastShape, Shape
from domotic_assets.quality.verdict import Verdict

CONTRACT = parse_contract(
    """
feed:
  plugs: {power: number, switch: flag, temperature: optional number}
  doorsWindows: {switch: state, type: text}
  meteos: {CO2: number, Temperature: number, battery_percent: optional number}
  gas: {flow: optional number}
lists: [doorsWindows]
rooms:
  jimmy: {office: room, kitchen: room, loft: optional room}
  jeremie: {office: room}
forecast:
  columns: [Time, Value, Site]
  measurements:
    PRED_GLOB: {ctrl: Watt/m2, q10: optional Watt/m2}
    PRED_T_2M: {ctrl: °C}
register:
  devices: {idDevice: integer, name: text, ip: optional text}
  rooms: {idRoom: integer}
""",
    "contract.yaml",
)


def edited(groups: Groups, **changes: Mapping[str, str | None] | None) -> Groups:
    """The groups with members set to a kind, or taken out by None; a group by None."""
    result = {group: dict(parts) for group, parts in groups.items()}
    for group, members in changes.items():
        if members is None:
            del result[group]
            continue
        parts = result.setdefault(group, {})
        for name, kind in members.items():
            if kind is None:
                del parts[name]
            else:
                parts[name] = Part(kind)
    return result


def feed(**changes: Mapping[str, str | None] | None) -> Shape:
    """Files as agreed but for these changes of categories."""
    return Shape(FeedShape(edited(CONTRACT.feed, **changes), CONTRACT.lists, CONTRACT.rooms))


def rooms(**changes: Mapping[str, str | None] | None) -> Shape:
    return Shape(FeedShape(CONTRACT.feed, CONTRACT.lists, edited(CONTRACT.rooms, **changes)))


def measurements(**changes: Mapping[str, str | None] | None) -> Shape:
    return Shape(forecast=ForecastShape(CONTRACT.columns, edited(CONTRACT.measurements, **changes)))


def header(*columns: str) -> Shape:
    return Shape(forecast=ForecastShape(columns))


def register(**changes: Mapping[str, str | None] | None) -> Shape:
    return Shape(register=edited(CONTRACT.register, **changes))


def words(verdict: Verdict) -> list[str]:
    """Severity and words of each breach."""
    return [f"{breach.severity} {describe(breach)}" for breach in verdict.breaches]


AS_AGREED = Shape(
    FeedShape(CONTRACT.feed, CONTRACT.lists, CONTRACT.rooms),
    ForecastShape(CONTRACT.columns, CONTRACT.measurements),
    CONTRACT.register,
)


def test_what_is_as_agreed_has_no_breach_and_says_what_was_looked_at() -> None:
    found = drift(CONTRACT, AS_AGREED)
    assert (found.breaches, found.passed) == ([], True)
    assert found.figures == {"fields": 9, "rooms": 4, "forecast_columns": 3, "register_columns": 4}


def test_what_was_not_looked_at_is_not_missed() -> None:
    assert drift(CONTRACT, Shape()) == Verdict([], {})


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        # additions
        (feed(plugs={"surge": "number"}), ["WARN added field plugs.surge (number)"]),
        (feed(waters={"leak": "flag", "flow": "number"}), ["WARN added category waters (flow, leak)"]),
        (rooms(jimmy={"nursery": "room"}), ["WARN added room jimmy.nursery"]),
        (rooms(anna={"den": "room", "bath": "room"}), ["WARN added home anna (bath, den)"]),
        (measurements(PRED_X={"ctrl": "m"}), ["WARN added measurement PRED_X (ctrl)"]),
        (measurements(PRED_T_2M={"q90": "°C"}), ["WARN added variant PRED_T_2M.q90 (°C)"]),
        (header("Time", "Value", "Model", "Site"), ["WARN added column forecast.Model"]),
        (register(devices={"brand": "text"}), ["WARN added column devices.brand (text)"]),
        (register(invoices={}), ["WARN added table invoices (no column is read)"]),
        # removals
        (feed(meteos={"CO2": None}), ["ERROR removed field meteos.CO2 (number)"]),
        (feed(meteos=None), ["ERROR removed category meteos (CO2, Temperature, battery_percent)"]),
        (rooms(jimmy={"kitchen": None}), ["ERROR removed room jimmy.kitchen"]),
        (measurements(PRED_T_2M=None), ["ERROR removed measurement PRED_T_2M (ctrl)"]),
        (measurements(PRED_GLOB={"ctrl": None}), ["ERROR removed variant PRED_GLOB.ctrl (Watt/m2)"]),
        (header("Time", "Site"), ["ERROR removed column forecast.Value"]),
        (register(devices={"name": None}), ["ERROR removed column devices.name (text)"]),
        (register(rooms=None), ["ERROR removed table rooms (idRoom)"]),
        # changes
        (feed(plugs={"power": "text"}), ["ERROR type of plugs.power: contract number, observed text"]),
        (
            measurements(PRED_GLOB={"ctrl": "kW/m2"}),
            ["WARN unit of PRED_GLOB.ctrl: contract Watt/m2, observed kW/m2, values read in W/m²"],
        ),
        (
            measurements(PRED_GLOB={"ctrl": "lux"}),
            ["ERROR unit of PRED_GLOB.ctrl: contract Watt/m2, observed lux, values refused"],
        ),
        (
            header("Value", "Time", "Site"),
            [
                "WARN order of the columns of forecast: contract Time,Value,Site, observed Value,Time,Site",
            ],
        ),
        (
            register(devices={"idDevice": "text"}),
            ["ERROR type of devices.idDevice: contract integer, observed text"],
        ),
        # what may be absent, and kinds that may be one
        (feed(plugs={"temperature": None}, gas=None, meteos={"battery_percent": None}), []),
        (rooms(jimmy={"loft": None}), []),
        (measurements(PRED_GLOB={"q10": None}), []),
        (register(devices={"ip": None}), []),
        (feed(plugs={"switch": "flag or number", "power": "flag or number"}), []),
    ],
)
def test_every_kind_of_difference_is_named_exactly(observed: Shape, expected: list[str]) -> None:
    found = drift(CONTRACT, observed)
    assert words(found) == expected
    assert found.severity == ("ERROR" if any(line.startswith("ERROR") for line in expected) else "WARN")


@pytest.mark.parametrize(
    ("observed", "reason", "subject"),
    [
        (feed(meteos={"CO2": None}), "removed_field", "meteos.CO2"),
        (feed(plugs={"power": "text"}), "type_changed_field", "plugs.power"),
        (rooms(jimmy={"nursery": "room"}), "added_room", "jimmy.nursery"),
        (header("Value", "Time", "Site"), "type_changed_order", "forecast"),
        (register(rooms=None), "removed_table", "rooms"),
    ],
)
def test_a_breach_has_a_reason_code_and_a_subject(observed: Shape, reason: str, subject: str) -> None:
    (breach,) = drift(CONTRACT, observed).breaches
    assert (breach.reason, breach.subject) == (reason, subject)


def test_the_home_of_a_room_is_told() -> None:
    (breach,) = drift(CONTRACT, rooms(jimmy={"kitchen": None})).breaches
    assert breach.home == "jimmy"


def test_readings_of_what_is_new_or_changed_are_told() -> None:
    shape = feed(plugs={"surge": "number", "power": "text"}).feed
    assert shape is not None
    counted = replace(shape, readings={"plugs.surge": 7, "plugs.power": 5, "plugs.switch": 5})
    figures = {b.subject: b.figures for b in drift(CONTRACT, Shape(counted)).breaches}
    assert figures["plugs.surge"] == {"kind": "number", "readings": 7}
    assert figures["plugs.power"] == {"contract": "number", "observed": "text", "readings": 5}


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (
            feed(meteos={"CO2": None, "co2": "number"}),
            [
                "ERROR removed field meteos.CO2 (number), perhaps renamed to co2",
                "WARN added field meteos.co2 (number), perhaps CO2 renamed",
            ],
        ),
        (  # of two new ones the more alike, and a flag whose values are 0 and 1
            feed(plugs={"switch": None, "switched": "flag or number", "ampere": "flag or number"}),
            [
                "ERROR removed field plugs.switch (flag), perhaps renamed to switched",
                "WARN added field plugs.ampere (flag or number)",
                "WARN added field plugs.switched (flag or number), perhaps switch renamed",
            ],
        ),
        (  # another kind, and another category, are no renames
            feed(meteos={"CO2": None, "co2": "text"}, plugs={"co2": "number"}),
            [
                "ERROR removed field meteos.CO2 (number)",
                "WARN added field meteos.co2 (text)",
                "WARN added field plugs.co2 (number)",
            ],
        ),
        (  # an optional one is gone only where something like it came
            feed(plugs={"temperature": None, "temperatureC": "number"}),
            [
                "ERROR removed field plugs.temperature (number), perhaps renamed to temperatureC",
                "WARN added field plugs.temperatureC (number), perhaps temperature renamed",
            ],
        ),
        (
            feed(plugs={"temperature": None, "surge": "number"}),
            ["WARN added field plugs.surge (number)"],
        ),
        (
            feed(meteos=None, stations={"CO2": "number", "Temperature": "number"}),
            [
                "ERROR removed category meteos (CO2, Temperature, battery_percent), "
                "perhaps renamed to stations",
                "WARN added category stations (CO2, Temperature), perhaps meteos renamed",
            ],
        ),
        (
            rooms(jimmy={"kitchen": None, "kitchenette": "room"}),
            [
                "ERROR removed room jimmy.kitchen, perhaps renamed to kitchenette",
                "WARN added room jimmy.kitchenette, perhaps kitchen renamed",
            ],
        ),
        (
            header("Time", "Wert", "Site"),
            [
                "ERROR removed column forecast.Value, perhaps renamed to Wert",
                "WARN added column forecast.Wert, perhaps Value renamed",
            ],
        ),
        (
            register(devices={"name": None, "deviceName": "text"}),
            [
                "ERROR removed column devices.name (text), perhaps renamed to deviceName",
                "WARN added column devices.deviceName (text), perhaps name renamed",
            ],
        ),
    ],
)
def test_a_probable_rename_is_said_and_stays_a_removal(observed: Shape, expected: list[str]) -> None:
    assert words(drift(CONTRACT, observed)) == expected


def test_a_silent_homes_fields_and_rooms_are_not_missed() -> None:
    shape = FeedShape(
        edited(CONTRACT.feed, meteos={"CO2": None}, doorsWindows=None),
        CONTRACT.lists,
        edited(CONTRACT.rooms, jeremie=None),
        resting=frozenset({"meteos.CO2", "doorsWindows.type"}),
    )
    assert words(drift(CONTRACT, Shape(shape))) == []
    heard = replace(shape, resting=frozenset({"plugs.power"}))
    assert words(drift(CONTRACT, Shape(heard))) == [
        "ERROR removed category doorsWindows (switch, type)",
        "ERROR removed field meteos.CO2 (number)",
    ]


def test_a_category_that_changed_its_form_is_said_once() -> None:
    fields = edited(CONTRACT.feed, plugs=None)
    bare = FeedShape(fields, CONTRACT.lists, CONTRACT.rooms, bare={"plugs": "number", "other": "text"})
    assert words(drift(CONTRACT, Shape(bare))) == [
        "ERROR form of plugs: contract rooms with devices, observed a value (number)"
    ]
    several = FeedShape(CONTRACT.feed, CONTRACT.lists | {"plugs"}, CONTRACT.rooms)
    assert words(drift(CONTRACT, Shape(several))) == [
        "ERROR form of plugs: contract one device a room, observed a list of devices"
    ]
    one_each = FeedShape(CONTRACT.feed, frozenset(), CONTRACT.rooms)
    assert words(drift(CONTRACT, Shape(one_each))) == []


def test_a_first_line_that_is_no_header_is_not_repeated() -> None:
    found = drift(CONTRACT, header('{"api_token": "secret"}'))
    assert words(found) == ["ERROR removed header of the forecast: the first line holds none of its columns"]
    assert "secret" not in str(found)


def test_letter_case_of_the_register_does_not_count() -> None:
    observed = Shape(
        register={
            "DEVICES": {"IDDEVICE": Part("integer"), "Name": Part("number"), "Extra": Part("text")},
            "Rooms": {"idroom": Part("integer")},
        }
    )
    assert words(drift(CONTRACT, observed)) == [
        "ERROR type of devices.name: contract text, observed number",
        "WARN added column devices.Extra (text)",
    ]
    capitals = Contract(register={"DEVICES": {"NAME": Part("text")}})
    assert words(drift(capitals, Shape(register={"devices": {"name": Part("text")}}))) == []


def test_two_registers_are_compared_in_every_column() -> None:
    ours = Contract(register=required(CONTRACT.register))
    assert words(drift(ours, register(devices={"ip": None}))) == ["ERROR removed column devices.ip (text)"]


CHANGED = Shape(
    FeedShape(
        edited(
            CONTRACT.feed,
            plugs={"power": "text", "surge": "number", "temperature": None},
            meteos={"CO2": None},
            doorsWindows=None,
            gas=None,
            waters={"leak": "flag or number"},
        ),
        frozenset({"plugs"}),
        edited(CONTRACT.rooms, jimmy={"kitchen": None, "loft": None, "nursery": "room"}, jeremie=None),
    ),
    ForecastShape(
        ("Value", "Time", "Unit"),
        edited(CONTRACT.measurements, PRED_GLOB={"ctrl": "kW/m2", "q10": None}, PRED_T_2M=None),
    ),
    edited(CONTRACT.register, devices={"name": None, "brand": "text", "ip": None}, rooms=None, invoices={}),
)


def test_what_is_accepted_is_no_drift_any_more() -> None:
    assert len(words(drift(CONTRACT, CHANGED))) == 17
    contract = accepted(CONTRACT, CHANGED).contract
    assert words(drift(contract, CHANGED)) == []
    assert contract.columns == ("Value", "Time", "Unit")
    assert contract.lists == {"doorsWindows", "plugs"}
    assert contract.feed["plugs"]["power"] == Part("text")
    assert set(contract.feed) == {"plugs", "meteos", "gas", "waters"}
    assert contract.measurements == {
        "PRED_GLOB": {"ctrl": Part("kW/m2"), "q10": Part("Watt/m2", optional=True)}
    }


def test_what_is_optional_or_silent_is_kept_and_said() -> None:
    result = accepted(CONTRACT, CHANGED)
    assert list(result.kept) == [
        "field gas.flow (optional number)",
        "field plugs.temperature (optional number)",
        "room jeremie.office (room)",
        "room jimmy.loft (optional room)",
        "variant PRED_GLOB.q10 (optional Watt/m2)",
        "column devices.ip (optional text)",
    ]
    assert result.contract.rooms["jeremie"] == {"office": Part("room")}
    assert result.contract.feed["gas"] == {"flow": Part("number", optional=True)}


def test_a_persons_word_optional_survives_what_is_seen() -> None:
    seen = edited(CONTRACT.feed, plugs={"temperature": "text"}, gas={"flow": "number"})
    contract = accepted(CONTRACT, Shape(FeedShape(seen))).contract
    assert contract.feed["gas"]["flow"] == Part("number", optional=True)
    assert contract.feed["plugs"]["temperature"] == Part("text", optional=True)
    assert contract.measurements == CONTRACT.measurements
    assert contract.register == CONTRACT.register


def test_an_optional_field_that_was_renamed_goes() -> None:
    observed = feed(plugs={"temperature": None, "temperatureC": "number"})
    result = accepted(CONTRACT, observed)
    assert set(result.contract.feed["plugs"]) == {"power", "switch", "temperatureC"}
    assert result.kept == ()
    assert words(drift(result.contract, observed)) == []


def test_no_header_is_never_accepted() -> None:
    result = accepted(CONTRACT, header("<html>"))
    assert result.contract == CONTRACT
    assert result.kept == ("forecast header: the first line of the newest file is no header",)
    assert accepted(Contract(), header("<html>")).contract == Contract()


def test_everything_as_agreed_changes_nothing() -> None:
    assert accepted(CONTRACT, AS_AGREED) == Accepted(CONTRACT, ())


def test_names_of_any_length_are_cut_in_words_and_compared_by_their_beginning() -> None:
    long = {f"{number}" + "CO2" * 1000: "number" for number in range(9)}
    found = drift(CONTRACT, feed(meteos={"CO2": None, **long}, waters=long))
    assert max(map(len, words(found))) < 3 * 200 + 60
    reasons = [breach.reason for breach in found.breaches]
    assert reasons == ["removed_field", "added_category", *["added_field"] * 9]
    contract = Contract(register={"devices": {"x" * 201: Part("text", optional=True)}})
    cut = drift(contract, Shape(register={"devices": {"x" * 200 + "y" * 400: Part("text")}}))
    assert [breach.reason for breach in cut.breaches] == ["removed_column", "added_column"]


def test_a_category_that_became_a_bare_value_is_accepted_as_gone() -> None:
    bare = Shape(
        FeedShape(edited(CONTRACT.feed, plugs=None), CONTRACT.lists, CONTRACT.rooms, {"plugs": "number"})
    )
    contract = accepted(CONTRACT, bare).contract
    assert "plugs" not in contract.feed
    assert words(drift(contract, bare)) == []


def test_a_category_that_is_named_and_mute_is_not_missed() -> None:
    mute = FeedShape(
        edited(CONTRACT.feed, meteos=None), CONTRACT.lists, CONTRACT.rooms, mute=frozenset({"meteos", "new"})
    )
    assert words(drift(CONTRACT, Shape(mute))) == []
    assert accepted(CONTRACT, Shape(mute)).contract == CONTRACT


def test_a_silent_home_is_kept_although_a_new_one_resembles_it() -> None:
    seen = edited(CONTRACT.rooms, jeremie=None, jeremiah={"office": "room"})
    contract = accepted(CONTRACT, Shape(FeedShape(CONTRACT.feed, CONTRACT.lists, seen))).contract
    assert set(contract.rooms) == {"jimmy", "jeremie", "jeremiah"}
