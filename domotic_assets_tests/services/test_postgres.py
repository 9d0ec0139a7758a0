"""Gold in a real PostgreSQL: each role sees what its person's file holds, and nothing else, at any moment."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest

from domotic_assets.errors import ConfigurationError, PublishError
from domotic_assets.flow.workspace import DBT_PROJECT, Workspace
from domotic_assets.orchestration.definitions import build_definitions
from domotic_assets.orchestration.publications import database_tick
from domotic_assets.registry.loading import parse_registry
from domotic_assets.serve import publish
from domotic_assets.serve.catalog import fingerprint_of
from domotic_assets.serve.people import files
from domotic_assets.serve.postgres import transfer
from domotic_assets.serve.postgres.publication import is_behind, publish_to
from domotic_assets.serve.postgres.roles import role_of
from domotic_assets.serve.postgres.server import Server
from domotic_assets.serve.postgres.transfer import RowCounts
from domotic_assets.settings import Settings
from domotic_assets_tests.assets.test_scopes import (
    HOMES,
    PEOPLE,
    USERS,
    ask,
    change,
    forbidden,
    people,
)
from domotic_assets_tests.services.mariadb import make_certificate
from domotic_assets_tests.services.postgres import PUBLISHER, PostgresServer, postgres
from domotic_assets_tests.services.servers import HOST, free_port
from domotic_assets_tests.support import builders, leaks, published
from domotic_assets_tests.support.admin_file import publish_admin
from domotic_assets_tests.support.lakes import open_lake

ADMIN = "domotic_admin"
SCOPES = people(PEOPLE)
DATABASES = {"homes", *(f"domotic_{user}" for user in USERS)}
CREDENTIALS = "user_env: PG_USER, password_env: PG_PASSWORD"
ENERGY_OF_A_DAY = (
    "DELETE FROM meta.parts WHERE table_name = 'fact_energy_minute'",
    "INSERT INTO meta.parts VALUES ('fact_energy_minute', '2023-09-14', 'a', 202309142000, 202309142259), "
    "('fact_energy_minute', '2023-09-15', 'b', 202309142300, 202309142359)",
)
"""As if the last hour's rows lay in a Parquet file of their own."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, server: PostgresServer) -> Workspace:
    """An admin's file of both homes, people's files, and a registry that names the server."""
    folder = tmp_path_factory.mktemp("installation")
    entry = f"postgresql: {{address: '{server.address}', {CREDENTIALS}, ca_file: '{server.ca_file}'}}\n"
    (folder / "sites.yaml").write_text(HOMES + entry + PEOPLE, encoding="utf-8")
    settings = Settings.of(
        folder / "sites.yaml", str(folder / "lake"), {"PG_USER": PUBLISHER, "PG_PASSWORD": server.password}
    )
    opened = Workspace.open(settings)
    change(publish_admin(opened.serve, fingerprint_of(DBT_PROJECT)), *ENERGY_OF_A_DAY)
    files.publish_scopes(opened.serve, SCOPES)
    return opened


@pytest.fixture(scope="module")
def filled(work: Workspace, server: PostgresServer) -> PostgresServer:
    """The server with the first version, and passwords for everybody."""
    done = publish_to(server.target, work.serve, SCOPES)
    assert done is not None
    assert {name for name, database in done.filled.items() if database.rebuilt} == DATABASES
    for user in ("admin", *USERS):
        server.let_in(role_of(user))
    for database in DATABASES:
        server.root("ANALYZE", database=database)
    return server


@pytest.fixture
def serve(work: Workspace, filled: PostgresServer, tmp_path: Path) -> Iterator[Path]:
    """A folder of its own with the admin's file; what the server holds is put back afterwards."""
    yield published.put_in(tmp_path / "serve", publish.published_file(work.serve)).parent
    # As if another file had been published, so that nothing is taken for present.
    filled.root(
        "UPDATE publishing.parts SET file = file || ' gone'", "UPDATE publishing.databases SET manifest = ''"
    )
    publish_to(filled.target, work.serve, SCOPES)


def tables_of(file: Path) -> list[str]:
    """Gold tables and marts of a published file."""
    found = ask(
        file,
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name IN ('gold', 'marts') "
        "UNION SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE schema_name = 'marts'",
    )
    return sorted(name for (name,) in found)


def in_order(rows: list[tuple[Any, ...]]) -> list[str]:
    return sorted(map(repr, rows))


def differences(server: PostgresServer, file: Path, user: str) -> dict[str, tuple[int, int]]:
    """Tables whose rows are not those of a file, with how many rows the file and the server have."""
    found = {}
    with (
        duckdb.connect(str(file), read_only=True) as held,
        server.connect(role_of(user)) as connection,
    ):
        for table in tables_of(file):
            expected = in_order(held.execute(f"FROM {table}").fetchall())
            seen = in_order(connection.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
            if seen != expected:
                found[table] = (len(expected), len(seen))
    return found


def readable(server: PostgresServer, role: str) -> set[str]:
    """Gold tables and marts that a role may ask."""
    found = server.ask(
        role,
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_schema IN ('gold', 'marts')",
    )
    return {name for (name,) in found}


def everything(server: PostgresServer, role: str) -> dict[str, str]:
    """The text of each relation that a role can read, catalogs included, by its name."""
    found: dict[str, str] = {}
    with server.connect(role) as connection:
        names = connection.execute(
            "SELECT format('%I.%I', nspname, relname) FROM pg_class "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relkind IN ('r', 'v', 'm', 'p', 'f')"
        ).fetchall()
        for (name,) in names:
            try:
                rows = connection.execute(f"SELECT t::text FROM {name} AS t").fetchall()  # noqa: S608
            except psycopg.Error:
                continue
            found[name] = "\n".join(str(text) for (text,) in rows)
    return found


def findings(
    server: PostgresServer, work: Workspace, role: str, user: str, folder: Path
) -> set[tuple[str, str]]:
    """Relation and label of each value that stands in what a role can read and a person must not know."""
    folder.mkdir()
    for number, (name, text) in enumerate(sorted(everything(server, role).items())):
        (folder / f"{number:03d} {name}").write_text(text, encoding="utf-8")
    return {(one.path, one.label) for one in leaks.scan(folder, forbidden(work, user))}


class TestRows:
    @pytest.mark.parametrize("user", ["admin", *USERS])
    def test_a_role_sees_the_rows_of_its_persons_file(
        self, filled: PostgresServer, work: Workspace, user: str
    ) -> None:
        file = publish.published_file(work.serve, user)
        assert readable(filled, role_of(user)) == set(tables_of(file))
        assert differences(filled, file, user) == {}

    def test_columns_have_the_types_and_comments_of_the_file(
        self, filled: PostgresServer, work: Workspace
    ) -> None:
        columns = (
            "SELECT table_schema || '.' || table_name || '.' || column_name, replace(lower(data_type), "
            "'character varying', 'varchar') FROM information_schema.columns "
            "WHERE table_schema IN ('gold', 'marts')"
        )
        expected = dict(ask(publish.published_file(work.serve), columns))
        held = dict(filled.ask(ADMIN, columns))
        named = {"double precision": "double", "timestamp without time zone": "timestamp"}
        assert {name: named.get(kind, kind) for name, kind in held.items()} == expected
        comments = (
            "SELECT nspname || '.' || relname || '.' || attname, col_description(attrelid, attnum) "
            "FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname IN ('gold', 'marts') AND attnum > 0 AND relkind IN ('r', 'v')"
        )
        said = ask(
            publish.published_file(work.serve),
            "SELECT schema_name || '.' || table_name || '.' || column_name, comment FROM duckdb_columns() "
            "WHERE schema_name IN ('gold', 'marts')",
        )
        assert dict(filled.ask(ADMIN, comments)) == dict(said)


class TestLeaks:
    @pytest.mark.parametrize("user", USERS)
    def test_a_role_reads_nothing_of_another_home(
        self, filled: PostgresServer, work: Workspace, user: str, tmp_path: Path
    ) -> None:
        assert findings(filled, work, role_of(user), user, tmp_path / "seen") == set()

    def test_the_admins_role_would_be_found_out(
        self, filled: PostgresServer, work: Workspace, tmp_path: Path
    ) -> None:
        found = {label for _, label in findings(filled, work, ADMIN, "u-new", tmp_path / "seen")}
        personal = {label for label in forbidden(work, "u-new") if label.startswith(("personal", "feed"))}
        assert found == forbidden(work, "u-new").keys() - personal

    @pytest.mark.parametrize(
        ("plant", "undo", "where"),
        [
            (
                "COMMENT ON TABLE gold.dim_room IS 'not of jimmy'",
                "COMMENT ON TABLE gold.dim_room IS ''",
                "pg_desc",
            ),
            (
                "ALTER DATABASE homes SET application_name = 'jimmy/office'",
                "ALTER DATABASE homes RESET application_name",
                "pg_db_role_setting",
            ),
            (
                "INSERT INTO gold.dim_room SELECT 1, 'jimmy/office', 'Office', 'office', apartment_key "
                "FROM gold.dim_room LIMIT 1",
                "DELETE FROM gold.dim_room WHERE room_id = 'jimmy/office'",
                "gold.dim_room",
            ),
        ],
    )
    def test_a_planted_value_is_found(
        self, filled: PostgresServer, work: Workspace, tmp_path: Path, plant: str, undo: str, where: str
    ) -> None:
        filled.root(plant, database="domotic_u-new")
        try:
            found = findings(filled, work, "domotic_u-new", "u-new", tmp_path / "seen")
        finally:
            filled.root(undo, database="domotic_u-new")
        assert any(where in path for path, _ in found)


class TestRoles:
    @pytest.mark.parametrize(
        "statement",
        [
            "SET ROLE domotic_admin", "SET ROLE publisher", "SET SESSION AUTHORIZATION domotic_admin",
            "CREATE TABLE gold.mine (a int)", "CREATE TABLE public.mine (a int)",
            "CREATE TEMP TABLE mine (a int)",
            "CREATE SCHEMA mine", "CREATE ROLE mine", "INSERT INTO gold.dim_horizon VALUES (1, 'hour', 1)",
            "UPDATE gold.dim_room SET room_name = 'x'", "DELETE FROM gold.fact_energy_minute",
            "TRUNCATE gold.fact_energy_minute", "SELECT * FROM meta.cuts", "SELECT * FROM meta.chunks",
            "SELECT * FROM meta.state", "ALTER DATABASE \"domotic_u-new\" SET search_path = 'x'",
            "COPY gold.dim_room TO PROGRAM 'true'", "SELECT pg_read_file('postgresql.conf')",
        ],
    )  # fmt: skip
    def test_a_role_can_do_nothing_but_read(self, filled: PostgresServer, statement: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.ask("domotic_u-new", statement)

    def test_roles_have_no_attributes_and_no_password_of_ours(
        self, server: PostgresServer, serve: Path
    ) -> None:
        added = people(PEOPLE + "  - {user: u-fresh, role: renter, homes: [jimmy], from: 2023-09-15}\n")
        publish_to(server.target, serve, added)
        [attributes] = server.root(
            "SELECT rolcanlogin, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, "
            "rolreplication, rolpassword FROM pg_authid WHERE rolname = 'domotic_u-fresh'"
        )
        assert attributes == (True, False, False, False, False, False, False, None)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            server.ask("domotic_u-fresh", "SELECT 1")

    def test_who_leaves_loses_everything_and_nobody_elses_role_is_touched(
        self, server: PostgresServer, serve: Path
    ) -> None:
        server.root("CREATE ROLE reporting LOGIN")
        left = people("".join(line for line in PEOPLE.splitlines(keepends=True) if "u-old," not in line))
        with server.connect("domotic_u-old") as open_before:
            assert open_before.execute("SELECT count(*) FROM fact_energy_minute").fetchone() != (0,)
            assert is_behind(server.target, serve, left)
            done = publish_to(server.target, serve, left)
            assert done is not None
            assert (done.dropped, done.ended) == (1, 1)
            with pytest.raises(psycopg.OperationalError):
                open_before.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            server.ask("domotic_u-old", "SELECT 1")
        assert server.root("SELECT FROM pg_database WHERE datname = 'domotic_u-old'") == []
        assert server.root("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reporting'") == [(True,)]
        assert not is_behind(server.target, serve, left)
        server.root("DROP ROLE reporting")

    def test_a_role_that_is_not_ours_is_refused(self, server: PostgresServer, serve: Path) -> None:
        server.root('CREATE ROLE "domotic_u-taken" LOGIN')
        try:
            taken = people(PEOPLE + "  - {user: u-taken, role: renter, homes: [jimmy]}\n")
            with pytest.raises(PublishError, match="not ours") as caught:
                publish_to(server.target, serve, taken)
            assert "u-taken" not in str(caught.value)
        finally:
            server.root('DROP ROLE "domotic_u-taken"')

    def test_an_id_that_a_role_name_would_be_cut_from_is_refused(self) -> None:
        assert len(role_of("u" * 55)) == 63
        with pytest.raises(ConfigurationError, match="too long"):
            role_of("u" * 56)


class TestPublications:
    def test_only_the_changed_day_is_carried(self, server: PostgresServer, serve: Path) -> None:
        """An hour of two homes with a plug and a meter: 240 rows. What no file tells of is not looked at."""
        change(
            publish.published_file(serve),
            "UPDATE meta.parts SET file = 'c' WHERE file = 'b'",
            "UPDATE meta.published SET delta_version = 1 WHERE table_name = 'fact_energy_minute'",
            "UPDATE gold.fact_energy_minute SET power_w = 4711 "
            "WHERE datetime_key IN (202309142330, 202309142100)",
        )
        done = publish_to(server.target, serve, SCOPES)
        assert done is not None
        carried = {
            database: {name: counts for name, counts in filled.rows.items() if not name.startswith("mart")}
            for database, filled in done.filled.items()
        }
        assert {database: rows for database, rows in carried.items() if rows} == {
            "homes": {"fact_energy_minute": RowCounts(240, 240)},
            "domotic_u-moved-in": {"fact_energy_minute": RowCounts(120, 120)},
            "domotic_u-new": {"fact_energy_minute": RowCounts(120, 120)},
        }
        changed = "SELECT DISTINCT datetime_key FROM fact_energy_minute WHERE power_w = 4711"
        assert server.ask(ADMIN, changed) == [(202309142330,)]
        assert publish_to(server.target, serve, SCOPES) is None

    def test_a_tenancy_that_changes_on_a_date(self, server: PostgresServer, serve: Path) -> None:
        newest = "SELECT min(datetime_key), max(datetime_key), count(*) FROM fact_energy_minute"
        assert server.ask("domotic_u-old", newest) == [(202309142000, 202309142259, 360)]
        assert server.ask("domotic_u-new", newest) == [(202309142300, 202309142359, 120)]
        moved = people(
            PEOPLE.replace("2023-09-15}", "2023-09-14}").replace("from: 2023-09-15", "from: 2023-09-14")
        )
        publish_to(server.target, serve, moved)
        assert server.ask("domotic_u-old", newest) == [(None, None, 0)]
        assert server.ask("domotic_u-new", newest) == [(202309142000, 202309142359, 480)]
        assert server.ask("domotic_u-old", "SELECT count(*) FROM mart_energy_daily") == [(0,)]

    def test_a_cut_that_moves_carries_only_what_it_leaves_and_reaches(
        self, server: PostgresServer, serve: Path
    ) -> None:
        """A technician sees the last 24 hours. A minute is added a day on, then later, then earlier."""
        hours = "SELECT min(datetime_key), max(datetime_key), count(*) FROM fact_environment_minute"
        technician = "domotic_u-technician"
        assert server.ask(technician, hours) == [(202309142000, 202309142359, 240)]
        file = publish.published_file(serve)
        for number, later in enumerate((202309152200, 202309152210, 202309152130)):
            last = f"* REPLACE ({later} AS datetime_key, 20230916 AS date_key)"
            fact = "gold.fact_environment_minute"
            change(
                file,
                f"DELETE FROM {fact} WHERE datetime_key > 202309150000",  # noqa: S608
                f"INSERT INTO {fact} SELECT {last} FROM {fact} WHERE datetime_key = 202309142359",  # noqa: S608
                "DELETE FROM meta.parts WHERE part = 'later'",
                f"INSERT INTO meta.parts VALUES ('{fact[5:]}', 'later', '{number}', {later}, {later})",  # noqa: S608
                f"UPDATE meta.published SET delta_version = {10 + number}",  # noqa: S608
            )
            done = publish_to(server.target, serve, SCOPES)
            assert done is not None
            # After 24 h before the newest minute, which itself is one.
            begin = later - 10_000 + 1
            kept = 60 * (24 - begin // 100 % 100) - begin % 100
            assert server.ask(technician, hours) == [(begin, later, kept + 1)]
            counts = done.filled[technician].rows["fact_environment_minute"]
            assert counts == [RowCounts(121, 1), RowCounts(11, 1), RowCounts(1, 1 + 40)][number]

    def test_readers_see_one_version_while_it_is_published(self, server: PostgresServer, serve: Path) -> None:
        """Each version writes its number into a fact, a dimension and by them a mart."""
        stop, seen, errors = threading.Event(), set(), []
        question = (
            "SELECT (SELECT min(power_w) FROM fact_energy_minute), (SELECT max(power_w) "
            "FROM fact_energy_minute), (SELECT min(room_name) FROM dim_room), (SELECT max(room_name) "
            "FROM mart_energy_daily), (SELECT count(*) FROM fact_energy_minute), "
            "(SELECT max(version) FROM meta.published)"
        )

        def read() -> None:
            try:
                with server.connect("domotic_u-new") as connection:
                    # With a pause, or they would keep both cores from who publishes.
                    while not stop.wait(0.01):
                        seen.add(connection.execute(question).fetchone())
            except psycopg.Error as error:
                errors.append(error)

        self.next_version(serve, 1)
        publish_to(server.target, serve, SCOPES)
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(2, 6):
            # The fourth is of another definition: the schemas are made anew.
            self.next_version(serve, number, definition="another" if number >= 4 else None)
            done = publish_to(server.target, serve, SCOPES)
            assert done is not None
            assert {filled.rebuilt for filled in done.filled.values()} == {number == 4}
        stop.set()
        for reader in readers:
            reader.join()
        assert errors == []
        assert {row[:-1] for row in seen} <= {(n, n, str(n), str(n), 120) for n in range(1, 6)}
        assert len({row[0] for row in seen}) == len(seen) > 1
        old = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%\\_old'"
        assert {tuple(server.root(old, database=name)) for name in DATABASES} == {((0,),)}

    @staticmethod
    def next_version(serve: Path, number: int, definition: str | None = None) -> None:
        change(
            publish.published_file(serve),
            f"UPDATE gold.fact_energy_minute SET power_w = {number:d}",  # noqa: S608
            f"UPDATE gold.dim_room SET room_name = '{number:d}'",  # noqa: S608
            f"UPDATE meta.parts SET file = part || 'v{number:d}' "  # noqa: S608
            "WHERE table_name IN ('fact_energy_minute', 'dim_room')",
            f"UPDATE meta.published SET delta_version = {number:d}",  # noqa: S608
            *([f"UPDATE meta.published SET definition = '{definition}'"] if definition else []),  # noqa: S608
        )

    @pytest.mark.parametrize(("call", "rebuilt"), [(40, False), (90, True)])
    def test_a_publication_that_is_cut_off_leaves_each_reader_one_version(
        self, server: PostgresServer, serve: Path, monkeypatch: pytest.MonkeyPatch, call: int, rebuilt: bool
    ) -> None:
        """Of databases that were not finished it is the one before. The next publication goes on."""
        self.next_version(serve, 8)
        publish_to(server.target, serve, SCOPES)
        self.next_version(serve, 9, definition="another" if rebuilt else None)
        calls = []

        def copy(*arguments: Any) -> int:
            calls.append(arguments)
            if len(calls) == call:
                server.root(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'publisher'"
                )
            return original(*arguments)

        original = transfer.copy
        monkeypatch.setattr(transfer, "copy", copy)
        with pytest.raises(PublishError, match="cannot be reached"):
            publish_to(server.target, serve, SCOPES)
        assert len(calls) >= call
        both = "SELECT min(power_w), max(power_w), min(room_name::float) FROM fact_energy_minute, dim_room"
        # Those whose dates go on: who left sees no names of rooms.
        readers = [ADMIN, "domotic_u-moved-in", "domotic_u-new"]
        found = {role: server.ask(role, both) for role in readers}
        assert [rows for rows in found.values() if rows not in ([(8.0,) * 3], [(9.0,) * 3])] == []
        assert [(8.0,) * 3] in found.values()
        assert publish_to(server.target, serve, SCOPES) is not None
        assert {tuple(server.ask(role, both)) for role in readers} == {((9.0,) * 3,)}
        assert publish_to(server.target, serve, SCOPES) is None


class TestServer:
    def test_nobody_connects_without_encryption_or_to_another_certificate(
        self, filled: PostgresServer, tmp_path: Path
    ) -> None:
        make_certificate(tmp_path)
        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            filled.connect("domotic_u-new", sslmode="disable")
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            filled.connect("domotic_u-new", sslrootcert=str(tmp_path / "certificate.pem"))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"ca_file": "wrong"}, "certificate cannot be trusted"),
            ({"ca_file": None}, "kind of connection"),
            ({"password": "wrong"}, "refuses the user, the password"),  # pragma: allowlist secret
            ({"address": "nowhere"}, "cannot be reached"),
            ({"address": "localhost"}, "certificate cannot be trusted"),
            ({"address": "database"}, "no such database"),
        ],
    )
    def test_what_is_wrong_is_said_in_one_line_without_names(
        self, filled: PostgresServer, work: Workspace, tmp_path: Path, changes: dict[str, Any], said: str
    ) -> None:
        make_certificate(tmp_path)
        values = {
            "wrong": tmp_path / "certificate.pem" if "ca_file" in changes else "not-it",
            "nowhere": f"{HOST}:{free_port()}/homes",
            "localhost": f"localhost:{filled.port}/homes",
            "database": f"{HOST}:{filled.port}/other",
            None: None,
        }
        target = Server(**{**vars(filled.target), **{name: values[value] for name, value in changes.items()}})
        with pytest.raises(PublishError, match=said) as caught:
            is_behind(target, work.serve, SCOPES)
        message = str(caught.value)
        assert "\n" not in message
        assert PUBLISHER not in message
        assert filled.password not in message
        assert caught.value.retryable

    def test_a_database_of_the_former_layout_is_taken_over(self, server: PostgresServer, serve: Path) -> None:
        """All rows lay in the admin's database, behind policies. It is closed to others, and emptied."""
        as_before = [
            "SET ROLE publisher",
            "DROP SCHEMA publishing, gold, marts, meta CASCADE",
            *(f"CREATE SCHEMA {name}" for name in ("access", "gold", "marts", "meta")),
            "CREATE TABLE meta.state AS SELECT 7 AS version, 'x' AS definition, 'y' AS rights",
            "CREATE TABLE gold.fact_energy_minute (apartment_key BIGINT)",
            "ALTER TABLE gold.fact_energy_minute ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY own_rows ON gold.fact_energy_minute FOR SELECT USING (true)",
            'GRANT USAGE ON SCHEMA gold, meta TO "domotic_u-new"',
            'GRANT SELECT ON gold.fact_energy_minute TO "domotic_u-new"',
            'GRANT CONNECT ON DATABASE homes TO "domotic_u-new"',
        ]
        marked = [
            f"COMMENT ON SCHEMA {name} IS 'made by domotic for the database homes'"
            for name in ("access", "gold", "marts", "meta")
        ]
        server.root(*as_before, *marked)
        with server.connect("domotic_u-new", dbname="homes") as open_before:
            open_before.execute("BEGIN")
            open_before.execute("SELECT count(*) FROM gold.fact_energy_minute")
            assert is_behind(server.target, serve, SCOPES)
            assert publish_to(server.target, serve, SCOPES) is not None
            with pytest.raises(psycopg.OperationalError):
                open_before.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            server.connect("domotic_u-new", dbname="homes")
        assert server.root("SELECT FROM pg_policies") == []
        assert server.root("SELECT FROM pg_namespace WHERE nspname ~ 'access|_old$'") == []
        assert differences(server, publish.published_file(serve), "admin") == {}

    def test_a_schema_that_is_not_ours_is_left_alone(self, filled: PostgresServer, work: Workspace) -> None:
        filled.root("CREATE DATABASE other OWNER publisher", database="postgres")
        try:
            filled.root("CREATE SCHEMA gold", "CREATE TABLE gold.kept AS SELECT 1 AS a", database="other")
            other = Server(f"{HOST}:{filled.port}/other", PUBLISHER, filled.password, filled.ca_file)
            with pytest.raises(PublishError):
                publish_to(other, work.serve, ())
            assert filled.root("SELECT a FROM gold.kept", database="other") == [(1,)]
        finally:
            filled.root("DROP DATABASE other", database="postgres")


class TestOdbc:
    QUESTIONS = (
        "SELECT datetime_key, device_key, power_w, is_valid FROM fact_energy_minute ORDER BY 1, 2",
        "SELECT timestamp_utc, timestamp_local, is_weekend, hour FROM dim_datetime ORDER BY 1",
        "SELECT apartment_id, owner_user_id, floor FROM dim_apartment ORDER BY 1",
        "SELECT local_date, device_id, energy_kwh, minutes, is_total FROM mart_energy_daily ORDER BY 1, 2",
        "SELECT room_id, sum(minutes), max(co2_ppm_max) FROM mart_environment_hourly GROUP BY 1 ORDER BY 1",
    )

    @pytest.mark.parametrize("question", QUESTIONS)
    @pytest.mark.parametrize("user", ["admin", "u-moved-out", "u-new"])
    def test_answers_are_those_of_the_persons_file(
        self, filled: PostgresServer, work: Workspace, user: str, question: str
    ) -> None:
        with duckdb.connect(str(publish.published_file(work.serve, user)), read_only=True) as connection:
            connection.execute("SET search_path = 'gold,marts'")
            expected = connection.execute(question).fetchall()
        answers = filled.ask_odbc(role_of(user), question)
        assert expected
        # A sum of whole numbers is NUMERIC there, and comes as a Decimal.
        assert [tuple(int(v) if isinstance(v, Decimal) else v for v in row) for row in answers] == expected


class TestDagster:
    def test_the_asset_is_there_where_sites_yaml_names_a_server(
        self, work: Workspace, tmp_path: Path
    ) -> None:
        """And it publishes; the sensor asks while it has not, and says why where it cannot."""
        definitions = build_definitions(work)
        key = dg.AssetKey(["serve", "postgres"])
        assert key in definitions.resolve_all_asset_keys()
        (tmp_path / "sites.yaml").write_text(HOMES + PEOPLE, encoding="utf-8")
        without = build_definitions(open_lake(tmp_path / "sites.yaml", tmp_path / "lake"))
        assert key not in without.resolve_all_asset_keys()

    def test_the_sensor_asks_until_the_database_has_it(
        self, filled: PostgresServer, work: Workspace, tmp_path: Path
    ) -> None:
        with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
            assert not database_tick(work, instance).run_requests
            filled.root("UPDATE publishing.databases SET rights = ''")
            [request] = database_tick(work, instance).run_requests or []
            filled.stop()
            try:
                down = database_tick(work, instance)
            finally:
                filled.start()
            assert not down.run_requests
            assert "cannot be reached" in str(down.skip_reason)
            job = build_definitions(work).resolve_job_def(str(request.job_name))
            done = job.execute_in_process(instance=instance)
            [event] = done.get_asset_materialization_events()
            assert event.materialization.metadata["rows deleted"].value == 0
            assert not database_tick(work, instance).run_requests


@pytest.mark.parametrize(
    "entry",
    [
        "address: 'h/d', user_env: U, password_env: P",
        "address: 'h/d', user_env: U, password_env: P, tls: 'off', ca_file: ca.pem",
        "address: 'u@h/d', user_env: U, password_env: P, ca_file: ca.pem",
    ],
)
def test_an_entry_that_trusts_nobody_or_names_a_user_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="postgresql"):
        parse_registry(f"{builders.REGISTRY}postgresql: {{{entry}}}\n")
