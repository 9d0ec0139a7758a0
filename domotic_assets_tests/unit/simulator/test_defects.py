"""Each defect does what its row says, and nothing else."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.simulator.defects import CLEAN, DEFECTS, FOREIGN_USER, shares
from domotic_assets.simulator.run import Simulation
from domotic_assets.simulator.truth import truth_row
from domotic_assets_tests.support.worlds import MONDAY, NOON, registry, simulated


def struck(name: str, minutes: int = 1) -> list[Any]:
    """The messages when that defect strikes every file."""
    return [json.loads(delivery.content) for delivery in simulated(minutes, defects={**CLEAN, name: 1.0})]


def clean(minutes: int = 1) -> list[Any]:
    return [json.loads(delivery.content) for delivery in simulated(minutes)]


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, str(key)))
    else:
        yield path, node


def changed(name: str) -> dict[tuple[str, ...], Any]:
    """What the defect changed or added, by path."""
    before, after = dict(leaves(clean()[0])), dict(leaves(struck(name)[0]))
    assert set(before) <= set(after)
    return {path: value for path, value in after.items() if path not in before or before[path] != value}


def test_a_bad_number_spoils_one_value() -> None:
    ((_, value),) = changed("bad_number").items()
    assert isinstance(value, str) or not math.isfinite(value)


def test_every_kind_of_bad_number_comes() -> None:
    texts = [d.content.decode() for d in simulated(120, defects={**CLEAN, "bad_number": 1.0})]
    for sign in ("NaN", "Infinity", "-Infinity", '"21,5"', '"n/a"', '""'):
        assert any(f": {sign}" in text for text in texts), sign


def test_null_spoils_one_value() -> None:
    assert list(changed("null").values()) == [None]


def test_an_outlier_is_one_value_out_of_bounds() -> None:
    ((path, value),) = changed("outlier").items()
    assert value in (85.3, 65_535, 255, 182, -127.0), path


def test_an_invalid_plug_says_so_and_is_garbage() -> None:
    found = changed("invalid_plug")
    assert {path[2]: value for path, value in found.items()} == {
        "is_valid": False,
        "power": 9876.5,
        "total": 0.0,
    }


def test_an_invalid_phase_spoils_the_total() -> None:
    after, before = struck("invalid_phase")[0], clean()[0]
    house, sound = after["consumptions"]["House"], before["consumptions"]["House"]
    (phase,) = [n for n in (1, 2, 3) if not house[f"is_valid{n}"]]
    assert house[f"power{phase}"] == 6553.5
    assert house["total_power"] == pytest.approx(
        sound["total_power"] - sound[f"power{phase}"] + 6553.5, abs=0.01
    )


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("unknown_room", {("meteos", "meteo", "Wintergarden", "Temperature"),
                          ("meteos", "meteo", "Wintergarden", "Humidity")}),
        ("unknown_field", {("meteos", "meteo", "Livingroom", "Formaldehyde")}),
        ("unknown_category", {("waters", "Bhroom", "flow"), ("waters", "Bhroom", "leak"),
                              ("waters", "Bhroom", "serial")}),
        ("nul_in_name", {("motions", "Cel\0lar", "motion"), ("motions", "Cel\0lar", "light"),
                         ("motions", "Cel\0lar", "temperature")}),
        ("user_mismatch", {("user",)}),
    ],
)  # fmt: skip
def test_what_is_unknown_comes_beside_the_known(name: str, added: set[tuple[str, ...]]) -> None:
    assert set(changed(name)) == added


def test_meteos_come_without_the_inner_meteo() -> None:
    assert struck("bare_meteos")[0]["meteos"] == clean()[0]["meteos"]["meteo"]


def test_a_single_opening_comes_as_an_object() -> None:
    before, after = clean()[0]["doorsWindows"], struck("single_opening")[0]["doorsWindows"]
    assert after["Bhroom"] == before["Bhroom"][0]
    assert after["Bdroom"] == before["Bdroom"]


def test_the_inner_datetime_is_unreadable_or_absurd() -> None:
    found = {message.get("datetime") for message in struck("unreadable_datetime", 80)}
    assert found == {None, "", "soon", "32.13.2023 25:61", "01.01.1970 00:00", "01.01.2099 00:00"}


def test_marks_and_encodings() -> None:
    (plain,) = simulated(1)
    (marked,) = simulated(1, defects={**CLEAN, "byte_order_mark": 1.0})
    (wide,) = simulated(1, defects={**CLEAN, "utf16": 1.0})
    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert wide.content[:2] == b"\xff\xfe"
    assert wide.content.decode("utf-16").encode() == plain.content


def test_size_and_depth() -> None:
    (huge,) = simulated(1, defects={**CLEAN, "huge": 1.0})
    assert 5_000_000 < len(huge.content) < 5_010_000
    assert set(json.loads(huge.content)) == {*clean()[0], "trace"}
    deep = simulated(16, defects={**CLEAN, "deep_nesting": 1.0})
    depths = {delivery.content.count(b'{"a":') for delivery in deep}
    assert depths == {200, 2_000, 100_000}


def test_a_truncated_file_is_a_beginning_and_half_are_completed() -> None:
    whole = {delivery.name: delivery.content for delivery in simulated(200)}
    deliveries = simulated(200, defects={**CLEAN, "truncated": 1.0})
    cut = [delivery for delivery in deliveries if not delivery.again]
    completed = [delivery for delivery in deliveries if delivery.again]
    assert len(cut) == 200
    assert all(whole[d.name].startswith(d.content) and len(d.content) < len(whole[d.name]) - 1 for d in cut)
    assert 70 <= len(completed) <= 130
    assert all(d.content == whole[d.name] for d in completed)


def test_a_resend_arrives_again_under_its_name() -> None:
    first, again = sorted(
        simulated(1, defects={**CLEAN, "resent_identical": 1.0}), key=lambda d: d.arrived_at
    )
    assert (again.name, again.content, again.again) == (first.name, first.content, True)
    assert 60 <= (again.arrived_at - first.arrived_at).total_seconds() <= 2400


def test_a_changed_resend_corrects_one_temperature() -> None:
    (true,) = simulated(1)
    first, again = sorted(simulated(1, defects={**CLEAN, "resent_changed": 1.0}), key=lambda d: d.arrived_at)
    assert again.content == true.content
    assert again.again
    before, after = dict(leaves(json.loads(first.content))), dict(leaves(json.loads(again.content)))
    assert {path for path in after if after[path] != before[path]} == {
        ("meteos", "meteo", "Livingroom", "Temperature")
    }


def test_late_files_keep_their_name_and_bytes() -> None:
    on_time, late = simulated(20), simulated(20, defects={**CLEAN, "late": 1.0})
    assert {(d.name, d.content) for d in late} == {(d.name, d.content) for d in on_time}
    arrived = {d.name: d.arrived_at for d in on_time}
    delays = [(d.arrived_at - arrived[d.name]).total_seconds() for d in late]
    assert all(60 <= delay <= 6 * 3600 + 60 for delay in delays)


def test_missing_minutes_have_their_share() -> None:
    assert simulated(30, defects={**CLEAN, "missing": 1.0}) == []
    arrived = len(simulated(2880, MONDAY, defects={**CLEAN, "missing": 0.2}))
    assert 0.68 * 2880 < arrived < 0.92 * 2880


def test_foreign_files_come_beside_the_real_one() -> None:
    found = simulated(12, defects={**CLEAN, "foreign_name": 1.0})
    foreign = [d for d in found if not d.name.endswith("_UserOne_received.json")]
    assert len(found) == 24
    assert len({d.name for d in foreign}) == 12
    assert {d.name.rsplit(".", 1)[1] for d in foreign} == {"db", "tmp", "json"}


def test_a_foreign_user_names_no_home() -> None:
    own, other = sorted(
        simulated(1, defects={**CLEAN, "foreign_user": 1.0}), key=lambda d: FOREIGN_USER in d.name
    )
    assert own.content == simulated(1)[0].content
    assert other.name == f"04.09.2023 1400_{FOREIGN_USER}-first_received.json"
    assert json.loads(other.content)["user"] == f"{FOREIGN_USER}-first"


def plug_totals(
    defects: dict[str, float], minutes: int
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Counters as sent, and true energies, by minute and plug."""
    simulation = Simulation(registry(), NOON, seed=7, defects={**CLEAN, **defects}, weather_sites=1)
    sent, true = [], []
    for _ in range(minutes):
        for delivery in simulation.advance():
            if delivery.folder == "share":
                plugs = json.loads(delivery.content)["plugs"]
                sent.append({room: plug["total"] for room, plug in plugs.items()})
        row = truth_row(simulation.worlds[0])
        true.append({room: float(row[f"plug_energy_wh:{room}"]) for room in sent[-1]})
    return sent, true


def test_a_reset_counter_goes_on_from_nothing() -> None:
    """The level after it is the energy since, and no counter is struck twice in an hour."""
    sent, true = plug_totals({"counter_reset": 1.0}, 90)
    for room in sent[0]:
        falls = [n for n in range(1, 90) if sent[n][room] < sent[n - 1][room]]
        start = falls[0] if falls else 0
        assert len(falls) <= 1
        assert start > 0 or sent[0][room] == true[0][room], "struck in the first minute, or seen to fall"
        since = sum(true[n][room] for n in range(start, 90))
        assert sent[89][room] == pytest.approx(since, abs=1e-6)


def test_a_glitch_lasts_one_reading() -> None:
    sent, true = plug_totals({"counter_glitch": 1.0}, 120)
    sound, _ = plug_totals({}, 120)
    wrong = [(n, room) for n in range(120) for room in sent[0] if sent[n][room] != sound[n][room]]
    assert wrong
    for n, room in wrong:
        assert sent[n][room] == 0 or sent[n][room] == pytest.approx(sound[n][room] + 1_000_000)
    for room in sent[0]:
        struck_at = [n for n, where in wrong if where == room]
        assert all(later - earlier >= 60 for earlier, later in pairwise(struck_at))
    assert len(true) == 120


def test_everything_at_once_still_publishes() -> None:
    everything = {"all": 0.3, "huge": 0.0, "deep_nesting": 0.0, "missing": 0.05}
    assert len(simulated(300, defects=everything)) > 300


def test_one_share_moves_no_other_defect() -> None:
    def falls(defects: dict[str, float]) -> set[str]:
        return {
            d.name for d in simulated(300, defects={**CLEAN, **defects}) if d.content[:3] == b"\xef\xbb\xbf"
        }

    assert falls({"byte_order_mark": 0.1}) == falls({"byte_order_mark": 0.1, "null": 0.5, "late": 0.5})


def test_shares_start_from_the_usual_ones() -> None:
    assert shares({"late": 0.5})["late"] == 0.5
    assert shares({"late": 0.5})["missing"] == DEFECTS["missing"].share
    assert shares({"all": 0.0, "late": 0.5}) == {**CLEAN, "late": 0.5}


@pytest.mark.parametrize("wrong", [{"moths": 0.1}, {"late": 1.5}, {"late": -0.1}])
def test_a_wrong_share_is_refused_with_the_names_allowed(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="counter_glitch, counter_reset") as refused:
        shares(wrong)
    assert "correct --defect" in str(refused.value)
