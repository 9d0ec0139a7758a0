"""Files that reach new code: mutations are kept that take a branch of the product which none took before.

A process of its own, as the product's modules are instrumented while they are imported:

    python -m domotic_assets_tests.fuzzing.guided json 2000 1 FOLDER

Cases that show something wrong are written into FOLDER; the last line printed says what was reached.
"""

import contextlib
import hashlib
import json
import sys
import time
from pathlib import Path as Folder
from random import Random

import atheris

with atheris.instrument_imports(include=["domotic_assets"]):
    from domotic_assets_tests.fuzzing import judge, mutations, samples

MOST_BYTES = 32_768


class _Guided:
    """The target: one file at a time, by itself."""

    def __init__(self, path: judge.Path, runs: int, folder: Folder, corpus: Folder) -> None:
        self._path = path
        self._corpus = corpus
        self._runs = runs
        self._folder = folder
        self._began = time.monotonic()
        self._done = 0
        self._longest = 0.0
        self._whats: dict[str, int] = {}

    def run(self, content: bytes) -> None:
        found, seconds = judge.judge(self._path, [samples.named(self._path, 0, content)], ())
        self._done += 1
        self._longest = max(self._longest, seconds)
        for finding in found:
            if finding.what not in self._whats:
                name = f"found-{hashlib.sha256(content).hexdigest()[:12]}{self._path.suffix}"
                (self._folder / name).write_bytes(content)
            self._whats[finding.what] = self._whats.get(finding.what, 0) + 1
        if self._done % 500 == 0 or self._done == self._runs:
            result = {
                "done": self._done,
                "seconds": round(time.monotonic() - self._began, 1),
                "longest": self._longest,
                "reached_new": sum(1 for _ in self._corpus.iterdir()),
                "findings": self._whats,
            }
            print(json.dumps(result), flush=True)


def _mutate(path: judge.Path, content: bytes, limit: int, seed: int) -> bytes:
    """In its structure where it has one; else, and now and then, in its bytes as the library knows how."""
    chance = Random(seed)
    if chance.random() < 0.6:
        with contextlib.suppress(ValueError, RecursionError):
            return mutations.mutated(path.suffix, content, chance)[:limit]
    return bytes(atheris.Mutate(content, limit))


def main() -> None:
    """A guided search from the command line."""
    suffix, runs, seed, folder = sys.argv[1:]
    path = {".json": judge.SENSOR, ".csv": judge.FORECASTS}[f".{suffix}"]
    corpus = Folder(folder) / f"corpus-{suffix}"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(samples.seeds(path)):
        (corpus / f"seed-{number}").write_bytes(content)
    target = _Guided(path, int(runs), Folder(folder), corpus)
    options = [
        f"-atheris_runs={runs}",
        f"-seed={seed}",
        f"-max_len={MOST_BYTES}",
        "-verbosity=0",
        "-timeout=60",
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(corpus)],
        target.run,
        custom_mutator=lambda content, limit, number: _mutate(path, content, limit, number),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
