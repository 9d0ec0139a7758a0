"""The SMB source against a real Samba: what it shows and reads, what it refuses, what it lives through."""

import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from smbprotocol.header import Commands, NtStatus, SMB2HeaderResponse
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
)

from domotic_assets.errors import ConfigurationError, DomoticError, SourceError
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files import smb, smb_session
from domotic_assets.sources.files.local import LocalFolder
from domotic_assets.sources.files.smb import SmbFolder
from domotic_assets.sources.files.smb_session import ConnectionLost, Place, SmbSession
from domotic_assets_tests.services.samba import SambaServer, samba
from domotic_assets_tests.services.servers import HOST, free_port

NAME = "31.08.2023 2144_JimmyLoup_received.json"
WRITTEN_NS = 1_693_864_805_123_456_789
BLOCK = 1024 * 1024


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the module's server shares, with a folder below it."""
    share = tmp_path_factory.mktemp("samba") / "share"
    (share / "below" / "it").mkdir(parents=True)
    return share


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[SambaServer]:
    """The module's server; the tests that harm theirs start their own."""
    with samba(place.parent / "server", place) as started:
        yield started


@pytest.fixture
def share(place: Path, request: pytest.FixtureRequest) -> Path:
    """A fresh folder on the share for each test."""
    fresh = place / request.node.name.partition("[")[0]
    fresh.mkdir()
    return fresh


@pytest.fixture
def opened() -> Iterator[Callable[..., SmbFolder]]:
    """Opens folders of a server and closes them after the test."""
    folders: list[SmbFolder] = []

    def of(server: SambaServer, below: str = "") -> SmbFolder:
        folders.append(SmbFolder(f"{server.address}/{below}", server.user, server.password))
        return folders[-1]

    yield of
    for folder in folders:
        folder.close()


@pytest.fixture
def folder(server: SambaServer, share: Path, opened: Callable[..., SmbFolder]) -> SmbFolder:
    """The test's folder as the source sees it."""
    return opened(server, share.name)


@pytest.fixture
def own_share(tmp_path: Path) -> Path:
    """The folder of a server that the test may harm."""
    share = tmp_path / "share"
    share.mkdir()
    return share


@pytest.fixture
def own(tmp_path: Path, own_share: Path) -> Iterator[SambaServer]:
    """A server that the test may harm."""
    with samba(tmp_path / "server", own_share) as started:
        yield started


def put(share: Path, name: str, content: bytes = b"{}", written_ns: int = WRITTEN_NS) -> None:
    """A file on the share."""
    (share / name).write_bytes(content)
    os.utime(share / name, ns=(written_ns, written_ns))


def contents(folder: SmbFolder, entries: list[Entry] | None = None) -> dict[str, bytes]:
    """What the source reads, by name."""
    listed = folder.entries() if entries is None else entries
    return {payload.entry.name: payload.content for payload in folder.read(listed)}


def error_of(call: Callable[[], object], server: SambaServer | None = None, *secrets: str) -> DomoticError:
    """The one error of a call: one line, and no credential in it nor in its traceback."""
    with pytest.raises(DomoticError) as caught:
        call()
    told = "".join(traceback.format_exception(caught.value))
    for secret in (*secrets, *((server.user, server.password) if server else ())):
        assert secret not in told
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def open_elsewhere(server: SambaServer, path: str, access: int, sharing: int) -> Iterator[None]:
    """A file of the share that another client has open."""
    session = SmbSession(Place.of(server.address), server.user, server.password)
    opened = Open(session.tree, path)
    opened.create(
        ImpersonationLevel.Impersonation,
        access,
        0,
        sharing,
        CreateDisposition.FILE_OPEN,
        CreateOptions.FILE_NON_DIRECTORY_FILE,
    )
    try:
        yield
    finally:
        # Before the connection: that it is gone, the server notices in its own time.
        opened.close()
        session.close()


def test_a_listing_shows_name_size_and_last_write_to_the_microsecond(share: Path, folder: SmbFolder) -> None:
    put(share, "b.json", b"12345")
    put(share, "a.json", b"", 1_000_000_000)
    assert folder.entries() == [
        Entry("a.json", 0, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        Entry("b.json", 5, datetime(2023, 9, 4, 22, 0, 5, 123456, UTC)),
    ]


def test_listing_and_bytes_equal_those_of_the_folder_itself(share: Path, folder: SmbFolder) -> None:
    noise = random.Random(3)
    sizes = [0, 1, 4096, 65_535, 65_536, 65_537, BLOCK, BLOCK + 1, 3 * BLOCK - 7]
    for size in sizes:
        put(share, f"{size}.json", noise.randbytes(size), noise.randrange(10**9, 2 * 10**18))
    others = (NAME, "Überstrom é.json", "日本.json", "😀 2.json", "a'b;c&d%41#.json", "UPPER.JSON", "x" * 250)
    for name in others:
        put(share, name, name.encode())
    (share / "a folder.json").mkdir()
    (share / "dangling.json").symlink_to("nowhere")
    local = LocalFolder(share)
    listed = folder.entries()
    assert len(listed) == len(sizes) + len(others)
    assert listed == local.entries()
    assert list(folder.read(listed)) == list(local.read(listed))


def test_a_listing_of_many_blocks_is_whole(
    share: Path, folder: SmbFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smb.smb_share, "_BLOCK_BYTES", 8192)
    names = [f"{n:03}.json" for n in range(500)]
    for name in names:
        (share / name).touch()
    # 16 bytes of name and 64 of numbers each: five blocks.
    assert [entry.name for entry in folder.entries()] == names


@pytest.mark.parametrize(
    ("patterns", "matching"),
    [
        (["31.08.2023 2144_*"], {"31.08.2023 2144_A.json", "31.08.2023 2144_B.json"}),
        (["31.08.2023 214?_A.json"], {"31.08.2023 2144_A.json", "31.08.2023 2145_A.json"}),
        (["31.08.2023 2144_A.json"], {"31.08.2023 2144_A.json"}),
        (["*_A.json", "31.08.2023 2144_*"], {f"31.08.2023 {n}.json" for n in ("2144_A", "2144_B", "2145_A")}),
        (["*.JSON"], {"UPPER.JSON"}),
        (["?.txt"], {"a.txt", "😀.txt"}),
        (["[a-z].txt"], {"a.txt"}),
        (["*.*"], "all but plain"),
        (["nothing*", "nothing.json"], set()),
        ([], set()),
    ],
)
def test_a_pattern_means_on_the_server_what_it_means_in_a_folder(
    place: Path,
    server: SambaServer,
    opened: Callable[..., SmbFolder],
    patterns: list[str],
    matching: set[str] | str,
) -> None:
    share = place / "patterns"
    names = {f"31.08.2023 {n}.json" for n in ("2144_A", "2144_B", "2145_A")}
    names |= {"UPPER.JSON", "a.txt", "ab.txt", "😀.txt", "plain"}
    share.mkdir(exist_ok=True)
    for name in names:
        (share / name).touch()
    expected = names - {"plain"} if matching == "all but plain" else matching
    found = opened(server, "patterns").entries(patterns)
    assert {entry.name for entry in found} == expected
    assert found == LocalFolder(share).entries(patterns)


def test_a_folder_deep_in_the_share_can_be_read(
    place: Path, server: SambaServer, opened: Callable[..., SmbFolder]
) -> None:
    put(place / "below" / "it", "deep.json", b"deep")
    assert contents(opened(server, "below/it/")) == {"deep.json": b"deep"}


def test_a_file_being_written_is_read_and_its_writer_goes_on(share: Path, folder: SmbFolder) -> None:
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; f = open(sys.argv[1], 'wb', 0); f.write(b'half'); print(flush=True); input()\n"
            "f.write(b'done'); print(flush=True); input()",
            str(share / NAME),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        first = folder.entries()
        assert [entry.size_bytes for entry in first] == [4]
        assert contents(folder, first) == {NAME: b"half"}
        writer.stdin.write(b"\n")
        writer.stdin.flush()
        writer.stdout.readline()
        # What is there is read, though the listing knew of less.
        assert contents(folder, first) == {NAME: b"halfdone"}
        assert [entry.size_bytes for entry in folder.entries()] == [8]
    finally:
        writer.kill()
        writer.communicate()


def test_a_file_grown_beyond_its_listing_is_read_whole(share: Path, folder: SmbFolder) -> None:
    put(share, "a.json", b"1")
    listed = folder.entries()
    put(share, "a.json", b"22" * BLOCK)
    assert contents(folder, listed) == {"a.json": b"22" * BLOCK}


def test_a_vanished_file_is_left_out_and_the_rest_is_read(share: Path, folder: SmbFolder) -> None:
    for name in ("a.json", "b.json", "c.json"):
        put(share, name, name.encode())
    put(share, "large.json", b"x" * BLOCK)
    listed = folder.entries()
    (share / "b.json").unlink()
    (share / "large.json").unlink()
    assert contents(folder, listed) == {"a.json": b"a.json", "c.json": b"c.json"}


def test_a_file_too_large_is_left_out_listed_so_or_grown(
    share: Path, folder: SmbFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smb, "MAX_FILE_BYTES", 100_000)
    monkeypatch.setattr(smb.smb_share, "MAX_FILE_BYTES", 100_000)
    put(share, "grows.json", b"1")
    put(share, "just.json", b"x" * 100_000)
    put(share, "over.json", b"x" * 100_001)
    listed = folder.entries()
    put(share, "grows.json", b"x" * 100_001)
    assert set(contents(folder, listed)) == {"just.json"}


def test_a_file_locked_by_another_client_is_left_out_until_it_is_free(
    server: SambaServer, share: Path, folder: SmbFolder
) -> None:
    put(share, NAME, b"locked")
    put(share, "b.json", b"free")
    listed = folder.entries()
    reading, nobody = FilePipePrinterAccessMask.FILE_READ_DATA, 0
    with open_elsewhere(server, f"{share.name}\\{NAME}", reading, nobody):
        assert contents(folder, listed) == {"b.json": b"free"}
    assert contents(folder, listed) == {NAME: b"locked", "b.json": b"free"}


def test_a_file_that_another_client_writes_or_will_delete_is_read(own_share: Path, tmp_path: Path) -> None:
    put(own_share, NAME, b"written")
    with samba(tmp_path / "server", own_share, options={"read only": "no"}) as server:
        folder = SmbFolder(server.address, server.user, server.password)
        listed = folder.entries()
        for access in (FilePipePrinterAccessMask.FILE_WRITE_DATA, FilePipePrinterAccessMask.DELETE):
            with open_elsewhere(server, NAME, access, ShareAccess.FILE_SHARE_READ):
                assert contents(folder, listed) == {NAME: b"written"}
        folder.close()


def test_no_file_stays_open_on_the_server(share: Path, folder: SmbFolder) -> None:
    for name, size in (("a.json", 9), ("empty.json", 0), ("large.json", BLOCK), ("gone.json", 1)):
        put(share, name, b"x" * size)
    listed = folder.entries()
    (share / "gone.json").unlink()
    assert len(contents(folder, listed)) == 3
    assert folder._session is not None
    assert folder._session.tree.session.open_table == {}
    assert folder._session.connection.outstanding_requests == {}


def test_wrong_password_or_user_is_one_clear_error(server: SambaServer) -> None:
    for user, password in ((server.user, "not-the-password"), ("not-the-user", server.password)):
        folder = SmbFolder(server.address, user, password)
        error = error_of(folder.entries, server, user, password)
        assert error.where == server.address
        assert "does not accept the user and password" in error.what
        assert "password_env" in error.remedy


def test_a_guest_is_refused(place: Path, tmp_path: Path) -> None:
    with samba(tmp_path, place, encrypt="desired", options={"map to guest": "bad password"}) as server:
        folder = SmbFolder(server.address, server.user, "not-the-password")
        error = error_of(folder.entries, server, "not-the-password")
        assert "does not accept the user and password" in error.what


@pytest.mark.parametrize(
    "options",
    [{}, {"server min protocol": "SMB2", "server max protocol": "SMB2_10"}],
    ids=["encryption off", "SMB 2 only"],
)
def test_a_server_without_smb_3_encryption_is_refused(
    place: Path, tmp_path: Path, options: Mapping[str, str]
) -> None:
    with samba(tmp_path, place, encrypt="off", options=options) as server:
        error = error_of(SmbFolder(server.address, server.user, server.password).entries, server)
        assert error.where == server.address
        assert "does not offer SMB 3 with encryption" in error.what
        assert "server smb encrypt" in error.remedy


def test_all_is_encrypted_where_the_server_leaves_the_choice(place: Path, tmp_path: Path) -> None:
    with samba(tmp_path, place, encrypt="if_required") as server:
        folder = SmbFolder(server.address, server.user, server.password)
        folder.entries()
        connected = json.loads(server.administer("smbstatus", "--json"))["tcons"].values()
        assert [share["encryption"]["degree"] for share in connected] == ["full"]
        folder.close()


def test_an_answer_that_comes_unencrypted_is_not_taken(share: Path, folder: SmbFolder) -> None:
    put(share, NAME)
    truth = folder.entries()
    assert folder._session is not None
    connection = folder._session.connection

    def forged(_: float) -> bytes:
        while not connection.outstanding_requests:
            time.sleep(0.01)
        answer = SMB2HeaderResponse()
        answer["message_id"] = max(connection.outstanding_requests)
        answer["command"] = Commands.SMB2_QUERY_DIRECTORY
        answer["status"] = NtStatus.STATUS_NO_MORE_FILES
        answer["credit_response"] = 1
        return bytes(answer.pack())

    connection.transport.recv = forged
    assert folder.entries() == truth
    assert folder._session.connection is not connection


def test_what_is_missing_is_one_clear_error(server: SambaServer, place: Path) -> None:
    (place / "file.json").touch()
    nobody = f"//{HOST}:{free_port()}/feed"
    cases = {
        nobody: "the server cannot be reached (Connection refused)",
        "//no-such-host.invalid/feed": "the server cannot be reached",
        server.address.replace("/feed", "/other"): "does not open the share (STATUS_BAD_NETWORK_NAME)",
        f"{server.address}/missing": "the folder cannot be listed (STATUS_OBJECT_NAME_NOT_FOUND)",
        f"{server.address}/missing/too": "the folder cannot be listed (STATUS_OBJECT_PATH_NOT_FOUND)",
        f"{server.address}/file.json": "the folder cannot be listed (STATUS_NOT_A_DIRECTORY)",
    }
    for address, what in cases.items():
        before = time.monotonic()
        error = error_of(SmbFolder(address, server.user, server.password).entries, server)
        assert isinstance(error, SourceError)
        assert error.where == address
        assert what in error.what
        assert "sites.yaml" in error.remedy
        assert time.monotonic() - before < 5
    (place / "file.json").unlink()


def test_a_folder_that_vanishes_is_an_error_and_comes_back_by_itself(share: Path, folder: SmbFolder) -> None:
    put(share, NAME)
    listed = folder.entries()
    hidden = share.rename(share.with_name("hidden"))
    assert "cannot be listed" in str(error_of(folder.entries))
    assert "cannot be listed" in str(error_of(lambda: contents(folder, listed)))
    hidden.rename(share)
    assert contents(folder) == {NAME: b"{}"}


@pytest.mark.parametrize(
    "address", ["//host-only", "//u:secret@host/share", "smb://host/share", "//host:99999/share"]
)
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str) -> None:
    error = error_of(lambda: SmbFolder(address, "user", "password"))
    assert isinstance(error, ConfigurationError)
    assert address not in str(error)


def test_a_server_restarted_between_calls_is_not_noticed(own: SambaServer, own_share: Path) -> None:
    put(own_share, NAME)
    folder = SmbFolder(own.address, own.user, own.password)
    listed = folder.entries()
    for end in (own.kill, own.stop):
        end()
        own.start()
        assert folder.entries() == listed
        end()
        own.start()
        assert contents(folder, listed) == {NAME: b"{}"}
    folder.close()


def test_a_share_closed_by_its_administrator_is_opened_again(own: SambaServer, own_share: Path) -> None:
    for name in ("a.json", "b.json"):
        put(own_share, name, name.encode())
    folder = SmbFolder(own.address, own.user, own.password)
    reading = folder.read(folder.entries())
    first = next(reading)
    own.administer("smbcontrol", "smbd", "close-share", "feed")
    # Until the server has done it, the rest would be read without any break.
    deadline = time.monotonic() + 5
    while json.loads(own.administer("smbstatus", "--json"))["tcons"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [first.content] + [payload.content for payload in reading] == [b"a.json", b"b.json"]
    assert len(folder.entries()) == 2
    folder.close()


def test_a_read_goes_on_when_the_server_comes_back(own: SambaServer, own_share: Path) -> None:
    for n in range(20):
        put(own_share, f"{n:02}.json", b"%d" % n)
    folder = SmbFolder(own.address, own.user, own.password)
    reading = folder.read(folder.entries())
    found = [next(reading) for _ in range(7)]
    own.kill()
    comeback = threading.Timer(2.0, own.start)
    comeback.start()
    try:
        found += list(reading)
    finally:
        comeback.join()
    assert [payload.content for payload in found] == [b"%d" % n for n in range(20)]
    folder.close()


def test_a_server_gone_for_good_is_an_error_after_some_attempts(
    own: SambaServer, own_share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(smb._PAUSES_SECONDS) <= 20
    monkeypatch.setattr(smb, "_PAUSES_SECONDS", (0.1, 0.2, 0.3))
    for name in ("a.json", "b.json"):
        put(own_share, name)
    folder = SmbFolder(own.address, own.user, own.password)
    listed = folder.entries()
    reading = folder.read(listed)
    next(reading)
    own.kill()
    before = time.monotonic()
    error = error_of(lambda: next(reading), own)
    assert 0.6 <= time.monotonic() - before < 3
    assert isinstance(error, ConnectionLost)
    assert "cannot be reached" in error.what
    own.start()
    assert set(contents(folder, listed)) == {"a.json", "b.json"}
    folder.close()


def test_a_stalled_server_is_an_error_and_works_again_later(
    own: SambaServer, own_share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert smb_session.DIAL_SECONDS + smb_session.REQUEST_SECONDS <= 30
    monkeypatch.setattr(smb_session, "DIAL_SECONDS", 1)
    monkeypatch.setattr(smb_session, "REQUEST_SECONDS", 2)
    put(own_share, NAME)
    folder, another = (SmbFolder(own.address, own.user, own.password) for _ in range(2))
    listed = folder.entries()
    with own.stalled():
        for call in (lambda: contents(folder, listed), folder.entries, another.entries):
            before = time.monotonic()
            assert "does not answer in time" in error_of(call, own).what
            assert time.monotonic() - before < 4
    assert contents(folder, listed) == contents(another, listed) == {NAME: b"{}"}
    folder.close()
    another.close()


def test_no_thread_outlives_a_close_or_an_error(server: SambaServer, share: Path) -> None:
    before = threading.active_count()
    folder = SmbFolder(f"{server.address}/{share.name}", server.user, server.password)
    for _ in range(2):
        folder.entries()
        assert threading.active_count() == before + 1
        folder.close()
        assert threading.active_count() == before
    for broken in (
        SmbFolder(server.address, server.user, "not-the-password"),
        SmbFolder(f"{server.address}/missing", server.user, server.password),
    ):
        error_of(broken.entries)
        assert threading.active_count() == before


def test_the_client_logs_nothing(
    server: SambaServer, folder: SmbFolder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        folder.entries()
    assert server.user not in caplog.text
