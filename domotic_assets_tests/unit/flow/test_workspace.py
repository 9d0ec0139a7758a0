"""Sources of sites.yaml by name: what is named is opened, what is not is none, and a wrong name is said."""

from pathlib import Path

import pytest

from domotic_assets.domains.all_domains import refuse_unknown_sources
from domotic_assets.domains.weather import checks
from domotic_assets.domains.weather.flows import discover_forecasts, land_forecast_files
from domotic_assets.errors import ConfigurationError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.register import REGISTER
from domotic_assets.settings import Settings
from domotic_assets_tests.support import builders

WEATHER = "weather_files: {kind: folder, address: weather}"


def opened(folder: Path, *replaced: tuple[str, str]) -> Workspace:
    text = builders.REGISTRY
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return Workspace.open(Settings.of(builders.write_sites(folder, text), str(folder / "lake"), {}))


def test_a_folder_stays_open_from_call_to_call(tmp_path: Path) -> None:
    work = opened(tmp_path)
    assert work.folder("sensor_files") is work.folder("sensor_files") is not None
    assert work.folder("weather_files") is not work.folder("sensor_files")
    work.close()


def test_what_sites_yaml_does_not_name_is_none(tmp_path: Path) -> None:
    work = opened(tmp_path)
    assert work.folder("readings") is None
    assert work.database("readings", REGISTER) is None


def test_without_a_source_of_forecasts_there_is_nothing_to_do_and_nothing_is_overdue(tmp_path: Path) -> None:
    work = opened(tmp_path, (WEATHER, ""))
    refuse_unknown_sources(work)
    assert discover_forecasts(work) == []
    assert not land_forecast_files(work, [])
    assert checks.present_forecast(work, work.now()).passed


def test_without_a_source_of_sensor_files_sites_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sites\.yaml:\d+: sources: nothing found at sensor_files"):
        opened(tmp_path, ("sensor_files:", "files_of_sensors:"))


def test_a_name_that_nothing_reads_is_refused_with_those_that_are_read(tmp_path: Path) -> None:
    work = opened(tmp_path, ("weather_files:", "weather_file:"))
    expected = "sources.weather_file: nothing reads .* register_rows, sensor_files, weather_files; correct"
    with pytest.raises(ConfigurationError, match=expected):
        refuse_unknown_sources(work)


def test_a_source_of_another_family_is_refused_with_the_kinds_of_its_own(tmp_path: Path) -> None:
    work = opened(tmp_path, (WEATHER, "weather_files: {kind: sqlite, address: weather.sqlite}"))
    with pytest.raises(
        ConfigurationError, match="weather_files is of kind 'sqlite'; expected one of folder, smb, sftp"
    ):
        work.folder("weather_files")
    with pytest.raises(
        ConfigurationError, match="sensor_files is of kind 'folder'; expected one of sqlite, mysql"
    ):
        work.database("sensor_files", REGISTER)
