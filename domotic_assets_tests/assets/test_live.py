"""`domotic live` as a newcomer starts it: on a lake that is not there yet, wherever that lies."""

import time
from pathlib import Path

import pytest

from domotic_assets.flow.live import is_kept_live
from domotic_assets.operate import people
from domotic_assets.serve.publish import published_scopes
from domotic_assets_tests.drills import running
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.admin_file import publish_admin
from domotic_assets_tests.support.lakes import open_lake
from domotic_assets_tests.support.pages import Pages

pytestmark = pytest.mark.untraced

PARTS = {running.FEED_SERVER, running.MODELS_SERVER, running.DAEMON, running.PAGES, running.SUPERVISOR}
LOADED = "{workspaceOrError{... on Workspace{locationEntries{name locationOrLoadError{__typename}}}}}"


def locations(pages: Pages) -> dict[str, str]:
    """What the pages say of each code server."""
    entries = pages.ask(LOADED)["workspaceOrError"]["locationEntries"]
    return {found["name"]: (found["locationOrLoadError"] or {}).get("__typename") for found in entries}


def test_it_works_on_a_new_lake_in_a_deep_folder_with_spaces_and_umlauts(tmp_path: Path) -> None:
    """No database of Dagster's is there yet, and no socket could lie there."""
    lake = tmp_path / "our lake, größer" / ("deep " * 20).strip()
    assert len(bytes(lake)) > 107
    sites = builders.write_sites(tmp_path)
    publish_admin(lake / "serve", "another definition, so that no run builds people's files")
    people.publish_scopes(open_lake(sites, lake))
    with running.running(sites, lake, simulate=False) as live:
        deadline = time.monotonic() + 60
        pages = live.pages()
        while locations(pages) != {"feed": "RepositoryLocation", "models": "RepositoryLocation"}:
            assert time.monotonic() < deadline, locations(pages)
            time.sleep(0.5)
        assert {process.part for process in live.processes()} >= PARTS
        assert is_kept_live(live.home)
        assert published_scopes(lake / "serve") == {"admin", "u-1001", "u-1002"}
        builders.write_sites(
            tmp_path, builders.REGISTRY.replace("u-1002, role: owner", "u-1003, role: owner")
        )
        deadline = time.monotonic() + 60
        while "u-1002" in published_scopes(lake / "serve"):
            assert time.monotonic() < deadline, "what is withdrawn goes within a minute"
            time.sleep(0.5)
        said = live.log.read_text()
    assert "starting it again" not in said
    assert not is_kept_live(live.home)
