"""What every test run has: the rule table, the data shared beside the repository, hypothesis profiles."""

import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import hypothesis
import pytest

from domotic_assets_tests.support import rules
from domotic_assets_tests.support.shared_data import SHARED_VARIABLE, shared_folder

REQUIRE_RULES_VARIABLE = "DOMOTIC_REQUIRE_RULES"
UNIT_TESTS = "domotic_assets_tests/unit/"

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


class RuleTable:
    """Counts the tests of each rule and the time of the unit tests; lives in the process that reports."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self.unit_tests: set[str] = set()
        self.units_done_at = self.started_at
        self.outcomes: dict[str, tuple[str, list[int]]] = {}

    @property
    def tallies(self) -> dict[int, rules.Tally]:
        """One tally per rule."""
        return rules.tally(self.outcomes.values())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test's outcome: that of its call, or of a set-up or tear-down that went otherwise."""
        if report.nodeid.startswith(UNIT_TESTS):
            self.unit_tests.add(report.nodeid)
            self.units_done_at = max(self.units_done_at, report.stop)
        if report.when == "call" or not report.passed:
            shown = [int(str(number)) for name, number in report.user_properties if name == "rule"]
            self.outcomes[report.nodeid] = (report.outcome, shown)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A whole run that leaves a rule unshown has failed."""
        if (
            exitstatus == pytest.ExitCode.OK
            and self._whole_run(session.config)
            and rules.unshown(self.tallies)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, what no test shows, and how long the unit tests took."""
        if not self.outcomes:
            return
        terminalreporter.section("rules")
        for line in rules.table_lines(self.tallies):
            terminalreporter.write_line(line)
        unshown = rules.unshown(self.tallies)
        if unshown and self._whole_run(terminalreporter.config):
            terminalreporter.write_line(f"FAILED: no passing test shows rule {unshown}", red=True)
        if self.unit_tests:
            seconds = self.units_done_at - self.started_at
            terminalreporter.write_line(
                f"unit tests: {len(self.unit_tests)} in {seconds:.1f} s, collection included"
            )

    @staticmethod
    def _whole_run(config: pytest.Config) -> bool:
        """Whether every rule must be shown: asked for, and nothing was selected."""
        return (
            os.environ.get(REQUIRE_RULES_VARIABLE) == "1"
            and config.args_source is not pytest.Config.ArgsSource.ARGS
            and not config.option.keyword
            and not config.option.markexpr
        )


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests off a person's own lake and records, and count in the process that reports."""
    for variable in ("DOMOTIC_SITES", "DOMOTIC_LAKE", "DOMOTIC_SERVE", "DAGSTER_HOME"):
        os.environ.pop(variable, None)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(RuleTable(), "rule-table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first; each test's report carries the rules it shows."""
    items.sort(key=lambda item: not item.nodeid.startswith(UNIT_TESTS))
    for item in items:
        shown = {number for mark in item.iter_markers("rule") for number in mark.args}
        if not shown <= rules.RULES.keys():
            raise pytest.UsageError(f"{item.nodeid}: rule marks are 1 to {max(rules.RULES)}")
        item.user_properties += [("rule", number) for number in sorted(shown)]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Long or timed trials of what other tests cover run untraced: tracing takes 1.5 to 8 times as long."""
    tracing = coverage.Coverage.current() if item.get_closest_marker("untraced") else None
    if tracing is not None:
        tracing.stop()
    try:
        return (yield)
    finally:
        if tracing is not None:
            tracing.start()


@pytest.fixture(autouse=True)
def _usual_rights() -> Iterator[None]:
    """A test may close this process's new files to others; servers of later tests run as other accounts."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session", autouse=True)
def _settled_at_once() -> Iterator[None]:
    """Tests save sites.yaml whole, and do not wait until it is settled; those of the waiting set it again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("domotic_assets.registry.settled.SETTLE_SECONDS", 0.0)
        yield


@pytest.fixture
def unpublished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds of this process leave the published files alone."""
    # Here, as unit tests do not wait for what a lake imports.
    from domotic_assets_tests.support.lakes import leave_unpublished

    leave_unpublished(monkeypatch)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data beside the repository; without it a test is skipped, on CI it fails."""
    folder = shared_folder()
    if folder.is_dir():
        return folder
    message = f"THE SHARED DATA IS MISSING: no folder {folder}; set {SHARED_VARIABLE} to where it lies"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def real_week(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week of measured data: `share/` and `weather/` unpacked, `truth` beside them."""
    folder = tmp_path_factory.mktemp("real_week")
    for name in ("share", "weather"):
        with tarfile.open(shared / "real_week" / f"{name}.tar.xz") as archive:
            archive.extractall(folder / name, filter="data")
    (folder / "truth").symlink_to(shared / "real_week" / "truth")
    return folder
