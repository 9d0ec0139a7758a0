"""Any number of homes, and the sites.yaml that names them."""

from pathlib import Path

from domotic_assets.registry.loading import load_sites
from domotic_assets.simulator.homes import with_homes, write_sites
from domotic_assets.simulator.run import Folders
from domotic_assets_tests.support.worlds import registry


def test_more_homes_are_generated_after_those_of_the_registry() -> None:
    many = with_homes(registry(2), 40)
    assert [home.id for home in many.homes][:4] == ["first", "second", "home-003", "home-004"]
    assert len({home.feed_user for home in many.homes}) == 40
    assert many.homes[2] == with_homes(registry(2), 3).homes[2], "a home does not depend on how many follow"


def test_fewer_homes_take_their_people_along() -> None:
    few = with_homes(registry(2), 1)
    assert [home.id for home in few.homes] == ["first"]
    assert [person.user for person in few.people] == ["u-1"]


def test_the_written_sites_say_the_same(tmp_path: Path) -> None:
    wanted = with_homes(registry(2), 5)
    write_sites(tmp_path / "sites.yaml", wanted)
    sites = load_sites(tmp_path / "sites.yaml")
    assert sites.registry.homes == wanted.homes
    assert sites.registry.tariffs == wanted.tariffs
    assert sites.registry.people == wanted.people
    assert sites.registry.weather_sites == wanted.weather_sites
    assert Folders.of(sites) == Folders.below(tmp_path)
