"""Rows copied into a real PostgreSQL in its binary format arrive as the values that were put into DuckDB."""

# ruff: noqa: S608 (statements of constants)

import random
import struct
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from domotic_assets.serve.postgres import transfer
from domotic_assets_tests.services.postgres import DATABASE, PUBLISHER, PostgresServer, postgres
from domotic_assets_tests.services.servers import HOST

TYPES = {
    "BIGINT": "BIGINT", "INTEGER": "INTEGER", "SMALLINT": "SMALLINT", "VARCHAR": "VARCHAR",
    "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIMESTAMP": "TIMESTAMP", "DOUBLE": "DOUBLE PRECISION",
}  # fmt: skip
"""DuckDB's types of published columns, and PostgreSQL's."""
ARROW = {
    "BIGINT": pa.int64(), "INTEGER": pa.int32(), "SMALLINT": pa.int16(), "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"), "DOUBLE": pa.float64(),
}  # fmt: skip
ODD: dict[str, list[Any]] = {
    "BIGINT": [-(2**63), 2**63 - 1, 0, -1, 202309142000],
    "INTEGER": [-(2**31), 2**31 - 1, 0, -1],
    "SMALLINT": [-(2**15), 2**15 - 1, 0, -1],
    "VARCHAR": [
        "", " ", "\\N", "NULL", '"', "a,b\r\n\tc", "\ufeff",
        "e\u0301\u00e9", "🏠" * 9, "\x01\x7f", "x" * 9000,
    ],
    "BOOLEAN": [True, False],
    "DATE": [date(1, 1, 1), date(1969, 12, 31), date(1999, 12, 31), date(2000, 1, 1), date(9999, 12, 31)],
    "TIMESTAMP": [
        datetime(1, 1, 1), datetime(1999, 12, 31, 23, 59, 59, 999999), datetime(2000, 1, 1),
        datetime(2023, 10, 29, 2, 30), datetime(9999, 12, 31, 23, 59, 59, 999999),
    ],
    "DOUBLE": [
        0.1 + 0.2, -0.0, 0.0, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"),
    ],
}  # fmt: skip
ROWS = 60_000
"""More than a batch."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with postgres(tmp_path_factory.mktemp("postgres")) as server, _connected(server) as connection:
        yield connection


@pytest.fixture
def relation(target: psycopg.Connection[tuple[Any, ...]]) -> str:
    """An empty table with a column of every type, named as DuckDB's type in lower case."""
    target.execute("DROP TABLE IF EXISTS copied")
    columns = ", ".join(f'"of {kind.lower()}" {theirs}' for kind, theirs in TYPES.items())
    target.execute(f"CREATE TABLE copied (place BIGINT, {columns})")
    return "copied"


COLUMNS = {"place": "BIGINT", **{f"of {kind.lower()}": kind for kind in TYPES}}


def test_every_value_arrives_exactly_and_nulls_stay_nulls(
    target: psycopg.Connection[tuple[Any, ...]], relation: str
) -> None:
    drawn = random.Random(36)
    rows = [(place, *(_value(drawn, kind) for kind in TYPES)) for place in range(ROWS)]
    for kind, odd in ODD.items():
        column = 1 + list(TYPES).index(kind)
        assert {_exact(row[column]) for row in rows} >= {_exact(value) for value in [None, *odd]}

    with _held(rows) as source:
        halves = [f"FROM held WHERE place {side} {ROWS // 2} ORDER BY place" for side in ("<", ">=")]
        assert transfer.copy(source, target, relation, COLUMNS, halves) == ROWS

    found = target.execute(f"SELECT * FROM {relation} ORDER BY place").fetchall()
    assert [tuple(map(_exact, row)) for row in found] == [tuple(map(_exact, row)) for row in rows]


def test_no_row_is_copied_from_no_query_or_an_empty_one(
    target: psycopg.Connection[tuple[Any, ...]], relation: str
) -> None:
    with _held([]) as source:
        assert transfer.copy(source, target, relation, COLUMNS, []) == 0
        assert transfer.copy(source, target, relation, COLUMNS, ["FROM held"]) == 0
    assert target.execute(f"SELECT count(*) FROM {relation}").fetchall() == [(0,)]


def test_a_value_of_another_type_is_cast_or_refused_and_never_read_as_other_bytes(
    target: psycopg.Connection[tuple[Any, ...]], relation: str
) -> None:
    with duckdb.connect() as source:
        narrow = 'FROM (SELECT 7::INTEGER AS place, 5::BIGINT AS "of double")'
        assert (
            transfer.copy(source, target, relation, {"place": "BIGINT", "of double": "DOUBLE"}, [narrow]) == 1
        )
        as_bytes = 'FROM (SELECT 8::BIGINT AS "of timestamp")'
        with pytest.raises(duckdb.Error):
            transfer.copy(source, target, relation, {"of timestamp": "TIMESTAMP"}, [as_bytes])
    found = target.execute(f'SELECT place, "of double", "of timestamp" FROM {relation}').fetchall()
    assert found == [(7, 5.0, None)]


def _value(drawn: random.Random, kind: str) -> Any:
    """A value of a type: null, an odd one, or any."""
    if drawn.random() < 0.3:
        return None
    if drawn.random() < 0.5:
        return drawn.choice(ODD[kind])
    match kind:
        case "DOUBLE":
            [value] = struct.unpack("d", drawn.randbytes(8))
            return value
        case "VARCHAR":
            return "".join(
                chr(drawn.choice((drawn.randint(1, 0xD7FF), drawn.randint(0xE000, 0x10FFFF)))) for _ in "abc"
            )
        case "DATE":
            return date.fromordinal(drawn.randint(1, date.max.toordinal()))
        case "TIMESTAMP":
            moment = datetime.fromordinal(drawn.randint(1, date.max.toordinal()))
            return moment.replace(hour=drawn.randint(0, 23), microsecond=drawn.randint(0, 999_999))
        case "BOOLEAN":
            return drawn.random() < 0.5
        case _:
            bits = {"BIGINT": 63, "INTEGER": 31, "SMALLINT": 15}[kind]
            return drawn.randrange(-(2**bits), 2**bits)


def _exact(value: Any) -> Any:
    """What tells two values apart that compare as equal: the sign of zero; and one NaN is as another."""
    if isinstance(value, float):
        return ("double", "nan" if value != value else struct.pack(">d", value))
    return (type(value).__name__, value)


def _held(rows: list[tuple[Any, ...]]) -> duckdb.DuckDBPyConnection:
    """A DuckDB with these rows in the table `held`."""
    source = duckdb.connect()
    kinds = [ARROW[kind] for kind in COLUMNS.values()]
    columns = [pa.array([row[number] for row in rows], kind) for number, kind in enumerate(kinds)]
    source.register("given", pa.table(columns, names=list(COLUMNS)))
    source.execute("CREATE TABLE held AS FROM given")
    return source


def _connected(server: PostgresServer) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection of the publisher that commits each statement."""
    return psycopg.connect(
        host=HOST, port=server.port, dbname=DATABASE, user=PUBLISHER, password=server.password,
        autocommit=True, sslmode="verify-full", sslrootcert=str(server.ca_file),
    )  # fmt: skip
