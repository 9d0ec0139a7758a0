"""The folder source: what a listing shows, what a pull reads, and what stops neither."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domotic_assets.errors import SourceError
from domotic_assets.sources.base import Entry
from domotic_assets.sources.files import local
from domotic_assets.sources.files.folders import (
    LEADS_OUTSIDE,
    NO_FILE,
    NOTHING_KNOWN,
    FilePosition,
    FileSource,
    as_entries,
    as_rows,
    listed,
    texts,
    unknown,
)
from domotic_assets.sources.files.local import LocalFolder
from domotic_assets_tests.support import automount
from domotic_assets_tests.support.other_account import need_root

NOTHING = FilePosition(NOTHING_KNOWN)


def put(place: Path, name: str, content: bytes = b"{}", written_ns: int = 1_693_864_805_000_000_000) -> Entry:
    """A file on the share; its entry as a listing must show it."""
    file = place / name
    file.write_bytes(content)
    os.utime(file, ns=(written_ns, written_ns))
    seconds, rest = divmod(written_ns, 1_000_000_000)
    modified = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return Entry(name, len(content), modified)


def held(*entries: Entry) -> pl.DataFrame:
    """Entries as bronze knows them."""
    return pl.DataFrame(entries, schema=NOTHING_KNOWN.schema, orient="row")


def test_a_listing_shows_name_size_and_last_write_to_the_microsecond(tmp_path: Path) -> None:
    entry = put(tmp_path, "b.json", b"12345", 1_693_864_805_123_456_789)
    other = put(tmp_path, "a.json")
    assert LocalFolder(tmp_path).entries() == [other, entry]
    assert entry.modified_at == datetime(2023, 9, 4, 22, 0, 5, 123456, UTC)


def test_a_listing_goes_by_name_as_texts_are_compared(tmp_path: Path) -> None:
    names = ["A.json", "a.json", os.fsdecode(b"caf\xe9.json"), "\ufb00.json", "\U0001f600.json"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path)), name).write_bytes(b"")
    assert names == sorted(names)
    assert [entry.name for entry in LocalFolder(tmp_path).entries()] == names


def test_a_pull_brings_exact_bytes_in_batches_until_nothing_waits(tmp_path: Path) -> None:
    contents = {f"{n}.json": bytes([0, 255, n]) for n in range(5)}
    for name, content in contents.items():
        put(tmp_path, name, content)
    source = FileSource(LocalFolder(tmp_path))
    position, found, rounds = NOTHING, {}, []
    while True:
        batch = source.pull(position, 2)
        found |= {payload.entry.name: payload.content for payload in batch.items}
        rounds.append((len(batch.items), batch.more))
        position = batch.position
        if not batch.more:
            break
    assert found == contents
    assert rounds == [(2, True), (2, True), (1, False)]


def test_a_known_file_is_left_until_its_size_or_last_write_differs(tmp_path: Path) -> None:
    known = FilePosition(held(put(tmp_path, "a.json"), put(tmp_path, "b.json")))
    assert FileSource(LocalFolder(tmp_path)).pull(known, 9).items == ()
    put(tmp_path, "a.json", b"{} ")
    put(tmp_path, "b.json", written_ns=1_693_864_806_000_000_000)
    assert [p.entry.name for p in FileSource(LocalFolder(tmp_path)).pull(known, 9).items] == [
        "a.json",
        "b.json",
    ]


ENTRIES = st.builds(
    Entry,
    # The last is the name of a file on this machine that is no UTF-8.
    st.sampled_from(["a.json", "b.json", "ü.json", os.fsdecode(b"caf\xe9.json")]),
    st.integers(0, 1),
    st.sampled_from([datetime(2023, 9, 4, 22, 0, 5, micro, UTC) for micro in (0, 1)]),
)


@given(st.lists(ENTRIES), st.lists(ENTRIES.filter(lambda entry: entry.name.isprintable())))
def test_unknown_are_the_entries_that_differ_from_all_that_is_held(
    entries: list[Entry], known: list[Entry]
) -> None:
    assert as_entries(unknown(as_rows(entries), held(*known))) == [
        entry for entry in entries if entry not in known
    ]


@given(st.lists(ENTRIES))
def test_entries_by_columns_are_the_same_entries(entries: list[Entry]) -> None:
    assert as_entries(as_rows(entries)) == entries


YEAR_10000_US = 253_402_300_800_000_000


@pytest.mark.rule(4)
@pytest.mark.parametrize("unix_us", [YEAR_10000_US + 7, -YEAR_10000_US, 2**63 - 1, -(2**63) + 1])
def test_a_last_write_that_no_date_can_hold_is_listed_exactly(unix_us: int) -> None:
    rows = listed([("a.json", 2, unix_us), ("b.json", 2, 7)])
    far, near = as_entries(rows)
    assert far.modified_at.year == (9999 if unix_us > 0 else 1)
    assert near.modified_at == datetime(1970, 1, 1, 0, 0, 0, 7, UTC)
    assert as_rows([far, near]).equals(rows)


@pytest.mark.rule(4)
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this disk ends in the year 2446")
@pytest.mark.parametrize("seconds", [253_402_300_800, -99_999_999_999, 2**62])
def test_a_folder_with_a_file_of_the_year_10000_is_listed_and_read(seconds: int) -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        file = Path(folder, "a.json")
        file.write_bytes(b"{}")
        os.utime(file, ns=(seconds * 10**9, seconds * 10**9))
        share = LocalFolder(Path(folder))
        [found] = share.read(share.entries())
        assert found.content == b"{}"
        bound = 2**63 - 1
        assert share.listing()["modified_at"].to_physical().to_list() == [min(seconds * 10**6, bound)]
        assert as_rows([found.entry]).equals(share.listing())


def test_a_pattern_bounds_the_listing(tmp_path: Path) -> None:
    names = ["05.09.2023 0010_A_received.json", "05.09.2023 0019_B_received.json", "05.09.2023 0020_A.json"]
    for name in names:
        put(tmp_path, name)
    share = LocalFolder(tmp_path)
    found = share.entries(["05.09.2023 001?_*", "05.09.2023 0019_*"])
    assert [entry.name for entry in found] == names[:2]
    assert share.entries([]) == []


def test_only_accepted_files_are_read(tmp_path: Path) -> None:
    for name in ("a.json", "Thumbs.db"):
        put(tmp_path, name)
    source = FileSource(
        LocalFolder(tmp_path), lambda rows: rows.filter(pl.col("name").bin.ends_with(b".json"))
    )
    assert [p.entry.name for p in source.pull(NOTHING, 9).items] == ["a.json"]


def test_a_file_that_vanishes_between_listing_and_reading_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.json")
    put(tmp_path, "b.json")
    source = FileSource(LocalFolder(tmp_path))
    waiting = FilePosition(NOTHING_KNOWN, as_rows(source.folder.entries()))
    (tmp_path / "a.json").unlink()
    batch = source.pull(waiting, 9)
    assert [p.entry.name for p in batch.items] == ["b.json"]
    assert not batch.more


@pytest.mark.parametrize("content", [b"", b"1", b"12", b"1234", b"x" * 100_000])
def test_a_file_that_changed_after_the_listing_is_read_as_it_is(tmp_path: Path, content: bytes) -> None:
    listed = [put(tmp_path, "a.json", b"123")]
    (tmp_path / "a.json").write_bytes(content)
    (payload,) = LocalFolder(tmp_path).read(listed)
    assert (payload.entry, payload.content) == (listed[0], content)


def test_a_folder_in_a_file_s_place_is_passed_over(tmp_path: Path) -> None:
    listed = [put(tmp_path, "a.json"), put(tmp_path, "b.json")]
    (tmp_path / "a.json").unlink()
    (tmp_path / "a.json").mkdir()
    assert [payload.name for payload in LocalFolder(tmp_path).read(listed)] == ["b.json"]


@pytest.mark.rule(9)
def test_a_file_too_large_for_any_feed_is_listed_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MAX_FILE_BYTES", 10)
    put(tmp_path, "fits.json", b"x" * 10)
    put(tmp_path, "huge.json", b"x" * 11)
    source = FileSource(LocalFolder(tmp_path))
    assert [entry.name for entry in source.folder.entries()] == ["fits.json", "huge.json"]
    assert [p.entry.name for p in source.pull(NOTHING, 9).items] == ["fits.json"]


@pytest.mark.rule(9)
def test_a_name_that_is_no_utf8_stops_no_batch(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json")).write_bytes(b"1")
    put(tmp_path, "a.json")
    items = FileSource(LocalFolder(tmp_path)).pull(NOTHING, 9).items
    assert {os.fsencode(p.entry.name): p.content for p in items} == {
        b"a.json": b"{}",
        b"caf\xe9.json": b"1",
    }


def test_subfolders_pipes_and_dangling_links_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "sub.json").mkdir()
    put(tmp_path / "sub.json", "inner.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "gone.json")
    put(tmp_path, "a.json")
    assert [entry.name for entry in LocalFolder(tmp_path).entries()] == ["a.json"]


SECRET = b'{"api_token": "of somebody else"}'  # pragma: allowlist secret


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder of the feed, with a file beside it that only the account of the product should read."""
    (tmp_path / "secret.json").write_bytes(SECRET)
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


def link_to(target: str) -> Callable[[Path], None]:
    """A link in place of a file."""
    return lambda file: file.symlink_to(target)


def _link_by_a_link(file: Path) -> None:
    (file.parent / "step.json").symlink_to("../secret.json")
    file.symlink_to("step.json")


def _link_by_a_folder(file: Path) -> None:
    (file.parent / "up").symlink_to("..")
    file.symlink_to("up/secret.json")


def _link_to_an_open_file(file: Path) -> None:
    held = os.open(file.parent.parent / "secret.json", os.O_RDONLY)
    file.symlink_to(f"/proc/{os.getpid()}/fd/{held}")


LINKS = [
    link_to("../secret.json"),
    lambda file: file.symlink_to(file.parent.parent / "secret.json"),
    _link_by_a_link,
    _link_by_a_folder,
    _link_to_an_open_file,
    link_to("/etc/passwd"),
    link_to("/dev/zero"),
    link_to("."),
]


@pytest.mark.parametrize("make", LINKS)
def test_a_link_that_leads_out_is_neither_listed_nor_read(share: Path, make: Callable[[Path], None]) -> None:
    make(share / "a.json")
    plain = put(share, "b.json")
    folder = LocalFolder(share)
    assert folder.entries(["a.json", "b.json"]) == [plain]
    assert folder.refused == {LEADS_OUTSIDE: 1}
    forged = Entry("a.json", len(SECRET), plain.modified_at)
    assert [payload.name for payload in folder.read([forged, plain])] == ["b.json"]


def test_a_link_that_leads_out_is_followed_if_the_entry_says_so(share: Path) -> None:
    (share / "a.json").symlink_to("../secret.json")
    folder = LocalFolder(share, follow_links=True)
    assert [payload.content for payload in folder.read(folder.entries())] == [SECRET]
    assert folder.refused == {}


@pytest.mark.parametrize("target", ["b.json", "./b.json", "../share/b.json", "{share}/b.json"])
def test_a_link_to_a_file_of_the_same_folder_is_that_file(share: Path, target: str) -> None:
    put(share, "b.json", b"[1]")
    (share / "a.json").symlink_to(target.format(share=share))
    folder = LocalFolder(share)
    contents = {payload.name: payload.content for payload in folder.read(folder.entries())}
    assert contents == {"a.json": b"[1]", "b.json": b"[1]"}


def test_a_link_of_another_account_on_the_way_to_the_folder_is_refused(share: Path) -> None:
    """An account whose folder holds the feed's could lead us to any folder of the machine."""
    need_root()
    way = share.parent / "way"
    way.symlink_to(share.parent)
    put(share, "a.json")
    assert [entry.name for entry in LocalFolder(way / "share").entries()] == ["a.json"]
    entries = LocalFolder(share).entries()
    os.chown(way, 65534, 65534, follow_symlinks=False)
    with pytest.raises(SourceError, match=r"'way' on the way to the folder is a link of another account"):
        LocalFolder(way / "share").entries()
    with pytest.raises(SourceError):
        list(LocalFolder(way / "share").read(entries))
    assert LocalFolder(way / "share", follow_links=True).entries() == entries


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not there")
@pytest.mark.parametrize(("below", "names"), [("", "b.json"), ("share", "a.json")])
def test_a_folder_that_is_mounted_when_somebody_opens_it_is_listed(
    tmp_path: Path, below: str, names: str
) -> None:
    need_root()
    command = ["unshare", "-m", sys.executable, automount.__file__, str(tmp_path), str(tmp_path / below)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "no automounts here" in shown.stdout or "unshare failed" in shown.stderr:
        pytest.skip("this kernel or container lets nobody mount")
    assert (shown.stdout.strip(), shown.returncode) == (names, 0)


def test_each_folder_on_the_way_is_opened_for_real(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mere look (O_PATH) has no automount do anything."""
    put(share, "a.json")
    opened: list[str] = []
    real = os.open

    def opening(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        descriptor = real(path, flags, *rest, **more)
        if not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_PATH:
            opened.append(path)
        return descriptor

    monkeypatch.setattr(os, "open", opening)
    assert [entry.name for entry in LocalFolder(share).entries()] == ["a.json"]
    assert opened == [*share.parts[1:], "."]


def test_links_of_ours_are_followed_wherever_they_lead_and_a_circle_is_an_error(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(share, "a.json")
    (share.parent / "one").symlink_to(share)
    (share.parent / "two").symlink_to("./one/../share")
    monkeypatch.chdir(share.parent)
    for path in (Path("one"), Path("two"), share.parent / "two" / ".", Path("share/../two")):
        assert [entry.name for entry in LocalFolder(path).entries()] == ["a.json"]
    (share.parent / "circle").symlink_to("circle")
    with pytest.raises(SourceError, match="cannot be listed"):
        LocalFolder(share.parent / "circle").entries()


def _pipe_with_a_writer(file: Path) -> None:
    os.mkfifo(file)
    held = os.open(file, os.O_RDWR)
    os.write(held, b"{}")


def _socket(file: Path) -> None:
    here = os.open(file.parent, os.O_RDONLY)
    socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{here}/{file.name}")
    os.close(here)


def _endless(file: Path) -> None:
    with file.open("wb") as handle:
        handle.truncate(10**12)


ODD = [os.mkfifo, _pipe_with_a_writer, _socket, Path.mkdir, _endless, link_to("/dev/zero"), *LINKS]


@pytest.mark.parametrize("make", ODD)
def test_what_takes_a_files_place_after_the_listing_is_left_and_nobody_waits(
    share: Path, make: Callable[[Path], None]
) -> None:
    entries = [put(share, "a.json"), put(share, "b.json")]
    folder = LocalFolder(share)
    assert folder.entries() == entries
    (share / "a.json").unlink()
    make(share / "a.json")
    assert [payload.name for payload in folder.read(entries)] == ["b.json"]
    assert [entry.name for entry in folder.entries(["b.json"])] == ["b.json"]


@pytest.mark.parametrize("make", [os.mkfifo, _pipe_with_a_writer, _socket])
def test_pipes_and_sockets_are_counted(share: Path, make: Callable[[Path], None]) -> None:
    make(share / "a.json")
    folder = LocalFolder(share)
    assert folder.entries() == []
    assert folder.refused == {NO_FILE: 1}


def test_a_file_that_becomes_a_link_at_any_moment_never_brings_another_ones_bytes(share: Path) -> None:
    """Listed and read 3,000 times, while it changes as fast as it can."""
    (share / "plain").write_bytes(b"x" * len(SECRET))
    (share / "link").symlink_to("../secret.json")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("plain", "link"):
                with suppress(FileExistsError):
                    os.link(share / name, share / "next", follow_symlinks=False)
                (share / "next").replace(share / "a.json")
                (share / "next").unlink(missing_ok=True)

    swapping = threading.Thread(target=swap)
    swapping.start()
    folder, found, left = LocalFolder(share), set(), 0
    try:
        for _ in range(3_000):
            entries = folder.entries(["a.json"])
            left += folder.refused[LEADS_OUTSIDE]
            found |= {payload.content for payload in folder.read(entries)}
    finally:
        stop.set()
        swapping.join()
    assert found == {b"x" * len(SECRET)}
    assert left > 0


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_cannot_be_listed_says_so_in_one_line_with_the_remedy(
    tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "share"
    if kind == "file":
        place.touch()
    with pytest.raises(SourceError) as caught:
        LocalFolder(place).entries()
    message = str(caught.value)
    assert str(place) in message
    assert "sites.yaml" in message
    assert "\n" not in message


def test_names_of_a_listing_are_texts_but_for_those_that_are_none(tmp_path: Path) -> None:
    for name in ("a.json", "ü.json"):
        put(tmp_path, name)
    assert texts(LocalFolder(tmp_path).listing()["name"]).to_list() == ["a.json", "ü.json"]
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json")).write_bytes(b"1")
    assert texts(LocalFolder(tmp_path).listing()["name"]).to_list() == ["a.json", None, "ü.json"]
