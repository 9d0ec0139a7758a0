"""Which folders an installation closes, and which it leaves though they are named as one."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from domotic_assets.cli.ask import query
from domotic_assets.errors import LakeError
from domotic_assets.flow.closing import close_installation, opened_to_others
from domotic_assets.settings import Settings
from domotic_assets_tests.support.other_account import UID, need_root


def folder(path: Path, mode: int = 0o755) -> Path:
    path.mkdir(parents=True)
    path.chmod(mode)
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def settings(tmp_path: Path, lake: Path | str, **variables: Path) -> Settings:
    return Settings.of(tmp_path / "sites.yaml", str(lake), {name: str(of) for name, of in variables.items()})


@pytest.mark.parametrize("inside", [[], ["public_html", "bronze", "dagster", "serve"]])
def test_what_is_no_lake_is_left_by_a_command_that_reads(tmp_path: Path, inside: list[str]) -> None:
    named = folder(tmp_path / "srv", 0o777)
    within = [folder(named / name) for name in inside]
    assert CliRunner().invoke(query, ["--lake", str(named), "SELECT 1"]).exit_code != 0
    assert mode(named) == 0o777
    assert {mode(path) for path in within} <= {0o755}
    assert opened_to_others(settings(tmp_path, named)) == []


def test_what_all_share_is_refused(tmp_path: Path) -> None:
    shared = folder(tmp_path / "tmp", 0o1777)
    result = CliRunner().invoke(query, ["--lake", str(shared), "SELECT 1"])
    assert isinstance(result.exception, LakeError)
    assert "\n" not in str(result.exception)
    assert mode(shared) == 0o1777


@pytest.mark.parametrize("sign", ["bronze/sensor_files/_delta_log", "dagster/lane.lock", "serve/.base"])
def test_a_lake_is_known_by_what_we_wrote(tmp_path: Path, sign: str) -> None:
    lake = folder(tmp_path / "lake")
    folder(lake / sign)
    other = folder(lake / "public_html")
    assert opened_to_others(settings(tmp_path, lake)) != []
    close_installation(settings(tmp_path, lake))
    assert (mode(lake), mode(lake / sign), mode(other)) == (0o700, 0o700, 0o755)


def test_other_projects_in_dagster_home_and_pages_beside_published_files_stay(tmp_path: Path) -> None:
    home, serve = folder(tmp_path / "home"), folder(tmp_path / "www")
    close = settings(tmp_path, "s3://lake", DAGSTER_HOME=home, DOMOTIC_SERVE=serve)
    others = [folder(home / "other_project"), folder(serve / "pages")]
    close_installation(close)
    assert [mode(path) for path in (home, serve, *others)] == [0o755] * 4
    ours = [folder(home / "sign_in"), folder(serve / ".base")]
    (home / "lane.lock").touch()
    close_installation(close)
    assert [mode(path) for path in (home, serve, *ours)] == [0o700] * 4
    assert [mode(path) for path in others] == [0o755] * 2


def test_a_link_in_a_lake_that_another_account_set_is_not_followed(tmp_path: Path) -> None:
    need_root()
    lake, target = folder(tmp_path / "lake"), folder(tmp_path / "public_html")
    folder(lake / "dagster")
    (lake / "dagster" / "lane.lock").touch()
    (lake / "bronze").symlink_to(target)
    os.chown(lake / "bronze", UID, UID, follow_symlinks=False)
    close_installation(settings(tmp_path, lake))
    assert (mode(lake), mode(target)) == (0o700, 0o755)
