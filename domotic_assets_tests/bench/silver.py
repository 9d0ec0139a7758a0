"""From bronze to silver, commits included: against a PostgreSQL table filled with the same events."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median

import polars as pl
import psycopg

from domotic_assets.domains.homes.flows import reading
from domotic_assets.flow.windows import Window
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes import silver
from domotic_assets.schemas.table import Table
from domotic_assets_tests.bench import samples
from domotic_assets_tests.bench.figures import Figure
from domotic_assets_tests.bench.measuring import REPEATS, wall_of
from domotic_assets_tests.services.postgres import PUBLISHER, PostgresServer, postgres
from domotic_assets_tests.support.carry import TO_SILVER, carry
from domotic_assets_tests.support.lakes import open_lake

DAYS = 7
"""As long as the measured week: a step of a history makes its next piece while one is written, and of three
days the first piece and the last, of two, have nothing beside them."""
GOAL = 10.0
_TYPES = {pl.Float64: "double precision", pl.Boolean: "boolean", pl.Int64: "bigint", pl.Date: "date"}


def run(place: Path) -> list[Figure]:
    """Rows a second of both, taking turns."""
    feed = samples.simulated(place, DAYS * 1440)
    whole = Window(samples.FIRST_DAY, samples.FIRST_DAY + timedelta(days=DAYS))
    lake = place / "lake-of-silver"
    shutil.rmtree(lake, ignore_errors=True)
    work = open_lake(feed.sites_file, lake)
    carry(work, [whole], flows=TO_SILVER)
    table = silver.SENSOR_EVENTS
    events = work.lake.read(table)
    text = events.write_csv(include_header=False).encode()
    seconds: dict[str, list[float]] = {"ours": [], "e": []}
    with tempfile.TemporaryDirectory() as private, postgres(Path(private)) as server:
        for _ in range(REPEATS):
            seconds["ours"].append(wall_of(lambda: _flatten(feed, lake, whole)))
            _make(server, table)
            seconds["e"].append(wall_of(lambda: _copy_and_upsert(server, table, text)))
        (held,) = server.ask(PUBLISHER, f"SELECT count(*) FROM {table.name}")  # noqa: S608
    assert held == (events.height,), f"PostgreSQL holds {held[0]:,} of {events.height:,} rows"
    assert open_lake(feed.sites_file, lake).lake.read(table).height == events.height
    shutil.rmtree(lake)
    rates = {name: events.height / median(found) for name, found in seconds.items()}
    return [
        Figure(
            "silver", "bytes in bronze to silver tables", rates["ours"], "rows/s",
            "(e) COPY and upsert of the same events", rates["e"], rates["ours"] / rates["e"], GOAL,
            note=f"{events.height:,} events, commits included, wall; PostgreSQL does not wait for its disk",
        )
    ]  # fmt: skip


def _flatten(feed: samples.Feed, lake: Path, whole: Window) -> None:
    """All of silver anew, into tables that are not there yet."""
    shutil.rmtree(lake / "silver")
    work: Workspace = open_lake(feed.sites_file, lake)
    reading.flatten_sensor_files(work, [whole])


def _make(server: PostgresServer, table: Table) -> None:
    """The table as it is declared, empty, and one beside it for what arrives."""
    columns = ", ".join(f"{column.name} {_type(column.dtype)}" for column in table.columns)
    key = ", ".join(table.primary_key)
    server.ask(
        PUBLISHER,
        f"DROP TABLE IF EXISTS {table.name}, arriving",
        f"CREATE TABLE arriving ({columns})",
        f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({key}))",
    )


def _type(dtype: pl.DataType) -> str:
    return "timestamptz" if isinstance(dtype, pl.Datetime) else _TYPES.get(type(dtype), "text")


def _copy_and_upsert(server: PostgresServer, table: Table, text: bytes) -> None:
    """(e) The rows, made text before, into the table beside; then into the table, the later counting."""
    key = ", ".join(table.primary_key)
    names = [column.name for column in table.columns if column.name not in table.primary_key]
    later = ", ".join(f"{name} = excluded.{name}" for name in names)
    connection: psycopg.Connection[tuple[object, ...]]
    with server.connect(PUBLISHER) as connection, connection.transaction(), connection.cursor() as cursor:
        with cursor.copy("COPY arriving FROM STDIN (FORMAT csv)") as stream:
            stream.write(text)
        cursor.execute(
            f"INSERT INTO {table.name} SELECT * FROM arriving ON CONFLICT ({key}) DO UPDATE SET {later}"  # noqa: S608
        )
