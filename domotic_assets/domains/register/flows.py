"""Loads the building register: changes from the source to Bronze, Bronze to the Silver register tables."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from domotic_assets.domains.register.buildings import rows_of_buildings
from domotic_assets.domains.register.silver import BuildingHomes, current_rows, register_history
from domotic_assets.flow.flow import Asked, Flow, Job, Made
from domotic_assets.flow.workspace import Workspace
from domotic_assets.ingest.changes import change_rows, current_state, last_sequence
from domotic_assets.ingest.records import row_versions
from domotic_assets.schemas.register import REGISTER, REGISTER_ROWS, SILVER_REGISTER, SILVER_REGISTER_HISTORY
from domotic_assets.sources.sql.snapshots import ChangeBatch

SOURCE = "register_rows"
"""The source in sites.yaml of the register."""

CHANGES_PER_PULL = 100_000


def pull_register(work: Workspace) -> ChangeBatch | None:
    """Pull the register's changes since Bronze; None if sites.yaml names no register.

    As with files, rows of a building that no home names are not loaded.
    """
    source = work.database(SOURCE, REGISTER)
    if source is None:
        return None

    def choose(state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
        homes = BuildingHomes(work.registry)
        ours = {row["idBuilding"] for row in state["buildings"].values() if homes.of(row) is not None}
        return rows_of_buildings(state, ours)

    known = current_state(work.lake.read(REGISTER_ROWS))
    return replace(source, choose=choose).pull(known, CHANGES_PER_PULL)


def land_register(work: Workspace, now: datetime) -> Counter[str]:
    """Append the register's changes to bronze/register_rows; returns counts. now: when they were seen."""
    batch = pull_register(work)
    if batch is None:
        return Counter()
    held = work.lake.read(REGISTER_ROWS, columns=["sequence"])
    rows = change_rows(batch.items, work.registry.sources[SOURCE].kind, last_sequence(held), now)
    work.lake.append(REGISTER_ROWS, rows)
    return Counter({"changes": rows.height, "refused values": batch.refused_values})


def read_register(work: Workspace) -> dict[str, int]:
    """Rebuild the Silver register tables from Bronze, history and current state; returns rows by table."""
    history = register_history(row_versions(work.lake.read(REGISTER_ROWS)), work.registry)
    current = current_rows(history)
    rows = {}
    for name in SILVER_REGISTER:
        for table, frame in (
            (SILVER_REGISTER_HISTORY[name], history[name]),
            (SILVER_REGISTER[name], current[name]),
        ):
            work.lake.replace_all(table, frame)
            rows[table.name] = frame.height
    return rows


def register_is_behind(work: Workspace) -> bool:
    """Return whether the register has changes that Bronze lacks, or a Silver register table is missing."""
    batch = pull_register(work)
    tables = (*SILVER_REGISTER.values(), *SILVER_REGISTER_HISTORY.values())
    missing = any(work.lake.version(table) is None for table in tables)
    return missing or (batch is not None and bool(batch.items))


REGISTER_JOB = Job("register", "The building register to Silver.")


def _land(work: Workspace, _asked: Asked) -> Made:
    """Land the register's changes in Bronze; yields the table with counts of changes and refused values."""
    yield REGISTER_ROWS, land_register(work, work.now())


def _read(work: Workspace, asked: Asked) -> Made:
    """Rebuild the Silver register tables from Bronze; yields each requested table with its row count."""
    rows = read_register(work)
    for table in asked.tables:
        yield table, {"dagster/row_count": rows[table.name]}


FLOWS = (
    Flow(
        name="register_rows",
        about="Changes of the building register; allowed tables and columns only.",
        writes=(REGISTER_ROWS,),
        run=_land,
        job=REGISTER_JOB,
        source=SOURCE,
        look=pull_register,
    ),
    Flow(
        name="register_silver",
        about="The register's tables as they are and as they were, without what is personal.",
        writes=(*SILVER_REGISTER.values(), *SILVER_REGISTER_HISTORY.values()),
        reads=(REGISTER_ROWS,),
        run=_read,
        job=REGISTER_JOB,
    ),
)
