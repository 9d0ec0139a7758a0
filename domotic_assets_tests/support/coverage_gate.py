"""Says how many lines and branches the tests have run; too few fail where all tests must have run.

    python -m domotic_assets_tests.support.coverage_gate

Reads what the last run with `--cov` left. Where servers are missing their tests were skipped, and the shares
say less.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import coverage

GOAL_PCT = 90.0
REQUIRE_VARIABLE = "DOMOTIC_REQUIRE_SERVICES"


def shares() -> dict[str, float]:
    """What ran of the package's lines and branches, in per cent."""
    measured = coverage.Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        measured.json_report(outfile=str(report))
        totals = json.loads(report.read_text())["totals"]
    return {
        "lines": 100 * totals["covered_lines"] / totals["num_statements"],
        "branches": 100 * totals["covered_branches"] / totals["num_branches"],
    }


def verdict(found: dict[str, float], *, all_tests_ran: bool) -> tuple[str, int]:
    """A line that says it, and the exit code."""
    short = [name for name, share in found.items() if share < GOAL_PCT]
    said = ", ".join(f"{share:.1f} % of {name}" for name, share in found.items())
    line = f"coverage of domotic_assets: {said} (goal {GOAL_PCT:.0f} % of each)"
    return line, int(bool(short) and all_tests_ran)


def main() -> int:
    """Say it."""
    line, code = verdict(shares(), all_tests_ran=os.environ.get(REQUIRE_VARIABLE) == "1")
    print(("FAILED: " if code else "") + line)
    return code


if __name__ == "__main__":
    sys.exit(main())
