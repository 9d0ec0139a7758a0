"""The twenty questions over psqlODBC: the answers are those of DuckDB, for admin, owner and renter.

A simulated day and a half in November, built by the real pipeline and published into both. At the end a home
is forgotten, and what the server keeps in its files is searched.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from domotic_assets.flow.workspace import Workspace
from domotic_assets.operate import team_database
from domotic_assets.operate.forget import forget
from domotic_assets.orchestration.build import build, publish_from_nothing
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve import publish
from domotic_assets.serve.postgres.roles import role_of
from domotic_assets.settings import Settings
from domotic_assets.simulator.run import Folders, Simulation, write_history
from domotic_assets_tests.services.postgres import PUBLISHER, PostgresServer, postgres
from domotic_assets_tests.support import builders
from domotic_assets_tests.support.questions import Question, questions

pytestmark = pytest.mark.untraced

START = datetime(2023, 11, 5, 22, tzinfo=UTC)
MINUTES = 30 * 60
PEOPLE = """\
people:
  - {user: u-admin, role: admin}
  - {user: u-owner, role: owner, homes: [jimmy], lives_there: true}
  - {user: u-landlord, role: owner, homes: [jeremie]}
  - {user: u-renter, role: renter, homes: [jeremie], from: 2023-01-01}
"""
SCOPES = {"admin": "admin", "owner": "u-owner", "landlord": "u-landlord", "renter": "u-renter"}
REFUSED_TO_LANDLORDS = {1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 20}

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, server: PostgresServer) -> Workspace:
    """The lake, its files, and the server, filled by one build."""
    opened = _opened(tmp_path_factory.mktemp("installation"), server, builders.REGISTRY)
    simulation = Simulation(opened.registry, START, seed=4, defects={}, weather_sites=1)
    write_history(simulation, Folders.below(opened.settings.sites_file.parent), MINUTES)
    build(opened)
    for user in SCOPES.values():
        server.let_in(role_of(user))
    return opened


def _opened(folder: Path, server: PostgresServer, registry: str) -> Workspace:
    credentials = "user_env: PG_USER, password_env: PG_PASSWORD"
    entry = f"postgresql: {{address: '{server.address}', {credentials}, ca_file: '{server.ca_file}'}}\n"
    builders.write_sites(folder, registry.partition("people:")[0] + entry + PEOPLE)
    environment = {"PG_USER": PUBLISHER, "PG_PASSWORD": server.password}
    return Workspace.open(Settings.of(folder / "sites.yaml", str(folder / "lake"), environment))


def in_duckdb(file: Path, question: Question) -> Rows | None:
    """The answer of a published file; None where it has no such table."""
    with duckdb.connect(str(file), read_only=True) as connection:
        try:
            return connection.execute(question.sql).fetchall()
        except duckdb.CatalogException:
            return None


def over_odbc(server: PostgresServer, role: str, question: Question) -> Rows | None:
    """The server's answer; None where the role may not read a table."""
    try:
        return server.ask_odbc(role, question.sql)
    except PermissionError:
        return None


def alike(one: Any, other: Any) -> bool:
    """The same value, whatever number a driver makes of it."""
    if isinstance(one, float | Decimal) or isinstance(other, float | Decimal):
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def test_there_are_twenty_questions_and_the_admins_file_answers_each(work: Workspace) -> None:
    file = publish.published_file(work.serve)
    answers = {question.number: in_duckdb(file, question) for question in questions()}
    assert list(answers) == list(range(1, 21))
    assert [number for number, rows in answers.items() if not rows] == []


@pytest.mark.parametrize("who", SCOPES)
@pytest.mark.parametrize("question", questions(), ids=lambda question: f"{question.number}")
def test_the_answer_over_odbc_is_that_of_duckdb(
    work: Workspace, server: PostgresServer, who: str, question: Question
) -> None:
    expected = in_duckdb(publish.published_file(work.serve, SCOPES[who]), question)
    found = over_odbc(server, role_of(SCOPES[who]), question)
    assert (expected is None) == (who == "landlord" and question.number in REFUSED_TO_LANDLORDS)
    if expected is None or found is None:
        assert expected is found is None
        return
    assert len(found) == len(expected)
    for seen, said in zip(found, expected, strict=True):
        assert all(map(alike, seen, said)), (seen, said)


def test_forget_leaves_nothing_of_the_home_in_postgresql(work: Workspace, server: PostgresServer) -> None:
    """Searched as tables, and as the server's own files; found there before, so that it would be found."""
    home, key = "jimmy", surrogate_key("jimmy")
    server.root("ANALYZE", "CHECKPOINT")
    assert told_of(server, home, key) >= {"a table", "a file", "statistics"}
    folder = work.settings.sites_file.parent
    unnamed = builders.REGISTRY[: builders.REGISTRY.index("  - id: jimmy")] + builders.REGISTRY[
        builders.REGISTRY.index("  - id: jeremie") :
    ].replace("    rooms: *rooms\n", f"    rooms:\n{builders.ROOMS}")
    people = PEOPLE.replace("  - {user: u-owner, role: owner, homes: [jimmy], lives_there: true}\n", "")
    sites = work.settings.sites_file
    sites.write_text(unnamed.partition("people:")[0] + _entry(sites) + people, encoding="utf-8")
    opened = Workspace.open(work.settings)
    forget(opened, home, publish_from_nothing, folder / "receipt.json")
    server.root("CHECKPOINT")
    assert told_of(server, home, key) == set()
    assert not team_database.database_is_behind(opened)
    others = server.ask(role_of("admin"), "SELECT DISTINCT apartment_id FROM marts.mart_energy_daily")
    assert others == [("jeremie",)]


def _entry(sites: Path) -> str:
    [line] = [
        line for line in sites.read_text(encoding="utf-8").splitlines() if line.startswith("postgresql:")
    ]
    return line + "\n"


def told_of(server: PostgresServer, home: str, key: int) -> set[str]:
    """Where the server says anything of a home: rows of any table, statistics, bytes of its files."""
    found = set()
    databases = server.root("SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1'")
    for (database,) in databases:
        found |= told_in(server, database, home, key)
    raw = (home.encode(), key.to_bytes(8, "little"))
    if any(word in file.read_bytes() for file in server.files() for word in raw):
        found.add("a file")
    return found


def told_in(server: PostgresServer, database: str, home: str, key: int) -> set[str]:
    """Where one database says anything of a home: rows of any table, statistics."""
    found = set()
    said = f"r::text LIKE '%{home}%' OR r::text LIKE '%{key}%'"
    relations = server.root(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname <> 'information_schema'",
        database=database,
    )
    for (relation,) in relations:
        if relation == "pg_catalog.pg_statistic":
            continue
        if server.root(f"SELECT 1 FROM {relation} AS r WHERE {said} LIMIT 1", database=database):  # noqa: S608
            found.add("a table")
    if server.root(f"SELECT 1 FROM pg_stats AS r WHERE {said}", database=database):  # noqa: S608
        found.add("statistics")
    return found
