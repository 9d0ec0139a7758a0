"""From file versions to events, rejects and statuses: the rules of truth, case by case."""

import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domotic_assets.domains.homes.silver.events import devices, merge, variables
from domotic_assets.domains.homes.silver.flatten import flatten
from domotic_assets.schemas.homes.silver import SENSOR_EVENTS, SENSOR_FILES
from domotic_assets.schemas.refusals import QUARANTINE_REASONS, REJECT_REASONS, REJECTS
from domotic_assets_tests.support.builders import (
    API_TOKENS,
    FEED_USERS,
    REGISTRY,
    SAMPLE_TIME,
    ShareFile,
    house_meter,
    humidity,
    motion,
    name_of,
    opening,
    payload,
    plug,
    registry,
    share_file,
    station,
    to_bytes,
)
from domotic_assets_tests.support.sensor_path import in_memory

ARRIVED = SAMPLE_TIME + timedelta(seconds=5)
FIRST_PASS = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
SECOND_PASS = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
READINGS = 79
"""Values of the sample file: 22 of plugs, 16 of openings, 3 + 17 + 3 of rooms, 18 of the house meter."""


NOTHING = dict.fromkeys(("plugs", "doorsWindows", "motions", "humidities", "consumptions"))


def only(**sections: Any) -> ShareFile:
    """A file of the sample minute with these sections and no others."""
    nothing = dict.fromkeys(("plugs", "doorsWindows", "motions", "meteos", "humidities", "consumptions"))
    return share_file(**(nothing | sections))


def renamed(name: str, **sections: Any) -> ShareFile:
    return ShareFile(name, to_bytes(payload(**sections)), ARRIVED)


def written(text: str, instead: str) -> ShareFile:
    """The sample file with one text of its JSON written otherwise."""
    body = to_bytes(payload()).decode()
    assert body.count(text) == 1
    return share_file(content=body.replace(text, instead).encode())


def test_a_good_file_gives_each_of_its_readings() -> None:
    done = in_memory(share_file())
    assert done.events.schema == SENSOR_EVENTS.schema
    assert done.rejects.schema == REJECTS.schema
    assert done.files.schema == SENSOR_FILES.schema
    row = done.only_file()
    assert (row["status"], row["reason"], row["time_source"], row["time_note"]) == (
        "loaded", None, "inside", None,
    )  # fmt: skip
    assert (row["events"], row["rejects"], row["nulls"], row["silent_devices"]) == (READINGS, 0, 0, [])
    assert done.events.height == READINGS
    assert set(done.events["ts"]) == {SAMPLE_TIME}
    assert done.values("plugs.power") == {"jimmy/office/plugs/1": 17.62, "jimmy/livingroom/plugs/1": 1.87}
    assert done.values("plugs.is_valid") == {"jimmy/office/plugs/1": 1.0, "jimmy/livingroom/plugs/1": 1.0}
    assert done.values("meteos.CO2") == {"jimmy/office/meteos/1": 1256.0, "jimmy/livingroom/meteos/1": 980.0}
    assert done.values("consumptions.total_power") == {"jimmy/house/consumptions/1": 60.7}


def test_no_files_give_empty_tables() -> None:
    done = in_memory()
    assert done.events.schema == SENSOR_EVENTS.schema
    assert done.rejects.schema == REJECTS.schema
    assert done.files.schema == SENSOR_FILES.schema
    assert done.events.is_empty() and done.rejects.is_empty() and done.files.is_empty()  # noqa: PT018


class TestTwoPassesOfTheAutumnHour:
    """29 October 2023: 02:30 stands on the clock at 00:30 and at 01:30 UTC, under one file name."""

    pytestmark = pytest.mark.rule(2)

    @pytest.mark.parametrize("late", [timedelta(seconds=5), timedelta(days=3)])
    def test_unix_times_inside_tell_them_apart(self, late: timedelta) -> None:
        passes = ((FIRST_PASS, 10.0), (SECOND_PASS, 20.0))
        done = in_memory(
            *(
                share_file(at=at, arrived_at=SECOND_PASS + late, plugs={"Office": plug(at, power=watts)})
                for at, watts in passes
            )
        )
        assert done.values("plugs.power", FIRST_PASS) == {"jimmy/office/plugs/1": 10.0}
        assert done.values("plugs.power", SECOND_PASS) == {"jimmy/office/plugs/1": 20.0}
        assert done.files["status"].to_list() == ["loaded", "loaded"]
        assert done.files["time_note"].to_list() == ["repeated_in_autumn"] * 2

    def test_without_unix_times_their_arrival_does(self) -> None:
        passes = ((FIRST_PASS, 21.0), (SECOND_PASS, 22.0))
        done = in_memory(
            *(
                share_file(
                    at=at, plugs=None, consumptions=None, meteos={"Office": station(Temperature=celsius)}
                )
                for at, celsius in passes
            )
        )
        assert done.values("meteos.Temperature", FIRST_PASS) == {"jimmy/office/meteos/1": 21.0}
        assert done.values("meteos.Temperature", SECOND_PASS) == {"jimmy/office/meteos/1": 22.0}

    def test_each_is_counted_for_itself_even_with_the_same_bytes(self) -> None:
        content = to_bytes(
            payload(at=FIRST_PASS, plugs=None, consumptions=None, motions={"Office": motion(light="n/a")})
        )
        done = in_memory(*(share_file(at=at, content=content) for at in (FIRST_PASS, SECOND_PASS)))
        # 79 less the plugs' 22 and the meter's 18, one of them refused.
        assert done.files["events"].to_list() == [38, 38]
        assert done.files["rejects"].to_list() == [1, 1]
        assert done.events.group_by("ts").len().sort("ts")["len"].to_list() == [38, 38]

    def test_the_same_bytes_are_silent_only_where_they_count(self) -> None:
        silent = {"Bhroom": {"temperature": "n/a", "humidity": None}}
        content = to_bytes(payload(at=FIRST_PASS, plugs=None, consumptions=None, humidities=silent))
        corrected = share_file(
            at=FIRST_PASS, arrived_at=SECOND_PASS - timedelta(minutes=20), plugs=None, consumptions=None
        )
        first, second = (share_file(at=at, content=content) for at in (FIRST_PASS, SECOND_PASS))
        done = in_memory(first, corrected, second)
        found = done.files.sort("arrived_at").select("status", "silent_devices").rows()
        assert found == [
            ("superseded", []),
            ("loaded", []),
            ("partial", ["jimmy/bathroom/humidities/1"]),
        ]

    def test_a_resend_of_one_pass_replaces_only_that_pass(self) -> None:
        resend = share_file(at=FIRST_PASS, arrived_at=SECOND_PASS + timedelta(hours=1), motions=None)
        done = in_memory(share_file(at=FIRST_PASS), share_file(at=SECOND_PASS), resend)
        assert sorted(done.files["status"]) == ["loaded", "loaded", "superseded"]
        assert done.values("motions.motion", FIRST_PASS) == {}
        assert done.values("motions.motion", SECOND_PASS) == {"jimmy/office/motions/1": 0.0}


@pytest.mark.rule(3)
def test_two_windows_of_a_room_are_two_devices() -> None:
    windows = [opening("Window", "off"), opening("Window", "on", battery=41)]
    done = in_memory(only(doorsWindows={"Livingroom": windows}))
    assert done.values("doorsWindows.switch") == {
        "jimmy/livingroom/doorsWindows/1": 0.0,
        "jimmy/livingroom/doorsWindows/2": 1.0,
    }
    assert done.values("doorsWindows.battery") == {
        "jimmy/livingroom/doorsWindows/1": 100.0,
        "jimmy/livingroom/doorsWindows/2": 41.0,
    }
    assert devices(done.events)["device_type"].to_list() == ["window", "window"]


@pytest.mark.rule(3)
def test_a_single_opening_is_the_device_that_a_list_of_one_gives() -> None:
    at = SAMPLE_TIME + timedelta(minutes=1)
    done = in_memory(
        share_file(doorsWindows={"Kitchen": [opening("Door", "on")]}),
        share_file(at=at, doorsWindows={"Kitchen": opening("Door", "off")}),
    )
    assert done.values("doorsWindows.switch") == {"jimmy/kitchen/doorsWindows/1": 1.0}
    assert done.values("doorsWindows.switch", at) == {"jimmy/kitchen/doorsWindows/1": 0.0}


class TestWhichMinute:
    """Inside wins over the name; a file that says neither is no reading of now."""

    pytestmark = pytest.mark.rule(4)

    def test_the_time_inside_wins_over_the_name(self) -> None:
        done = in_memory(renamed(name_of(at=SAMPLE_TIME + timedelta(minutes=7))))
        row = done.only_file()
        assert (row["minute"], row["time_source"]) == (SAMPLE_TIME, "inside")
        assert row["window"] == SAMPLE_TIME + timedelta(minutes=7)
        assert set(done.events["ts"]) == {SAMPLE_TIME}

    @pytest.mark.parametrize(
        "inside",
        [
            "", "soon", "32.13.2023 25:61", "29.02.2023 12:00", "2023-08-31 21:44", "31.08.23 21:44",
            "31.08.2023 21:44:00", 1693511040, True, ["31.08.2023 21:44"], {"at": "31.08.2023 21:44"},
            "31.12.2022 23:59", "01.01.1970 00:00", "01.01.0001 00:00", "31.12.9999 23:59",
            "٣١.٠٨.٢٠٢٣ ٢١:٤٤", "9" * 100,
        ],
    )  # fmt: skip
    def test_without_a_readable_one_the_name_is_used_and_the_row_says_so(self, inside: Any) -> None:
        row = in_memory(renamed(name_of(), datetime=inside)).only_file()
        assert (row["minute"], row["time_source"], row["time_note"]) == (
            SAMPLE_TIME, "name", "unreadable_inside",
        )  # fmt: skip
        assert (row["status"], row["events"]) == ("loaded", READINGS)

    def test_without_any_inside_the_row_says_that(self) -> None:
        row = in_memory(renamed(name_of(), datetime=None)).only_file()
        assert (row["minute"], row["time_source"], row["time_note"]) == (
            SAMPLE_TIME, "name", "missing_inside",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("inside", "name", "written", "unix", "minute", "note"),
        [
            (0, 0, 0, [0], 0, None),
            (-7, 0, 0, [-7, -7], -7, None),
            (-7, 0, 0, [-7, 0, 0], 0, "inside_contradicted"),
            (-7, 0, 0, [], 0, "inside_contradicted"),
            (-7, 0, -7, [], -7, None),
            (-7, 0, 90, [], 0, "inside_contradicted"),
            (1, 0, 0.75, [], 0, "inside_contradicted"),
            (1, 0, 1.75, [], 1, None),
            (-1, 0, 0, [-0.1], 0, "inside_contradicted"),
            (-1, 0, 0, [-0.9], -1, None),
            (7, 0, 0, [7, 7], 0, "inside_contradicted"),
            (7, 0, 9000, [7, 7], 7, None),
            (360, 0, 9000, [360], 360, None),
            (361, 0, 9000, [361], 0, "inside_far"),
            (361, 0, 361, [361], 361, None),
            (720, 0, 0, [0], 0, "inside_far"),
            (-720, 0, 0, [-720, -720], 0, "inside_far"),
            (-200_000, 0, 0, [0], 0, "inside_far"),
            (-0.0, -300, 0, [0], 0, None),
        ],
        ids=[
            "alike", "a late name", "two against one", "no unix time", "the arrival says inside",
            "nothing says inside", "a minute ahead of its arrival", "a minute ahead", "a minute, as the name",
            "a minute, as inside",
            "ahead of a prompt arrival",
            "ahead, arrival unknown", "six hours", "more than six hours", "more, near the arrival",
            "half a day ahead", "half a day behind", "months behind", "a name of hours before",
        ],
    )  # fmt: skip
    def test_name_inside_unix_times_and_arrival_are_weighed(
        self, inside: float, name: int, written: float, unix: list[float], minute: int, note: str | None
    ) -> None:
        """In minutes from the sample time, the last write some seconds later."""

        def at(minutes: float) -> datetime:
            return SAMPLE_TIME + timedelta(minutes=minutes)

        rooms = ("Office", "Kitchen", "Livingroom")
        content = to_bytes(
            payload(
                at=at(inside),
                plugs={room: plug(at(minutes)) for room, minutes in zip(rooms, unix, strict=False)},
                consumptions=None,
            )
        )
        row = in_memory(
            ShareFile(name_of(at=at(name)), content, at(written) + timedelta(seconds=5))
        ).only_file()
        assert (row["minute"], row["time_note"]) == (at(minute), note)
        assert row["time_source"] == ("name" if note else "inside")

    def test_a_time_inside_that_stands_still_gives_way_to_names_that_go_on(self) -> None:
        """Twelve names, with unix times or without; from the sixth on the time inside is the sixth minute."""
        minutes = [SAMPLE_TIME + timedelta(minutes=number) for number in range(12)]
        for unix_times in (True, False):
            done = in_memory(
                *(
                    ShareFile(
                        name_of(at=at),
                        to_bytes(
                            payload(
                                at=min(at, minutes[5]),
                                plugs={"Office": plug(at)} if unix_times else None,
                                consumptions=None,
                            )
                        ),
                        at + timedelta(seconds=5),
                    )
                    for at in minutes
                )
            )
            assert done.files["minute"].to_list() == minutes
            assert done.files["time_note"].to_list() == [None] * 6 + ["inside_contradicted"] * 6

    @pytest.mark.parametrize(
        ("inside", "arrived", "minute"),
        [(0, 0, 0), (0, 5000, 0), (360, 0, 360), (361, 0, None), (0, -100_000, None)],
    )
    def test_without_a_name_a_time_inside_is_read_up_to_hours_after_its_arrival(
        self, inside: int, arrived: int, minute: int | None
    ) -> None:
        """In minutes; a last write of days before contradicts it, as no unix time is there."""
        at = SAMPLE_TIME + timedelta(minutes=inside)
        content = to_bytes(payload(at=at, plugs=None, consumptions=None))
        file = ShareFile("copy of it.json", content, SAMPLE_TIME + timedelta(minutes=arrived))
        row = in_memory(file).only_file()
        assert row["minute"] == (None if minute is None else SAMPLE_TIME + timedelta(minutes=minute))

    @pytest.mark.parametrize("name", ["32.13.2023 2561_JimmyLoup_received.json", "copy of it.json"])
    @pytest.mark.parametrize("inside", [None, "soon", "01.01.1970 00:00", "01.01.2099 00:00"])
    def test_with_neither_the_file_is_quarantined_and_is_never_now(
        self, name: str, inside: str | None
    ) -> None:
        done = in_memory(renamed(name, datetime=inside))
        row = done.only_file()
        assert (row["status"], row["reason"], row["minute"]) == ("quarantined", "no_readable_time", None)
        assert done.events.is_empty() and done.rejects.is_empty()  # noqa: PT018

    @pytest.mark.parametrize("inside", [None, "soon"])
    @pytest.mark.parametrize(
        ("early", "minute"),
        [(timedelta(hours=26), SAMPLE_TIME), (timedelta(days=30), SAMPLE_TIME), (timedelta(days=40), None)],
    )
    def test_a_name_alone_counts_up_to_a_month_after_the_last_write(
        self, inside: str | None, early: timedelta, minute: datetime | None
    ) -> None:
        file = share_file(datetime=inside, plugs=None, consumptions=None, arrived_at=SAMPLE_TIME - early)
        row = in_memory(file).only_file()
        assert (row["minute"], row["reason"]) == (minute, None if minute else "no_readable_time")

    def test_an_odd_name_with_a_time_inside_loads(self) -> None:
        row = in_memory(renamed("copy of it.json")).only_file()
        assert (row["status"], row["home"], row["minute"]) == ("loaded", "jimmy", SAMPLE_TIME)

    def test_a_time_that_spring_skips_takes_the_offset_before_and_says_so(self) -> None:
        """26 March 2023 had no 02:30; by winter's one hour it is 01:30 UTC."""
        at = datetime(2023, 3, 26, 1, 30, tzinfo=UTC)
        row = in_memory(share_file(at=at, datetime="26.03.2023 02:30")).only_file()
        assert (row["minute"], row["time_note"]) == (at, "skipped_by_spring")


class TestOneBadValue:
    """It costs itself only, and says where it stood and why it was refused."""

    pytestmark = pytest.mark.rule(5)

    @pytest.mark.rule(9)
    @pytest.mark.parametrize(
        ("bad", "raw", "reason"),
        [
            (math.nan, "NaN", "not_finite"),
            (math.inf, "Infinity", "not_finite"),
            (-math.inf, "-Infinity", "not_finite"),
            ("21,5", "21,5", "not_a_number"),
            ("n/a", "n/a", "not_a_number"),
            ("", "", "not_a_number"),
            ("17.62.1", "***", "not_a_number"),
            (True, "true", "not_a_number"),
            ([17.62], "[***]", "not_a_number"),
            ({"W": 17.62}, "{***}", "not_a_number"),
            ({"W": 17}, '{"W": 17}', "not_a_number"),
            ("open " * 1_000, "***", "not_a_number"),
        ],
    )
    def test_in_place_of_a_number(self, bad: Any, raw: str, reason: str) -> None:
        done = in_memory(share_file(plugs={"Office": plug(power=bad), "Livingroom": plug()}))
        assert done.only_file()["status"] == "partial"
        assert done.rejects.drop("file_id").rows(named=True) == [
            {
                "source": "sensor_files",
                "home": "jimmy",
                "window": SAMPLE_TIME,
                "minute": SAMPLE_TIME,
                "device": "jimmy/office/plugs/1",
                "variable": "plugs.power",
                "json_path": "$.plugs.Office.power",
                "raw_text": raw,
                "reason": reason,
                "utc_date": SAMPLE_TIME.date(),
            }
        ]
        assert done.rejects["file_id"].to_list() == done.bronze["file_id"].to_list()
        assert done.events.height == READINGS - 1
        assert done.values("plugs.power") == {"jimmy/livingroom/plugs/1": 17.62}
        assert done.values("plugs.total").keys() == {"jimmy/office/plugs/1", "jimmy/livingroom/plugs/1"}

    @pytest.mark.rule(9)
    @pytest.mark.parametrize("number", ["9" * 10_000, "-" + "9" * 10_000, "1e999"])
    def test_a_number_too_large_to_hold(self, number: str) -> None:
        done = in_memory(written("17.62", number))
        assert done.rejects.select("json_path", "reason").rows() == [("$.plugs.Office.power", "not_finite")]
        assert done.events.height == READINGS - 1

    @pytest.mark.parametrize(
        ("sections", "path", "reason"),
        [
            ({"motions": {"Office": motion(light="dark")}}, "$.motions.Office.light", "not_a_number"),
            ({"motions": {"Office": motion(motion=2)}}, "$.motions.Office.motion", "not_a_flag"),
            ({"motions": {"Office": motion(motion="maybe")}}, "$.motions.Office.motion", "not_a_flag"),
            (
                {"doorsWindows": {"Kitchen": [opening(), opening(switch="ajar")]}},
                "$.doorsWindows.Kitchen[1].switch",
                "not_a_state",
            ),
            (
                {"doorsWindows": {"Kitchen": [opening(switch=2)]}},
                "$.doorsWindows.Kitchen[0].switch",
                "not_a_state",
            ),
            ({"doorsWindows": {"Kitchen": opening(type=7)}}, "$.doorsWindows.Kitchen.type", "not_a_text"),
            ({"doorsWindows": {"Kitchen": opening("hatch")}}, "$.doorsWindows.Kitchen.type", "unknown_word"),
            ({"motions": {"Office": motion(light="9 W")}}, "$.motions.Office.light", "unit_unknown"),
            ({"motions": {"Office": motion(light="9 cd")}}, "$.motions.Office.light", "unit_unknown"),
            (
                {"plugs": {"Office": plug(), "office": {"power": 3}, "Livingroom": plug()}},
                "$.plugs.Office.power",
                "duplicate_reading",
            ),
            (
                {"meteos": {"meteo": {"Office": station(CO2="high")}}},
                "$.meteos.meteo.Office.CO2",
                "not_a_number",
            ),
            ({"meteos": {"Office": station(CO2=[400])}}, "$.meteos.Office.CO2", "not_a_number"),
            ({"humidities": {"Bhroom": 59.9}}, "$.humidities.Bhroom", "not_an_object"),
            ({"humidities": "n/a"}, "$.humidities", "not_an_object"),
        ],
    )
    def test_each_reject_says_its_path_and_reason(
        self, sections: dict[str, Any], path: str, reason: str
    ) -> None:
        done = in_memory(share_file(**sections))
        assert done.rejects.select("json_path", "reason").rows() == [(path, reason)]
        assert reason in REJECT_REASONS
        assert done.values("plugs.power").keys() == {"jimmy/office/plugs/1", "jimmy/livingroom/plugs/1"}

    def test_a_null_is_counted_and_neither_event_nor_reject(self) -> None:
        done = in_memory(share_file(motions={"Office": motion(light=None, temperature=None)}, humidities={}))
        row = done.only_file()
        assert (row["status"], row["nulls"], row["rejects"]) == ("loaded", 2, 0)
        assert row["events"] == READINGS - 2 - 3

    def test_a_device_without_an_accepted_reading_is_named_as_silent(self) -> None:
        silent = {"temperature": "n/a", "humidity": None}
        done = in_memory(share_file(humidities={"Bhroom": silent, "Laundry": humidity()}))
        assert done.only_file()["silent_devices"] == ["jimmy/bathroom/humidities/1"]

    def test_of_two_files_of_a_minute_each_says_which_of_its_own_devices_are_silent(self) -> None:
        nothing = {"humidities": {"Bhroom": {"temperature": None, "humidity": None, "devicePower": None}}}
        # One says its minute inside alone: both are of one home and minute, and their readings stand mixed.
        inside = to_bytes(payload(at=SAMPLE_TIME, **nothing))
        other = share_file(at=SAMPLE_TIME + timedelta(minutes=1), content=inside)
        done = in_memory(share_file(), other)
        found = dict(done.files.sort("window").select("window", "silent_devices").iter_rows())
        assert list(found.values()) == [[], ["jimmy/bathroom/humidities/1"]]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "not_json"),
            (to_bytes(payload())[:700], "not_json"),
            (b"[]", "not_an_object"),
            (b"null", "not_an_object"),
            (b'{"x": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", "too_deep"),
            (to_bytes(payload(user=FEED_USERS["jeremie"])), "user_mismatch"),
        ],
    )
    def test_an_unreadable_file_has_one_row_with_the_reason(self, content: bytes, reason: str) -> None:
        done = in_memory(share_file(content=content), share_file("jeremie"))
        rows = {row["home"]: row for row in done.files.iter_rows(named=True)}
        assert (rows["jimmy"]["status"], rows["jimmy"]["reason"]) == ("quarantined", reason)
        assert (rows["jimmy"]["minute"], rows["jimmy"]["events"], rows["jimmy"]["window"]) == (
            None, 0, SAMPLE_TIME,
        )  # fmt: skip
        assert reason in QUARANTINE_REASONS
        assert rows["jeremie"]["status"] == "loaded"
        assert set(done.events["home"]) == {"jeremie"}

    def test_a_file_that_nobody_s_name_or_user_claims_is_quarantined(self) -> None:
        row = in_memory(ShareFile("odd.json", b'{"plugs": {}}', ARRIVED)).only_file()
        assert (row["status"], row["home"]) == ("quarantined", None)
        assert row["reason"] in QUARANTINE_REASONS


class TestVersions:
    """Of one name the latest readable version counts, whole."""

    pytestmark = pytest.mark.rule(6)

    def test_a_changed_resend_wins_by_arrival(self) -> None:
        first = share_file(plugs={"Office": plug(power=1.0), "Kitchen": plug()})
        resend = share_file(arrived_at=ARRIVED + timedelta(minutes=20), plugs={"Office": plug(power=2.0)})
        done = in_memory(first, resend)
        assert done.values("plugs.power") == {"jimmy/office/plugs/1": 2.0}
        by_arrival = done.files.sort("arrived_at")
        assert by_arrival["status"].to_list() == ["superseded", "loaded"]
        assert by_arrival["events"].to_list() == [0, READINGS - 11]

    def test_a_completed_version_of_a_truncated_file_is_loaded(self) -> None:
        whole = share_file(arrived_at=ARRIVED + timedelta(minutes=1))
        done = in_memory(share_file(content=whole.content[:900]), whole)
        assert done.files.sort("arrived_at")["status"].to_list() == ["quarantined", "loaded"]
        assert done.events.height == READINGS

    def test_a_truncated_resend_does_not_cost_the_good_version(self) -> None:
        good = share_file()
        cut = share_file(content=good.content[:900], arrived_at=ARRIVED + timedelta(minutes=1))
        done = in_memory(good, cut)
        assert done.files.sort("arrived_at")["status"].to_list() == ["loaded", "quarantined"]
        assert done.events.height == READINGS

    def test_a_late_file_loads_into_its_own_minute(self) -> None:
        done = in_memory(share_file(arrived_at=SAMPLE_TIME + timedelta(days=40)))
        assert (done.only_file()["status"], done.only_file()["minute"]) == ("loaded", SAMPLE_TIME)

    def test_of_two_names_with_one_minute_inside_each_reading_is_the_later_arrival_s(self) -> None:
        later = ShareFile(
            name_of(at=SAMPLE_TIME + timedelta(minutes=1)),
            to_bytes(payload(plugs={"Office": plug(power=2.0)}, motions=None)),
            ARRIVED + timedelta(minutes=1),
        )
        done = in_memory(later, share_file())
        assert done.values("plugs.power") == {"jimmy/office/plugs/1": 2.0, "jimmy/livingroom/plugs/1": 1.87}
        assert done.values("motions.motion") == {"jimmy/office/motions/1": 0.0}
        assert done.files["status"].to_list() == ["loaded", "loaded"]


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("sections", "variable", "outside", "edges"),
    [
        ({"Temperature": 0}, "meteos.Temperature", (-20.1, 60.1), (-20, 60)),
        ({"CO2": 0}, "meteos.CO2", (299, 5001), (300, 5000)),
        ({"Humidity": 0}, "meteos.Humidity", (-1, 101), (0, 100)),
        ({"Noise": 0}, "meteos.Noise", (-1, 141), (0, 140)),
        ({"Pressure": 0}, "meteos.Pressure", (869.9, 1085.1), (870, 1085)),
        ({"AbsolutePressure": 0}, "meteos.AbsolutePressure", (499, 1101), (500, 1100)),
        ({"battery_percent": 0}, "meteos.battery_percent", (-1, 101), (0, 100)),
    ],
)
def test_an_outlier_is_flagged_and_kept(
    sections: dict[str, Any], variable: str, outside: tuple[float, ...], edges: tuple[float, ...]
) -> None:
    (field,) = sections
    readings = (*outside, *edges)
    rooms = {f"Room{number}": {field: value} for number, value in enumerate(readings)}
    done = in_memory(only(meteos={"meteo": rooms}))
    found = dict(done.events.select("value", "is_outlier").iter_rows())
    assert found == dict.fromkeys(outside, True) | dict.fromkeys(edges, False)
    assert set(done.events["variable"]) == {variable}
    assert done.rejects.is_empty()


@pytest.mark.rule(7)
def test_bounds_cover_plugs_motions_and_the_house_but_no_counter() -> None:
    done = in_memory(
        only(
            plugs={"Office": {"power": 10_000.1, "total": -5, "counter1": 1e12, "temperature": 61}},
            motions={"Office": {"light": 200_001, "temperature": -21}},
            consumptions={
                "House": house_meter(power1=30_001, power2=-30_000, total_power=-30_001, voltage3=261)
            },
        )
    )
    assert set(done.events.filter("is_outlier")["variable"]) == {
        "plugs.power", "plugs.temperature", "motions.light", "motions.temperature", "consumptions.power1",
        "consumptions.total_power", "consumptions.voltage3",
    }  # fmt: skip


class TestUnknown:
    """What nobody described is kept and registers itself."""

    pytestmark = pytest.mark.rule(8)

    def test_rooms_fields_and_categories_are_kept(self) -> None:
        done = in_memory(
            share_file(
                motions={"Winter Garden": motion(True), "Office": motion(tilt=3.5, model="X")},
                waters={"Bhroom": {"flow": 2.25, "leak": False}},
                firmware="2.1",
            )
        )
        assert done.only_file()["status"] == "loaded"
        assert done.values("motions.motion")["jimmy/winter garden/motions/1"] == 1.0
        assert done.values("motions.tilt") == {"jimmy/office/motions/1": 3.5}
        assert done.values("waters.flow") == {"jimmy/bathroom/waters/1": 2.25}
        assert done.values("waters.leak") == {"jimmy/bathroom/waters/1": 0.0}
        texts = done.events.filter(pl.col("variable").is_in(["motions.model", "feed.firmware"]))
        assert set(texts.select("device", "value_text").iter_rows()) == {
            ("jimmy/office/motions/1", "X"),
            ("jimmy/house/feed/1", "2.1"),
        }
        kinds = dict(variables(done.events).select("variable", "kind").iter_rows())
        assert {name for name, kind in kinds.items() if kind == "unknown"} == {
            "motions.tilt", "motions.model", "waters.flow", "waters.leak", "feed.firmware",
        }  # fmt: skip
        types = dict(devices(done.events).select("device", "device_type").iter_rows())
        assert types["jimmy/bathroom/waters/1"] == "unknown"
        assert types["jimmy/winter garden/motions/1"] == "motion_sensor"

    @pytest.mark.rule(9)
    def test_a_long_text_of_an_unknown_field_is_withheld_whatever_it_says(self) -> None:
        nested = {"trace": ["on"] * 100}
        done = in_memory(only(motions={"Office": {"debug": nested, "mode": "open " * 13, "state": "open"}}))
        assert done.events.select("variable", "value_text", "value_text_length").rows() == [
            ("motions.state", "open", 4)
        ]
        assert sorted(done.rejects.select("variable", "raw_text", "reason").rows()) == [
            ("motions.debug", "***", "withheld"), ("motions.mode", "***", "withheld"),
        ]  # fmt: skip

    def test_an_unknown_field_of_mixed_types_keeps_each_as_it_is(self) -> None:
        values: list[Any] = [1, 2.5, True, "tilted", None, [1], math.nan]
        files = [
            share_file(at=SAMPLE_TIME + timedelta(minutes=n), motions={"Office": motion(tilt=value)})
            for n, value in enumerate(values)
        ]
        done = in_memory(*files)
        found = done.events.filter(pl.col("variable") == "motions.tilt").sort("ts")
        assert found.select("value", "value_text").rows() == [
            (1.0, None), (2.5, None), (1.0, None), (None, "tilted"), (None, "[1]"),
        ]  # fmt: skip
        by_minute = done.files.sort("minute")
        assert by_minute["nulls"].to_list() == [0, 0, 0, 0, 1, 0, 0]
        assert by_minute["rejects"].to_list() == [0, 0, 0, 0, 0, 0, 1]


class TestCompany:
    """What a file gives does not depend on the other files of its batch."""

    def test_files_of_different_shapes_give_what_each_gives_alone(self) -> None:
        minutes = [SAMPLE_TIME + timedelta(minutes=n) for n in range(5)]
        files = [
            share_file(at=minutes[0]),
            share_file(at=minutes[1], plugs={"Office": plug(power=5, total="n/a")}),
            share_file(at=minutes[2], plugs={"Office": plug(power=5.5, is_valid=False)}, motions=None),
            share_file("jeremie", at=minutes[3], meteos={"Office": station(CO2=None)}),
            share_file(at=minutes[4], plugs={"Office": dict(reversed(plug(power=True).items()))}),
        ]
        together = in_memory(*files)
        alone = [in_memory(file) for file in files]
        for frame in ("events", "rejects", "files"):
            apart = pl.concat([getattr(done, frame) for done in alone])
            whole = getattr(together, frame)
            assert whole.sort(whole.columns[:6]).equals(apart.sort(whole.columns[:6])), frame
        assert together.values("plugs.power", minutes[1]) == {"jimmy/office/plugs/1": 5.0}
        assert together.values("plugs.power", minutes[2]) == {"jimmy/office/plugs/1": 5.5}
        assert together.values("plugs.power", minutes[4]) == {}

    @pytest.mark.parametrize("neighbour", [None, "n/a", True, math.nan, 7])
    def test_of_two_spellings_of_a_room_the_later_in_the_file_counts(self, neighbour: Any) -> None:
        """`Office` and `office` are one room; what a neighbour's `Office` holds changes nothing."""
        later = SAMPLE_TIME + timedelta(minutes=1)
        done = in_memory(
            share_file(plugs={"Office": plug(power=1.0), "office": plug(power=2.0)}),
            share_file(at=later, plugs={"Office": plug(power=neighbour), "office": plug(power=3.0)}),
        )
        assert done.values("plugs.power") == {"jimmy/office/plugs/1": 2.0}
        assert done.values("plugs.power", later) == {"jimmy/office/plugs/1": 3.0}

    @pytest.mark.parametrize("second", [None, "n/a"])
    def test_a_null_or_refused_second_spelling_leaves_the_first(self, second: Any) -> None:
        done = in_memory(only(plugs={"Office": {"power": 1.0}, "office": {"power": second}}))
        assert done.values("plugs.power") == {"jimmy/office/plugs/1": 1.0}


@pytest.mark.rule(9)
@pytest.mark.parametrize(
    "odd",
    [
        share_file(content=to_bytes(payload()).replace(b"Livingroom", b"Living\\u0000room")),
        share_file(content=to_bytes(payload()).replace(b"Livingroom", b"Living\\ud800room")),
        share_file(content=to_bytes(payload()).replace(b"Livingroom", b"Living\xffroom")),
        share_file(content=b"\xef\xbb\xbf" + to_bytes(payload())),
        share_file(content=to_bytes(payload()).decode().encode("utf-16")),
        share_file(content=to_bytes(payload()).decode().encode("utf-16-le")),
        share_file(content=to_bytes(payload()).decode().encode("utf-16-be")),
    ],
    ids=["U+0000", "surrogate", "no UTF-8", "mark", "UTF-16", "UTF-16 LE", "UTF-16 BE"],
)
def test_an_odd_spelling_costs_no_reading(odd: ShareFile) -> None:
    done = in_memory(odd, share_file("jeremie"))
    assert done.files["status"].to_list() == ["loaded", "loaded"]
    assert done.events.group_by("home").len()["len"].to_list() == [READINGS, READINGS]
    assert done.values("plugs.power")["jimmy/office/plugs/1"] == 17.62
    assert not [text for text in done.texts() if "\0" in text]


@pytest.mark.rule(9)
def test_a_trace_of_five_megabytes_costs_no_reading() -> None:
    done = in_memory(share_file(trace="x" * 5_000_000), share_file("jeremie"))
    assert done.events.height == 2 * READINGS
    assert done.rejects.select("variable", "raw_text", "reason").rows() == [("feed.trace", "***", "withheld")]


class TestSecrets:
    """The file's own token and user and all feed users stand in no text."""

    pytestmark = pytest.mark.rule(11)

    @pytest.mark.parametrize(
        ("token", "text"),
        [
            (API_TOKENS["jimmy"], API_TOKENS["jimmy"]),
            ('a"b\\c.d(e[f', 'a"b\\c.d(e[f'),
            ("tok*+?^$|{}", "tok*+?^$|{}"),
            ("line\nfeed-token", "line\nfeed-token"),
            ("  padded-token  ", "padded-token"),
            ("Grüezi-Schlüssel", "Grüezi-Schlüssel"),
            (12345678901, "12345678901"),
            ({"v": "nested-token"}, "nested-token"),
            (["listed-token"], "listed-token"),
        ],
    )
    def test_a_token_is_masked_wherever_it_stands(self, token: Any, text: str) -> None:
        for told in (text, text.upper(), text.lower()):
            done = in_memory(
                share_file(
                    api_token=token,
                    plugs={told: plug(power=told), "Office": plug(power={told: [told]}, switch=told)},
                    doorsWindows={"Kitchen": [opening(type=f"a {told} b")]},
                    waters={"Bhroom": {told: 1, "note": f"see {told}!", "deep": {told: [{"x": told}]}}},
                    debug=json.dumps({"t": told}),
                    quoted={"Office": {"inner": {"json": json.dumps([told])}}},
                    **{f"cat {told}": {"Office": {"x": 1}}, told: 7},
                )
            )
            core = text.casefold()
            forms = (core, json.dumps(core)[1:-1], json.dumps(core, ensure_ascii=False)[1:-1])
            assert [t for t in done.texts() if any(form in t.casefold() for form in forms)] == []
            # Of both plugs, the opening, the flag, and all but one number below the unknown names.
            reasons = Counter(done.rejects["reason"])
            assert reasons["withheld"] >= 4
            assert set(done.rejects["raw_text"]) <= {"***", "{***}", "[***]"}
            assert done.values("plugs.total").keys() > {"jimmy/office/plugs/1"}

    @pytest.mark.parametrize("user", [*FEED_USERS.values(), "JIMMYLOUP", "Passing-Visitor"])
    def test_users_are_masked_wherever_they_stand(self, user: str) -> None:
        """The file's own user, every feed user and, where the file says another one, that one too."""
        inside = "Passing-Visitor" if user == "Passing-Visitor" else FEED_USERS["jimmy"]
        done = in_memory(
            share_file(
                user=inside,
                motions={user: motion(light=user), "Office": {user: 1, "note": f"of {user}"}},
                plugs={"Office": plug(power=f"31.08.2023 2144_{user}_received.json")},
            )
        )
        assert done.rejects.height == 3
        assert [text for text in done.texts() if user.casefold() in text.casefold()] == []

    def test_no_file_name_leaves_bronze(self) -> None:
        done = in_memory(share_file(), share_file("jeremie", content=b"{"))
        assert "name" not in (*done.events.columns, *done.rejects.columns, *done.files.columns)
        assert not [text for text in done.texts() if "received" in text]

    @pytest.mark.parametrize("token", ["", " ", "s", "on"])
    def test_a_token_too_short_to_be_one_spoils_no_text(self, token: str) -> None:
        done = in_memory(share_file(api_token=token, motions={"Season room": motion()}))
        assert done.values("motions.motion") == {"jimmy/season room/motions/1": 0.0}

    @pytest.mark.parametrize(
        "written",
        [
            {"0": {"api_token": "tok-987654", "note": "of tok-987654"}},
            {"data": {"api_token": "tok-987654", "user": "Someone Else"}, "note": "tok-987654 Someone Else"},
            {"api_token ": "tok-987654", "note": "tok-987654"},
            {"apiToken": "tok-987654", "note": ["tok-987654"]},
            {"Token": {"value": "tok-987654"}, "note": "tok-987654"},
            {"x": {"y": [{"API-Token": "tok-987654", "User Name": "Someone Else"}]}, "note": "Someone Else"},
            {
                "plugs": {
                    "Office": {"password": "tok-987654", "power": "tok-987654"}  # pragma: allowlist secret
                }
            },
            {"note": {"Secret": 987654, "a": "987654"}},
        ],
    )
    def test_a_secret_is_known_by_its_name_at_any_depth(self, written: dict[str, Any]) -> None:
        done = in_memory(share_file(content=json.dumps(written).encode()))
        assert done.only_file()["reason"] is None
        told = json.dumps([done.events.to_dicts(), done.rejects.to_dicts()], default=str)
        assert "987654" not in told
        assert "Someone" not in told

    def test_files_with_a_token_of_another_name_do_not_teach_a_decoder_to_keep_it(self) -> None:
        files = [
            share_file(at=SAMPLE_TIME + timedelta(minutes=minute), Token=f"tok-98765{minute}", mode="calm")
            for minute in range(8)
        ]
        done = in_memory(*files)
        assert done.files["rejects"].to_list() == [1] * 8
        assert "feed.mode" in done.events["variable"].to_list()
        assert "feed.Token" not in done.events["variable"].to_list()

    def test_a_document_under_its_place_in_a_list_is_that_document(self) -> None:
        content = to_bytes({"0": payload()})
        assert in_memory(share_file(content=content)).only_file()["events"] == READINGS

    def test_a_token_under_another_letter_case_is_no_reading(self) -> None:
        done = in_memory(share_file(API_TOKEN="tok-other-5f1c9b", note="tok-other-5f1c9b"))
        assert "feed.API_TOKEN" not in done.texts()
        assert not [text for text in done.texts() if "5f1c9b" in text]


@pytest.mark.parametrize(
    ("said", "celsius"),
    [
        ({"Temperature": 50, "CO2": 400, "unit": "°F"}, 10.0),
        ({"Temperature": 50, "CO2": 400, "Temperature_unit": "F"}, 10.0),
        ({"Temperature": 283.15, "CO2": 400, "unit_of_measurement": "K"}, 10.0),
        ({"Temperature": {"value": 50, "unit": "°F"}, "CO2": 400}, 10.0),
        ({"Temperature": 10, "CO2": 400, "unit": "°C"}, 10.0),
    ],
)
def test_a_unit_in_another_field_converts_its_number_in_each_of_many_files(
    said: dict[str, Any], celsius: float
) -> None:
    times = [SAMPLE_TIME + timedelta(minutes=minute) for minute in range(8)]
    done = in_memory(*(share_file(at=at, **NOTHING, meteos={"Office": said}) for at in times))
    read = done.events.filter(pl.col("variable").is_in(["meteos.Temperature", "meteos.CO2"]))
    assert sorted(read["value"].to_list()) == [celsius] * 8 + [400.0] * 8
    assert done.rejects.is_empty()


def test_a_unit_in_another_field_that_nobody_knows_refuses_its_number() -> None:
    done = in_memory(only(meteos={"Office": {"Temperature": 50, "unit": "parsec"}}))
    assert done.rejects.select("json_path", "reason").rows() == [
        ("$.meteos.Office.Temperature", "unit_unknown"),
        ("$.meteos.Office.unit", "withheld"),
    ]


def test_a_key_twice_within_a_list_of_an_unknown_category_is_a_reject_and_no_room() -> None:
    done = in_memory(share_file(content=b'{"note": [{"a": 1, "a": 2}]}'))
    assert done.events["device"].to_list() == ["jimmy/house/feed/1"]
    assert done.events["value_text"].to_list() == ['[{"a": 2}]']
    assert done.rejects["reason"].to_list() == ["duplicate_reading"]


@pytest.mark.parametrize(
    ("said", "number"),
    [("false", 0.0), ("No", 0.0), (0, 0.0), ("0", 0.0), ("faux", 0.0), ("TRUE", 1.0), (1, 1.0), ("ja", 1.0)],
)
def test_a_flag_may_be_a_word_or_a_number(said: Any, number: float) -> None:
    done = in_memory(only(plugs={"Office": plug(is_valid=said)}, consumptions={"House": {"is_valid1": said}}))
    assert done.rejects.is_empty()
    assert done.values("plugs.is_valid") == {"jimmy/office/plugs/1": number}
    assert done.values("consumptions.is_valid1") == {"jimmy/house/consumptions/1": number}


@pytest.mark.parametrize(("said", "number"), [("408", 408.0), (" 9000.5 ", 9000.5), ("-1e2", -100.0)])
def test_a_number_in_quotes_is_that_number(said: str, number: float) -> None:
    done = in_memory(only(plugs={"Office": plug(power=said)}))
    assert done.values("plugs.power") == {"jimmy/office/plugs/1": number}


@pytest.mark.rule(5)
def test_a_home_that_left_the_registry_and_a_file_of_another_are_told_apart() -> None:
    """Bronze says jeremie; a registry without that home knows neither name nor user any more."""
    landed = in_memory(share_file("jeremie")).bronze
    without = REGISTRY[: REGISTRY.index("  - id: jeremie")] + REGISTRY[REGISTRY.index("people:") :]
    without = without.replace("  - {user: u-1002, role: owner, homes: [jeremie]}\n", "")
    flat = flatten(landed, registry(without))
    assert flat.files["status"].to_list() == ["quarantined"]
    assert merge(flat.events_with_sources()).is_empty()
