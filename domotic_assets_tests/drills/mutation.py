"""Mutation testing of the rules of energy, time and dedup: does a unit test notice each small change of them?

    python -m domotic_assets_tests.drills.mutation --mutants 20

Mutants live in memory, no file is changed. Each runs in a process of its own, forked before Polars is
imported (a fork after that may hang), and through the unit tests of its module only. One that no test
notices survives; the drill fails for each survivor that docs/mutation.md does not explain.
"""

import argparse
import ast
import importlib.util
import os
import random
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType

import hypothesis
import pytest

from domotic_assets_tests.drills.mutants import Mutant, mutants

REPOSITORY = Path(__file__).parents[2]
EXPLAINED = REPOSITORY / "docs" / "mutation.md"
UNIT = "domotic_assets_tests/unit/"
_HOMES = "domains/homes/"
TESTS = {
    _HOMES + "gold/energy": [_HOMES + "gold/test_energy.py"],
    _HOMES + "gold/plug_energy": [_HOMES + "gold/test_energy.py"],
    _HOMES + "gold/counters": [_HOMES + "gold/test_counters.py"],
    "star/arithmetic": [_HOMES + "gold/test_energy.py"],
    _HOMES + "gold/tariffs": [_HOMES + "gold/test_tariffs.py"],
    "localtime": ["test_localtime.py", _HOMES + "bronze/test_names.py"],
    _HOMES + "silver/events": [_HOMES + "silver/test_events.py"],
    _HOMES + "bronze/names": [_HOMES + "bronze/test_names.py"],
    "ingest/arrival": [_HOMES + "bronze/test_names.py"],
    _HOMES + "bronze/landing": [_HOMES + "bronze/test_landing.py"],
    "ingest/files": [_HOMES + "bronze/test_landing.py"],
}
"""Module to the unit tests that know it."""

ONLY = {_HOMES + "bronze/landing": {"Landing"}, "ingest/files": {"identify", "versions"}}
"""Of these modules only so much is a rule of dedup; the rest is left alone."""

CPU_SECONDS = 60
"""Of a mutant's tests, which take one to six without a change; a busy machine does not use it up."""

HANGS_AFTER_SECONDS = 900
_PROFILE = "mutation"


class _InMemory(SourceFileLoader):
    """Finds and loads one module from a text instead of its file."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._code = compile(source, str(path), "exec")

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """The module's spec; other modules are found elsewhere."""
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        """The changed code."""
        assert fullname == self.name
        return self._code


def outcome(module: str, source: str) -> int:
    """How the module's tests end with this source: pytest's exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        _run_tests(module, source)
    watched = os.pidfd_open(child)
    in_time, _, _ = select.select([watched], [], [], HANGS_AFTER_SECONDS)
    os.close(watched)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run_tests(module: str, source: str) -> None:
    """Run them in this process, and end it."""
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        name = f"domotic_assets.{module.replace('/', '.')}"
        sys.meta_path.insert(0, _InMemory(name, path_of(module), source))
        files = [UNIT + file for file in TESTS[module]]
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        plugins = ["-p_hypothesis_pytestplugin", "-pno:cacheprovider"]
        code = pytest.main(["-xq", *plugins, f"--hypothesis-profile={_PROFILE}", *files])
    finally:
        os._exit(code)


def path_of(module: str) -> Path:
    """Where a module lies."""
    return REPOSITORY / "domotic_assets" / f"{module}.py"


def chosen(most: int | None, seed: int, only: str | None) -> dict[str, tuple[int, list[Mutant]]]:
    """Of each module the number of its mutants and those to try: all, or so many in all by this seed."""
    modules = [module for module in TESTS if only in (None, module)]
    every = {module: mutants(path_of(module).read_text(), ONLY.get(module)) for module in modules}
    places = [(module, place) for module, found in every.items() for place in range(len(found))]
    if most is not None and most < len(places):
        places = random.Random(seed).sample(places, most)
    taken = set(places)
    return {
        module: (len(found), [mutant for place, mutant in enumerate(found) if (module, place) in taken])
        for module, found in every.items()
    }


@dataclass(frozen=True)
class Score:
    """How the mutants of a module ended."""

    module: str
    there: int
    tried: int
    too_slow: int
    survivors: list[Mutant]
    seconds: float

    @property
    def killed(self) -> int:
        """Those that a test noticed."""
        return self.tried - len(self.survivors)


def score(module: str, there: int, tried: Sequence[Mutant], explained: str) -> Score:
    """Try mutants of a module, naming each survivor."""
    began = time.monotonic()
    # The unchanged module takes the same way: what it ends with is not the mutation's doing.
    clean = outcome(module, ast.unparse(ast.parse(path_of(module).read_text())))
    if clean != pytest.ExitCode.OK:
        raise SystemExit(f"{module}: its tests fail without any change ({clean})")
    too_slow, survivors = 0, []
    for mutant in tried:
        ended = outcome(module, mutant.source)
        if ended in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
            raise SystemExit(f"{module}: its tests do not run ({ended})")
        too_slow += ended in (-signal.SIGXCPU, -signal.SIGKILL)
        if ended == pytest.ExitCode.OK:
            survivors.append(mutant)
            known = "explained" if is_explained(module, mutant, explained) else "NOT EXPLAINED"
            _say(f"survived, {known}: line {mutant.line}: {name_of(module, mutant)}")
    return Score(module, there, len(tried), too_slow, survivors, time.monotonic() - began)


def name_of(module: str, mutant: Mutant) -> str:
    """A mutant as docs/mutation.md names it."""
    return f"{module}.py {mutant.what}"


def is_explained(module: str, mutant: Mutant, explained: str) -> bool:
    """Whether the text has a line about the mutant."""
    return f"- {name_of(module, mutant)}: " in explained


def table(scores: Sequence[Score]) -> str:
    """The scores in Markdown."""
    lines = [
        "| module | mutants | tried | killed | by time | score | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for of in scores:
        share = f"{of.killed / of.tried:.1%}"
        counts = f"{of.there} | {of.tried} | {of.killed} | {of.too_slow}"
        lines.append(f"| `{of.module}.py` | {counts} | {share} | {of.seconds:,.0f} |")
    tried, killed = sum(of.tried for of in scores), sum(of.killed for of in scores)
    counts = f"{sum(of.there for of in scores)} | {tried} | {killed} | {sum(of.too_slow for of in scores)}"
    lines.append(f"| all | {counts} | {killed / tried:.1%} | {sum(of.seconds for of in scores):,.0f} |")
    return "\n".join(lines)


def drill(most: int | None, seed: int, only: str | None = None) -> int:
    """Try the mutants and print a table of scores; how many survivors nobody has explained."""
    os.chdir(REPOSITORY)
    # Not shrunk, as it is enough that a test fails; derandomized, so that a second drill ends the same.
    hypothesis.settings.register_profile(
        _PROFILE,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    explained = EXPLAINED.read_text()
    scores = []
    for module, (there, tried) in chosen(most, seed, only).items():
        if tried:
            scores.append(score(module, there, tried, explained))
            _say(table(scores[-1:]).splitlines()[2])
    unexplained = sum(
        not is_explained(of.module, mutant, explained) for of in scores for mutant in of.survivors
    )
    print(f"{table(scores)}\n\n{datetime.now(UTC):%Y-%m-%d}, {unexplained} survivors not explained")
    return unexplained


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="Changed rules, and what no unit test notices")
    parser.add_argument("--mutants", type=int, help="try so many, sampled from all modules (all)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed samples the same mutants")
    parser.add_argument("--module", choices=TESTS, help="only those of this module")
    asked = parser.parse_args(arguments)
    sys.exit(1 if drill(asked.mutants, asked.seed, asked.module) else 0)


if __name__ == "__main__":
    main()
