"""Brings one reader's database up to the admin's file, in one transaction, by what has changed.

Minute facts: the ranges of Parquet files gained and lost, or all rows if the cut has changed. Everything else
is small: its rows are hashed chunk by chunk, and chunks with another hash are replaced. Nothing here waits
for a reader's lock, as rows are deleted and inserted alone, and new schemas replace old ones by renaming.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from domotic_assets.escaping import identifier
from domotic_assets.schemas import calendar, gold
from domotic_assets.schemas.table import Table
from domotic_assets.serve.catalog import MARTS_SCHEMA, published_columns, sql_type
from domotic_assets.serve.people import cut
from domotic_assets.serve.postgres import layout, schemas, transfer
from domotic_assets.serve.postgres.change_log import Log
from domotic_assets.serve.postgres.layout import MartShape, qualified
from domotic_assets.serve.postgres.readers import Reader
from domotic_assets.serve.postgres.server import Connection, Server
from domotic_assets.serve.postgres.source import Source
from domotic_assets.serve.postgres.transfer import Range, RowCounts
from domotic_assets.serve.tables import name_of

EVERYTHING = -1
"""The version since which all ranges have changed."""

_FIRST_STATISTICS = 20

Changes = Callable[[int], Mapping[str, Sequence[Range]]]
"""Finds the ranges that have changed since a version of the log, by table."""


@dataclass
class Filled:
    """What was done to a database.

    rebuilt: whether its schemas were made anew. rows: deleted and copied, by name of each changed table or
    mart. ranges: number of ranges of minute facts that were replaced.
    """

    rebuilt: bool
    rows: dict[str, RowCounts] = field(default_factory=dict)
    ranges: int = 0


class Filling:
    """The filling of one reader's database, on open connections to the admin's file and to the database."""

    def __init__(
        self, server: Server, target: Connection, source: Source, reader: Reader, definition: str
    ) -> None:
        self._server, self._target, self._source = server, target, source
        self._reader = reader
        self._cuts: dict[str, tuple[str, int]] = {}
        self._tables = reader.tables(source.newest)
        self._marts = [mart for mart in source.shapes if reader.may_read(mart.name, source.newest)]
        self._statements = layout.statements(self._tables, self._marts)
        self._definition = layout.digest(definition, *self._statements)

    def run(self, log: Log, changes: Changes) -> Filled:
        """Run all steps in the transaction of the connection."""
        since, version = self._stated(log)
        done = Filled(rebuilt=since is None)
        if since is None:
            schemas.replace(self._target, self._server, self._statements)
        self._cuts = {
            name: (stated, after)
            for name, stated, after in self._target.execute(
                "SELECT table_name, cut, after_minute FROM meta.cuts"
            )
        }
        ranges = changes(EVERYTHING if since is None else since)
        for table in self._tables:
            if table in gold.MINUTE_FACTS:
                self._fill_fact(table, ranges.get(table.name, ()), changes, done)
            elif self._has_changed(table, ranges):
                rows = self._reader.rows(table, self._source.newest)
                columns = _types_of(table)
                order = f"ORDER BY {', '.join(map(identifier, table.sort))}"
                self._fill_chunks(
                    name_of(table.name), table.name, columns, rows, order, _chunk_of(table), done
                )
        for mart in self._source.marts:
            # Of a mart that the reader does not see, too, as the next one may be made from it.
            shown = self._source.views.show(mart, self._reader.scope, self._source.newest)
            for shape in self._marts:
                if shape.name == mart.name:
                    self._fill_mart(shown, shape, done)
        if since is None:
            self._finish()
        self._record(log, version + 1 if done.rows or since is None else version, done)
        return done

    def _stated(self, log: Log) -> tuple[int | None, int]:
        """Read up to which version of the log the database is current, and its own version.

        The first is None if its schemas must be made anew: they are missing, or of another definition or log.
        """
        found = self._target.execute("SELECT to_regclass('meta.state') IS NOT NULL").fetchone()
        if found != (True,) or not self._is_new_layout():
            return None, 0
        state = self._target.execute(
            "SELECT log_id::text, log_version, definition, version FROM meta.state"
        ).fetchone()
        if state is None:
            return None, 0
        log_id, since, definition, version = state
        known = log_id == log.log_id and log.oldest <= since <= log.version
        return (since if known and definition == self._definition else None), version

    def _is_new_layout(self) -> bool:
        """Return whether `meta` is of a database of one reader, not of the former layout for all of them."""
        found = self._target.execute("SELECT to_regclass('meta.chunks') IS NOT NULL").fetchone()
        return found == (True,)

    def _has_changed(self, table: Table, changed: Mapping[str, Sequence[Range]]) -> bool:
        """Return whether the rows that the reader sees of a table may be others than stated.

        They are the same if the same SELECT reads tables that no file has changed. changed: by table's name.
        """
        rows = self._reader.rows(table, self._source.newest)
        is_read = (cut.SEEN in rows and bool(changed)) or any(name_of(one) in rows for one in changed)
        return self._is_new_cut(table, layout.digest(rows), 0) or is_read

    def _is_new_cut(self, table: Table, now: str, after: int) -> bool:
        """State the cut of a table, and return whether it was another one."""
        found = self._cuts.get(table.name)
        if found != (now, after):
            self._target.execute(
                "INSERT INTO meta.cuts VALUES (%s, %s, %s) ON CONFLICT (table_name) "
                "DO UPDATE SET cut = excluded.cut, after_minute = excluded.after_minute",
                [table.name, now, after],
            )
        return found != (now, after)

    def _fill_fact(self, table: Table, changed: Sequence[Range], changes: Changes, done: Filled) -> None:
        """Replace the changed ranges of a minute fact: also those that a moving cut has left or reached."""
        now, after = self._cut_of(table)
        found = self._cuts.get(table.name)
        self._is_new_cut(table, now, after)
        assert table.place is not None
        place = table.place.column
        if found is None or found[0] != now:
            emptied = [] if found is None else ["true"]
            spans = transfer.grouped(transfer.joined(changes(EVERYTHING).get(table.name, ())))
        else:
            moved = [Range(*sorted((found[1], after)))] if found[1] != after else []
            spans = transfer.joined([*changed, *moved])
            emptied = [f"{place} {span.condition}" for span in spans]
        rows = self._reader.rows(table, self._source.newest)
        order = ", ".join(map(identifier, table.sort))
        origins = (f"FROM ({rows}) WHERE {place} {span.condition} ORDER BY {order}" for span in spans)
        done.ranges += len(spans)
        self._replace(name_of(table.name), table.name, _types_of(table), emptied, origins, done)

    def _cut_of(self, table: Table) -> tuple[str, int]:
        """Return the reader's cut of a minute fact as text, and the minute after which it begins, or 0.

        Of a cut that moves with time the text stays the same.
        """
        if self._reader.scope is None:
            return "everything", 0
        seen = self._reader.cut(table.name, self._source.newest)
        if seen is None:
            return "nothing", 0
        still = [
            (one.apartment_key, one.first_date_key, one.end_date_key, one.after_minute > 0)
            for one in seen.windows
        ]
        return repr(still), max((one.after_minute for one in seen.windows), default=0)

    def _fill_mart(self, shown: str, shape: MartShape, done: Filled) -> None:
        """Replace a mart if any of its rows has changed. shown: its name in DuckDB's SQL."""
        self._source.connection.execute(f"CREATE OR REPLACE TEMP TABLE mart_now AS FROM {shown}")
        relation = qualified(MARTS_SCHEMA, shape.name)
        self._fill_chunks(relation, shape.name, dict(shape.columns), "FROM mart_now", "", _WHOLE, done)

    def _fill_chunks(
        self,
        relation: str,
        name: str,
        columns: Mapping[str, str],
        rows: str,
        order: str,
        chunk: tuple[str, str],
        done: Filled,
    ) -> None:
        """Replace the chunks of a relation whose rows have another hash than stated.

        name: of the relation in `meta`. rows: a SELECT in DuckDB's SQL. chunk: the number of a row's chunk,
        in DuckDB's SQL and in PostgreSQL's.
        """
        in_duckdb, in_postgres = chunk
        now: dict[int, str] = dict(
            self._source.connection.execute(
                f"SELECT {in_duckdb} AS chunk, count(*) || ':' || sum(hash(held)::HUGEINT) "  # noqa: S608
                f"FROM ({rows}) AS held GROUP BY chunk"
            ).fetchall()
        )
        before: dict[int, str] = dict(
            self._target.execute(
                "SELECT chunk, fingerprint FROM meta.chunks WHERE table_name = %s", [name]
            ).fetchall()
        )
        fresh = sorted(number for number, fingerprint in now.items() if before.get(number) != fingerprint)
        stale = sorted(number for number, fingerprint in before.items() if now.get(number) != fingerprint)
        if not fresh and not stale:
            return
        with self._target.cursor() as cursor:
            cursor.execute("DELETE FROM meta.chunks WHERE table_name = %s AND chunk = ANY(%s)", [name, stale])
            cursor.executemany(
                "INSERT INTO meta.chunks VALUES (%s, %s, %s)",
                [(name, number, now[number]) for number in fresh],
            )
        emptied = [f"{in_postgres} IN ({', '.join(map(str, stale))})"] if stale else []
        wanted = f"WHERE {in_duckdb} IN ({', '.join(map(str, fresh))})"
        origins = [f"FROM ({rows}) {wanted} {order}"] if fresh else []
        self._replace(relation, name, columns, emptied, origins, done)

    def _replace(
        self,
        relation: str,
        name: str,
        columns: Mapping[str, str],
        emptied: Iterable[str],
        origins: Iterable[str],
        done: Filled,
    ) -> None:
        """Delete the rows that meet any of the conditions, and append those of the origins."""
        deleted = 0
        for condition in emptied:
            deleted += self._target.execute(f"DELETE FROM {relation} WHERE {condition}").rowcount  # noqa: S608
        copied = transfer.copy(self._source.connection, self._target, relation, columns, origins)
        if deleted or copied:
            done.rows[name] = RowCounts(deleted, copied)

    def _finish(self) -> None:
        """Create the keys and indexes of new tables, let the role read them, and collect their statistics."""
        made = (*layout.indexes(self._tables), *layout.grants(self._reader.role))
        self._target.execute("; ".join(made))
        relations = [name_of(table.name) for table in self._tables]
        relations += [qualified(MARTS_SCHEMA, mart.name) for mart in self._marts]
        # A first picture for the planner; the server's autovacuum looks closer.
        self._target.execute(f"SET LOCAL default_statistics_target = {_FIRST_STATISTICS}")
        self._target.execute(f"ANALYZE {', '.join(relations)}")

    def _record(self, log: Log, version: int, done: Filled) -> None:
        """Write `meta.state`, `meta.published` and `meta.keys`."""
        self._target.execute("DELETE FROM meta.state")
        self._target.execute(
            "INSERT INTO meta.state VALUES (%s, %s, %s, %s)",
            [log.log_id, log.version, self._definition, version],
        )
        names = [table.name for table in self._tables] + [mart.name for mart in self._marts]
        changed = names if done.rebuilt else sorted(done.rows)
        with self._target.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO meta.published VALUES (%s, %s) "
                "ON CONFLICT (table_name) DO UPDATE SET version = excluded.version",
                [(name, version) for name in changed],
            )
        if done.rebuilt:
            held = ", ".join(f"'{table.name}'" for table in self._tables)
            origin = (
                f"FROM {cut.SOURCE}.meta.keys WHERE table_name IN ({held}) "
                f"AND (references_table IS NULL OR references_table IN ({held}))"
            )
            transfer.copy(self._source.connection, self._target, "meta.keys", _KEYS, [origin])


_KEYS = dict.fromkeys(
    ("table_name", "column_name", "key", "references_table", "references_column"), "VARCHAR"
)
"""The columns of `meta.keys` with DuckDB's types."""


def _types_of(table: Table) -> dict[str, str]:
    """Return the columns of a Gold table with DuckDB's types."""
    return {column.name: sql_type(column) for column in published_columns(table)}


_WHOLE = ("0", "0")
"""The chunk of a relation that is replaced as a whole, in DuckDB's SQL and in PostgreSQL's."""


def _chunk_of(table: Table) -> tuple[str, str]:
    """Return the number of a row's chunk in DuckDB's SQL and in PostgreSQL's: its date, if it has one."""
    if table is calendar.DIM_DATETIME:
        return "datetime_key // 10000", "datetime_key / 10000"
    if table.place is not None:
        return table.place.column, table.place.column
    return _WHOLE
