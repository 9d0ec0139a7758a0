"""A day of two homes from a real SMB share, sFTP server and register: the same rows as from folders."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import tags
from domotic_assets.orchestration.build import build
from domotic_assets.schemas import predictions
from domotic_assets.schemas import weather as schemas_weather
from domotic_assets.schemas.homes import bronze
from domotic_assets.settings import Settings
from domotic_assets.simulator.register import write_register
from domotic_assets.simulator.run import Delivery, Folders, Simulation, publish
from domotic_assets_tests.services.mariadb import mariadb
from domotic_assets_tests.services.openssh import openssh
from domotic_assets_tests.services.samba import samba
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.feed import Feed
from domotic_assets_tests.support.lakes import assert_same, contents, leave_unpublished, open_lake

pytestmark = pytest.mark.untraced

MIDNIGHT = datetime(2023, 9, 5, tzinfo=UTC)
LIVE_FROM = MIDNIGHT + timedelta(hours=23)
SEALED_FROM = MIDNIGHT + timedelta(hours=30)
MINUTE = timedelta(minutes=1)


def sites_of_servers(addresses: Mapping[str, str], known_hosts: Path, ca_file: Path) -> str:
    """The registry of two homes, every source a server, every credential a variable."""
    text = builders.REGISTRY
    for before, after in {
        "sensor_files: {kind: folder, address: share}": f"sensor_files: {{kind: smb, "
        f"address: '{addresses['share']}', user_env: SHARE_USER, password_env: SHARE_PASSWORD}}",
        "weather_files: {kind: folder, address: weather}": f"weather_files: {{kind: sftp, "
        f"address: '{addresses['weather']}', user_env: WEATHER_USER, key_file_env: WEATHER_KEY, "
        f"known_hosts: '{known_hosts}'}}",
        "register_rows: {kind: sqlite, address: register.sqlite}": f"register_rows: {{kind: mysql, "
        f"address: '{addresses['register']}', user_env: REGISTER_USER, "
        f"password_env: REGISTER_PASSWORD, ca_file: '{ca_file}'}}",
    }.items():
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.fixture
def from_servers(tmp_path: Path) -> Iterator[Workspace]:
    """A lake whose sources are servers over the folders `share` and `weather`, and a database."""
    folders = Folders.below(tmp_path)
    folders.make()
    assert folders.register is not None
    write_register(folders.register, 1, builders.registry().homes, MIDNIGHT)
    with ExitStack() as stack:
        share = stack.enter_context(samba(tmp_path / "samba", folders.share))
        weather = stack.enter_context(openssh(tmp_path / "ssh", folders.weather))
        register = stack.enter_context(mariadb(tmp_path / "sql"))
        register.load(folders.register)
        addresses = {"share": share.address, "weather": weather.address, "register": register.address}
        sites_file = tmp_path / "servers.yaml"
        sites_file.write_text(sites_of_servers(addresses, weather.known_hosts, register.ca_file))
        environment = {
            "SHARE_USER": share.user,
            "SHARE_PASSWORD": share.password,
            "WEATHER_USER": weather.user,
            "WEATHER_KEY": str(weather.key_file),
            "REGISTER_USER": register.user,
            "REGISTER_PASSWORD": register.password,
        }
        settings = Settings.of(sites_file, str(tmp_path / "lake"), environment)
        yield replace(Workspace.open(settings), publishes=False)


@pytest.mark.rule(6)
def test_a_day_from_servers_is_the_day_from_folders(
    from_servers: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the defects that a feed has; 23 hours come at once, the last one minute by minute."""
    leave_unpublished(monkeypatch)
    folders = Folders.below(tmp_path)
    simulation = Simulation(from_servers.registry, MIDNIGHT, weather_sites=3)
    later: list[Delivery] = []
    for delivery in simulation.deliveries(24 * 60):
        if delivery.arrived_at < LIVE_FROM:
            publish(delivery, folders, in_place=True)
        else:
            later.append(delivery)
    feed = Feed(from_servers)
    ran = feed.tick(LIVE_FROM + timedelta(seconds=10))
    now = LIVE_FROM
    while later:
        now += 10 * MINUTE if now < SEALED_FROM - timedelta(hours=6) else timedelta(hours=1)
        while later and later[0].arrived_at < now:
            publish(later.pop(0), folders, in_place=True)
        ran += feed.tick(now + timedelta(seconds=10), "arrivals")
    for pause in range(3):
        ran += feed.tick(max(SEALED_FROM, now) + timedelta(hours=2 + pause))
    assert feed.tick(max(SEALED_FROM, now) + timedelta(hours=4, minutes=2)) == []
    assert {run.success for run in ran} == {True}
    assert {run.tags[tags.KIND] for run in ran if run.job == tags.WINDOWS_JOB} >= {"history", "live"}
    assert "2023-09-05" in feed.keys
    feed.close()

    from_folders = open_lake(builders.write_sites(tmp_path), tmp_path / "folders")
    build(from_folders)
    assert from_folders.lake.read(bronze.SENSOR_FILES).height > 2 * 1300
    assert from_folders.lake.dates(schemas_weather.WEATHER_FILES) == [date(2023, 9, 5)]
    found, expected = contents(from_servers), contents(from_folders)
    assert [name for name, rows in expected.items() if rows.is_empty()] == [predictions.DIM_MODEL.id]
    assert_same(found, expected)
