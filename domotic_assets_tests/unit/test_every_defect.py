"""One file with every defect at once, one share with every odd file at once, and any defects at random.

The sensor path runs without a lake; expected values are listed by hand, leaves are counted by the test.
"""

import hashlib
import hmac
import json
import math
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domotic_assets.domains.homes.flows import landing, reading
from domotic_assets.flow.windows import Window, cover
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import refusals
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.homes.variables import VARIABLES
from domotic_assets.settings import Settings
from domotic_assets_tests.support.builders import (
    API_TOKENS,
    FEED_USERS,
    REGISTRY,
    SAMPLE_TIME,
    ShareFile,
    name_of,
    payload,
    share_file,
    to_bytes,
    write_share,
    write_sites,
)
from domotic_assets_tests.support.carry import TO_SILVER, carry
from domotic_assets_tests.support.sensor_path import NOW, SilverRows, in_memory

TOKEN = API_TOKENS["jimmy"]
ARRIVED = SAMPLE_TIME + timedelta(seconds=5)

# What JSON of Python cannot hold is written by hand: keys that stand twice, NaN, numbers of any length.
EVERY_DEFECT = """\
{ "user": "JimmyLoup", "api_token": "<token>", "datetime": "32.13.2023 25:61",
  "plugs": {
    "Office": {"timePlug": 1693511042, "power": 1.0, "power": 17.62, "overpower": -Infinity,
               "is_valid": "perhaps", "counter1": null, "counter2": <long>, "counter3": [1, 2],
               "total": 81983, "temperature": "21,5", "overtemperature": 2, "switch": true},
    "office": {"overpower": 3.5},
    "Livingroom": "n/a",
    "<token>": {"power": "<token> of JimmyLoup", "total": 12040},
    "Kitchen": {"power": 9999999, "is_valid": false, "total": 0.0} },
  "doorsWindows": {
    "Livingroom": [ {"type": "Window", "switch": "on", "battery": 41, "defense": 0}, "broken",
                    {"type": "Window", "switch": "ajar", "battery": NaN, "defense": 0} ],
    "Kitchen": {"type": "Door", "switch": "off", "battery": 100, "defense": 0},
    "Bdroom": [], "Bhroom": null },
  "motions": {
    "Cel\\u0000lar": {"motion": false, "light": 1.0, "temperature": 12.5},
    "Attic\\ud800": {"motion": true},
    "Winter Garden": {"motion": true, "light": "n/a", "temperature": -127.0, "tilt": 3.5},
    "Office": {} },
  "meteos": { "meteo": { "Livingroom": {"Temperature": 85.3, "CO2": 980, "Humidity": "", "Noise": 1e999},
                         "Outdoor": {"Temperature": 19.6, "Pressure": "1016.6.1"} },
              "Office": {"CO2": 1256} },
  "humidities": "n/a",
  "consumptions": { "House": {"timeConsumption": 1693511042, "power1": 32.69, "power2": 6553.5,
                              "is_valid2": false, "total_power": 60.7, "voltage1": 0, "pf1": {"a": 1}} },
  "waters": {"Bhroom": {"flow": 2.25, "leak": false, "serial": "W-17", "log": ["JimmyLoup", "<token>"]}},
  "firmware": "2.1", "errors": null,
  "debug": <deep>,
  "trace": "<trace>" }
"""
for _mark, _text in {
    "<token>": TOKEN,
    "<long>": "9" * 10_000,
    "<deep>": '{"a":' * 200 + "1" + "}" * 200,
    "<trace>": "x" * 1_000_000,
}.items():
    EVERY_DEFECT = EVERY_DEFECT.replace(_mark, _text)

CELLAR, ATTIC = "cel\0lar", "attic\ud800"


def hidden(name: str) -> str:
    """The name in place of one that does not pass; name: in small letters."""
    key, told = (text.encode("utf-8", "surrogatepass") for text in (FEED_USERS["jimmy"].lower(), name))
    return f"hidden-{hmac.new(key, told, hashlib.sha256).hexdigest()[:12]}"


GOOD: dict[tuple[str, str], float | str] = {
    ("office/plugs/1", "plugs.timePlug"): 1693511042.0,
    ("office/plugs/1", "plugs.power"): 17.62,
    ("office/plugs/1", "plugs.total"): 81983.0,
    ("office/plugs/1", "plugs.switch"): 1.0,
    ("office/plugs/1", "plugs.overpower"): 3.5,
    (f"{hidden(TOKEN)}/plugs/1", "plugs.total"): 12040.0,
    ("kitchen/plugs/1", "plugs.power"): 9999999.0,
    ("kitchen/plugs/1", "plugs.is_valid"): 0.0,
    ("kitchen/plugs/1", "plugs.total"): 0.0,
    ("livingroom/doorsWindows/1", "doorsWindows.type"): "Window",
    ("livingroom/doorsWindows/1", "doorsWindows.switch"): 1.0,
    ("livingroom/doorsWindows/1", "doorsWindows.battery"): 41.0,
    ("livingroom/doorsWindows/1", "doorsWindows.defense"): 0.0,
    ("livingroom/doorsWindows/3", "doorsWindows.type"): "Window",
    ("livingroom/doorsWindows/3", "doorsWindows.defense"): 0.0,
    ("kitchen/doorsWindows/1", "doorsWindows.type"): "Door",
    ("kitchen/doorsWindows/1", "doorsWindows.switch"): 0.0,
    ("kitchen/doorsWindows/1", "doorsWindows.battery"): 100.0,
    ("kitchen/doorsWindows/1", "doorsWindows.defense"): 0.0,
    (f"{hidden(CELLAR)}/motions/1", "motions.motion"): 0.0,
    (f"{hidden(CELLAR)}/motions/1", "motions.light"): 1.0,
    (f"{hidden(CELLAR)}/motions/1", "motions.temperature"): 12.5,
    (f"{hidden(ATTIC)}/motions/1", "motions.motion"): 1.0,
    ("winter garden/motions/1", "motions.motion"): 1.0,
    ("winter garden/motions/1", "motions.temperature"): -127.0,
    ("winter garden/motions/1", "motions.tilt"): 3.5,
    ("livingroom/meteos/1", "meteos.Temperature"): 85.3,
    ("livingroom/meteos/1", "meteos.CO2"): 980.0,
    ("outdoor/meteos/1", "meteos.Temperature"): 19.6,
    ("office/meteos/1", "meteos.CO2"): 1256.0,
    ("house/consumptions/1", "consumptions.timeConsumption"): 1693511042.0,
    ("house/consumptions/1", "consumptions.power1"): 32.69,
    ("house/consumptions/1", "consumptions.power2"): 6553.5,
    ("house/consumptions/1", "consumptions.is_valid2"): 0.0,
    ("house/consumptions/1", "consumptions.total_power"): 60.7,
    ("house/consumptions/1", "consumptions.voltage1"): 0.0,
    ("bathroom/waters/1", "waters.flow"): 2.25,
    ("bathroom/waters/1", "waters.leak"): 0.0,
    ("bathroom/waters/1", "waters.serial"): "W-17",
    ("house/feed/1", "feed.firmware"): "2.1",
}

BAD = {
    "$.plugs.Office.power": ("1.0", "duplicate_reading"),
    "$.plugs.Office.overpower": ("-Infinity", "not_finite"),
    "$.plugs.Office.is_valid": ("***", "not_a_flag"),
    "$.plugs.Office.counter2": ("Infinity", "not_finite"),
    "$.plugs.Office.counter3": ("[1, 2]", "not_a_number"),
    "$.plugs.Office.temperature": ("21,5", "not_a_number"),
    "$.plugs.Office.overtemperature": ("2", "not_a_flag"),
    "$.plugs.Livingroom": ("n/a", "not_an_object"),
    f"$.plugs.{hidden(TOKEN)}.power": ("***", "not_a_number"),
    "$.doorsWindows.Livingroom[1]": ("broken", "not_an_object"),
    "$.doorsWindows.Livingroom[2].switch": ("ajar", "not_a_state"),
    "$.doorsWindows.Livingroom[2].battery": ("NaN", "not_finite"),
    "$.motions.Winter Garden.light": ("n/a", "not_a_number"),
    "$.meteos.meteo.Livingroom.Humidity": ("", "not_a_number"),
    "$.meteos.meteo.Livingroom.Noise": ("Infinity", "not_finite"),
    "$.meteos.meteo.Outdoor.Pressure": ("***", "not_a_number"),
    "$.humidities": ("n/a", "not_an_object"),
    "$.consumptions.House.pf1": ('{"a": 1}', "not_a_number"),
    "$.waters.Bhroom.log": ("***", "withheld"),
    "$.debug.a.a": ("***", "withheld"),
    "$.trace": ("***", "withheld"),
}

OUTLIERS = {
    ("kitchen/plugs/1", "plugs.power"),
    ("winter garden/motions/1", "motions.temperature"),
    ("livingroom/meteos/1", "meteos.Temperature"),
    ("house/consumptions/1", "consumptions.voltage1"),
}

NULLS = ("plugs.Office.counter1", "doorsWindows.Bhroom", "errors")


@pytest.mark.rule(5)
@pytest.mark.rule(9)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_with_every_defect_at_once_costs_only_its_own_bad_values(encoding: str) -> None:
    done = in_memory(share_file(content=EVERY_DEFECT.encode(encoding)), share_file("jeremie"))
    mine = done.events.filter(home="jimmy")
    found = {
        (device.removeprefix("jimmy/"), variable): value if text is None else text
        for device, variable, value, text in mine.select(
            "device", "variable", "value", "value_text"
        ).iter_rows()
    }
    assert found == GOOD
    assert mine.height == len(GOOD)
    refused = done.rejects.select("json_path", "raw_text", "reason").rows()
    assert {path: (raw, reason) for path, raw, reason in refused} == BAD
    assert done.rejects.height == len(BAD)
    flagged = mine.filter("is_outlier").select("device", "variable").rows()
    assert {(device.removeprefix("jimmy/"), variable) for device, variable in flagged} == OUTLIERS
    row = done.files.row(by_predicate=pl.col("home") == "jimmy", named=True)
    assert (row["status"], row["minute"], row["time_source"], row["time_note"]) == (
        "partial", SAMPLE_TIME, "name", "unreadable_inside",
    )  # fmt: skip
    assert (row["events"], row["rejects"], row["nulls"]) == (len(GOOD), len(BAD), len(NULLS))
    assert not [text for text in done.texts() if TOKEN in text or "JimmyLoup" in text]
    # The other file of the batch lost nothing.
    assert done.events.filter(home="jeremie").height == 79


ODD_CONTENTS = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "cut": to_bytes(payload())[:900],
    "picture": b"\x89PNG\r\n\x1a\n",
    "zeros": b"\0" * 4_000,
    "deep": b'{"x":' * 100_000,
    "deep and whole": b'{"x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "stranger": to_bytes(payload(user=FEED_USERS["jeremie"])),
    "number": b"1" * 10_000,
}


@pytest.mark.rule(9)
def test_a_share_of_odd_files_costs_no_other_file(tmp_path: Path) -> None:
    """Through the lake: each odd file is quarantined, foreign ones stay, all good ones are there."""
    minutes = [SAMPLE_TIME + timedelta(minutes=n) for n in range(len(ODD_CONTENTS))]
    odd = [
        share_file(at=at, content=content) for at, content in zip(minutes, ODD_CONTENTS.values(), strict=True)
    ]
    good = [share_file("jeremie", at=at) for at in minutes]
    foreign = [
        ShareFile("31.08.2023 2144_Nobody_received.json", to_bytes(payload(user="Nobody")), ARRIVED),
        ShareFile("Thumbs.db", b"x", ARRIVED),
    ]
    work = installation(tmp_path)
    write_share(tmp_path / "share", [*odd, *good, *foreign])
    # A name that is no UTF-8, as only another system's share can hold it.
    with open(os.fsencode(tmp_path / "share") + b"/31.08.2023 2144_Jimmy\xff_received.json", "wb") as file:  # noqa: PTH123
        file.write(to_bytes(payload()))
    left = build(work)
    assert left == {"foreign user": 1, "foreign name": 2}
    files = work.lake.read(silver.SENSOR_FILES)
    status = Counter(files.select("home", "status").iter_rows())
    assert status == {("jimmy", "quarantined"): len(odd), ("jeremie", "loaded"): len(good)}
    events = work.lake.read(silver.SENSOR_EVENTS)
    assert dict(events.group_by("ts").len().iter_rows()) == dict.fromkeys(minutes, 79)
    assert work.lake.read(refusals.REJECTS).is_empty()


@pytest.mark.rule(5)
def test_an_unreadable_file_is_quarantined_once_until_its_bytes_change(tmp_path: Path) -> None:
    work = installation(tmp_path)
    whole = share_file()
    write_share(tmp_path / "share", [share_file(content=whole.content[:900])])
    build(work)
    assert build(work) is None, "nothing is new: it is not tried again"
    write_share(
        tmp_path / "share", [share_file(content=whole.content, arrived_at=ARRIVED + timedelta(minutes=1))]
    )
    build(work)
    files = work.lake.read(silver.SENSOR_FILES).sort("arrived_at")
    assert files["status"].to_list() == ["quarantined", "loaded"]
    assert work.lake.read(silver.SENSOR_EVENTS).height == 79


@pytest.mark.rule(5)
def test_files_of_a_user_load_when_an_entry_appears(tmp_path: Path) -> None:
    only_jimmy = REGISTRY[: REGISTRY.index("  - id: jeremie")] + REGISTRY[REGISTRY.index("people:") :]
    only_jimmy = only_jimmy.replace("  - {user: u-1002, role: owner, homes: [jeremie]}\n", "")
    work = installation(tmp_path, only_jimmy)
    write_share(tmp_path / "share", [share_file(), share_file("jeremie")])
    assert build(work) == {"foreign user": 1}
    assert set(work.lake.read(silver.SENSOR_EVENTS)["home"]) == {"jimmy"}
    work = installation(tmp_path)
    assert build(work) == {}
    assert set(work.lake.read(silver.SENSOR_EVENTS)["home"]) == {"jimmy", "jeremie"}


def installation(folder: Path, text: str = REGISTRY) -> Workspace:
    """An installation whose sources and lake lie in the folder."""
    return Workspace.open(Settings.of(write_sites(folder, text), str(folder / "lake")))


def build(work: Workspace) -> dict[str, int] | None:
    """Carry what is new on the share to silver; what was left there, or None where nothing is new."""
    found = landing.discover_sensor_files(work)
    minutes = {*found.minutes, *reading.unflattened_minutes(work)}
    windows: list[Window] = cover(minutes, NOW)
    if not windows:
        return None
    carry(work, windows, flows=TO_SILVER)
    return dict(found.left)


# --- Any defects at random -------------------------------------------------------------------------

ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 21.5, 1e300, math.nan, math.inf, -math.inf, 10**400, "", "21,5", "n/a", "on",
    "off", "\0", "\ud800", TOKEN, "JIMMYLOUP", f"a {TOKEN.upper()} b", "x" * 700, [], {}, [[[]]], {"": {}},
    {TOKEN: [TOKEN]},
    {"Office": {"power": 1}}, [{"type": "Window"}, 7, None], {"meteo": {"Office": {"CO2": 1}}}, {"meteo": 5},
]  # fmt: skip
ODD_KEYS = [
    "", "office", "Office", "OFFICE", "Winter Garden", "meteo", "plugs", "motions", "power", "a.b", "a/b",
    "\0", "\ud800", TOKEN, "JimmyLoup", "user", "API_TOKEN", "datetime", "x" * 300,
]  # fmt: skip
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]

Document = dict[str, Any]


def containers(node: Any) -> list[Any]:
    """All objects and lists of a document, itself first."""
    found = [node]
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            found += containers(child)
    return found


@st.composite
def mutated(draw: Callable[..., Any]) -> Document:
    """A payload some of whose parts were replaced, removed, added or moved."""
    at = SAMPLE_TIME + timedelta(minutes=draw(st.integers(0, 2)))
    document = payload(at=at)
    for _ in range(draw(st.integers(0, 6))):
        holder = draw(st.sampled_from(containers(document)))
        value = draw(st.sampled_from(ODD_VALUES))
        if isinstance(holder, list):
            holder.insert(draw(st.integers(0, len(holder))), json.loads(json.dumps(value)))
            continue
        keys = sorted(holder)
        act = draw(st.sampled_from(["replace", "remove", "add", "rename"]))
        if act == "add" or not keys:
            holder[draw(st.sampled_from(ODD_KEYS))] = json.loads(json.dumps(value))
            continue
        key = draw(st.sampled_from(keys))
        if act == "replace":
            holder[key] = json.loads(json.dumps(value))
        else:
            kept = holder.pop(key)
            if act == "rename":
                holder[draw(st.sampled_from(ODD_KEYS))] = kept
    return document | {"user": FEED_USERS["jimmy"], "api_token": TOKEN}


@st.composite
def deliveries(draw: Callable[..., Any]) -> list[tuple[ShareFile, Document | None]]:
    """File versions with the document each holds; None where the bytes were cut off."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        document = draw(mutated())
        content = json.dumps(document).encode(draw(st.sampled_from(ENCODINGS)))
        kept: Document | None = document
        if draw(st.integers(0, 9)) == 0:
            content, kept = content[: draw(st.integers(0, len(content) // 2))], None
        at = SAMPLE_TIME + timedelta(minutes=draw(st.integers(0, 1)))
        name = draw(
            st.sampled_from(
                [name_of(at=at), name_of(at=at), "copy.json", "00.00.2023 9999_JimmyLoup_received.json"]
            )
        )
        found.append((ShareFile(name, content, ARRIVED + timedelta(minutes=number)), kept))
    return found


Said = tuple[str, str, int, str, str]
"""Category, room, place, field and value; names alike are written alike."""


def values_of(document: Document) -> list[Said]:
    """Values of a document: fields of devices, and what stands where a device or room belongs."""
    found: list[Said] = []
    for category, rooms in document.items():
        if category in ("user", "api_token", "datetime"):
            continue
        known = category in ("plugs", "doorsWindows", "motions", "meteos", "humidities", "consumptions")
        for part in rooms if isinstance(rooms, list) and known else [rooms]:
            if isinstance(part, dict):
                found += values_of_rooms(category, part, stations=category == "meteos")
            elif part != [] or not known:
                found.append((plain(category), "", 0, "", written(part)))
    return found


def holds_stations(node: Any) -> bool:
    """Whether stations lie in this object, and not the readings of one."""
    return isinstance(node, dict) and (
        any(isinstance(value, dict | list) for value in node.values())
        or not any(f"meteos.{key}" in VARIABLES for key in node)
    )


def values_of_rooms(category: str, rooms: Document, *, stations: bool) -> list[Said]:
    found: list[Said] = []
    for spelling, device in rooms.items():
        inner = device if isinstance(device, list) else [device]
        if stations and spelling.strip().lower() == "meteo" and inner and all(map(holds_stations, inner)):
            for part in inner:
                found += values_of_rooms(category, part, stations=False)
            continue
        for place, item in enumerate(device if isinstance(device, list) else [device], 1):
            where = (plain(category), plain(spelling), place)
            if isinstance(item, dict):
                found += [(*where, plain(field), written(value)) for field, value in item.items()]
            elif item != []:
                found.append((*where, "", written(item)))
    return found


def plain(name: str) -> str:
    """A name as it leaves bronze."""
    for secret in (TOKEN, FEED_USERS["jimmy"].lower()):
        name = name.lower().replace(secret, "***")
    return name.replace("\0", "\ufffd").replace("\ud800", "\ufffd").replace("/", "_").strip()


def written(value: Any) -> str:
    """A value as text; true and 1 are one number."""
    return plain(json.dumps(float(value) if isinstance(value, bool) else value))


def by_name(done: SilverRows) -> dict[str, str]:
    return dict(done.bronze.select("file_id", "name").iter_rows())


@pytest.mark.rule(5)
@pytest.mark.rule(9)
@pytest.mark.rule(11)
@settings(max_examples=50)
@given(batch=deliveries())
def test_any_defects_at_random_are_accounted_for_value_by_value(
    batch: list[tuple[ShareFile, Document | None]],
) -> None:
    """No version is lost or doubled, no value of one that counts is lost, and no secret comes out."""
    done = in_memory(*(file for file, _ in batch))
    documents = {file.content: document for file, document in batch}
    contents = dict(
        done.bronze.filter(pl.col("content").is_not_null()).select("file_id", "content").iter_rows()
    )
    assert done.files.height == done.bronze.select("file_id", "window").n_unique()
    for row in done.files.iter_rows(named=True):
        document = documents[contents[row["file_id"]]]
        accounted = row["events"] + row["rejects"] + row["nulls"]
        if row["status"] in ("superseded", "quarantined"):
            assert accounted == 0
            assert (row["reason"] is None) == (row["status"] == "superseded")
        else:
            assert document is not None
            values = values_of(document)
            # Of equal values of one device and variable one is kept, and no word is needed of the others.
            assert len(set(values)) <= accounted <= len(values)
            assert (row["status"] == "partial") == (row["rejects"] > 0)
            assert row["minute"] is not None
    names = by_name(done)
    counting = Counter(
        (names[row["file_id"]], row["window"])
        for row in done.files.iter_rows(named=True)
        if row["status"] in ("loaded", "partial")
    )
    assert all(number == 1 for number in counting.values())
    assert done.events.select("ts", "device", "variable").is_unique().all()
    assert not [t for t in done.texts() if TOKEN in t.casefold() or "jimmyloup" in t.casefold() or "\0" in t]
    assert done.events["value"].drop_nulls().is_finite().all()
