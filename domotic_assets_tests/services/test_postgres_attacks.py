"""Attacks of a reader on a real PostgreSQL: on rows of others, and on what must happen in spite of readers.

The attacker is `u-new`, a renter in `jeremie`, with everything that a role may do; `jimmy` is the other home.
"""

# ruff: noqa: S608 (what an attacker sends is no page's)

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domotic_assets.errors import PublishError
from domotic_assets.flow.workspace import DBT_PROJECT
from domotic_assets.schemas.table import surrogate_key
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets.serve.postgres import server as server_module
from domotic_assets.serve.postgres import sessions
from domotic_assets.serve.postgres.guard import guard
from domotic_assets.serve.postgres.publication import is_behind, publish_to, remove
from domotic_assets_tests.assets.test_scopes import ask, change, people
from domotic_assets_tests.services.postgres import PostgresServer, database_of, postgres
from domotic_assets_tests.support.admin_file import publish_admin
from domotic_assets_tests.support.published import put_in

pytestmark = pytest.mark.untraced

PEOPLE = """\
people:
  - {user: u-admin, role: admin}
  - {user: u-new, role: renter, homes: [jeremie], from: 2023-09-15}
  - {user: u-moved-in, role: renter, homes: [jimmy], from: 2023-09-15}
"""
ROLE, USER = "domotic_u-new", "u-new"
ROLES = ("domotic_admin", ROLE, "domotic_u-moved-in")
SCOPES = people(PEOPLE)
WITHOUT = people("".join(line for line in PEOPLE.splitlines(keepends=True) if f"{USER}," not in line))
OFFICE, OWN_OFFICE = surrogate_key("jimmy/office"), surrogate_key("jeremie/office")
PLUG, OWN_PLUG = surrogate_key("jimmy/office/plugs/1"), surrogate_key("jeremie/office/plugs/1")
SECONDS = 40
"""How long a publication may take here, whatever readers do: it takes two to six, on a busy machine more."""

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the admin's file of both homes."""
    return publish_admin(tmp_path_factory.mktemp("lake") / "serve", fingerprint_of(DBT_PROJECT)).parent


@pytest.fixture(scope="module")
def let_in(server: PostgresServer, serve: Path) -> PostgresServer:
    """The server with everybody let in, and its statistics as autovacuum would collect them."""
    publish_to(server.target, serve, SCOPES)
    # As where the administrator did without the template: an admin may take any advisory lock.
    server.root("GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO PUBLIC")
    for role in ROLES:
        server.let_in(role)
        server.root("VACUUM ANALYZE", database=database_of(role))
    return server


@pytest.fixture
def filled(let_in: PostgresServer, serve: Path) -> Iterator[PostgresServer]:
    """The same, put back afterwards."""
    yield let_in
    publish_to(let_in.target, serve, SCOPES)
    let_in.let_in(ROLE)


@contextmanager
def attacking(server: PostgresServer, role: str = ROLE, **options: Any) -> Iterator[Connection]:
    """A session of an attacker, whose end is no matter."""
    connection = server.connect(role, **options)
    try:
        yield connection
    finally:
        connection.close()


def plan(connection: Connection, options: str, query: str) -> str:
    """The plan of a query and what running it told, without its constants."""
    try:
        lines = connection.execute(f"EXPLAIN ({options}) {query}").fetchall()
    except psycopg.Error as error:
        return str(error)
    return re.sub(r"\b\d{6,}\b|'[^']*'|(?<=> )-?[\d.]+", "?", "\n".join(line for (line,) in lines))


def outcome(connection: Connection, query: str) -> str:
    """The rows of a query, or the error."""
    try:
        return repr(connection.execute(query).fetchall())
    except psycopg.Error as error:
        return str(error)


RAN = "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF"
READ = "ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF"
AT = "datetime_key = {minute} AND room_key = {room} AND presence_flag"
POWER_AT = "datetime_key = 202309142306 AND device_key = {}"
PRESENCE = "FROM fact_presence_minute WHERE " + AT
ORACLES = {
    "never executed": (RAN, f"SELECT 1 {PRESENCE}"),
    "rows removed": (RAN, f"SELECT count(*) {PRESENCE}"),
    "buffers": (READ, f"SELECT count(*) {PRESENCE}"),
    "a lazy sub-select": (
        RAN,
        f"SELECT CASE WHEN EXISTS (SELECT {PRESENCE}) THEN (SELECT max(version()) FROM dim_date) END",
    ),
}
"""Questions whose plan depends on whether somebody was in a room at a minute, if the row can be reached."""


def force(connection: Connection, refused: str) -> None:
    """Make plans without sequential scans, or without indexes."""
    connection.execute("RESET ALL")
    connection.execute(f"SET enable_{refused} = off")
    if refused == "indexscan":
        connection.execute("SET enable_bitmapscan = off")


def presence_told(connection: Connection, options: str, query: str, room: int) -> bool:
    """Whether plans differ between minutes with and without presence in a room, by the simulated rows.

    Of every second run, as the first may read what the next finds in memory.
    """
    seen = {True: set[str](), False: set[str]()}
    for number in range(180, 192):
        hour, minute = divmod(20 * 60 + number, 60)
        text = query.format(minute=f"20230914{hour:02d}{minute:02d}", room=room)
        plan(connection, options, text)
        seen[number % 3 == 0].add(plan(connection, options, text))
    return seen[True] != seen[False]


def bisected(connection: Connection, device: int) -> float:
    """The power of a device at a minute, by plans alone; 0 if they tell nothing."""
    low, high = 0.0, 1000.0
    query = "SELECT 1 FROM gold.fact_energy_minute WHERE " + POWER_AT + " AND power_w > {}"
    never = plan(connection, RAN, query.format(device, 1e9))
    for _ in range(22):
        middle = (low + high) / 2
        if plan(connection, RAN, query.format(device, middle)) != never:
            low = middle
        else:
            high = middle
    return low


class TestOracles:
    @pytest.mark.parametrize("oracle", ORACLES)
    def test_no_plan_tells_of_another_home(self, filled: PostgresServer, oracle: str) -> None:
        with filled.connect(ROLE) as connection:
            for refused in ("seqscan", "indexscan"):
                force(connection, refused)
                assert not presence_told(connection, *ORACLES[oracle], OFFICE)

    def test_the_same_plans_tell_of_rows_that_the_reader_has(self, filled: PostgresServer) -> None:
        with filled.connect(ROLE) as connection:
            told = {
                name for name, oracle in ORACLES.items() if presence_told(connection, *oracle, OWN_OFFICE)
            }
        assert told == ORACLES.keys()

    def test_no_power_can_be_found_by_bisection(self, filled: PostgresServer, serve: Path) -> None:
        power = "SELECT power_w FROM gold.fact_energy_minute WHERE " + POWER_AT
        [(own,)] = ask(publish.published_file(serve), power.format(OWN_PLUG))
        with filled.connect(ROLE) as connection:
            assert bisected(connection, OWN_PLUG) == pytest.approx(own, abs=0.01)
            assert bisected(connection, PLUG) == 0

    @pytest.mark.parametrize(
        ("options", "query", "foreign", "own"),
        [
            (READ, "SELECT 1 FROM dim_room WHERE room_key = {}", OFFICE, OWN_OFFICE),
            (READ, "SELECT 1 FROM dim_device WHERE device_key = {}", PLUG, OWN_PLUG),
            (RAN, "SELECT 1 FROM dim_apartment WHERE apartment_key = {}", surrogate_key("jimmy"),
             surrogate_key("jeremie")),
            (RAN, "SELECT 1 FROM mart_energy_daily WHERE device_id = {} AND minutes < (SELECT count(*) FROM "
             "dim_datetime)", "'jimmy/office/plugs/1'", "'jeremie/office/plugs/1'"),
            (RAN, "SELECT 1 FROM mart_energy_daily WHERE device_id = {} AND energy_kwh > 0",
             "'jimmy/office/plugs/1'", "'jeremie/office/plugs/1'"),
            (RAN, "SELECT (SELECT 1 FROM dim_date LIMIT 1) FROM mart_occupancy_hourly WHERE room_id = {}",
             "'jimmy/office'", "'jeremie/office'"),
        ],
    )  # fmt: skip
    def test_no_look_up_tells_which_ids_exist(
        self, filled: PostgresServer, options: str, query: str, foreign: object, own: object
    ) -> None:
        """A foreign one answers as one that is nowhere does, an own one otherwise."""
        nowhere = "'nowhere'" if isinstance(own, str) else surrogate_key("nowhere")
        for refused in ("seqscan", "indexscan"):
            with filled.connect(ROLE) as connection:
                force(connection, refused)
                told = {}
                for name, value in (("foreign", foreign), ("nowhere", nowhere), ("own", own)):
                    plan(connection, options, query.format(value))
                    told[name] = plan(connection, options, query.format(value))
            assert told["foreign"] == told["nowhere"] != told["own"]

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT 1 / (presence_flag::int - 1) FROM fact_presence_minute WHERE room_key = {}",
            "SELECT room_id::int FROM dim_room WHERE room_key = {}",
            "SELECT 1 FROM dim_room WHERE room_key = {} AND room_name::xml IS NULL",
            "SELECT sum(1) FROM fact_presence_minute WHERE room_key = {} AND pg_sleep(0)::text = ''",
            "SELECT most_common_vals::text ~ '{}' FROM pg_stats WHERE attname = 'room_key' "
            "AND tablename = 'fact_presence_minute'",
            "SELECT histogram_bounds::text ~ '{}' FROM pg_stats WHERE attname = 'room_key' "
            "AND tablename = 'dim_room'",
            "COPY (SELECT * FROM fact_presence_minute WHERE room_key = {}) TO PROGRAM 'true'",
            "DECLARE c CURSOR WITH HOLD FOR SELECT motion_count FROM fact_presence_minute WHERE room_key={}",
        ],
    )
    def test_no_error_function_or_statistic_tells_of_another_home(
        self, filled: PostgresServer, query: str
    ) -> None:
        with filled.connect(ROLE) as connection:
            foreign = outcome(connection, query.format(OFFICE))
        with filled.connect(ROLE) as connection:
            nowhere = outcome(connection, query.format(surrogate_key("nowhere")))
        assert foreign == nowhere

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE EXTENSION dblink", "CREATE EXTENSION postgres_fdw", "CREATE EXTENSION pg_trgm",
            "SELECT lo_from_bytea(0, 'x')", "SELECT lo_create(0)", "SELECT pg_advisory_lock(4711202311)",
            "SELECT pg_try_advisory_xact_lock_shared(1)", "SELECT * FROM pg_locks",
            "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_stat_database",
            "SELECT pg_logical_emit_message(true, 'a', 'b')", "SELECT pg_database_size('homes')",
            "SELECT pg_tablespace_size('pg_default')", "SELECT pg_export_snapshot()",
            "SELECT pg_current_xact_id()", "SELECT txid_current()", "DO 'BEGIN RAISE LOG $$x$$; END'",
            "SELECT * FROM pg_stat_progress_copy", "SELECT * FROM pg_stat_progress_analyze",
            "SELECT * FROM pg_stat_progress_create_index", "SELECT count(*) FROM pg_shdepend",
            "SET temp_file_limit = '-1'",
            "CREATE FUNCTION gold.leak(text) RETURNS bool LANGUAGE sql AS 'SELECT true'",
            "COPY dim_room TO '/tmp/x'", "SELECT pg_ls_dir('base')", "SELECT pg_stat_file('base')",
            "SELECT * FROM pg_statistic", "SELECT * FROM pg_authid",
            "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1", "ALTER ROLE CURRENT_USER CREATEDB",
            "GRANT publisher TO CURRENT_USER",
        ],
    )  # fmt: skip
    def test_what_a_reader_has_no_use_for_is_refused(self, filled: PostgresServer, statement: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), filled.connect(ROLE) as connection:
            connection.execute(statement)

    @pytest.mark.parametrize(
        "database", ["homes", "domotic_u-moved-in", "domotic_template", "template1", "template0", "postgres"]
    )
    def test_no_other_database_can_be_connected_to(self, filled: PostgresServer, database: str) -> None:
        """Not even where pg_hba.conf lets everybody connect to everything, as here."""
        refused = "permission denied for database|not currently accepting connections"
        with pytest.raises(psycopg.OperationalError, match=refused):
            filled.connect(ROLE, dbname=database)

    def test_nothing_that_a_reader_can_read_depends_on_another_home(
        self, filled: PostgresServer, serve: Path, tmp_path: Path
    ) -> None:
        """Rows, sizes, statistics, counters and estimates of its tables, before and after `jimmy` changed."""
        file = put_in(tmp_path / "serve", publish.published_file(serve))
        before = readable_of(filled)
        change(
            file,
            "UPDATE gold.fact_presence_minute SET presence_flag = NOT presence_flag "
            f"WHERE apartment_key = {surrogate_key('jimmy')}",
            "INSERT INTO gold.fact_energy_minute SELECT * REPLACE (device_key + 1 AS device_key) "
            f"FROM gold.fact_energy_minute WHERE apartment_key = {surrogate_key('jimmy')}",
            f"INSERT INTO gold.dim_room SELECT * REPLACE (room_key + 1 AS room_key, 'jimmy/x' AS room_id) "
            f"FROM gold.dim_room WHERE apartment_key = {surrogate_key('jimmy')}",
            "UPDATE meta.parts SET file = file || '2'",
            "UPDATE meta.published SET delta_version = 7",
        )
        publish_to(filled.target, file.parent, SCOPES)
        after = readable_of(filled)
        assert {name: text for name, text in after.items() if before[name] != text} == {}
        assert filled.ask("domotic_admin", "SELECT count(*) FROM dim_room WHERE room_id = 'jimmy/x'") == [
            (2,)
        ]


def readable_of(server: PostgresServer) -> dict[str, str]:
    """What the attacker reads of tables of Gold and marts, each fact under a name.

    Files of a day hold all homes, so own rows may have been written anew: in other places, which vacuuming
    evens out.
    """
    server.root("VACUUM (FULL, ANALYZE)", database=database_of(ROLE))
    with server.connect(ROLE) as connection:
        relations = connection.execute(
            "SELECT format('%I.%I', nspname, relname), c.oid FROM pg_class AS c "
            "JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname IN ('gold', 'marts') "
            "AND relkind IN ('r', 'v') ORDER BY 1"
        ).fetchall()
        questions = {
            "sizes": "SELECT relname, reltuples FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
            "WHERE nspname IN ('gold', 'marts', 'access') AND relkind = 'r' ORDER BY 1",
            "counters": "SELECT relname, n_live_tup FROM pg_stat_user_tables "
            "WHERE schemaname IN ('gold', 'marts', 'access') ORDER BY 1",
            "statistics": "SELECT * FROM pg_stats WHERE schemaname IN ('gold', 'marts', 'access') "
            "ORDER BY 1, 2, 3",
            "published": "SELECT table_name FROM meta.published ORDER BY 1",
        } | {f"rows of {name}": f"SELECT t::text FROM {name} AS t ORDER BY 1" for name, _ in relations}
        found = {name: repr(connection.execute(query).fetchall()) for name, query in questions.items()}
        for name, _ in relations:
            found[f"estimate of {name}"] = repr(
                connection.execute(f"EXPLAIN SELECT * FROM {name}").fetchall()
            )
    return found


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for briefly, so that an attack that works fails its test soon."""
    monkeypatch.setattr(server_module, "ANSWER_SECONDS", 15)


def next_file(serve: Path, folder: Path, definition: str | None = None) -> Path:
    """A folder with an admin's file whose minutes have changed; definition: another, to build all anew."""
    file = put_in(folder / "serve", publish.published_file(serve))
    stamp = time.monotonic_ns()
    change(
        file,
        "UPDATE gold.fact_energy_minute SET power_w = 4711",
        f"UPDATE meta.parts SET file = file || '{stamp}'",
        f"UPDATE meta.published SET delta_version = {stamp % 1_000_000}",
        *([f"UPDATE meta.published SET definition = '{definition}'"] if definition else []),
    )
    return file.parent


def in_time(work: Callable[[], object]) -> object:
    """The result of a work that must end soon, whatever readers do."""
    began = time.monotonic()
    result = work()
    assert time.monotonic() - began < SECONDS
    return result


def hold_advisory_lock(connection: Connection) -> None:
    """Take the publisher's former lock, which pg_locks showed to everybody."""
    with suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT pg_advisory_lock(4711202311)")


def hold_tables(connection: Connection) -> None:
    """Keep every lock that reading gives, on tables and catalogs."""
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    for table in ("gold.fact_energy_minute", "gold.dim_room", "gold.dim_apartment", "meta.published"):
        connection.execute(f"SELECT count(*) FROM {table}")
    connection.execute("SELECT count(*) FROM pg_stats")
    for catalog in ("pg_class", "pg_namespace", "pg_database", "pg_type", "pg_description"):
        connection.execute(f"LOCK TABLE pg_catalog.{catalog} IN ACCESS SHARE MODE")


def hold_own_role(connection: Connection) -> None:
    """Keep the row of the role itself locked, as a change of the own password does."""
    connection.execute("BEGIN")
    connection.execute("ALTER ROLE CURRENT_USER PASSWORD 'another'")
    connection.execute("ALTER ROLE CURRENT_USER SET statement_timeout = 0")


def hold_databases(connection: Connection) -> None:
    """Keep every database from being dropped, as a setting of one's own in it does."""
    connection.execute("BEGIN")
    for database in ("homes", *ROLES[1:]):
        connection.execute(f'ALTER ROLE CURRENT_USER IN DATABASE "{database}" SET work_mem = 64')


def hold_rows_of_catalogs(connection: Connection) -> None:
    """Keep the rows of the database, its schemas and tables, by granting oneself what one has."""
    database, role = connection.info.dbname, connection.info.user
    connection.execute("SET idle_in_transaction_session_timeout = 0; SET client_min_messages = error; BEGIN")
    connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{role}"')
    for schema in ("gold", "marts", "meta"):
        connection.execute(f'GRANT USAGE ON SCHEMA {schema} TO "{role}"')
    connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA gold TO "{role}"')
    connection.execute(f'GRANT USAGE ON TYPE text TO "{role}"')
    connection.execute(f'GRANT EXECUTE ON FUNCTION version() TO "{role}"')
    connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")


def hold_by_dropping(connection: Connection) -> None:
    """Keep whatever names the role: its rights, here and on databases."""
    connection.execute("SET idle_in_transaction_session_timeout = 0; SET client_min_messages = error; BEGIN")
    connection.execute("DROP OWNED BY CURRENT_USER")


HOLDS = (
    hold_advisory_lock,
    hold_tables,
    hold_own_role,
    hold_databases,
    hold_rows_of_catalogs,
    hold_by_dropping,
)


def fill_locks(attacker: Connection) -> None:
    """Begin transactions in one until the server's table of locks is full: the number of each is a lock."""
    attacker.execute("SET client_min_messages = error")
    names = attacker.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND prokind = 'f' AND proacl IS NULL"
    ).fetchall()
    steps = [f'SAVEPOINT s; GRANT EXECUTE ON FUNCTION {name} TO "{ROLE}"' for (name,) in names * 12]
    attacker.execute("BEGIN")
    for begin in range(0, len(steps), 20):
        try:
            attacker.execute("; ".join(steps[begin : begin + 20]))
        except psycopg.errors.OutOfMemory:
            attacker.execute("ROLLBACK TO SAVEPOINT s")
            return


LOOKING = (
    "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
    "AND query LIKE '%pg_stat_get_activity(NULL)%usesysid%'"
)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for ten seconds; errors of the server count as no."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(psycopg.Error):
            if holds():
                return
        time.sleep(0.1)
    assert holds()


@pytest.mark.usefixtures("hurried")
class TestStopping:
    def test_no_reader_keeps_others_out_by_filling_the_table_of_locks(self, filled: PostgresServer) -> None:
        with attacking(filled) as attacker:
            fill_locks(attacker)
            with pytest.raises(psycopg.OperationalError, match="out of shared memory"):
                filled.connect(ROLES[2])
        ended, told = threading.Event(), []
        with ThreadPoolExecutor(1) as threads:
            guarding = threads.submit(guard, filled.target, told.append, ended)
            try:
                eventually(lambda: filled.root(LOOKING) == [(1,)])
                with attacking(filled) as attacker:
                    with suppress(psycopg.OperationalError):
                        fill_locks(attacker)
                    eventually(lambda: attacker.closed or attacker.pgconn.socket < 0 or bool(told))
                eventually(lambda: filled.ask(ROLES[2], "SELECT 1") == [(1,)])
                assert told
            finally:
                ended.set()
            guarding.result(timeout=20)

    @pytest.mark.parametrize("hold", HOLDS)
    def test_no_reader_stops_a_publication(
        self, filled: PostgresServer, serve: Path, tmp_path: Path, hold: Callable[..., None]
    ) -> None:
        """Of rows, and of schemas that are made anew, while the sessions before still last."""
        with attacking(filled) as attacker, attacking(filled, "domotic_admin") as other:
            hold(attacker)
            hold(other)
            for definition in (None, "another"):
                changed = next_file(serve, tmp_path / str(definition), definition)
                in_time(partial(publish_to, filled.target, changed, SCOPES))
                assert not is_behind(filled.target, changed, SCOPES)
        power = "SELECT DISTINCT power_w FROM gold.fact_energy_minute"
        for role in (ROLE, "domotic_admin"):
            database = database_of(role)
            assert filled.root(power, database=database) == [(4711.0,)]
            old = "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\\_old'"
            assert filled.root(old, database=database) == []

    @pytest.mark.parametrize("hold", HOLDS)
    def test_no_reader_stops_its_revocation(
        self, filled: PostgresServer, serve: Path, hold: Callable[..., None]
    ) -> None:
        with attacking(filled) as attacker, attacking(filled, "domotic_u-moved-in") as other:
            hold(attacker)
            hold(other)
            in_time(lambda: publish_to(filled.target, serve, WITHOUT))
            with pytest.raises(psycopg.OperationalError):
                attacker.execute("SELECT 1")
        assert filled.root(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{ROLE}'") == [(False,)]
        assert filled.root(f"SELECT FROM pg_database WHERE datname = '{ROLE}'") == []

    @pytest.mark.parametrize("hold", HOLDS)
    def test_no_reader_stops_an_erasure(self, filled: PostgresServer, hold: Callable[..., None]) -> None:
        with attacking(filled) as attacker, attacking(filled, "domotic_admin") as other:
            hold(attacker)
            hold(other)
            in_time(lambda: remove(filled.target))
        assert filled.root("SELECT datname FROM pg_database WHERE datname LIKE 'domotic\\_u%'") == []
        assert (
            filled.root("SELECT nspname FROM pg_namespace WHERE nspname IN ('gold', 'marts', 'meta')") == []
        )

    def test_who_cannot_be_revoked_saves_nobody_else(self, filled: PostgresServer, serve: Path) -> None:
        """Each right goes by itself: here the revocation of one of two is refused by the server."""
        run = sessions.run

        def refuse(server: Any, connection: Connection, mark: str, statement: str) -> None:
            if statement.startswith("REVOKE") and "u-moved-in" in statement:
                raise PublishError("refused", where="here", expected="nothing", remedy="none")
            run(server, connection, mark, statement)

        with (
            pytest.MonkeyPatch.context() as patched,
            attacking(filled) as attacker,
            attacking(filled, "domotic_u-moved-in") as other,
        ):
            patched.setattr(sessions, "run", refuse)
            with pytest.raises(PublishError, match="refused"):
                publish_to(filled.target, serve, people(PEOPLE.partition("  - {user: u-new")[0]))
            for session in (attacker, other):
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")
        held = "SELECT has_database_privilege('{0}', '{0}', 'CONNECT')"
        assert filled.root(held.format(ROLE)) == [(False,)]
        assert filled.root(held.format("domotic_u-moved-in")) == [(True,)]

    def test_changes_committed_all_the_time_stop_nothing(
        self, filled: PostgresServer, serve: Path, tmp_path: Path
    ) -> None:
        """Whoever is about to write the same row of a catalog fails with "tuple concurrently updated"."""
        stop = threading.Event()

        def change_rows() -> None:
            while not stop.is_set():
                with suppress(psycopg.Error), attacking(filled) as attacker:
                    while not stop.is_set():
                        with suppress(psycopg.errors.InternalError):
                            attacker.execute(
                                f'BEGIN; GRANT CONNECT ON DATABASE "{ROLE}" TO "{ROLE}"; '
                                f'GRANT USAGE ON SCHEMA gold TO "{ROLE}"; SELECT pg_sleep(0.02); COMMIT'
                            )
                        if attacker.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                            attacker.execute("ROLLBACK")

        with ThreadPoolExecutor(4) as threads:
            try:
                for _ in range(4):
                    threads.submit(change_rows)
                time.sleep(0.5)
                rebuilt = next_file(serve, tmp_path, "another")
                in_time(partial(publish_to, filled.target, rebuilt, SCOPES))
                in_time(partial(publish_to, filled.target, serve, WITHOUT))
            finally:
                stop.set()
        assert filled.root(f"SELECT FROM pg_database WHERE datname = '{ROLE}'") == []

    def test_a_revocation_happens_where_publishing_cannot(
        self, filled: PostgresServer, tmp_path: Path
    ) -> None:
        """Revoking comes first, in a transaction of its own. Here the admin's file is none."""
        broken = tmp_path / "serve"
        broken.mkdir()
        publish.published_file(broken).write_bytes(b"no database")
        with attacking(filled) as attacker:
            with suppress(Exception):
                publish_to(filled.target, broken, WITHOUT)
            with pytest.raises(psycopg.OperationalError):
                attacker.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            filled.connect(ROLE)

    def test_who_comes_back_at_once_is_revoked_all_the_same(
        self, filled: PostgresServer, serve: Path
    ) -> None:
        """Four threads lock their role's row again and again, also in a database that PUBLIC may use."""
        filled.root("GRANT CONNECT ON DATABASE template1 TO PUBLIC")
        stop = threading.Event()

        def come_back(database: str) -> None:
            while not stop.is_set():
                with suppress(psycopg.Error), attacking(filled, dbname=database) as attacker:
                    hold_own_role(attacker)
                    while not stop.wait(0.05):
                        attacker.execute("SELECT 1")

        try:
            with ThreadPoolExecutor(4) as threads:
                try:
                    for database in (database_of(ROLE), "template1", "template1", "template1"):
                        threads.submit(come_back, database)
                    time.sleep(0.5)
                    in_time(lambda: publish_to(filled.target, serve, WITHOUT))
                finally:
                    stop.set()
        finally:
            filled.root("REVOKE CONNECT ON DATABASE template1 FROM PUBLIC")
        assert filled.root(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{ROLE}'") == [(False,)]

    def test_many_connections_leave_room(self, filled: PostgresServer, serve: Path, tmp_path: Path) -> None:
        """Of every role as many as it gets, of a server of forty."""
        with ExitStack() as opened:
            refused = [crowd(opened, filled, role) for role in ROLES]
            in_time(lambda: publish_to(filled.target, next_file(serve, tmp_path), SCOPES))
        assert [error for error in refused if "too many connections for role" not in error] == []

    def test_what_lasts_too_long_is_ended_by_the_next_publication(
        self, filled: PostgresServer, serve: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever limit the role has set for itself."""
        limit = "domotic_assets.serve.postgres.sessions.LONGEST_TRANSACTION"
        monkeypatch.setattr(limit, timedelta(seconds=1))
        with attacking(filled) as attacker:
            attacker.execute("SET statement_timeout = 0")
            ended = threading.Thread(
                target=lambda: _ends(attacker, "SELECT count(*) FROM generate_series(1, 1000000000000)")
            )
            ended.start()
            time.sleep(1.5)
            publish_to(filled.target, serve, SCOPES)
            ended.join(SECONDS)
            assert not ended.is_alive()

    def test_limits_are_those_of_the_guide(self, filled: PostgresServer) -> None:
        shown = {}
        with filled.connect(ROLE) as connection:
            for name in ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
                         "lock_timeout", "temp_file_limit"):  # fmt: skip
                shown[name] = connection.execute(f"SHOW {name}").fetchone()
        assert shown == {
            "statement_timeout": ("10min",), "idle_in_transaction_session_timeout": ("1min",),
            "idle_session_timeout": ("1h",), "lock_timeout": ("1min",), "temp_file_limit": ("1GB",),
        }  # fmt: skip


def crowd(opened: ExitStack, server: PostgresServer, role: str) -> str:
    """Connect as a role until it is refused, and return why."""
    for _ in range(60):
        try:
            opened.enter_context(attacking(server, role))
        except psycopg.OperationalError as error:
            return str(error)
    return "never"


def _ends(connection: Connection, query: str) -> None:
    """Run a query until somebody ends the session."""
    with suppress(psycopg.OperationalError):
        connection.execute(query)


class TestForeign:
    def test_a_database_of_somebody_else_is_refused_and_left(
        self, filled: PostgresServer, serve: Path
    ) -> None:
        taken = people(PEOPLE + "  - {user: u-taken, role: renter, homes: [jimmy]}\n")
        filled.root('CREATE DATABASE "domotic_u-taken"')
        try:
            filled.root("CREATE TABLE kept AS SELECT 1 AS a", database="domotic_u-taken")
            with pytest.raises(PublishError, match="not ours") as caught:
                publish_to(filled.target, serve, taken)
            assert "u-taken" not in str(caught.value)
            assert filled.root("SELECT a FROM kept", database="domotic_u-taken") == [(1,)]
        finally:
            filled.root('DROP DATABASE "domotic_u-taken"')

    def test_without_createdb_databases_made_beforehand_are_filled(
        self, filled: PostgresServer, serve: Path
    ) -> None:
        more = people(PEOPLE + "  - {user: u-more, role: renter, homes: [jimmy]}\n")
        filled.root("ALTER ROLE publisher NOCREATEDB")
        try:
            with pytest.raises(PublishError, match="CREATEDB"):
                publish_to(filled.target, serve, more)
            filled.root('CREATE DATABASE "domotic_u-more" OWNER publisher TEMPLATE domotic_template')
            assert publish_to(filled.target, serve, more) is not None
            filled.let_in("domotic_u-more")
            assert filled.ask("domotic_u-more", "SELECT apartment_id FROM dim_apartment") == [("jimmy",)]
        finally:
            filled.root("ALTER ROLE publisher CREATEDB")
            publish_to(filled.target, serve, SCOPES)
