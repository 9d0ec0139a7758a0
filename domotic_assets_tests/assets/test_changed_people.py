"""People's files are made of the base alone, and one that somebody changed is made again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from domotic_assets.serve import base, publish
from domotic_assets.serve.people import files as people_files
from domotic_assets_tests.assets.test_scopes import person
from domotic_assets_tests.support.admin_file import publish_admin
from domotic_assets_tests.support.published import leave_log

FORGED = "UPDATE gold.fact_environment_minute SET temperature_c = 666.0"
USER, OTHER = "u-new", "u-moved-in"
SCOPES = (person(USER), person(OTHER))


@pytest.fixture
def serve(tmp_path: Path) -> Path:
    """The admin's file of two homes, and the files of people."""
    publish_admin(tmp_path / "serve", "as written")
    people_files.publish_scopes(tmp_path / "serve", SCOPES)
    return tmp_path / "serve"


def contents(serve: Path) -> dict[tuple[str, str], Any]:
    """Every row of every table of every person's file."""
    found = {}
    for user in (USER, OTHER):
        with duckdb.connect(str(publish.published_file(serve, user)), read_only=True) as connection:
            tables = connection.execute(
                "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name <> 'meta'"
            ).fetchall()
            for [name] in tables:
                found[user, name] = connection.execute(f"FROM {name} ORDER BY ALL").fetchall()
    return found


def _change(file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(FORGED)


def _leave_a_log(file: Path) -> None:
    leave_log(file, FORGED)


def _put_anothers_in_its_place(file: Path) -> None:
    shutil.copyfile(publish.published_file(file.parent, OTHER), file)


def _link_to_anothers(file: Path) -> None:
    file.unlink()
    file.symlink_to(publish.published_file(file.parent, OTHER).name)


@pytest.mark.parametrize("attack", [_change, _leave_a_log])
def test_they_take_nothing_over_from_a_changed_admins_file(
    serve: Path, attack: Callable[[Path], None]
) -> None:
    clean = contents(serve)
    attack(publish.published_file(serve))
    for user in (USER, OTHER):
        publish.remove_scope(serve, user)
    people_files.publish_scopes(serve, SCOPES)
    assert contents(serve) == clean


@pytest.mark.parametrize("attack", [_change, _leave_a_log, _put_anothers_in_its_place, _link_to_anothers])
def test_a_persons_file_that_somebody_changed_is_told_and_made_again(
    serve: Path, attack: Callable[[Path], None]
) -> None:
    clean = contents(serve)
    file = publish.published_file(serve, USER)
    attack(file)
    assert base.changed_files(serve) == [file.name]
    assert not people_files.are_current(serve, SCOPES)
    assert [made.name for made in people_files.publish_scopes(serve, SCOPES).built] == [
        f"domotic-{USER}-000002.duckdb"
    ]
    assert contents(serve) == clean
    assert base.changed_files(serve) == []
    assert [name for name, _ in base.read_record(serve).told] == [file.name]
    assert people_files.are_current(serve, SCOPES)
