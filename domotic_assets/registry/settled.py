"""Tells a sites.yaml that is settled from one that is being saved: half a file may give more than the whole.

Without its last line, a person's entry has no end, or a resident who does not consent is not there. No clock
is asked: the file may lie on another machine, whose clock is wrong. What counts is that this process read
the same text twice, some seconds apart.

Why: docs/decisions/0040-a-dated-file-ends-with-its-dates.md
"""

import hashlib
import time
from pathlib import Path

from domotic_assets.errors import ConfigurationError
from domotic_assets.registry.loading import read_sites

SETTLE_SECONDS = 3.0
"""How long the text must have stayed the same."""
_LOOKS_AT_MOST = 20

_seen: dict[Path, tuple[bytes, float]] = {}
"""For each file, the hash of the text read last, and since when it was read by the monotonic clock."""


def look(file: Path) -> str:
    """Read sites.yaml as it is at this moment, and note since when it reads so; raises ConfigurationError."""
    return _look(file)[0]


def wait_until_settled(file: Path) -> str:
    """Read sites.yaml once it has stayed the same for SETTLE_SECONDS; at once if it has already.

    Raises ConfigurationError if it cannot be read, or goes on changing.
    """
    for _ in range(_LOOKS_AT_MOST):
        text, seconds = _look(file)
        if seconds >= SETTLE_SECONDS:
            return text
        time.sleep(SETTLE_SECONDS - seconds)
    raise ConfigurationError(
        "changes all the time, so nobody is given more rights",
        where=str(file),
        expected=f"a file that stays the same for {SETTLE_SECONDS:g} seconds",
        remedy="end the program that writes it, or let it write less often",
    )


def _look(file: Path) -> tuple[str, float]:
    """Read sites.yaml; return the text, and for how many seconds this process has read no other."""
    began = time.monotonic()
    text = read_sites(file)
    found = hashlib.sha256(text.encode()).digest()
    known, since = _seen.get(file, (b"", began))
    if known != found:
        since = time.monotonic()
        _seen[file] = (found, since)
    return text, max(0.0, began - since)
