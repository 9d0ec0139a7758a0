"""What a step of a flow reports: counts by name."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What a step did: counts by name, for metadata and people."""

    counts: Counter[str] = field(default_factory=Counter)
