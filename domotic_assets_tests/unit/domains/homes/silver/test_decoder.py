"""Decoders: they read the files that are built like their document, and refuse every other."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.domains.homes.silver.decoder import REFUSALS, Decoder, decoder_of
from domotic_assets.domains.homes.silver.shape import Naming, interpret, split
from domotic_assets_tests.support.builders import motion, opening, payload, plug, registry, to_bytes

ROOMS = registry().homes[0].room_ids()
HEADER = {"user": "JimmyLoup", "api_token": "tok-1", "datetime": "31.08.2023 21:44"}
SMALL: dict[str, Any] = HEADER | {
    "motions": {"Office": {"temperature": 24.5, "motion": True}},
    "doorsWindows": {"Kitchen": [{"type": "Door", "switch": "on", "battery": 41}]},
    "waters": {"Bhroom": {"serial": "W-17", "flow": 2}},
}
"""Three devices; `waters` is unknown."""
IN_ORDER = {
    ("/bathroom/waters/1", "waters.flow"): 2.0,
    ("/bathroom/waters/1", "waters.serial"): 0.0,
    ("/kitchen/doorsWindows/1", "doorsWindows.battery"): 41.0,
    ("/kitchen/doorsWindows/1", "doorsWindows.switch"): 1.0,
    ("/kitchen/doorsWindows/1", "doorsWindows.type"): 0.0,
    ("/office/motions/1", "motions.motion"): 1.0,
    ("/office/motions/1", "motions.temperature"): 24.5,
}
"""Its numbers by device and variable; 0 stands where a text is read."""


def made(document: Mapping[str, Any]) -> Decoder | None:
    """The decoder of a document of the first home."""
    shape, _ = split(document)
    return decoder_of(document, interpret(shape, "", Naming(ROOMS)).leaves)


def reader(document: Mapping[str, Any] = SMALL) -> Decoder:
    """The decoder of a document that has one."""
    decoder = made(document)
    assert decoder is not None
    return decoder


def doubles(packed: bytes) -> list[float]:
    """Numbers that stand end to end."""
    return [number for (number,) in struct.iter_unpack("d", packed)]


def test_it_reads_header_numbers_and_texts_by_device_and_variable() -> None:
    decoder = reader()
    user, token, local, packed, texts = decoder.read(to_bytes(SMALL))
    assert (user, token, local) == ("JimmyLoup", "tok-1", "31.08.2023 21:44")
    leaves = interpret(split(SMALL)[0], "", Naming(ROOMS)).leaves
    named = [(leaves[place].device, leaves[place].variable) for place in decoder.leaves]
    assert dict(zip(named, doubles(packed), strict=True)) == IN_ORDER
    assert named == list(IN_ORDER)
    assert texts == ("W-17", "Door")
    assert dict(zip(named, decoder.at_places(texts), strict=True)) == dict.fromkeys(named) | {
        ("/bathroom/waters/1", "waters.serial"): "W-17",
        ("/kitchen/doorsWindows/1", "doorsWindows.type"): "Door",
    }  # fmt: skip


def test_other_values_in_another_order_with_other_blanks_are_the_same_structure() -> None:
    other = """ { "waters": {"Bhroom": {"flow": -1e-3, "serial": "\\u00e9"}},
      "datetime": "?", "user": "", "api_token": "x",
      "doorsWindows": {"Kitchen": [{"battery": 12345678, "type": "Window", "switch": "off"}]},
      "motions": {"Office": {"motion": false, "temperature": 0.1}} }"""
    user, token, local, packed, texts = reader().read(other.encode())
    assert (user, token, local) == ("", "x", "?")
    assert doubles(packed) == [-0.001, 0.0, 12345678.0, 0.0, 0.0, 0.0, 0.1]
    assert texts == ("é", "Window")


@given(st.floats(-99_999_999.0, 99_999_999.0) | st.integers(-99_999_999, 99_999_999))
def test_a_number_is_the_double_that_json_says(number: float) -> None:
    document = SMALL | {"motions": {"Office": {"temperature": number, "motion": True}}}
    assert doubles(reader().read(to_bytes(document))[3])[-1] == float(number)


BODY = to_bytes(SMALL).decode()


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("24.5", "null"),
        ("24.5", '"24.5"'),
        ("24.5", '"21,5"'),
        ("24.5", "true"),
        ("24.5", "NaN"),
        ("24.5", "-Infinity"),
        ("24.5", "1e400"),
        ("24.5", "41791234567"),
        ("24.5", "-1e8"),
        ("24.5", "9" * 400),
        ("24.5", "[24.5]"),
        ("24.5", "{}"),
        ("24.5", "024.5"),
        ("24.5", "+24.5"),
        ("24.5", "24."),
        ("true", "1"),
        ("true", '"true"'),
        ("true", "null"),
        ('"on"', '"ON"'),
        ('"on"', '"ajar"'),
        ('"on"', "true"),
        ('"Door"', "3"),
        ('"Door"', "null"),
        ('"Door"', '"Do\tor"'),
        ('"Door"', '"\\ud800"'),
        ('"W-17"', "17"),
        ('"flow": 2', '"flow": "2"'),
        ('"flow": 2', '"flow": 2, "leak": false'),
        ('"flow": 2', '"Flow": 2'),
        (', "flow": 2', ""),
        ('"Office": {', '"Office": {}, "Bdroom": {'),
        ('"motions"', '"Motions"'),
        ('"motions": {', '"Motions": {}, "motions": {'),
        ('[{"type"', '[{}, {"type"'),
        ('{"user": "JimmyLoup", ', "{"),
        ('"JimmyLoup"', "7"),
        ('"31.08.2023 21:44"', "null"),
        ('"JimmyLoup"', '"JimmyLoup", "User": "JimmyLoup"'),
        ("}}}", "}}"),
        ("}}}", "}}}}"),
        ('{"user"', '\ufeff{"user"'),
    ],
)
def test_whatever_is_built_otherwise_is_refused(part: str, instead: str) -> None:
    assert BODY.count(part) == 1
    reader().read(BODY.encode())
    with pytest.raises(REFUSALS):
        reader().read(BODY.replace(part, instead).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", BODY.encode("utf-16"), BODY.encode().replace(b"W", b"\xff")]
)
def test_what_is_no_such_text_is_refused(content: bytes) -> None:
    with pytest.raises(REFUSALS):
        reader().read(content)


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("24.5", '1.0, "temperature": 2.0'),
        ("24.5", '24.5, "temperature" : 24.5'),
        ('"Door"', '"Door", "type": "Window"'),
        ('"motions": {', '"motions": {}, "motions": {'),
        ('"JimmyLoup"', '"JimmyLoup", "user": "JimmyLoup"'),
    ],
)
def test_a_key_that_stands_twice_is_refused(part: str, instead: str) -> None:
    """The decoder would keep the last one in silence."""
    assert BODY.count(part) == 1
    json.loads(BODY.replace(part, instead))
    assert reader().reads(BODY.encode())
    assert not reader().reads(BODY.replace(part, instead).encode())


@pytest.mark.parametrize(
    "document",
    [
        {key: value for key, value in SMALL.items() if key != "api_token"},
        SMALL | {"datetime": None},
        SMALL | {"user": {"JimmyLoup": 1}},
        SMALL | {"API_TOKEN": {"Office": {"power": 1}}},
        SMALL | {"firmware": "2.1"},
        SMALL | {"motions": {"Office": {"temperature": 24.5, "tilt": None}}},
        SMALL | {"motions": {"Office": {"temperature": 24.5, "tilt": [1]}}},
        SMALL | {"motions": {"Office": {"temperature": {"a": 1}}}},
        SMALL | {"motions": {"Office": 3}},
        SMALL | {"doorsWindows": {"Kitchen": [1]}},
        SMALL | {"motions": {'Off"ice': {"temperature": 24.5}}},
        SMALL | {"motions": {"Off\x01ice": {"temperature": 24.5}}},
        SMALL | {"motions": {"Off\\ice": {"temperature": 24.5}}},
    ],
)
def test_there_is_none_of_a_document_whose_values_are_no_readings(document: dict[str, Any]) -> None:
    assert made(document) is None


@pytest.mark.parametrize(
    "document",
    [
        payload(),
        payload("jeremie"),
        payload(meteos={"Office": {"CO2": 1256}}),
        payload(meteos={"meteo": {"Office": {"CO2": 1256}}, "Kitchen": {"CO2": 800}}),
        payload(meteos={"meteo": {}}),
        payload(doorsWindows={"Kitchen": opening("Door"), "Office": []}),
        payload(motions={}),
        payload(motions={"class": motion(), "def f(x): #": motion(), "é'\u2028": motion(), "": motion()}),
        payload(plugs={"Office": plug() | {f"field{n}": n for n in range(400)}}),
        payload(extra={"a": 1, "b": "x"}),
        dict(HEADER),
    ],
)
def test_whatever_names_a_document_has_its_values_come_out_in_its_order(document: dict[str, Any]) -> None:
    shape, values = split(document)
    leaves = interpret(shape, "", Naming(ROOMS)).leaves
    decoder = reader(document)
    _, _, _, packed, texts = decoder.read(to_bytes(document))
    words = {"on": 1.0, "off": 0.0}
    spoken = [values[decoder.leaves[at]] for at in decoder.texts]
    assert list(texts) == spoken
    expected = [
        0.0 if at in decoder.texts else float(words.get(values[leaf], values[leaf]))
        for at, leaf in enumerate(decoder.leaves)
    ]
    assert doubles(packed) == expected
    assert sorted(decoder.leaves) == list(range(len(leaves)))
