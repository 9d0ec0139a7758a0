"""The structure of a file: rooms, places in lists and fields become devices, variables and JSON paths."""

import re
from typing import Any

import pytest

from domotic_assets.domains.homes.silver.shape import Leaf, Naming, interpret, split
from domotic_assets.ingest.secrets import Secrets
from domotic_assets_tests.support.builders import payload, registry

ROOMS = registry().homes[0].room_ids()


def leaves(document: dict[str, Any], secrets: tuple[str, ...] = ()) -> dict[str, tuple[Leaf, Any]]:
    """Leaf and value of each JSON path."""
    shape, values = split(document)
    found = interpret(shape, "jimmy", Naming(ROOMS, "JimmyLoup", Secrets.of(secrets))).leaves
    paths = [leaf.json_path for leaf in found]
    assert len(paths) == len(set(paths)) == len(values)
    return {leaf.json_path: (leaf, value) for leaf, value in zip(found, values, strict=True)}


def devices(document: dict[str, Any], secrets: tuple[str, ...] = ()) -> dict[str, str]:
    """Device of each JSON path."""
    return {path: leaf.device for path, (leaf, _) in leaves(document, secrets).items()}


def test_the_header_is_no_reading() -> None:
    assert leaves({"user": "JimmyLoup", "api_token": "t", "datetime": "31.08.2023 21:44"}) == {}


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    "key", ["API_TOKEN", "Api_Token", "USER", "apiToken", "login", "Mobile Nr", "Straße"]
)
def test_a_key_that_names_a_secret_makes_its_value_one(key: str) -> None:
    found = leaves({key: "kitchen", "waters": {"flow": 1, key: "open", "Bhroom": {key: 7}}})
    kinds = {value: leaf.kind for leaf, value in found.values()}
    assert kinds == {"kitchen": "secret", 1: "unknown", "open": "secret", 7: "secret"}


def test_every_value_of_the_sample_has_a_known_device_and_variable() -> None:
    """Two plugs, four openings, a motion sensor, three stations, a humidity sensor, the house meter."""
    found = leaves(payload())
    assert len(found) == 2 * 11 + 4 * 4 + 3 + (7 + 7 + 3) + 3 + 18
    assert "unknown" not in {leaf.kind for leaf, _ in found.values()}
    assert {leaf.room for leaf, _ in found.values()} == {
        f"jimmy/{room}"
        for room in ("bathroom", "bedroom", "livingroom", "office", "kitchen", "outdoor", "house")
    }


@pytest.mark.rule(3)
def test_two_windows_of_a_room_are_two_devices_by_their_place() -> None:
    document = {"doorsWindows": {"Livingroom": [{"switch": "on"}, {"switch": "off"}]}}
    assert devices(document) == {
        "$.doorsWindows.Livingroom[0].switch": "jimmy/livingroom/doorsWindows/1",
        "$.doorsWindows.Livingroom[1].switch": "jimmy/livingroom/doorsWindows/2",
    }


@pytest.mark.rule(3)
def test_a_single_opening_is_the_first_of_its_room() -> None:
    assert devices({"doorsWindows": {"Kitchen": {"switch": "on"}}}) == {
        "$.doorsWindows.Kitchen.switch": "jimmy/kitchen/doorsWindows/1"
    }


@pytest.mark.rule(5)
def test_a_bad_item_of_a_list_moves_no_other_device() -> None:
    found = leaves({"doorsWindows": {"Livingroom": ["n/a", {"switch": "off"}]}})
    assert found["$.doorsWindows.Livingroom[0]"][0].kind == "no_device"
    assert found["$.doorsWindows.Livingroom[1].switch"][0].device == "jimmy/livingroom/doorsWindows/2"


def test_stations_are_found_with_and_without_the_inner_meteo() -> None:
    """The path leads to where the value stands; device and variable are the same."""
    within = leaves({"meteos": {"meteo": {"Office": {"CO2": 1256}}}})["$.meteos.meteo.Office.CO2"][0]
    without = leaves({"meteos": {"Office": {"CO2": 1256}}})["$.meteos.Office.CO2"][0]
    assert (within.device, within.variable) == (without.device, without.variable)
    assert (within.device, within.variable) == ("jimmy/office/meteos/1", "meteos.CO2")


@pytest.mark.rule(8)
def test_stations_beside_the_inner_meteo_are_kept_even_of_the_same_room() -> None:
    document = {
        "meteos": {"meteo": {"Office": {"CO2": 1}}, "Office": {"CO2": 2, "Noise": 3}, "Attic": {"CO2": 4}}
    }
    found = leaves(document)
    assert {path: value for path, (_, value) in found.items()} == {
        "$.meteos.meteo.Office.CO2": 1,
        "$.meteos.Office.CO2": 2,
        "$.meteos.Office.Noise": 3,
        "$.meteos.Attic.CO2": 4,
    }


@pytest.mark.parametrize(
    "stations",
    [
        {"meteo": {"Office": [{"CO2": 400}]}},
        {"meteo": {"Office": [{"CO2": 400}], "Attic": []}},
        {"meteo": [{"Office": [{"CO2": 400}]}]},
        {"Meteo": {"Office": {"CO2": 400}}},
        {"METEO": {"Office": {"0": {"CO2": 400}}}},
    ],
)
def test_forms_of_stations_say_the_same(stations: dict[str, Any]) -> None:
    assert set(devices({"meteos": stations}).values()) == {"jimmy/office/meteos/1"}


def test_a_number_where_a_station_belongs_is_no_device_and_an_empty_station_nothing() -> None:
    ((leaf, value),) = leaves({"meteos": {"meteo": {"Office": 5}}}).values()
    assert (leaf.kind, leaf.device, value) == ("no_device", "jimmy/office/meteos/1", 5)
    assert leaves({"meteos": {"meteo": {"Office": []}}}) == {}


def test_a_room_called_meteo_is_a_room() -> None:
    assert devices({"meteos": {"meteo": {"CO2": 400}}}) == {"$.meteos.meteo.CO2": "jimmy/meteo/meteos/1"}


@pytest.mark.rule(8)
def test_unknown_rooms_fields_and_categories_have_a_device_and_a_variable() -> None:
    document = {
        "motions": {"Winter Garden": {"motion": True}, "Office": {"tilt": 3}},
        "waters": {"Bhroom": {"flow": 2.5}, "total": 7},
        "firmware": "2.1",
    }
    found = {path: leaf for path, (leaf, _) in leaves(document).items()}
    assert {path: (leaf.room, leaf.device, leaf.variable, leaf.kind) for path, leaf in found.items()} == {
        "$.motions.Winter Garden.motion": (
            "jimmy/winter garden", "jimmy/winter garden/motions/1", "motions.motion", "flag",
        ),
        "$.motions.Office.tilt": ("jimmy/office", "jimmy/office/motions/1", "motions.tilt", "unknown"),
        "$.waters.Bhroom.flow": ("jimmy/bathroom", "jimmy/bathroom/waters/1", "waters.flow", "unknown"),
        "$.waters.total": ("jimmy/house", "jimmy/house/waters/1", "waters.total", "unknown"),
        "$.firmware": ("jimmy/house", "jimmy/house/feed/1", "feed.firmware", "unknown"),
    }  # fmt: skip


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"plugs": "n/a"}, "$.plugs"),
        ({"plugs": [7]}, "$.plugs[0]"),
        ({"plugs": {"Office": 17.62}}, "$.plugs.Office"),
        ({"doorsWindows": {"Kitchen": [None]}}, "$.doorsWindows.Kitchen[0]"),
    ],
)
def test_a_value_where_a_device_belongs_is_no_device(document: dict[str, Any], path: str) -> None:
    found = leaves(document)
    assert found.keys() == {path}
    assert found[path][0].kind == "no_device"


def test_nothing_gives_nothing() -> None:
    nothing = {"plugs": {}, "motions": {"Office": {}}, "doorsWindows": {"Kitchen": []}, "humidities": []}
    assert leaves(nothing | {"meteos": {"meteo": []}, "consumptions": [[], {}]}) == {}


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("Bhroom", "bathroom"),
        ("BHROOM ", "bathroom"),
        ("Wine  Cellar", "wine cellar"),
        ("Se\u0301jour", "s\u00e9jour"),
        ("on/off", "on_off"),
        ("", "_"),
    ],
)
@pytest.mark.rule(8)
def test_a_room_is_that_of_the_spelling_map_else_its_spelling(spelling: str, expected: str) -> None:
    assert Naming({"bhroom": "bathroom"}).room(spelling) == expected


@pytest.mark.rule(11)
def test_a_name_of_another_form_gets_one_made_of_a_hash_the_same_for_all_its_spellings() -> None:
    naming = Naming(ROOMS, "JimmyLoup")
    found = {naming.room(spelling) for spelling in ("Zimmer Zoé", " zimmer  ZOE\u0301", "Zim\u200bmer Zoé")}
    assert len(found) == 1
    assert re.fullmatch("hidden-[0-9a-f]{12}", found.pop())
    assert naming.room("Zimmer Zoé") != naming.room("Zimmer Zoë")
    # Who knows the name but not the home's user cannot tell that it is this one.
    assert naming.room("Zimmer Zoé") != Naming(ROOMS, "JeremieVianin").room("Zimmer Zoé")


@pytest.mark.rule(11)
def test_a_secret_in_any_name_is_hidden() -> None:
    secret = 'tok"(5f/1c'
    document = {
        f"cat {secret}": {f"room {secret}": {f"field {secret}": 1}, secret.upper(): 2},
        "motions": {secret: {secret: 3, "motion": True}},
        secret: 4,
        "plugs": {"Office": secret, secret: [secret]},
    }
    shape, values = split(document)
    found = interpret(shape, "jimmy", Naming(ROOMS, "JimmyLoup")).leaves
    assert len(found) == len(values) == 7
    texts = {
        text.casefold() for leaf in found for text in (leaf.room, leaf.device, leaf.variable, leaf.json_path)
    }
    assert not [text for text in texts if "tok" in text or "5f/1c" in text]


@pytest.mark.rule(11)
def test_names_that_pass_by_their_form_are_hidden_beside_a_secret_that_they_are_part_of() -> None:
    document = {"waters": {"Garden": {"flow": 1}, "Attic": {"flow": 2}}}
    found = devices(document, ("Garden-Gate",))
    assert found.pop("$.waters.Attic.flow") == "jimmy/attic/waters/1"
    assert "garden" not in repr(found).lower()


@pytest.mark.rule(11)
def test_a_secret_that_is_a_word_of_the_feed_spoils_no_known_name() -> None:
    document = {"plugs": {"Office": {"power": 1}}}
    ((leaf, _),) = leaves(document, ("plugs", "Office", "power")).values()
    assert (leaf.device, leaf.variable, leaf.kind) == ("jimmy/office/plugs/1", "plugs.power", "number")


@pytest.mark.parametrize(
    ("spelling", "room"),
    [
        ("Office\n", "office"), ("\tOffice", "office"), ("Wine\tVault", "wine vault"), ("Vault\r\n", "vault"),
        ("\ufeffOffice", "office"), ("Vau\u200blt", "vault"),
    ],
)  # fmt: skip
def test_control_characters_that_are_blanks_and_those_without_width_spell_no_other_room(
    spelling: str, room: str
) -> None:
    assert Naming(ROOMS).room(spelling) == room
