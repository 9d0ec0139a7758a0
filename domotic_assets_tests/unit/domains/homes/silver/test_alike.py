"""Files that are built alike: read together by a decoder they come to the same as each by itself."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from domotic_assets.domains.homes.silver import flatten as module
from domotic_assets.domains.homes.silver.flatten import ALIKE_BEFORE_DECODER
from domotic_assets.registry.registry import Registry
from domotic_assets.schemas.refusals import REJECTS
from domotic_assets_tests.fuzzing.mutations import mutated
from domotic_assets_tests.support.builders import (
    API_TOKENS,
    FEED_USERS,
    REGISTRY,
    SAMPLE_TIME,
    ShareFile,
    humidity,
    motion,
    name_of,
    opening,
    payload,
    plug,
    registry,
    share_file,
    to_bytes,
)
from domotic_assets_tests.support.sensor_path import SilverRows, in_memory

MINUTE = timedelta(minutes=1)
ALIKE = ALIKE_BEFORE_DECODER + 20
LATE = ALIKE + 1
"""A minute whose name comes after those of files that are alike: a decoder is there by then."""
READINGS = 59
"""Values of a file: 11 of the plug, 4 of the door, 3 of the motion sensor, 3 unknown, 17 of stations, 3 of
the humidity sensor, 18 of the meter."""


@pytest.fixture
def read_singly(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The contents that no decoder read."""
    contents: list[bytes] = []
    read = module.read_document

    def noted(content: bytes) -> dict[str, Any]:
        contents.append(content)
        return read(content)

    module._plan.cache_clear()
    monkeypatch.setattr(module, "read_document", noted)
    yield contents
    module._plan.cache_clear()


def numbered(minute: int, home: str = "jimmy", **sections: Any) -> ShareFile:
    """A file of one of the minutes after the sample's, each with values of its own."""
    at = SAMPLE_TIME + minute * MINUTE
    own = {
        "plugs": {"Office": plug(at, power=minute / 7, total=81983 + minute, switch=minute % 2 == 0)},
        "doorsWindows": {"Kitchen": [opening("Door", "on" if minute % 3 else "off", battery=minute % 100)]},
        "motions": {"Office": motion(minute % 5 == 0, temperature=-30.0 if minute % 11 == 0 else 21.5)},
        "waters": {"Bhroom": {"serial": f"W-{minute % 4}", "flow": minute, "leak": minute % 2 == 0}},
    }
    return share_file(home, at, **(own | sections))


def alike(number: int = ALIKE, start: int = 0) -> list[ShareFile]:
    """Files of one structure."""
    return [numbered(minute) for minute in range(start, start + number)]


def assert_as_value_by_value(files: Sequence[ShareFile], homes: Registry | None = None) -> SilverRows:
    """The files come to what they come to where there is no decoder."""
    together = in_memory(*files, homes=homes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_DECODERS", 0)
        expected = in_memory(*files, homes=homes)
    for name, order in (("events", []), ("rejects", REJECTS.sort), ("files", [])):
        ours, theirs = getattr(together, name), getattr(expected, name)
        assert_frame_equal(*((frame.sort(order) if order else frame) for frame in (ours, theirs)))
    return together


def test_most_of_them_are_decoded_and_each_value_is_there(read_singly: list[bytes]) -> None:
    done = in_memory(*alike())
    assert len(read_singly) == ALIKE_BEFORE_DECODER
    assert done.files["status"].to_list() == ["loaded"] * ALIKE
    last = ALIKE - 1
    at = SAMPLE_TIME + last * MINUTE
    assert done.values("plugs.power", at) == {"jimmy/office/plugs/1": last / 7}
    assert done.values("plugs.total", at) == {"jimmy/office/plugs/1": 81983 + last}
    assert done.values("doorsWindows.switch", at) == {"jimmy/kitchen/doorsWindows/1": float(last % 3 > 0)}
    assert done.values("waters.leak", at) == {"jimmy/bathroom/waters/1": float(last % 2 == 0)}
    words = (
        done.events.filter(ts=at)
        .drop_nulls("value_text")
        .select("variable", "value_text", "value_text_length")
    )
    assert words.rows() == [("waters.serial", f"W-{last % 4}", 3), ("doorsWindows.type", "Door", 4)]
    cold = done.events.filter(pl.col("variable") == "motions.temperature", "is_outlier")["ts"]
    assert cold.to_list() == [SAMPLE_TIME + n * MINUTE for n in range(0, ALIKE, 11)]


def test_a_decoder_once_made_reads_from_the_second_file_on(read_singly: list[bytes]) -> None:
    in_memory(*alike())
    read_singly.clear()
    in_memory(*alike(5, start=200))
    assert len(read_singly) == 1


def test_homes_whose_rooms_are_spelled_alike_share_a_decoder(read_singly: list[bytes]) -> None:
    files = [*alike(), *(numbered(minute + 500, "jeremie") for minute in range(10))]
    done = in_memory(*files)
    assert len(read_singly) == ALIKE_BEFORE_DECODER
    assert_as_value_by_value(files)
    assert set(done.events["home"]) == {"jimmy", "jeremie"}


def test_of_the_same_minute_of_two_homes_too() -> None:
    files = [numbered(minute, home) for minute in range(ALIKE) for home in ("jimmy", "jeremie")]
    done = assert_as_value_by_value(files)
    assert (
        done.events["home"].value_counts(name="events").sort("home")["events"].to_list()
        == [READINGS * ALIKE] * 2
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"user": FEED_USERS["jeremie"]},
        {"user": "Nobody"},
        {"user": ""},
        {"api_token": ""},
        {"api_token": "t" * 10_001},
        {"api_token": "serial"},
        {"api_token": "Door"},
        {"api_token": "bathroom"},
        {"api_token": "W-"},
        {"api_token": "x\x00y"},
        {"datetime": "31.08.2023 25:44"},
        {"datetime": "31.02.2023 21:44"},
        {"datetime": "31.08.2023 21:60"},
        {"datetime": "01.09.2023  12:41"},
        {"datetime": " 01.09.2023 12:43 "},
        {"datetime": "01.09.2023 ١2:44"},
        {"datetime": "01.09.2023 12:42\n"},
        {"datetime": "31.08.2022 21:44"},
        {"datetime": "02.09.2023 21:44"},
        {"datetime": "31.08.0001 21:44"},
        {"datetime": "31.08.9999 21:44"},
        {"datetime": ""},
    ],
)
def test_a_file_with_an_odd_header_is_read_as_by_itself(odd: dict[str, str]) -> None:
    assert_as_value_by_value([*alike(), numbered(LATE, **odd), numbered(LATE + 1)])


@pytest.mark.parametrize(
    "values",
    [
        {"serial": "tok-5f1c9be07a2d", "flow": 1, "leak": False},
        {"serial": f"of {FEED_USERS['jeremie']}", "flow": 1, "leak": False},
        {"serial": "x" * 501, "flow": 1, "leak": False},
        {"serial": "a\x00b\u0085", "flow": 1, "leak": False},
        {"serial": "", "flow": 1, "leak": False},
        {"serial": 17, "flow": True, "leak": "no"},
        {"serial": None, "flow": None, "leak": None},
        {"serial": "s", "flow": 10**400, "leak": False},
        {"serial": "s", "flow": float("nan"), "leak": False},
        {"flow": 1, "serial": "s"},
        {"flow": 1, "serial": "s", "leak": False, "more": {"a": [1]}},
    ],
)
def test_odd_values_come_to_the_same(values: dict[str, Any]) -> None:
    files = [numbered(LATE + n, waters={"Bhroom": values}) for n in range(2)]
    assert_as_value_by_value([*alike(), *files, numbered(LATE + 2)])


def test_a_text_that_does_not_pass_is_withheld_from_files_that_a_decoder_reads(
    read_singly: list[bytes],
) -> None:
    token = API_TOKENS["jimmy"]
    files = [
        numbered(n, waters={"Bhroom": {"serial": f"{n} {token}" if n > ALIKE_BEFORE_DECODER else "auto"}})
        for n in range(ALIKE)
    ]
    done = in_memory(*files)
    assert len(read_singly) == ALIKE - 1
    serials = done.events.filter(variable="waters.serial")["value_text"].to_list()
    assert serials == ["auto"] * (ALIKE_BEFORE_DECODER + 1)
    assert done.rejects["raw_text"].to_list() == ["***"] * (ALIKE - ALIKE_BEFORE_DECODER - 1)
    assert set(done.rejects["reason"]) == {"withheld"}


def test_names_that_are_hidden_stay_those_of_their_home_with_a_decoder(read_singly: list[bytes]) -> None:
    rooms = {"Zimmer Zoé": humidity(humidity=33.0)}
    files = [
        share_file(home, at=SAMPLE_TIME + n * MINUTE, humidities=rooms)
        for n in range(ALIKE)
        for home in ("jimmy", "jeremie")
    ]
    done = in_memory(*files)
    assert len(read_singly) == 2 * ALIKE_BEFORE_DECODER
    hidden = done.events.filter(variable="humidities.humidity")["room"].value_counts()
    names = {room.split("/")[0]: room.split("/")[1] for room in hidden["room"]}
    assert hidden["count"].to_list() == [ALIKE, ALIKE]
    assert names["jimmy"] != names["jeremie"]
    assert all(name.startswith("hidden-") for name in names.values())


def test_of_several_versions_of_a_name_the_latest_readable_counts() -> None:
    last = numbered(ALIKE - 1)
    resend = ShareFile(
        last.name, numbered(ALIKE - 1, humidities={"Bhroom": humidity(humidity=33.0)}).content,
        last.arrived_at + MINUTE,
    )  # fmt: skip
    cut = ShareFile(last.name, last.content[:300], last.arrived_at + 2 * MINUTE)
    done = in_memory(*alike(), resend, cut)
    statuses = done.files.filter(pl.col("window") == SAMPLE_TIME + (ALIKE - 1) * MINUTE).sort("arrived_at")
    assert statuses["status"].to_list() == ["superseded", "loaded", "quarantined"]
    at = SAMPLE_TIME + (ALIKE - 1) * MINUTE
    assert done.values("humidities.humidity", at) == {"jimmy/bathroom/humidities/1": 33.0}


def test_of_two_names_with_one_minute_inside_the_later_reading_counts() -> None:
    inside = SAMPLE_TIME + 5 * MINUTE
    late = ShareFile(
        name_of(at=SAMPLE_TIME + 700 * MINUTE),
        to_bytes(payload(at=inside, motions={"Office": motion(True)})),
        inside + timedelta(hours=1),
    )  # fmt: skip
    files = [*alike(), late, numbered(701)]
    done = in_memory(*files)
    assert done.values("motions.motion", inside) == {"jimmy/office/motions/1": 1.0}
    assert done.values("waters.flow", inside) == {"jimmy/bathroom/waters/1": 5.0}
    assert done.files["status"].to_list() == ["loaded"] * len(files)


@pytest.mark.parametrize(
    "change", [datetime(2023, 10, 29, 0, 0, tzinfo=UTC), datetime(2023, 3, 26, 0, 0, tzinfo=UTC)]
)
@pytest.mark.rule(2)
def test_hours_in_which_the_clock_is_changed_come_to_the_same(change: datetime) -> None:
    files = [
        share_file(at=change + minute * MINUTE, plugs={"Office": plug(change + minute * MINUTE)})
        for minute in range(-ALIKE, 200)
    ]
    assert_as_value_by_value(files)


def test_homes_may_have_clocks_of_different_zones() -> None:
    text = REGISTRY.replace(
        "    feed_user: JeremieVianin\n", "    feed_user: JeremieVianin\n    clock_zone: UTC\n"
    )
    homes = registry(text)
    files = [*alike(), *(numbered(minute + 500, "jeremie") for minute in range(60))]
    assert_as_value_by_value(files, homes)


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a"), ("a", "a-b"), ("a-b", "a")])
def test_the_events_of_a_minute_stand_in_order_whatever_its_homes_are_called(ids: tuple[str, str]) -> None:
    text = REGISTRY
    for home, called in zip(("jimmy", "jeremie"), ids, strict=True):
        text = text.replace(f"id: {home}", f"id: {called}").replace(f"homes: [{home}]", f"homes: [{called}]")
    files = [numbered(minute, home) for minute in range(ALIKE) for home in ("jimmy", "jeremie")]
    # That they do is looked at there, for all files of these tests.
    done = in_memory(*files, homes=registry(text))
    assert set(done.events["home"]) == set(ids)
    assert done.events.height == 2 * READINGS * ALIKE


def test_each_structure_has_texts_of_its_own() -> None:
    window = {"doorsWindows": {"Kitchen": [opening("Window", "on")]}, "waters": None}
    files = [*alike(), *(numbered(minute, **window) for minute in range(LATE, LATE + ALIKE))]
    done = in_memory(*files)
    for word, minutes in (("Door", range(ALIKE)), ("Window", range(LATE, LATE + ALIKE))):
        said = done.events.filter(variable="doorsWindows.type", value_text=word)["ts"].to_list()
        assert said == [SAMPLE_TIME + minute * MINUTE for minute in minutes]


def test_more_structures_than_there_may_be_decoders_come_to_the_same() -> None:
    kinds = [{f"kind{n}": {"Office": {"level": n}}} for n in range(module.MOST_DECODERS + 2)]
    files = [
        share_file(at=SAMPLE_TIME + (number * 200 + minute) * MINUTE, motions=None, meteos=None, plugs=None,
                   consumptions=None, **kind)
        for number, kind in enumerate(kinds)
        for minute in range(ALIKE_BEFORE_DECODER + 3)
    ]  # fmt: skip
    done = in_memory(*files)
    for number in range(len(kinds)):
        found = done.events.filter(variable=f"kind{number}.level")
        assert found["value"].to_list() == [float(number)] * (ALIKE_BEFORE_DECODER + 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
@pytest.mark.rule(5)
@pytest.mark.rule(9)
def test_any_mutated_files_among_them_come_to_the_same(seed: int) -> None:
    chance = Random(seed)
    files = [
        ShareFile(file.name, mutated(".json", file.content, chance), file.arrived_at)
        for file in (numbered(LATE + n) for n in range(8))
    ]
    assert_as_value_by_value([*alike(), *files])
