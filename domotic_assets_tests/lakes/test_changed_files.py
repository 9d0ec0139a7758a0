"""A published file that somebody changed, and what lies beside it, is no source of the next one."""

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from domotic_assets.errors import LakeError
from domotic_assets.serve import publish, refresh
from domotic_assets_tests.lakes.test_refresh import DEFINITION, Gold, contents
from domotic_assets_tests.support.published import leave_log

FORGED = "UPDATE gold.fact_energy_minute SET energy_kwh = 666.0"


@pytest.fixture
def place(tmp_path: Path) -> Gold:
    gold = Gold(tmp_path)
    publish.swap_in(gold.built("first"), gold.serve)
    for minute in (1500, 1501):
        gold.energy(minute)
        gold.publish_present()
    return gold


def published(place: Gold) -> Path:
    return publish.published_file(place.serve)


def change_a_value(place: Gold) -> None:
    with duckdb.connect(str(published(place))) as connection:
        connection.execute(FORGED)


def change_a_value_and_set_its_time_back(place: Gold) -> None:
    before = published(place).stat()
    change_a_value(place)
    os.utime(published(place), ns=(before.st_atime_ns, before.st_mtime_ns))


def leave_a_log_beside_it(place: Gold) -> None:
    """Die with a change that is only in the log: DuckDB replays it into whatever has the name."""
    leave_log(published(place), FORGED)
    assert published(place).with_name("domotic-admin.duckdb.wal").stat().st_size > 0


def put_another_file_in_its_place(place: Gold) -> None:
    """As if somebody had mixed up two people's files, or brought an old one back."""
    other = place.serve / "other.duckdb"
    shutil.copyfile(published(place), other)
    with duckdb.connect(str(other)) as connection:
        connection.execute(FORGED)
    other.replace(published(place))


def put_a_link_in_its_place(place: Gold) -> None:
    other = place.serve.parent / "elsewhere.duckdb"
    shutil.copyfile(published(place), other)
    with duckdb.connect(str(other)) as connection:
        connection.execute(FORGED)
    published(place).unlink()
    published(place).symlink_to(other)


def cut_it_short(place: Gold) -> None:
    os.truncate(published(place), published(place).stat().st_size // 2)


def remove_it(place: Gold) -> None:
    published(place).unlink()


def change_it_through_an_older_name(place: Gold) -> None:
    newest = max(place.serve.glob("domotic-admin-0*.duckdb"))
    with duckdb.connect(str(newest)) as connection:
        connection.execute(FORGED)


ATTACKS = [
    change_a_value,
    change_a_value_and_set_its_time_back,
    leave_a_log_beside_it,
    put_another_file_in_its_place,
    put_a_link_in_its_place,
    cut_it_short,
    remove_it,
    change_it_through_an_older_name,
]


def assert_of_gold_alone(place: Gold) -> None:
    """The published file holds what one that is built from nothing does, and nothing lies beside it."""
    assert contents(published(place)) == contents(place.built("oracle"))
    assert not published(place).is_symlink()
    assert [path.name for path in place.serve.iterdir() if ".duckdb." in path.name] == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_next_minute_takes_nothing_of_it_over(place: Gold, attack: Callable[[Gold], None]) -> None:
    """Both files that versions are made from by turns are clean, whichever comes next."""
    attack(place)
    for minute in (1502, 1503):
        place.energy(minute)
        assert place.publish_present() is not None
        assert_of_gold_alone(place)


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_replaced_though_nothing_is_new(place: Gold, attack: Callable[[Gold], None]) -> None:
    attack(place)
    assert place.publish_present() is not None
    assert_of_gold_alone(place)


@pytest.mark.parametrize("attack", [change_a_value, leave_a_log_beside_it])
def test_a_file_built_from_nothing_takes_nothing_of_it_over(
    place: Gold, attack: Callable[[Gold], None]
) -> None:
    built = place.built("marts")
    attack(place)
    assert place.publish_present(built=built) is not None
    assert_of_gold_alone(place)
    place.energy(1502)
    assert place.publish_present() is not None
    assert_of_gold_alone(place)


def test_a_file_that_nobody_touched_is_not_published_again(place: Gold) -> None:
    version = max(place.serve.glob("domotic-admin-0*.duckdb"))
    with duckdb.connect(str(published(place)), read_only=True) as reader:
        reader.execute("SELECT count(*) FROM gold.fact_energy_minute").fetchall()
    # Rights that somebody gives, and a backup's link, change no byte.
    published(place).chmod(0o640)
    (place.serve.parent / "backup").hardlink_to(published(place))
    place.publish_present()
    assert max(place.serve.glob("domotic-admin-0*.duckdb")) == version


def _spoil_the_base(place: Gold) -> None:
    with duckdb.connect(str(publish.source_file(place.serve))) as connection:
        connection.execute(FORGED)


def _spoil_the_base_and_set_its_time_back(place: Gold) -> None:
    source = publish.source_file(place.serve)
    before = source.stat()
    _spoil_the_base(place)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def _leave_a_log_beside_the_base(place: Gold) -> None:
    leave_log(publish.source_file(place.serve), FORGED)


def _open_the_folder_to_others(place: Gold) -> None:
    publish.source_file(place.serve).parent.chmod(0o755)


def _put_a_link_for_the_folder(place: Gold) -> None:
    folder = publish.source_file(place.serve).parent
    folder.rename(place.serve.parent / "mine")
    folder.symlink_to(place.serve.parent / "mine")


def _nest_the_record(place: Gold) -> None:
    """Deeper than Python's parser can follow."""
    (publish.source_file(place.serve).parent / "record.json").write_text("[" * 200_000)


def _remove_the_record(place: Gold) -> None:
    (publish.source_file(place.serve).parent / "record.json").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        _spoil_the_base,
        _spoil_the_base_and_set_its_time_back,
        _leave_a_log_beside_the_base,
        _open_the_folder_to_others,
        _put_a_link_for_the_folder,
        _remove_the_record,
        _nest_the_record,
    ],
)
def test_a_base_that_is_not_proved_is_no_source_either(place: Gold, spoil: Callable[[Gold], None]) -> None:
    spoil(place)
    assert not publish.source_file(place.serve).exists()
    assert place.publish_present() is None
    if spoil is _put_a_link_for_the_folder:
        publish.source_file(place.serve).parent.unlink()
    publish.swap_in(place.built("anew"), place.serve)
    assert_of_gold_alone(place)
    assert publish.is_of(publish.source_file(place.serve), DEFINITION)


def test_a_version_that_somebody_still_reads_is_not_changed_under_them(place: Gold) -> None:
    """People's files and the database read the base while newer versions are made of the one before."""
    question = "SELECT count(*), sum(energy_kwh) FROM gold.fact_energy_minute"
    with duckdb.connect(str(publish.source_file(place.serve)), read_only=True) as reader:
        before = reader.execute(question).fetchall()
        for minute in range(1502, 1507):
            place.energy(minute)
            place.publish_present()
            assert_of_gold_alone(place)
        assert reader.execute(question).fetchall() == before


def test_a_log_beside_the_name_of_a_version_to_come_goes(place: Gold) -> None:
    """Made for a file of the same content, it would be replayed by whoever opens that version."""
    log = published(place).with_name("domotic-admin.duckdb.wal")
    leave_log(published(place), FORGED)
    newest = int(max(place.serve.glob("domotic-admin-0*.duckdb")).stem[-6:])
    planted = place.serve / f"domotic-admin-{newest + 1:06d}.duckdb.wal"
    log.rename(planted)
    place.energy(1502)
    assert place.publish_present() is not None
    assert not planted.exists()
    assert_of_gold_alone(place)


def test_of_what_lies_beside_only_that_of_duckdb_goes(place: Gold) -> None:
    stable = published(place)
    own = [stable.with_name(f"{stable.name}.bak"), stable.with_name(f"{stable.name}.old") / "kept"]
    made = [
        stable.with_name(f"{stable.name}.{ending}") for ending in ("wal", "wal.checkpoint", "wal.recovery")
    ]
    own[1].parent.mkdir()
    for file in (*own, *made):
        file.write_bytes(b"x")
    spill = stable.with_name(f"{stable.name}.tmp")
    spill.mkdir()
    assert not publish.is_untouched(place.serve)
    place.energy(1502)
    place.publish_present()
    assert [file.exists() for file in (*made, spill)] == [False] * 4
    assert [file.read_bytes() for file in own] == [b"x"] * 2
    assert publish.is_untouched(place.serve), "what is not for DuckDB changes nothing"


def test_a_byte_in_a_persons_file_counts_whatever_its_times_say(place: Gold) -> None:
    built = publish.clear_staging(place.serve, "scopes", "u-1")
    shutil.copyfile(published(place), built)
    publish.swap_in(built, place.serve)
    file = publish.published_file(place.serve, "u-1")
    before = file.stat()
    file.chmod(0o640)
    assert publish.is_untouched(place.serve, "u-1"), "rights that somebody gives"
    with file.open("r+b") as handle:
        handle.seek(20_000)
        handle.write(b"\x55" * 64)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not publish.is_untouched(place.serve, "u-1")


@pytest.mark.parametrize(("module", "step"), [(refresh, "bring_up"), (publish, "_swap")])
def test_a_full_disk_is_told_in_one_line_whichever_write_fills_it(
    place: Gold, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    """The system takes no byte of a file beyond a limit: in the commit, in the checkpoint, in the copy."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    do, size = getattr(module, step), published(place).stat().st_size
    limits = iter((0, 100, 4096, size // 2, size - 4096, size))
    told: list[str] = []

    def on_a_full_disk(*arguments: Any, **named: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (next(limits), unlimited[1]))
        try:
            return do(*arguments, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

    for last in range(1510, 1516):
        place.energy(*range(1502, last))
        with monkeypatch.context() as patch:
            patch.setattr(module, step, on_a_full_disk)
            try:
                place.publish_present()
            except LakeError as error:
                told.append(str(error))
    assert len(told) > 1
    assert all("cannot be written" in line and "\n" not in line for line in told)
    if place.publish_present() is None:
        publish.swap_in(place.built("anew"), place.serve)
    assert_of_gold_alone(place)
