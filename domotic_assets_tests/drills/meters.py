"""Energy of random plugs whose true loads are known, read by counters with faults: how far off sums are.

    python -m domotic_assets_tests.drills.meters --series 20000

Any period between two true readings counts. A fault's bound is a formula of the series alone
(`support/meters`).
"""

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

from domotic_assets_tests.support import meters

_FORMULAS = {
    "none": "rounding",
    "gap": "rounding; its energy, if the plug was never seen to draw as much",
    "zeros": "rounding",
    "dip": "rounding",
    "sentinel": "rounding",
    "overflow": "rounding",
    "restart": "what the plug could draw over the gap",
    "replaced": "the same, or a minute at 10 kW",
    "set_back": "the same, and the fall",
    "two faults": "the sum of both",
}


@dataclass
class Outcome:
    """Series of a kind: the errors, and how many used how much of their bound."""

    errors: list[float] = field(default_factory=list)
    needed: int = 0
    missed: list[int] = field(default_factory=list)


def run(series: int, first_seed: int) -> dict[str, Outcome]:
    """Judge so many random plugs; by kind of fault."""
    outcomes: defaultdict[str, Outcome] = defaultdict(Outcome)
    for seed in range(first_seed, first_seed + series):
        rng = Random(seed)
        kinds = rng.sample(sorted(meters.FAULTS), rng.choice([0, 1, 1, 1, 1, 2]))
        made = meters.faulty_plug(rng, kinds)
        outcome = outcomes["two faults" if len(kinds) == 2 else (kinds or ["none"])[0]]
        error = meters.error_wh(made)
        outcome.errors.append(error)
        outcome.needed += error > made.rounding_wh
        if error > made.bound_wh:
            outcome.missed.append(seed)
    return outcomes


def main() -> int:
    """Print the table; 1 if a series with at most one fault misses its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    outcomes = run(asked.series, asked.seed)
    print("| fault | bound | series | greatest error, Wh | needed more than rounding | beyond the bound |")
    print("|---|---|---|---|---|---|")
    for kind, formula in _FORMULAS.items():
        told = outcomes[kind]
        seeds = f" (seeds {told.missed[:5]})" if told.missed else ""
        greatest = max(told.errors, default=0.0)
        print(
            f"| {kind} | {formula} | {len(told.errors):,} | {greatest:,.2f} | {told.needed:,} "
            f"| {len(told.missed)}{seeds} |"
        )
    return int(any(told.missed for kind, told in outcomes.items() if kind != "two faults"))


if __name__ == "__main__":
    sys.exit(main())
