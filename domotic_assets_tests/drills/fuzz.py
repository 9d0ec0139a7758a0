"""Mutated sensor files and forecasts through landing and reading: none ends anything, all are accounted for.

    python -m domotic_assets_tests.drills.fuzz --files 100000 --seed 1

Three quarters are mutated in their structure and go in batches with good files among them, as in
production, and in part by themselves; one quarter is a search guided by the code that files reach. What
shows something wrong is made as small as can be and written into the corpus, where it is a failing test.
"""

import argparse
import faulthandler
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as Folder

from domotic_assets_tests.fuzzing import samples
from domotic_assets_tests.fuzzing.judge import FORECASTS, SENSOR, Finding, Path, judge

CORPUS = Folder(__file__).parents[1] / "fuzz_corpus"
BATCH = 100
GOOD_AMONG = 4
ALONE_EVERY = 4
"""Of so many mutated files of a batch one is carried by itself as well."""

MOST_MEMORY = 1024**3
"""Of the whole process; after its imports it holds some 250 MB."""

HANGS_AFTER_SECONDS = 120
SHARES = {"mutated .json": 0.6, "mutated .csv": 0.15, "guided .json": 0.17, "guided .csv": 0.08}
_TRIALS = 400


@dataclass
class Part:
    """What a part of the drill did. reached_new: files kept as they reached new code."""

    files: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    reached_new: int | None = None
    findings: Counter[str] = field(default_factory=Counter)


def mutated(path: Path, count: int, seed: int, corpus: Folder) -> Part:
    """Batches of mutated files with good ones among them."""
    part, began = Part(), time.monotonic()
    shown = began
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        wrong = [samples.mutated(path, number, seed) for number in numbers]
        right = [samples.good(path, first + BATCH + number) for number in range(GOOD_AMONG)]
        faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS, exit=True)
        findings, longest = judge(path, [*wrong, *right], [*wrong[::ALONE_EVERY], *right])
        faulthandler.cancel_dump_traceback_later()
        part.files += len(numbers)
        part.longest = max(part.longest, longest)
        keep((finding for finding in findings if finding.what not in part.findings), path, corpus)
        part.findings.update(finding.what for finding in findings)
        part.seconds = time.monotonic() - began
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            _say(f"mutated {path.suffix}: {part.files:,} of {count:,}, {part.findings.total()} findings")
    return part


def guided(path: Path, count: int, seed: int, corpus: Folder) -> Part:
    """A search in a process of its own, as its product is instrumented."""
    part = Part()
    with tempfile.TemporaryDirectory(prefix="domotic-fuzz-") as folder:
        command = [
            sys.executable,
            "-m",
            "domotic_assets_tests.fuzzing.guided",
            path.suffix[1:],
            str(count),
            str(seed),
        ]
        with subprocess.Popen(
            [*command, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as search:
            assert search.stdout is not None
            assert search.stderr is not None
            for line in search.stdout:
                if line.startswith("{"):
                    said = json.loads(line)
                    part = Part(
                        said["done"],
                        said["seconds"],
                        said["longest"],
                        said["reached_new"],
                        Counter(said["findings"]),
                    )
                    _say(
                        f"guided {path.suffix}: {part.files:,} of {count:,}, {part.findings.total()} findings"
                    )
            ending = search.stderr.read().splitlines()
        if search.returncode or part.files < count:
            part.findings[f"the search ended after {part.files:,} files: {' '.join(ending[-1:])}"] += 1
        for case in Folder(folder).glob("*-*.*"):
            findings, _ = judge(path, [samples.named(path, 0, case.read_bytes())])
            keep(findings, path, corpus)
    return part


def keep(findings: Iterable[Finding], path: Path, corpus: Folder) -> None:
    """Write cases into the corpus, those of one file as small as can be."""
    for finding in findings:
        for file in finding.files[:10]:
            content = smallest(path, file.content, finding.what) if len(finding.files) == 1 else file.content
            name = f"found-{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
            (corpus / name).write_bytes(content)
            _say(f"{finding.what}: kept as {name} ({len(content):,} bytes)")


def smallest(path: Path, content: bytes, what: str) -> bytes:
    """As few of the bytes as still show it: pieces are left out, large ones first, for so many trials."""
    size, trials = len(content) // 2, 0
    while size and trials < _TRIALS:
        place = 0
        while place < len(content) and trials < _TRIALS:
            shorter = content[:place] + content[place + size :]
            trials += 1
            found, _ = judge(path, [samples.named(path, 0, shorter)])
            if any(finding.what == what for finding in found):
                content = shorter
            else:
                place += size
        size //= 2
    return content


def table(parts: dict[str, Part], memory: int) -> str:
    """The result in Markdown."""
    lines = [
        "| part | files | seconds | longest file, s | reached new code | findings |",
        "|---|---|---|---|---|---|",
    ]
    for name, part in parts.items():
        found = "; ".join(f"{number} × {what}" for what, number in part.findings.items()) or "none"
        reached = part.reached_new or "–"
        figures = f"{part.files:,} | {part.seconds:,.0f} | {part.longest:.3f}"
        lines.append(f"| {name} | {figures} | {reached} | {found} |")
    files, seconds = sum(p.files for p in parts.values()), sum(p.seconds for p in parts.values())
    longest = max(p.longest for p in parts.values())
    findings = sum(p.findings.total() for p in parts.values())
    lines.append(f"| all | {files:,} | {seconds:,.0f} | {longest:.3f} | | {findings or 'none'} |")
    return "\n".join([*lines, "", f"{datetime.now(UTC):%Y-%m-%d}, peak memory {memory / 1024**2:,.0f} MB"])


def peak_memory() -> int:
    """The most bytes that this process, or one it started, has held."""
    return 1024 * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def drill(files: int, seed: int, corpus: Folder = CORPUS) -> int:
    """Carry so many files and print what was found; how many things that were."""
    corpus.mkdir(exist_ok=True)
    works = {"mutated": mutated, "guided": guided}
    paths = {path.suffix: path for path in (SENSOR, FORECASTS)}
    parts = {}
    for name, share in SHARES.items():
        how, suffix = name.split()
        parts[name] = works[how](paths[suffix], round(files * share), seed, corpus)
    memory = peak_memory()
    print(table(parts, memory))
    too_much = memory > MOST_MEMORY
    if too_much:
        print(f"more memory than {MOST_MEMORY:,} bytes")
    return too_much + sum(part.findings.total() for part in parts.values())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The drill from the command line."""
    parser = argparse.ArgumentParser(description="Mutated files through landing and reading")
    parser.add_argument("--files", type=int, default=100_000, help="files in all")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same files")
    asked = parser.parse_args(arguments)
    sys.exit(1 if drill(asked.files, asked.seed) else 0)


if __name__ == "__main__":
    main()
