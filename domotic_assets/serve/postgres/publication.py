"""Publishes the admin's file into PostgreSQL, with each person's role and rights, in one transaction.

Readers see the version before or the one after, never a mixture. Only what changed is transferred: of facts
the ranges of Parquet files gained and lost, of dimensions and rights the rows, of a mart all rows of a role.
If the definition changed, schemas are created anew and replace the old ones, which are dropped in a
transaction of their own afterwards.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from psycopg import sql

from domotic_assets.errors import PublishError
from domotic_assets.escaping import identifier, literal
from domotic_assets.schemas import gold
from domotic_assets.serve import publish
from domotic_assets.serve.people import cut
from domotic_assets.serve.people.matrix import refuse_unruled
from domotic_assets.serve.people.scopes import Scope
from domotic_assets.serve.postgres import access, layout, roles, transfer
from domotic_assets.serve.postgres.access import Reader
from domotic_assets.serve.postgres.layout import (
    ACCESS_SCHEMA,
    ACCESS_TABLES,
    META_SCHEMA,
    READ_META,
    READ_SCHEMAS,
    SCHEMAS,
    MartShape,
    qualified,
)
from domotic_assets.serve.postgres.server import Connection, Server, dialled
from domotic_assets.serve.postgres.transfer import RowCounts

_LOCK = 4_711_202_311
"""Advisory lock: one publication into a database at a time, from whatever machine."""
_OLD = "_old"
_PURPOSE = "postgresql"


@dataclass(frozen=True)
class Published:
    """Result of a publication.

    version: the new one. rebuilt: whether the schemas were created anew. rows: deleted and copied, by name of
    each changed table. ranges: number of ranges of facts that were replaced. marts: number of marts replaced,
    counted for each role.
    """

    version: int
    rebuilt: bool
    rows: Mapping[str, RowCounts]
    ranges: int
    marts: int


def is_behind(server: Server, serve: Path, scopes: Sequence[Scope]) -> bool:
    """Return whether the database has other Delta versions, definition or rights than the admin's file.

    Connects to it; raises PublishError. False if there is no admin's file.
    """
    versions, definition = publish.read_manifest(publish.published_file(serve))
    if not versions:
        return False
    with dialled(server) as target:
        return _stated(target) != (versions, _definition(definition), _rights(scopes, definition))


def publish_to(server: Server, serve: Path, scopes: Sequence[Scope]) -> Published | None:
    """Update the database to the admin's present file and the rights in `scopes`; None if it is current.

    Raises PublishError.
    """
    readers = access.readers_of(scopes)
    with dialled(server) as target:
        target.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        spill = _room_to_spill(serve)
        # Open the file under the lock, so that an older one never replaces a newer one.
        with cut.opened(publish.published_file(serve), spill) as source:
            done = _Publication(server, source, target, scopes, readers).run()
    if done is not None and done.rebuilt:
        _drop_old(server)
    return done


def _room_to_spill(serve: Path) -> Path:
    """Return the folder to spill rows to; leftovers of a killed publication are removed.

    `domotic forget` removes them too.
    """
    try:
        return publish.clear_staging(serve, _PURPOSE).with_name("spill")
    except OSError as error:
        raise publish.unwritable(serve, error) from error


def _stated(target: Connection) -> tuple[dict[str, int], str, str] | None:
    """Read the Delta versions, definition and rights that the database states; None if it is empty."""
    found = target.execute("SELECT to_regclass('meta.state')").fetchone()
    if found is None or found[0] is None:
        return None
    state = target.execute("SELECT definition, rights FROM meta.state").fetchone()
    versions: dict[str, int] = dict(
        target.execute("SELECT table_name, delta_version FROM meta.published").fetchall()
    )
    return None if state is None else (versions, *state)


def _definition(definition: str) -> str:
    """Hash what decides the schemas: the definition of the admin's file, and the statements of `layout`."""
    return _hash(definition, *layout.statements(()), *layout.indexes())


def _rights(scopes: Sequence[Scope], definition: str) -> str:
    """Hash what decides who sees what: the scopes, and the definition of the admin's file."""
    return _hash(*sorted(scope.definition(definition) for scope in scopes))


def _hash(*texts: str) -> str:
    """Compute the SHA-256 of several texts in this order, as hex."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


class _Publication:
    """One publication, on open connections to the admin's file and the server."""

    def __init__(
        self,
        server: Server,
        source: duckdb.DuckDBPyConnection,
        target: Connection,
        scopes: Sequence[Scope],
        readers: Sequence[Reader],
    ) -> None:
        self._server, self._source, self._target = server, source, target
        self._readers = readers
        self._versions, definition = publish.manifest_of(source, cut.SOURCE)
        self._definition = _definition(definition)
        self._rights = _rights(scopes, definition)

    def run(self) -> Published | None:
        """Run all steps in the transaction of the connection; None if the database is current."""
        before = _stated(self._target)
        if before == (self._versions, self._definition, self._rights):
            return None
        marts = access.shapes_of(self._source)
        refuse_unruled((table.name for table in gold.TABLES), (mart.name for mart in marts))
        newest = cut.newest(self._source)
        rebuilt = before is None or before[1] != self._definition
        version = 1 + (self._version() if before is not None else 0)
        roles.settle(self._target, self._server.database, [reader.role for reader in self._readers])
        if rebuilt:
            self._make_schemas(marts)
        rows, ranges = self._bring_up_gold(empty=rebuilt)
        self._bring_up_access(newest)
        replaced = self._bring_up_marts(marts, newest)
        self._record(version)
        if rebuilt:
            for index in layout.indexes():
                self._target.execute(index)
        roles.grant(self._target, self._server.database, self._grants(marts, newest))
        for name in ACCESS_TABLES:
            self._target.execute(f"ANALYZE {qualified(ACCESS_SCHEMA, name)}")
        if rebuilt:
            for table in gold.TABLES:
                self._target.execute(f"ANALYZE {layout.base_of(table)}")
        return Published(version, rebuilt, rows, ranges, replaced)

    def _version(self) -> int:
        """Return the version number of the last publication into the database; 0 if none is recorded."""
        found = self._target.execute("SELECT version FROM meta.state").fetchone()
        return 0 if found is None else int(found[0])

    def _make_schemas(self, marts: Sequence[MartShape]) -> None:
        """Rename the schemas of the last publication, and create new ones.

        Raises PublishError if one of their names belongs to a schema that publishing did not make.
        """
        ours = roles.mark(self._server.database)
        found = self._target.execute(
            "SELECT nspname, coalesce(obj_description(oid, 'pg_namespace'), '') = %s "
            "FROM pg_namespace WHERE nspname = ANY(%s)",
            [ours, [*SCHEMAS, *(schema + _OLD for schema in SCHEMAS)]],
        ).fetchall()
        if foreign := sorted(name for name, is_ours in found if not is_ours):
            raise PublishError(
                f"the schemas {foreign} are not ours",
                where=self._server.address,
                expected="a database of its own for what is published",
                remedy="name another database, or drop them yourself",
            )
        names = {name for name, _ in found}
        for schema in SCHEMAS:
            if schema + _OLD in names:
                self._target.execute(f"DROP SCHEMA {identifier(schema + _OLD)} CASCADE")
            if schema in names:
                self._target.execute(
                    f"ALTER SCHEMA {identifier(schema)} RENAME TO {identifier(schema + _OLD)}"
                )
                roles.shut(self._target, self._server.database, schema + _OLD)
        for statement in layout.statements(marts):
            self._target.execute(statement)
        for schema in SCHEMAS:
            self._target.execute(
                sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(ours))
            )
        self._target.execute(f"REVOKE ALL ON DATABASE {identifier(self._server.database)} FROM PUBLIC")
        self._target.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")

    def _bring_up_gold(self, *, empty: bool) -> tuple[dict[str, RowCounts], int]:
        """Update the changed Gold tables; return their counts of rows by name, and the number of ranges."""
        changed = transfer.changed_parts(self._source, self._target)
        counts: dict[str, RowCounts] = {}
        ranges = 0
        for table in gold.TABLES:
            if table.name not in changed:
                continue
            if table in gold.FACTS:
                spans = transfer.ranges_of(changed[table.name])
                ranges += len(spans)
                done = transfer.bring_up_fact(self._source, self._target, table, spans, empty=empty)
            else:
                done = transfer.bring_up_dimension(self._source, self._target, table)
            counts[table.name] = done
        return counts, ranges

    def _bring_up_access(self, newest: datetime) -> None:
        """Update the tables `access.*`."""
        access.note_access(self._source, self._readers, newest)
        columns = {
            "days": "role_name, table_name, apartment_key, date_key, after_minute",
            "keys": "role_name, table_name, key",
            "providers": "role_name, table_name, provider",
        }
        for name in ACCESS_TABLES:
            key = columns[name].removesuffix(", after_minute")
            relation = qualified(ACCESS_SCHEMA, name)
            transfer.bring_up(
                self._source, self._target, relation, columns[name], key, access.ACCESS_QUERIES[name]
            )

    def _bring_up_marts(self, marts: Sequence[MartShape], newest: datetime) -> int:
        """Replace each role's marts whose rows changed, and return the number of marts replaced.

        A mart that a role may no longer read is emptied of its rows.
        """
        views = cut.Views(self._source)
        held = {
            (role, mart): fingerprint
            for role, mart, fingerprint in self._target.execute(
                "SELECT role_name, mart, fingerprint FROM meta.marts"
            )
        }
        sources = cut.marts_of(self._source)
        replaced = 0
        for reader in self._readers:
            for mart, shape in zip(sources, marts, strict=True):
                shown = views.show(mart, reader.scope, newest)
                if reader.may_read(mart.name, newest):
                    before = held.pop((reader.role, mart.name), None)
                    replaced += self._replace_mart(reader.role, shape, shown, before)
        for role, name in held:
            self._clear_mart(role, name)
        return replaced

    def _replace_mart(self, role: str, shape: MartShape, shown: str, before: str | None) -> bool:
        """Replace a role's rows of a mart; False if they have the fingerprint that they had before.

        shown: the mart in DuckDB's SQL.
        """
        self._source.execute(f"CREATE OR REPLACE TEMP TABLE mart_now AS FROM {shown}")
        found = self._source.execute(
            "SELECT count(*)::VARCHAR || ':' || coalesce(sum(hash(mart_now)::HUGEINT), 0)::VARCHAR "
            "FROM mart_now"
        ).fetchall()
        [(fingerprint,)] = found
        if fingerprint == before:
            return False
        self._clear_mart(role, shape.name)
        names = ", ".join(identifier(name) for name, _ in shape.columns)
        transfer.copy(
            self._source,
            self._target,
            qualified(ACCESS_SCHEMA, shape.name),
            f"role_name, {names}",
            [f"SELECT {literal(role)}, {names} FROM mart_now"],  # noqa: S608
        )
        self._target.execute("INSERT INTO meta.marts VALUES (%s, %s, %s)", [role, shape.name, fingerprint])
        return True

    def _clear_mart(self, role: str, name: str) -> None:
        """Delete a role's rows of a mart, and the fingerprint that was recorded for them."""
        self._target.execute(
            f"DELETE FROM {qualified(ACCESS_SCHEMA, name)} WHERE role_name = %s",  # noqa: S608
            [role],
        )
        self._target.execute("DELETE FROM meta.marts WHERE role_name = %s AND mart = %s", [role, name])

    def _record(self, version: int) -> None:
        """Write the tables `state`, `published`, `keys` and `parts` of `meta`."""
        for name in ("state", "published", "keys"):
            self._target.execute(f"DELETE FROM {qualified(META_SCHEMA, name)}")  # noqa: S608
        self._target.execute(
            "INSERT INTO meta.state VALUES (%s, %s, %s)", [version, self._definition, self._rights]
        )
        with self._target.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO meta.published VALUES (%s, %s, %s)",
                [(version, name, held) for name, held in self._versions.items()],
            )
        columns = "table_name, column_name, key, references_table, references_column"
        query = f"SELECT {columns} FROM {cut.SOURCE}.meta.keys"  # noqa: S608
        transfer.copy(self._source, self._target, qualified(META_SCHEMA, "keys"), columns, [query])
        columns = "table_name, part, file, first_place, last_place"
        query = f"SELECT {columns} FROM {cut.SOURCE}.meta.parts"  # noqa: S608
        transfer.bring_up(
            self._source,
            self._target,
            qualified(META_SCHEMA, "parts"),
            columns,
            "table_name, part, file",
            query,
        )

    def _grants(self, marts: Sequence[MartShape], newest: datetime) -> list[roles.Grant]:
        """Return all rights that the readers' roles must have."""
        always = [(ACCESS_SCHEMA, name) for name in ACCESS_TABLES]
        always += [(META_SCHEMA, name) for name in READ_META]
        wanted: list[roles.Grant] = []
        for reader in self._readers:
            wanted.append(roles.Grant("DATABASE", "", self._server.database, reader.role))
            wanted += [roles.Grant("SCHEMA", schema, "", reader.role) for schema in READ_SCHEMAS]
            relations = [*always, *access.relations_of(reader, marts, newest)]
            wanted += [roles.Grant("TABLE", schema, name, reader.role) for schema, name in relations]
        return wanted


def remove(server: Server) -> None:
    """Remove all that was published, and its values from the server's statistics; roles stay.

    Dropping a schema removes its tables' files. Statistics are rows of a system catalog, whose freed space
    keeps its bytes until the catalog is rewritten.
    """
    with dialled(server) as target:
        target.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        ours = roles.mark(server.database)
        found = target.execute(
            "SELECT nspname FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = %s", [ours]
        ).fetchall()
        for (schema,) in found:
            target.execute(f"DROP SCHEMA {identifier(schema)} CASCADE")
    with dialled(server) as target:
        target.commit()
        target.autocommit = True
        target.execute("VACUUM FULL pg_catalog.pg_statistic")


def _drop_old(server: Server) -> None:
    """Drop the schemas that a rebuild replaced; if somebody still reads them, the next rebuild drops them."""
    with suppress(PublishError), dialled(server) as target:
        for schema in SCHEMAS:
            target.execute(f"DROP SCHEMA IF EXISTS {identifier(schema + _OLD)} CASCADE")
