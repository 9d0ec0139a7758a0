"""The sample domain from a first build until a home is forgotten: run as a program, with a folder of its own.

The lists of the product are read when its modules are imported: so they are handed in first.
"""

import sys
from pathlib import Path
from typing import Any

import duckdb

from domotic_assets_tests.sample_domain.hand_in import hand_in


def ask(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def live(folder: Path) -> None:
    """Build, publish, refresh, cut, export and forget, with the domain handed in; raises where one fails."""
    hand_in(folder / "dbt")
    import dagster as dg
    import polars as pl

    from domotic_assets.operate.export import export_home
    from domotic_assets.operate.forget import forget
    from domotic_assets.orchestration import tags
    from domotic_assets.orchestration.build import build, publish_from_nothing
    from domotic_assets.orchestration.internals.instance import open_instance
    from domotic_assets.serve.publish import published_file
    from domotic_assets_tests.sample_domain.schema import FACT_BATTERY_MINUTE
    from domotic_assets_tests.support import erasure

    world = erasure.simulated(folder)
    work = world.work()
    report = build(work)

    # Materialised by Dagster, with its own check, the one of its rows, and those that every fact has.
    asset = dg.AssetKey(["gold", "fact_battery_minute"])
    with open_instance(work) as instance:
        assert instance.get_latest_materialization_event(asset) is not None
        for check in ("grain", "keys", "references", "low"):
            assert _is_evaluated(instance, dg.AssetCheckKey(asset, check)), check
    assert ("gold/fact_battery_minute", "low", "WARN") in {
        (found.table, found.name, found.severity) for found in report.failed_checks
    }

    # Published with its mart, and listed.
    held = work.lake.read(FACT_BATTERY_MINUTE)
    admin = published_file(work.serve)
    counted = "SELECT count(*), count(DISTINCT apartment_key) FROM gold.fact_battery_minute"
    assert ask(admin, counted) == [(held.height, 2)]
    assert ask(admin, "SELECT sum(minutes) FROM marts.mart_batteries") == [(held.height,)]
    listed = "SELECT row_count FROM marts.mart_gold_tables WHERE table_name = 'fact_battery_minute'"
    assert ask(admin, listed) == [(held.height,)]

    # Shown on the page of the published file, as that file says it.
    tested = dg.AssetKey(["models", "tested_file"])
    with open_instance(work) as instance:
        event = instance.get_latest_materialization_event(tested)
    assert event is not None
    shown = event.asset_materialization.metadata["tables"].value
    assert {record.data["table_name"]: record.data["row_count"] for record in shown.records} == dict(
        ask(admin, "SELECT table_name, row_count FROM marts.mart_gold_tables")
    )

    # Refreshed by what is new, without dbt.
    erasure.deliver_later(world)
    build(world.work())
    later = work.lake.read(FACT_BATTERY_MINUTE)
    assert later.height > held.height
    assert ask(admin, counted) == [(later.height, 2)]
    with open_instance(work) as instance:
        runs = [run.job_name for run in instance.get_runs()]
    assert (runs.count(tags.PUBLISH_JOB), runs.count(tags.PUBLISH_CHANGES_JOB)) == (1, 1)

    # Cut for a person: the owner who lives there sees the home, one who does not sees nothing.
    resident, absent = (published_file(work.serve, user) for user in ("u-1001", "u-1002"))
    of_home = later.filter(apartment_key=erasure.surrogate_key(erasure.HOME)).height
    assert ask(resident, counted) == [(of_home, 1)]
    assert ask(resident, "SELECT DISTINCT apartment_id FROM marts.mart_batteries") == [(erasure.HOME,)]
    names = "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%batter%'"
    assert ask(absent, names) == []

    # Exported, and forgotten.
    exported = export_home(work, erasure.HOME, folder / "export")
    assert {one.table.id: one.rows for one in exported.tables}[FACT_BATTERY_MINUTE.id] == of_home
    assert pl.read_parquet(folder / "export/gold/fact_battery_minute.parquet").height == of_home
    world.unname()
    done = forget(world.work(), erasure.HOME, publish_from_nothing, world.receipt)
    assert done.journal.tables[FACT_BATTERY_MINUTE.id].rows_removed == of_home
    assert ask(admin, counted) == [(later.height - of_home, 1)]
    assert world.findings() == []


def _is_evaluated(instance: Any, check: Any) -> bool:
    return bool(instance.event_log_storage.get_asset_check_execution_history(check, limit=1))


if __name__ == "__main__":
    live(Path(sys.argv[1]))
