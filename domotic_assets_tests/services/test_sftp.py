"""The sFTP folder against a real OpenSSH: whose key is trusted, transfers that break, servers that stall."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import paramiko
import pytest

from domotic_assets.domains.weather.flows import (
    discover_forecasts,
)
from domotic_assets.errors import SourceError
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas import weather
from domotic_assets.settings import Settings
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files import sftp, ssh
from domotic_assets.sources.files.folders import LEADS_OUTSIDE
from domotic_assets.sources.files.sftp import SftpFolder
from domotic_assets_tests.services.openssh import SshServer, make_key, openssh
from domotic_assets_tests.services.servers import HOST, free_port
from domotic_assets_tests.support.builders import REGISTRY, write_sites
from domotic_assets_tests.support.carry import FORECASTS, carry

WRITTEN = datetime(2023, 9, 4, 5, 0, tzinfo=UTC)
LARGE = Random(1).randbytes(15_000_000)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    folder = tmp_path_factory.mktemp("sftp")
    (folder / "Meteo2").mkdir()
    with openssh(folder / "sshd", folder / "Meteo2") as server:
        yield server


@pytest.fixture
def server(running: SshServer) -> SshServer:
    for file in running.root.iterdir():
        file.rmdir() if file.is_dir() else file.unlink()
    put(running, "Pred_2023-09-04.csv", b"Time,Value\n")
    return running


@pytest.fixture
def folder(server: SshServer) -> Iterator[SftpFolder]:
    opened = open_folder(server)
    yield opened
    opened.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits in a tenth of the time."""
    monkeypatch.setattr(ssh, "WAIT_SECONDS", ssh.WAIT_SECONDS / 10)
    monkeypatch.setattr(sftp, "PATIENCE_SECONDS", sftp.PATIENCE_SECONDS / 10)
    monkeypatch.setattr(sftp, "FIRST_PAUSE_SECONDS", sftp.FIRST_PAUSE_SECONDS / 10)


def open_folder(server: SshServer, **changed: Any) -> SftpFolder:
    return SftpFolder(
        changed.pop("address", server.address),
        server.user,
        **{"key_file": server.key_file, "known_hosts": server.known_hosts, **changed},
    )


def put(server: SshServer, name: str, content: bytes, at: datetime = WRITTEN) -> Entry:
    """Write a file into what the server serves; the entry that a listing has to show."""
    file = server.root / name
    file.write_bytes(content)
    os.utime(file, (at.timestamp(), at.timestamp()))
    return Entry(name, len(content), at)


def error_of(folder: SftpFolder, *secrets: str) -> str:
    """The message of a listing that fails, after a look that it is one line without secrets."""
    with pytest.raises(SourceError) as caught:
        folder.entries()
    message = str(caught.value)
    assert "\n" not in message
    for secret in secrets:
        assert secret not in message
    assert caught.value.remedy
    return message


# What is there -------------------------------------------------------------------------------------


def test_regular_files_by_name_with_size_and_time(server: SshServer, folder: SftpFolder) -> None:
    later = put(server, "Pred_2023-09-05.csv", b"12345", datetime(2023, 9, 5, 5, 0, 1, tzinfo=UTC))
    accents = put(server, "Aéré.csv", b"")
    (server.root / "old").mkdir()
    os.mkfifo(server.root / "pipe")
    (server.root / "pipe").chmod(0o600)
    first = Entry("Pred_2023-09-04.csv", 11, WRITTEN)
    assert folder.entries() == [accents, first, later]
    (server.root / "pipe").unlink()


def test_only_names_that_match_a_pattern_and_each_once(server: SshServer, folder: SftpFolder) -> None:
    put(server, "notes.txt", b"")
    assert [entry.name for entry in folder.entries(["Pred_*.csv", "*04.csv"])] == ["Pred_2023-09-04.csv"]
    assert folder.entries(["pred_*.csv"]) == []


def test_a_link_to_a_file_is_that_file_and_a_broken_one_nothing(
    server: SshServer, folder: SftpFolder
) -> None:
    (server.root / "latest.csv").symlink_to("Pred_2023-09-04.csv")
    (server.root / "gone.csv").symlink_to("nowhere")
    assert folder.entries(["latest.csv", "gone.csv"]) == [Entry("latest.csv", 11, WRITTEN)]


def test_a_link_that_leads_out_of_the_folder_is_followed_only_if_the_entry_says_so(
    server: SshServer, folder: SftpFolder, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"of another folder")
    (server.root / "secret.csv").symlink_to(tmp_path / "secret")
    (server.root / "step.csv").symlink_to("secret.csv")
    (server.root / "latest.csv").symlink_to("Pred_2023-09-04.csv")
    assert [entry.name for entry in folder.entries(["s*.csv", "latest.csv"])] == ["latest.csv"]
    assert folder.refused == {LEADS_OUTSIDE: 2}
    following = open_folder(server, follow_links=True)
    assert [entry.name for entry in following.entries(["s*.csv"])] == ["secret.csv", "step.csv"]
    assert following.refused == {}
    following.close()


@pytest.mark.rule(9)
def test_a_name_that_is_no_utf8_hides_no_other(server: SshServer, folder: SftpFolder) -> None:
    (server.root / os.fsdecode(b"Pr\xe9vision.csv")).write_bytes(b"x")
    assert [entry.name for entry in folder.entries()] == ["Pred_2023-09-04.csv"]


def test_a_folder_of_many_files_is_listed_whole(server: SshServer, folder: SftpFolder) -> None:
    names = {put(server, f"{number:04}.csv", b"").name for number in range(1500)}
    assert {entry.name for entry in folder.entries(["????.csv"])} == names


# Reading -------------------------------------------------------------------------------------------


def test_bytes_are_exact_in_order_and_one_connection_serves_all(
    server: SshServer, folder: SftpFolder, sign_ins: list[float]
) -> None:
    entries = [put(server, "b", LARGE), put(server, "a", b""), put(server, "c", bytes(range(256)))]
    payloads = list(folder.read(entries))
    assert [payload.entry for payload in payloads] == entries
    assert [payload.content for payload in payloads] == [LARGE, b"", bytes(range(256))]
    folder.entries()
    assert len(sign_ins) == 1
    folder.close()
    assert folder.entries()
    assert len(sign_ins) == 2


def test_what_cannot_be_read_is_left_out(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Entry("Pred_2023-09-04.csv", 11, WRITTEN)
    gone = Entry("gone.csv", 5, WRITTEN)
    grown = Entry("grown.csv", 5, WRITTEN)
    put(server, "grown.csv", b"123456")
    newer = Entry("newer.csv", 5, WRITTEN)
    put(server, "newer.csv", b"12345", datetime(2023, 9, 4, 5, 0, 1, tzinfo=UTC))
    (server.root / "folder.csv").mkdir()
    monkeypatch.setattr(sftp, "MAX_FILE_BYTES", 11)
    large = put(server, "large.csv", b"123456789012")
    asked = [gone, grown, newer, Entry("folder.csv", 5, WRITTEN), large, good]
    assert [payload.entry for payload in folder.read(asked)] == [good]


def test_a_file_written_to_while_it_is_read_is_left_out(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same size, other bytes: what was read would be half of the one and half of the other."""
    entry = put(server, "Pred_2023-09-05.csv", LARGE)
    after_chunk(monkeypatch, 3, lambda: put(server, entry.name, LARGE[::-1], datetime.now(UTC)))
    assert list(folder.read([entry])) == []


# Transfers that break ------------------------------------------------------------------------------


@pytest.fixture
def sign_ins(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a connection was dialled."""
    times: list[float] = []
    sign_in = ssh.SshServer.sign_in

    def counted(server: ssh.SshServer) -> ssh.Session:
        times.append(time.monotonic())
        return sign_in(server)

    monkeypatch.setattr(ssh.SshServer, "sign_in", counted)
    return times


def after_chunk(monkeypatch: pytest.MonkeyPatch, number: int, action: Any) -> list[int]:
    """Do something once, after so many chunks have come; the sizes of all that come."""
    sizes: list[int] = []
    read = paramiko.SFTPFile.read

    def counted(file: paramiko.SFTPFile, size: int) -> bytes:
        chunk: bytes = read(file, size)
        sizes.append(len(chunk))
        if len(sizes) == number:
            action()
        return chunk

    monkeypatch.setattr(paramiko.SFTPFile, "read", counted)
    return sizes


def test_a_broken_transfer_goes_on_where_it_broke(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch, sign_ins: list[float]
) -> None:
    entry = put(server, "Pred_2023-09-05.csv", LARGE)
    sizes = after_chunk(monkeypatch, 300, server.kill_sessions)
    (payload,) = folder.read([entry])
    assert payload.content == LARGE
    assert sum(sizes) == len(LARGE), "some bytes were asked for twice"
    assert len(sign_ins) == 2


def test_a_server_killed_in_mid_transfer_and_restarted(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch, sign_ins: list[float]
) -> None:
    """It comes back before the third attempt."""
    entry = put(server, "Pred_2023-09-05.csv", LARGE)
    after_chunk(monkeypatch, 100, server.kill)
    sleep = time.sleep

    def pause(seconds: float) -> None:
        # The second pause of the product, among the short ones of others.
        if seconds == 2 * sftp.FIRST_PAUSE_SECONDS:
            server.start()
        sleep(seconds / 10)

    monkeypatch.setattr("time.sleep", pause)
    (payload,) = folder.read([entry])
    assert payload.content == LARGE
    assert len(sign_ins) == 3


def test_a_file_replaced_while_the_transfer_was_broken_is_left_out(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = put(server, "Pred_2023-09-05.csv", LARGE)

    def replace() -> None:
        server.kill_sessions()
        put(server, entry.name, LARGE[::-1], datetime(2023, 9, 4, 6, 0, tzinfo=UTC))

    after_chunk(monkeypatch, 300, replace)
    assert list(folder.read([entry])) == []
    (again,) = folder.read(folder.entries([entry.name]))
    assert again.content == LARGE[::-1]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stays_away_is_one_error_after_a_few_attempts(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch, sign_ins: list[float]
) -> None:
    entry = put(server, "Pred_2023-09-05.csv", LARGE)
    after_chunk(monkeypatch, 100, server.kill)
    try:
        with pytest.raises(SourceError, match="cannot be reached"):
            list(folder.read([entry]))
        # One before; then after 0.1, 0.3, 0.7 and 1.5 s.
        assert len(sign_ins) == 5
        assert sign_ins[-1] - sign_ins[1] == pytest.approx(1.4, abs=0.4)
    finally:
        server.start()
    (payload,) = folder.read([entry])
    assert payload.content == LARGE


def test_a_connection_that_broke_while_idle_is_opened_again(
    server: SshServer, folder: SftpFolder, sign_ins: list[float]
) -> None:
    folder.entries()
    server.kill_sessions()
    assert [entry.name for entry in folder.entries()] == ["Pred_2023-09-04.csv"]
    assert len(sign_ins) == 2


def test_a_server_that_stalls_in_mid_transfer_is_an_error_within_half_a_minute(
    server: SshServer, folder: SftpFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the product's own waits."""
    entry = put(server, "Pred_2023-09-05.csv", LARGE)
    stall = server.stalled()
    after_chunk(monkeypatch, 100, stall.__enter__)
    began = time.monotonic()
    try:
        with pytest.raises(SourceError, match="does not answer"):
            list(folder.read([entry]))
        assert time.monotonic() - began < 30
    finally:
        stall.__exit__(None, None, None)
    (payload,) = folder.read([entry])
    assert payload.content == LARGE


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stalls_before_signing_in_or_while_listing(
    server: SshServer, folder: SftpFolder
) -> None:
    with server.stalled():
        assert "does not answer" in error_of(folder)
    assert folder.entries()
    with server.stalled():
        assert "does not answer" in error_of(folder)
    assert folder.entries()


@pytest.mark.parametrize("kind", ["nobody", "no_ssh"])
@pytest.mark.usefixtures("impatient")
def test_nobody_or_somebody_else_at_the_address(server: SshServer, kind: str) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = free_port() if kind == "nobody" else other.getsockname()[1]
        message = error_of(open_folder(server, address=f"sftp://{HOST}:{port}/Meteo2"), str(server.key_file))
    assert f"sftp://{HOST}:{port}/Meteo2" in message
    assert "cannot be reached or does not answer" in message


# Whom it trusts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", ["no_file", "another_host", "another_port"])
def test_an_unknown_host_key_is_refused_with_how_to_accept_it(
    server: SshServer, tmp_path: Path, known: str
) -> None:
    hosts = tmp_path / "known hosts"
    kept = server.known_hosts.read_text()
    if known != "no_file":
        hosts.write_text(kept.replace(HOST, "10.0.0.9") if known == "another_host" else kept.replace(
            server.host_name, HOST))  # fmt: skip
    message = error_of(open_folder(server, known_hosts=hosts), str(server.key_file))
    assert "host key is not known" in message
    assert server.host_name in message
    assert "compare the key with the server's administrator first" in message
    assert message.endswith(f"ssh-keyscan -p {server.port} {HOST} >> '{hosts}'")


def test_a_changed_host_key_is_refused_with_how_to_accept_it(server: SshServer, folder: SftpFolder) -> None:
    folder.entries()
    server.stop()
    server.new_host_key()
    server.start()
    try:
        message = error_of(folder, str(server.key_file))
        assert "host key has changed" in message
        assert f"ssh-keygen -R '{server.host_name}' -f {server.known_hosts} && ssh-keyscan -p" in message
    finally:
        server.accept_host_key()
    assert folder.entries()


def test_the_commands_of_the_remedies_are_right(server: SshServer, tmp_path: Path) -> None:
    """What the message says is done as it stands, and then the folder opens."""
    hosts = tmp_path / "known hosts"
    make_key(tmp_path / "old")
    kind, key, *_ = (tmp_path / "old.pub").read_text().split()
    hosts.write_text(f"{server.host_name} {kind} {key}\n")
    changed = error_of(open_folder(server, known_hosts=hosts))
    forget, _, scan = changed.rpartition("accept it: ")[2].partition(" && ")
    run(forget)
    assert error_of(open_folder(server, known_hosts=hosts)).endswith(scan)
    run(scan)
    assert open_folder(server, known_hosts=hosts).entries()


def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True, capture_output=True)


def test_known_hosts_that_cannot_be_read(server: SshServer, tmp_path: Path) -> None:
    assert "known hosts cannot be read" in error_of(open_folder(server, known_hosts=tmp_path))


def test_a_key_that_the_account_refuses(server: SshServer, tmp_path: Path, sign_ins: list[float]) -> None:
    make_key(tmp_path / "stranger")
    message = error_of(open_folder(server, key_file=tmp_path / "stranger"), "stranger", server.user + "'")
    assert "refuses the user or the private key" in message
    assert len(sign_ins) == 1, "a refusal is no reason to try again: accounts are locked for that"


def test_a_wrong_password(server: SshServer, sign_ins: list[float]) -> None:
    message = error_of(open_folder(server, key_file=None, password="wrong-one"), "wrong-one")
    assert "refuses the user or the password" in message
    assert len(sign_ins) == 1


def test_no_other_key_is_tried(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that would do, in the place where keys are looked for."""
    home = tmp_path / ".ssh"
    home.mkdir()
    (home / "id_ed25519").write_bytes(server.key_file.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    error_of(open_folder(server, key_file=None, password="wrong-one"))  # pragma: allowlist secret


@pytest.mark.parametrize("kind", ["missing", "damaged", "encrypted"])
def test_a_private_key_that_cannot_be_used(server: SshServer, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "private-place"
    if kind == "damaged":
        file.write_text("no key")
    elif kind == "encrypted":
        make_key(file)
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "phrase", "-f", file], check=True)
    message = error_of(open_folder(server, key_file=file), "private-place")
    assert ("passphrase" in message.split(";")[0]) is (kind == "encrypted")
    assert "key_file_env" in message


def test_a_folder_that_is_not_there(server: SshServer) -> None:
    message = error_of(open_folder(server, address=server.address + "/none"))
    assert "no such folder" in message
    assert server.address + "/none" in message


# Through to Silver ---------------------------------------------------------------------------------

ISSUE = date(2023, 9, 4)
HEADER = "Time,Value,Prediction,Site,Measurement,Unit\n"


def test_a_corrected_forecast_of_the_same_name_replaces_the_old_issue(
    server: SshServer, tmp_path: Path
) -> None:
    text = REGISTRY.replace(
        "weather_files: {kind: folder, address: weather}",
        f"weather_files: {{kind: sftp, address: '{server.address}', user_env: FEED_USER,"
        f" key_file_env: FEED_KEY, known_hosts: '{server.known_hosts}'}}",
    )
    environment = {"FEED_USER": server.user, "FEED_KEY": str(server.key_file)}
    work = Workspace.open(Settings.of(write_sites(tmp_path, text), str(tmp_path / "lake"), environment))

    def forecasts() -> list[tuple[datetime, float]]:
        issues = discover_forecasts(work)
        assert issues == [ISSUE]
        carry(work, [], issues, flows=FORECASTS)
        assert discover_forecasts(work) == []
        rows = work.lake.read(weather.WEATHER_FORECASTS)
        return sorted(rows.select("valid_at", "value").iter_rows())

    put(server, "Pred_2023-09-04.csv", forecast({6: 15.0, 9: 18.5}))
    nine = datetime(2023, 9, 4, 9, tzinfo=UTC)
    assert forecasts() == [(nine.replace(hour=6), 15.0), (nine, 18.5)]
    put(server, "Pred_2023-09-04.csv", forecast({9: 21.25}), WRITTEN.replace(hour=11))
    assert forecasts() == [(nine, 21.25)]
    # The old issue is not lost: bronze keeps both.
    assert work.lake.read(weather.WEATHER_FILES).height == 2
    work.close()


def forecast(temperatures: dict[int, float]) -> bytes:
    """A forecast file of one site: hour of the day to temperature."""
    rows = (
        f"2023-09-04 {hour:02}:00:00+00:00,{value},{step:02},Sion,PRED_T_2M_ctrl,°C\n"
        for step, (hour, value) in enumerate(temperatures.items())
    )
    return (HEADER + "".join(rows)).encode()
