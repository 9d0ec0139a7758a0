"""Publishing to a real PostgreSQL for two homes and seven people: all, a day more, a day corrected."""

# ruff: noqa: S608 (statements of constants)

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb

from domotic_assets.orchestration.build import build
from domotic_assets.schemas import gold
from domotic_assets.serve import base, publish
from domotic_assets.serve.people.scopes import Scope, scopes_of
from domotic_assets.serve.postgres.publication import publish_to, remove
from domotic_assets_tests.assets import test_scopes
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import REPEATS, wall_of
from domotic_assets_tests.services.postgres import PostgresServer, postgres
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.lakes import open_lake

DAYS = 14
LAST_DAY = 20230917
PEOPLE = test_scopes.PEOPLE.replace("2023-09-15", "2023-09-11")


def run(place: Path) -> list[Figure]:
    """Seconds on the wall, medians of REPEATS, each with the rows that it copied."""
    feed = samples.simulated(place, DAYS * 1440)
    work = open_lake(feed.sites_file, place / "lake")
    build(work)
    files = _files(publish.published_file(work.serve), place / "published")
    scopes = scopes_of(builders.registry(builders.REGISTRY.partition("people:")[0] + PEOPLE))
    with postgres(place / "postgres") as server:
        rounds = [_round(server, files, scopes) for _ in range(REPEATS)]
    seconds = {name: median(one[name] for one in rounds) for name in rounds[0]}
    return [Figure("publishing", name, value, "s") for name, value in seconds.items()]


def _files(whole: Path, place: Path) -> dict[str, Path]:
    """Folders with the admin's file as it is, without its last day, and with that day corrected."""
    last = f"{LAST_DAY // 10_000}-{LAST_DAY // 100 % 100:02d}-{LAST_DAY % 100:02d}"
    names = [table.name for table in gold.MINUTE_FACTS]
    without = [f"DELETE FROM gold.{name} WHERE datetime_key // 10000 = {LAST_DAY}" for name in names]
    without += [f"DELETE FROM meta.parts WHERE table_name = '{name}' AND part = '{last}'" for name in names]
    corrected = [
        f"UPDATE gold.fact_energy_minute SET power_w = power_w + 1 WHERE datetime_key // 10000 = {LAST_DAY}",
        "UPDATE meta.parts SET file = file || '2' "
        f"WHERE table_name = 'fact_energy_minute' AND part = '{last}'",
    ]
    changes = {"before": without, "whole": [], "corrected": corrected}
    found = {}
    for number, (name, statements) in enumerate(changes.items()):
        file = publish.published_file(place / name)
        file.parent.mkdir(parents=True)
        shutil.copyfile(whole, file)
        with duckdb.connect(str(file)) as connection:
            for statement in [*statements, f"UPDATE meta.published SET delta_version = {number}"]:
                connection.execute(statement)
        base.keep(file.parent, file, file.name, follows=False)
        found[name] = file.parent
    return found


def _round(server: PostgresServer, files: dict[str, Path], scopes: tuple[Scope, ...]) -> dict[str, float]:
    """Seconds of each publication, from an empty server on."""
    remove(server.target)

    def publishing(name: str) -> Callable[[], object]:
        return lambda: publish_to(server.target, files[name], scopes)

    return {
        f"all of {DAYS - 1} days, two homes, seven people": wall_of(publishing("before")),
        "the day that has come": wall_of(publishing("whole")),
        "a day's energy corrected": wall_of(publishing("corrected")),
    }
