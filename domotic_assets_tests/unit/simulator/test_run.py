"""The simulation as a whole: order, folders, repeatability, live pace, truth."""

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from domotic_assets.errors import ConfigurationError
from domotic_assets.registry.loading import Sites
from domotic_assets.simulator import run
from domotic_assets.simulator.defects import CLEAN, Delivery
from domotic_assets.simulator.run import (
    Conditions,
    Folders,
    Simulation,
    publish,
    simulate_history,
    simulate_live,
    write_history,
)
from domotic_assets.simulator.truth import open_truth
from domotic_assets_tests.support.worlds import MONDAY, NOON, registry, simulated

SPOILED = {"all": 0.02, "huge": 0.0, "deep_nesting": 0.0}


def listing(folder: Path) -> dict[str, tuple[bytes, float]]:
    """Every file below with its bytes and last-write time."""
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def written(folder: Path, seed: int = 7) -> dict[str, tuple[bytes, float]]:
    simulation = Simulation(registry(2), MONDAY, seed=seed, defects=SPOILED, weather_sites=2)
    write_history(simulation, Folders.below(folder), 330)
    return listing(folder)


def test_the_same_arguments_give_the_same_bytes_and_times(tmp_path: Path) -> None:
    first = written(tmp_path / "a")
    assert first == written(tmp_path / "b")
    assert first == written(tmp_path / "a"), "over old files too"
    assert first != written(tmp_path / "c", seed=8)


def test_a_home_does_not_depend_on_other_homes() -> None:
    alone = simulated(120, defects=SPOILED)
    among = [d for d in simulated(120, homes=2, defects=SPOILED) if "UserOne" in d.name or "first" in d.name]
    assert [(d.name, d.content, d.arrived_at) for d in alone] == [
        (d.name, d.content, d.arrived_at) for d in among
    ]


def test_deliveries_come_in_order_of_arrival() -> None:
    arrivals = [d.arrived_at for d in simulated(240, defects={**CLEAN, "late": 0.5, "resent_identical": 0.5})]
    assert arrivals == sorted(arrivals)


def test_a_history_is_whole_utc_days_with_times_of_arrival(tmp_path: Path) -> None:
    count = simulate_history(
        registry(), Folders.below(tmp_path), date(2023, 9, 4), 1, seed=7, defects=CLEAN, weather_sites=1
    )
    share = sorted((tmp_path / "share").iterdir())
    assert (count, len(share)) == (1441, 1440)
    first = tmp_path / "share" / "04.09.2023 0200_UserOne_received.json"
    last = tmp_path / "share" / "05.09.2023 0159_UserOne_received.json"
    assert 2 <= first.stat().st_mtime - MONDAY.timestamp() <= 20
    assert 2 <= last.stat().st_mtime - MONDAY.timestamp() - 86_340 <= 20
    forecast = tmp_path / "weather" / "Pred_2023-09-04.csv"
    assert forecast.stat().st_mtime == MONDAY.timestamp() + 5 * 3600, "07:00 in Sion is 05:00 UTC"


def test_second_versions_go_to_later_in_history_and_in_place_live(tmp_path: Path) -> None:
    folders = Folders.below(tmp_path)
    folders.make()
    name = "29.10.2023 0200_UserOne_received.json"
    publish(Delivery(name, NOON, b"first"), folders)
    again = Delivery(name, NOON, b"second", again=True)
    publish(again, folders)
    assert (folders.share / name).read_bytes() == b"first"
    assert (folders.later / name).read_bytes() == b"second"
    publish(again, folders, in_place=True)
    assert (folders.share / name).read_bytes() == b"second"


def test_live_writes_each_file_when_it_arrives_and_what_history_left_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 120 simulated minutes a minute, one takes half a second; a second of the world 1/120 s."""
    now = [1_000.0]
    written: list[tuple[float, float]] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def noted(delivery: Delivery, folders: Folders, *, in_place: bool) -> None:
        written.append((now[0], delivery.arrived_at.timestamp()))
        publish(delivery, folders, in_place=in_place)

    folders = Folders.below(tmp_path)
    defects = {**CLEAN, "late": 1.0}
    simulation = Simulation(registry(), NOON, seed=7, defects=defects, weather_sites=1)
    before = write_history(simulation, folders, 60, goes_on=True)
    began = simulation.now.timestamp()
    monkeypatch.setattr(run, "publish", noted)
    after = simulate_live(simulation, folders, speed=120, minutes=420, clock=lambda: now[0], sleep=sleep)
    assert 0 < before < 60
    assert after == len(written)
    assert before + after > 60 + 300
    due = [1_000 + (arrived - began) / 120 for _, arrived in written]
    assert [moment for moment, _ in written] == pytest.approx(due, abs=1e-6)
    assert now[0] == pytest.approx(1_000 + 420 * 60 / 120)
    assert {d.name for d in simulated(60)} <= {file.name for file in folders.share.iterdir()}


def test_a_simulation_goes_on_where_it_was_left_and_leaves_what_is_there(tmp_path: Path) -> None:
    folders, straight = Folders.below(tmp_path / "cut"), Folders.below(tmp_path / "straight")
    conditions = Conditions(NOON, seed=7, weather_sites=1, defects={**CLEAN, "truncated": 0.1})

    def simulation() -> Simulation:
        return Simulation(registry(), conditions.start, seed=7, weather_sites=1, defects=conditions.defects)

    write_history(simulation(), folders, 60)
    conditions.write(folders)
    assert Conditions.read(folders) == conditions
    marked = sorted(folders.share.iterdir())[0]
    marked.write_bytes(b"kept")
    write_history(simulation(), folders, 90, again=True)
    write_history(simulation(), straight, 90)
    found, expected = (
        {file.name: file.read_bytes() for file in place.share.iterdir()} for place in (folders, straight)
    )
    assert found == expected | {marked.name: b"kept"}


def test_without_a_simulation_to_go_on_with_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="simulate without --continue first"):
        Conditions.read(Folders.below(tmp_path))


def test_folders_of_a_registry_lie_where_it_says(tmp_path: Path) -> None:
    folders = Folders.of(Sites(registry(), tmp_path))
    assert folders == Folders(tmp_path / "share", tmp_path / "later", tmp_path / "weather", None)


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("in the way")
    with pytest.raises(ConfigurationError, match="name another by --out") as refused:
        Folders.below(tmp_path).make()
    assert str(tmp_path / "share") in str(refused.value)


def test_the_truth_tells_the_world_and_what_was_spoiled(tmp_path: Path) -> None:
    simulation = Simulation(
        registry(), NOON, seed=7, defects={**CLEAN, "null": 1.0, "missing": 0.0}, weather_sites=1
    )
    with open_truth(tmp_path) as truth:
        spoiled = [json.loads(d.content) for d in simulation.deliveries(30, truth)]
    clean = [json.loads(d.content) for d in simulated(30)]
    rows = list(csv.DictReader((tmp_path / "first.csv").open(encoding="utf-8")))
    assert len(rows) == len(spoiled) == 30
    assert rows[0]["minute_utc"] == "2023-09-04T12:00"
    assert rows[0]["clock"] == "2023-09-04T14:00"
    for row, message in zip(rows, clean, strict=True):
        assert float(row["house_power_w"]) == message["consumptions"]["House"]["total_power"]
        assert float(row["co2_ppm:Livingroom"]) == message["meteos"]["meteo"]["Livingroom"]["CO2"]
        assert int(row["motion:Kitchen"]) == message["motions"]["Kitchen"]["motion"]
        window = message["doorsWindows"]["Bdroom"][1]["switch"]
        assert row["window_open:Bdroom:2"] == {"on": "1", "off": "0"}[window]
    for earlier, later, row in zip(clean, clean[1:], rows[1:], strict=False):
        rise_wh = later["plugs"]["Kitchen"]["total"] - earlier["plugs"]["Kitchen"]["total"]
        assert float(row["plug_energy_wh:Kitchen"]) == pytest.approx(rise_wh, abs=1e-6)
    defects = list(csv.DictReader((tmp_path / "defects.csv").open(encoding="utf-8")))
    assert {row["defect"] for row in defects} == {"null"}
    assert len(defects) == 30
