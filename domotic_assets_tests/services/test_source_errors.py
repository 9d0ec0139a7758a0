"""A source that cannot be read: one clear error, the others go on, and nothing is lost or needs a hand."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import tags
from domotic_assets.schemas import register as schemas_register
from domotic_assets.schemas import weather
from domotic_assets.schemas.homes import bronze, gold
from domotic_assets.schemas.register import SILVER_REGISTER
from domotic_assets.schemas.table import Table, surrogate_key
from domotic_assets.settings import Settings
from domotic_assets.simulator.register import write_register
from domotic_assets.sources.files import sftp, ssh
from domotic_assets_tests.services.mariadb import MariadbServer, mariadb
from domotic_assets_tests.services.openssh import SshServer, openssh
from domotic_assets_tests.services.samba import SambaServer, samba
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.feed import Feed, Run

NINE = datetime(2023, 9, 5, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FORECAST = (
    "Time,Value,Prediction,Site,Measurement,Unit\n"
    "{0} 06:00:00+00:00,{1},00,Sion,PRED_T_2M_ctrl,C\n"
    "{0} 09:00:00+00:00,{1},03,Sion,PRED_T_2M_ctrl,C\n"
)


class Installation:
    """A home whose sources are folders and a file, but for one that is a server."""

    def __init__(
        self,
        folder: Path,
        source: tuple[str, str],
        environment: Mapping[str, str],
    ) -> None:
        text = builders.REGISTRY.replace(*source)
        assert text != builders.REGISTRY
        self.folder = folder
        self.secrets = [value for value in environment.values() if value != "root"]
        settings = Settings.of(builders.write_sites(folder, text), str(folder / "lake"), environment)
        self.work = replace(Workspace.open(settings), publishes=False)
        register = folder / "register.sqlite"
        if not register.exists():
            write_register(register, 1, self.work.registry.homes, NINE)
        self.feed = Feed(self.work)

    def deliver_minutes(self, first: int, number: int) -> None:
        """Jimmy's files of minutes after nine."""
        minutes = (NINE + (first + n) * MINUTE for n in range(number))
        builders.write_share(
            self.folder / "share", (builders.share_file("jimmy", minute) for minute in minutes)
        )

    def deliver_forecast(self, day: int, value: float) -> None:
        """The forecast issued on a day of September."""
        issued = NINE.replace(day=day, hour=5)
        content = FORECAST.format(issued.date(), value).encode()
        file = builders.ShareFile(f"Pred_{issued.date()}.csv", content, issued)
        builders.write_share(self.folder / "weather", [file])

    def tick(self, now: datetime) -> list[Run]:
        """All sensors; runs of windows, forecasts and the register, all of which succeed."""
        ran = self.feed.tick(now)
        assert all(run.success for run in ran)
        return [run for run in ran if run.job in (tags.WINDOWS_JOB, tags.FORECASTS_JOB, tags.REGISTER_JOB)]

    def minutes_in_gold(self) -> list[int]:
        """Minutes after nine of which Gold has the office plug."""
        rows = self.work.lake.read(gold.FACT_ENERGY_MINUTE).sort("datetime_key")
        mine = rows.filter(device_key=surrogate_key("jimmy/office/plugs/1"))
        return [key - 202309050900 for key in mine["datetime_key"]]

    def error(self, table: Table) -> str:
        """The message of the one failed check; it is one line, whole, and keeps every secret."""
        ((passed, message),) = self.feed.reachable(table)
        assert not passed
        assert "\n" not in message
        kept = (self.work.settings.dagster_home / "work.json").read_text()
        for secret in self.secrets:
            assert secret not in message
            assert secret not in kept
        where, _, rest = message.partition(": ")
        assert where
        what, expected, *remedy = rest.split("; ")
        assert what
        assert expected.startswith("expected ")
        assert remedy
        return message

    def assert_recovered(self, table: Table) -> None:
        """The check passed once since it failed, the others never had anything to say, no work is left."""
        assert [passed for passed, _ in self.feed.reachable(table)] == [False, True]
        others = {bronze.SENSOR_FILES, weather.WEATHER_FILES, schemas_register.REGISTER_ROWS} - {table}
        assert all(self.feed.reachable(other) == [] for other in others)
        held = self.work.worklist.read()
        assert (held.windows, held.of("forecasts")) == ({}, {})


# The share -----------------------------------------------------------------------------------------


@contextmanager
def another_password(server: SambaServer) -> Iterator[None]:
    server.stop()
    server.set_password("another-password")
    server.start()
    yield
    server.stop()
    server.set_password(server.password)
    server.start()


@contextmanager
def no_encryption(server: SambaServer) -> Iterator[None]:
    required = server.configuration.read_text()
    server.stop()
    server.configuration.write_text(required.replace("encrypt = required", "encrypt = off"))
    server.start()
    yield
    server.stop()
    server.configuration.write_text(required)
    server.start()


@contextmanager
def stopped(server: SambaServer | SshServer | MariadbServer) -> Iterator[None]:
    server.stop()
    yield
    server.start()


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (another_password, "does not accept the user and password"),
        (no_encryption, "does not offer SMB 3 with encryption"),
        (stopped, "cannot be reached"),
    ],
)
def test_a_share_that_cannot_be_read(
    tmp_path: Path, trouble: Callable[..., Iterator[None]], says: str
) -> None:
    (tmp_path / "share").mkdir()
    with samba(tmp_path / "samba", tmp_path / "share") as server:
        entry = (
            f"sensor_files: {{kind: smb, address: '{server.address}', user_env: SHARE_USER, "
            "password_env: SHARE_PASSWORD}"
        )
        source = ("sensor_files: {kind: folder, address: share}", entry)
        environment = {"SHARE_USER": server.user, "SHARE_PASSWORD": server.password}
        home = Installation(tmp_path, source, environment)
        home.deliver_minutes(0, 1)
        home.tick(NINE + 70 * MINUTE / 60)
        assert home.minutes_in_gold() == [0]
        with trouble(server):
            home.deliver_minutes(1, 2)
            home.deliver_forecast(5, 21.5)
            ran = [run.job for n in (3, 4, 5) for run in home.tick(NINE + n * MINUTE)]
            assert ran == [tags.FORECASTS_JOB], "the others go on"
            message = home.error(bronze.SENSOR_FILES)
            assert says in message
            assert message.startswith(f"{server.address}: ")
        (run,) = home.tick(NINE + 6 * MINUTE)
        assert run.keys == ("2023-09-05T09:01", "2023-09-05T09:02")
        assert home.minutes_in_gold() == [0, 1, 2]
        home.assert_recovered(bronze.SENSOR_FILES)
        home.feed.close()


# The forecasts -------------------------------------------------------------------------------------


@contextmanager
def unknown_host(server: SshServer) -> Iterator[None]:
    server.stop()
    server.known_hosts.write_text("")
    server.start()
    yield
    server.accept_host_key()


@contextmanager
def changed_host_key(server: SshServer) -> Iterator[None]:
    server.stop()
    server.new_host_key()
    server.start()
    yield
    server.accept_host_key()


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (unknown_host, "host key is not known"),
        (changed_host_key, "host key has changed"),
        (stopped, "cannot be reached"),
    ],
)
def test_forecasts_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., Iterator[None]], says: str
) -> None:
    for module, wait in ((ssh, "WAIT_SECONDS"), (sftp, "PATIENCE_SECONDS"), (sftp, "FIRST_PAUSE_SECONDS")):
        monkeypatch.setattr(module, wait, getattr(module, wait) / 10)
    (tmp_path / "weather").mkdir()
    with openssh(tmp_path / "ssh", tmp_path / "weather") as server:
        entry = (
            f"weather_files: {{kind: sftp, address: '{server.address}', user_env: WEATHER_USER, "
            f"key_file_env: WEATHER_KEY, known_hosts: '{server.known_hosts}'}}"
        )
        source = ("weather_files: {kind: folder, address: weather}", entry)
        environment = {"WEATHER_USER": server.user, "WEATHER_KEY": str(server.key_file)}
        home = Installation(tmp_path, source, environment)
        home.deliver_forecast(4, 15.0)
        ran = {run.job: run.keys for run in home.tick(NINE)}
        assert ran[tags.FORECASTS_JOB] == ("2023-09-04",)
        with trouble(server):
            home.deliver_forecast(5, 21.5)
            home.deliver_minutes(10, 1)
            ran = [run.job for n in (11, 21, 31) for run in home.tick(NINE + n * MINUTE)]
            assert ran == [tags.WINDOWS_JOB], "the others go on"
            message = home.error(weather.WEATHER_FILES)
            assert says in message
            assert message.startswith(f"{server.address}: ")
        (run,) = home.tick(NINE + 41 * MINUTE)
        assert (run.job, run.keys) == (tags.FORECASTS_JOB, ("2023-09-05",))
        assert sorted(home.work.lake.read(weather.WEATHER_FORECASTS)["value"]) == [15.0, 15.0, 21.5, 21.5]
        assert home.minutes_in_gold() == [10]
        home.assert_recovered(weather.WEATHER_FILES)
        home.feed.close()


# The register --------------------------------------------------------------------------------------


@contextmanager
def missing_column(server: MariadbServer) -> Iterator[None]:
    server.root("ALTER TABLE pidb.parameters RENAME COLUMN value TO amount")
    yield
    server.root("ALTER TABLE pidb.parameters RENAME COLUMN amount TO value")
    server.let_in()


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("trouble", "says"),
    [(missing_column, "table parameters has no column value"), (stopped, "cannot be reached")],
)
def test_a_register_that_cannot_be_read(
    tmp_path: Path, trouble: Callable[..., Iterator[None]], says: str
) -> None:
    register = tmp_path / "register.sqlite"
    write_register(register, 1, builders.registry().homes, NINE)
    with mariadb(tmp_path / "sql") as server:
        server.load(register)
        entry = (
            f"register_rows: {{kind: mysql, address: '{server.address}', user_env: REGISTER_USER, "
            f"password_env: REGISTER_PASSWORD, ca_file: '{server.ca_file}'}}"
        )
        source = ("register_rows: {kind: sqlite, address: register.sqlite}", entry)
        environment = {"REGISTER_USER": server.user, "REGISTER_PASSWORD": server.password}
        home = Installation(tmp_path, source, environment)
        (run,) = home.tick(NINE)
        assert run.job == tags.REGISTER_JOB
        server.root("UPDATE pidb.parameters SET value = 19.5 WHERE idParameter = 1")
        assert home.tick(NINE + 50 * MINUTE) == [], "it is compared every hour"
        with trouble(server):
            home.deliver_minutes(60, 1)
            ran = [run.job for n in (62, 72, 82) for run in home.tick(NINE + n * MINUTE)]
            assert ran == [tags.WINDOWS_JOB], "the others go on"
            message = home.error(schemas_register.REGISTER_ROWS)
            assert says in message
            assert message.startswith(f"{server.address}: ")
        (run,) = home.tick(NINE + 92 * MINUTE)
        assert run.job == tags.REGISTER_JOB
        parameters = home.work.lake.read(SILVER_REGISTER["parameters"])
        assert parameters.filter(id_parameter=1)["value"].to_list() == [19.5]
        home.assert_recovered(schemas_register.REGISTER_ROWS)
        home.feed.close()
