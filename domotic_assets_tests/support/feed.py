"""The feed as Dagster runs it, in this process and at a time of the tests: sensors evaluated, runs executed.

What a daemon does with a tick's answer belongs here: keys registered, events reported, runs executed one
after another. What a test delivers, and what it expects, belongs in the test. Dagster's records are kept
in memory: on disk they say the same, five times slower.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg

from domotic_assets.flow.workspace import Workspace
from domotic_assets.orchestration import sensors, tags
from domotic_assets.orchestration.assets import key
from domotic_assets.orchestration.check_results import in_words
from domotic_assets.orchestration.definitions import feed_definitions, workspace_resource
from domotic_assets.schemas.table import Table

SENSORS = ("register", "forecasts", "arrivals", "refresh")


class _Clock:
    """A workspace's clock, which a test may stop."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)


@dataclass(frozen=True)
class Run:
    """A run that a tick asked for: its job, its partition keys in order, and how it ended."""

    job: str
    keys: tuple[str, ...]
    tags: Mapping[str, str]
    success: bool


class Feed:
    """An installation's sensors and jobs; with an instance, they go on with its records."""

    def __init__(self, work: Workspace, instance: dg.DagsterInstance | None = None) -> None:
        self._clock = _Clock()
        self.work = replace(work, clock=self._clock)
        self.instance = instance or dg.DagsterInstance.ephemeral()
        self._repository = feed_definitions(self.work, workspace_resource(self.work)).get_repository_def()

    def tick(self, now: datetime, *names: str) -> list[Run]:
        """Evaluate the sensors named (all by default) at that time until they ask for nothing more."""
        self._clock.at = now
        try:
            return [run for name in names or SENSORS for run in self._exhaust(name)]
        finally:
            self._clock.at = None

    def close(self) -> None:
        """Let go of connections to sources."""
        self.work.close()

    @property
    def keys(self) -> list[str]:
        """The window keys that Dagster has, in order of registration."""
        return list(self.instance.get_dynamic_partitions(tags.WINDOW))

    def materialized(self, table: Table) -> set[str]:
        """The windows of which Dagster shows a table as materialised: of keys that it still has."""
        return self.instance.get_materialized_partitions(key(table)) & set(self.keys)

    def reachable(self, table: Table) -> list[tuple[bool, str]]:
        """Each evaluation of a source's check `reachable`, oldest first: passed, and what it says."""
        return self.checked(table, sensors.REACHABLE)

    def checked(self, table: Table, name: str) -> list[tuple[bool, str]]:
        """Each evaluation of a check, oldest first: passed, and what it says."""
        check = dg.AssetCheckKey(key(table), name)
        records = self.instance.event_log_storage.get_asset_check_execution_history(check, limit=100)
        found = [record.evaluation for record in reversed(records)]
        return [(one.passed, in_words(one)) for one in found if one is not None]

    def _exhaust(self, name: str) -> list[Run]:
        ran: list[Run] = []
        asked: list[tuple[str | None, Mapping[str, str]]] = []
        while True:
            requests = [one for one in self._evaluate(name) if (one.job_name, one.tags) not in asked]
            if not requests:
                return ran
            # What failed and is asked for at once again would be asked for without end.
            asked += [(request.job_name, request.tags) for request in requests]
            ran += [self._execute(request) for request in requests]

    def _evaluate(self, name: str) -> list[dg.RunRequest]:
        """One evaluation; as the daemon does, keys are registered and events reported before any run."""
        sensor = self._repository.get_sensor_def(name)
        with dg.build_sensor_context(self.instance, repository_def=self._repository) as context:
            found = sensor.evaluate_tick(context)
        for request in found.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        return list(found.run_requests or ())

    def _execute(self, request: dg.RunRequest) -> Run:
        assert request.job_name is not None
        job = self._repository.get_job(request.job_name)
        # The run may take finer keys away, so they are read before.
        keys = self._keys(request.tags)
        result = job.execute_in_process(
            instance=self.instance, tags=request.tags, run_config=request.run_config, raise_on_error=False
        )
        return Run(request.job_name, keys, request.tags, result.success)

    def _keys(self, run_tags: Mapping[str, str]) -> tuple[str, ...]:
        """The windows of a run's range; of a range of dates its ends."""
        ends = tags.keys_of(run_tags)
        if ends is None:
            return ()
        first, last = ends
        held = self.keys
        if first not in held or last not in held:
            return tuple(dict.fromkeys((first, last)))
        return tuple(held[held.index(first) : held.index(last) + 1])
