"""The page of benchmarks: what was measured, against what, and where the time goes."""

from collections.abc import Mapping, Sequence

from domotic_assets_tests.bench.figures import Figure, as_table

_HEADINGS = {
    "flatten": "From bytes to events",
    "landing": "From files to bronze",
    "silver": "From bronze to silver",
    "history": "A history from a folder to the published file",
    "minute": "A live minute",
    "late": "A late file, a day again, a home forgotten",
    "homes": "A thousand homes",
    "facts": "Facts of a day",
    "profile": "Where the time goes",
}

_PICTURES = {
    "minute": "\n![A minute as the tables' logs grow](benchmarks-growth.svg)\n",
    "profile": "\n![Flame graph of a history](profile-history.svg)\n"
    "\n![Flame graph of live minutes](profile-minute.svg)\n",
}

_TOP = """# Benchmarks

`make bench` measures all of this anew and writes this page; `make bench SUITES=flatten` measures one part.
Figures are medians of at least five repetitions where nothing else is said, each beside its baseline in the
same run. The same figures for machines: [benchmarks.json](benchmarks.json). Data are simulated with every
defect at its usual share, or the measured week where it says so.
"""


def page(figures: Sequence[Figure], about: Mapping[str, str]) -> str:
    """The page in Markdown."""
    parts = [_TOP]
    for suite, heading in _HEADINGS.items():
        if own := [figure for figure in figures if figure.suite == suite]:
            pictures = _PICTURES.get(suite, "")
            parts.append(f"\n## {heading}\n\n{about[suite]}.\n\n{as_table(own)}\n{pictures}")
    return "".join(parts)
