"""What a file says of somebody, in whatever form and place: nothing of it in Silver, and a reject instead."""

import json
import time
from typing import Any

import pytest

from domotic_assets_tests.support.builders import SAMPLE_TIME, motion, payload, plug, share_file
from domotic_assets_tests.support.leaks import halves
from domotic_assets_tests.support.secret_forms import FORMS, KEYS
from domotic_assets_tests.support.sensor_path import SilverRows, in_memory

pytestmark = pytest.mark.rule(11)

FOREIGN = "tok-9c41e7b0d85f2a63"  # pragma: allowlist secret
"""A token that no key names: an older one, or another home's."""
PERSONAL = ("Wernli-Bachofner Zoé", "+41 78 765 43 21", "zoe.wernli@example.ch", "Sonnhaldenweg 14", FOREIGN)


def traces(done: SilverRows, *told: str) -> list[str]:
    """Texts right of Bronze that hold one of these, in any letter case."""
    return [text for text in done.texts() for one in told if one.casefold() in text.casefold()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", PERSONAL)
def test_no_form_of_anything_personal_passes_as_a_value_or_a_name(form: str, secret: str) -> None:
    told = FORMS[form](secret)
    done = in_memory(
        share_file(
            note=told,
            waters={"Bhroom": {"mode": told, told: 1}, told: {"flow": 2, "log": [told, {"a": told}]}},
            motions={told: motion(True), "Office": motion(light=told)},
            doorsWindows={"Kitchen": {"type": told, "switch": told}},
            plugs={"Office": plug(power=f"{told} W", total=told), "Kitchen": told},
            meteos={"Office": {"Temperature": 20.5, "unit": told}},
            **{told: {"Office": {"flow": 3}}},
        )
    )
    assert done.only_file()["status"] == "partial"
    whole = json.dumps(told)[1:-1]
    assert (
        traces(done, told, whole, told[: len(told) // 2 + 1], *(h for h in halves(secret) if len(h) > 5))
        == []
    )
    # What a device of a hidden name measures is kept.
    hidden = [device for device in done.values("motions.motion") if "/hidden-" in device]
    assert len(hidden) == 1
    assert {"hidden" in variable for variable in done.events["variable"] if "waters" in variable} >= {True}
    assert set(done.rejects["raw_text"]) <= {"***", "{***}", "[***]"}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "place",
    [
        lambda key, secret: {key: secret},
        lambda key, secret: {"header": {key: secret}},
        lambda key, secret: {"data": {"meta": {"inner": [{key: secret}]}}},
        lambda key, secret: {key: {"value": [secret]}},
        lambda key, secret: {"plugs": {"Office": plug(**{key: secret})}},
        lambda key, secret: {"waters": {"Bhroom": {key: secret}, key: {"x": secret}}},
    ],
    ids=["top", "header", "deep", "below", "device", "unknown"],
)
def test_what_a_key_calls_secret_is_no_reading_and_spoils_its_like(key: str, place: Any) -> None:
    """`garden-gate` passes by its form: only the key tells that it is somebody's password."""
    done = in_memory(share_file(**place(key, "garden-gate"), mode="garden gate", state="gate", hum="open"))
    assert traces(done, "garden", "gate") == []
    assert "open" in done.events["value_text"].to_list()
    assert done.only_file()["rejects"] >= 2


@pytest.mark.parametrize("order", [("kitchen stove", "open"), ("open", "kitchen stove")])
def test_of_a_key_that_stands_twice_both_values_are_secrets(order: tuple[str, str]) -> None:
    body = json.dumps(payload() | {"mode": "kitchen stove", "state": "attic"})
    twice = "{" + "".join(f'"apiToken": "{value}", ' for value in order) + body[1:]
    done = in_memory(share_file(content=twice.encode()))
    assert [t for t in done.texts() if "stove" in t] == []
    assert "attic" in done.events["value_text"].to_list()
    assert done.rejects.filter(reason="secret").height == 2


def test_the_rows_of_a_file_do_not_depend_on_secrets_of_others() -> None:
    """A password of another file that passes by its form changes no row of this one."""
    one = share_file(mode="garden", waters={"Garden": {"flow": 1}})
    other = share_file(at=SAMPLE_TIME.replace(minute=50), password="garden")  # pragma: allowlist secret
    alone, after, before = (in_memory(*files) for files in ((one,), (other, one), (one, other)))
    for done in (after, before):
        rows = done.events.filter(ts=SAMPLE_TIME)
        assert rows.equals(alone.events)
    assert "garden" in alone.events["value_text"].to_list()


@pytest.mark.parametrize(
    ("number", "is_kept"),
    [(41787654321, False), (787654321, False), (4178.7654321, False), (1693511042, True), (20.5, True)],
)
def test_a_number_of_a_phone_is_no_reading_of_an_unknown_field(number: float, is_kept: bool) -> None:
    done = in_memory(share_file(phone="+41 78 765 43 21", waters={"Bhroom": {"flow": number}}))
    assert (done.values("waters.flow") != {}) == is_kept
    assert traces(done, "78765") == []


@pytest.mark.parametrize("text", ["+41787654321", "0787654321", "787654321", "41787654321"])
@pytest.mark.parametrize("field", ["power", "total", "timePlug"])
def test_a_number_in_quotes_that_may_be_of_a_phone_is_no_reading(text: str, field: str) -> None:
    done = in_memory(share_file(plugs={"Office": plug(**{field: text})}))
    assert done.values(f"plugs.{field}") == {}
    assert done.rejects.select("raw_text", "reason").rows() == [("***", "withheld")]


@pytest.mark.parametrize("key", ["owner", "token", "session", "street_light", "password"])
def test_no_value_of_a_file_renames_what_it_measures(key: str) -> None:
    """A series keeps its name whatever a key says that means a secret: only user and token are constant."""
    fields = {"home flow": 1, "open": 2, "state": "closed"}
    series = [
        {(row["device"], row["variable"]) for row in in_memory(file).events.iter_rows(named=True)}
        for file in (
            share_file(**{key: value}, waters={"Bhroom": fields, "Home": {"flow": 3}})
            for value in ("home", "away", {"state": "open", "home": 1}, ["home flow"])
        )
    ]
    waters = [{named for named in names if ".waters" in f".{named[1]}"} for names in series]
    assert all(names == waters[0] for names in waters)
    assert ("jimmy/bathroom/waters/1", "waters.home flow") in waters[0]


@pytest.mark.parametrize(
    "key",
    [
        "user_count",
        "key_lock",
        "pin_state",
        "street_light",
        "sessionEnergy",
        "wifi_rssi",
        "ort_temperature",
        "modbus_address",
        "owner_present",
        "mobile_heater",
        "city_water",
        "login_count",
    ],
)
def test_numbers_of_what_a_key_measures_are_readings_and_its_texts_are_not(key: str) -> None:
    done = in_memory(
        share_file(waters={"Bhroom": {key: 123456, "flow": 1234.56}, "Garden": {key: "Nina"}}, state="open")
    )
    kept = [row for row in done.events.iter_rows(named=True) if row["value"] == 123456]
    assert len(kept) == 1
    assert done.values("waters.flow") == {"jimmy/bathroom/waters/1": 1234.56}
    assert done.rejects["reason"].to_list() == ["secret"]
    assert "open" in done.events["value_text"].to_list()


def test_a_number_in_quotes_of_an_unknown_field_passes_but_no_figures_of_a_phone() -> None:
    texts = {"a": "12.34", "b": "1013.25", "c": "-5", "e": "4711", "f": "79.1234567"}
    done = in_memory(share_file(waters={"Bhroom": texts}, heater={"mode": "Manuel"}, note="Manuel"))
    assert {"12.34", "1013.25", "-5"} <= set(done.events["value_text"])
    assert traces(done, "4711", "79.12") == []
    assert done.events["value_text"].to_list().count("Manuel") == 1


def test_a_code_of_a_lock_is_a_code() -> None:
    done = in_memory(share_file(waters={"Bhroom": {"lock_code": 471108, "door_lock_pin": 4711}}))
    assert done.rejects["reason"].to_list() == ["secret", "secret"]


def test_a_reading_of_a_declared_field_is_kept_beside_a_secret_with_its_figures() -> None:
    done = in_memory(share_file(session=123456, plugs={"Office": plug(power=1234.56, total=123456)}))
    assert done.values("plugs.power") == {"jimmy/office/plugs/1": 1234.56}
    assert done.values("plugs.total") == {"jimmy/office/plugs/1": 123456}
    assert done.rejects["reason"].to_list() == ["secret"]


def test_a_number_of_a_german_mobile_is_no_unix_time() -> None:
    """`1512345678` is December 2017 as well: no time of a file of 2023."""
    near = int(SAMPLE_TIME.timestamp()) + 3600
    done = in_memory(
        share_file(
            waters={"Bhroom": {"a": 1512345678, "b": 1731234567.0, "c": near}}, plugs={"Office": plug()}
        )
    )
    assert traces(done, "151234", "173123") == []
    assert done.values("waters.c") == {"jimmy/bathroom/waters/1": near}
    assert done.rejects["reason"].to_list() == ["withheld", "withheld"]


def test_a_room_that_sites_yaml_names_keeps_its_readings_whatever_its_name_means() -> None:
    done = in_memory(share_file(plugs={"Office": plug(power=5), "Session token 4": plug(power=7)}))
    values = done.values("plugs.power")
    assert values.pop("jimmy/office/plugs/1") == 5
    ((device, power),) = values.items()
    assert device.startswith("jimmy/hidden-")
    assert power == 7


@pytest.mark.rule(9)
@pytest.mark.parametrize(
    "sections",
    [
        {"note": "a" * 7_000_000},
        {"api_token": "a" * 9_000 + "b", "note": "a" * 7_000_000},
        {"api_token": "a" * 7_000_000},
        {"x": {f"n{number}": {"y": f"v{number}"} for number in range(4_800)}},
        {"x": {f"token{number}": f"open{number}" for number in range(4_800)}},
        {"api_token": "x" * 9_000, "x": {f"open {a} {b}": "on" for a in range(70) for b in range(65)}},
    ],
    ids=["long", "long beside alike", "long token", "names", "secrets", "texts beside a long token"],
)
def test_hostile_text_costs_bounded_work(sections: dict[str, Any]) -> None:
    file = share_file(**sections)
    began = time.process_time()
    assert in_memory(file).only_file()["status"] in ("loaded", "partial")
    assert time.process_time() - began < 2
