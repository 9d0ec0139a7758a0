"""Describes what is wrong right now, as one problem for each thing that a person would fix separately."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["run", "check", "silence", "source"]
"""A run that failed, a check of a table, a home that sends nothing, a source that cannot be read."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. It holds nothing personal or secret.

    name: the job or the check. about: the partition keys of the run, or the table that is checked.
    home: the home affected; None if the problem is not about one. detail: one line about what was found.
    link: path of its page in the Dagster UI.
    """

    kind: Kind
    name: str
    about: str
    since: datetime
    home: str | None = None
    detail: str = ""
    link: str = ""

    @property
    def key(self) -> str:
        """Identifies the same problem at any time."""
        return " ".join(filter(None, (self.kind, self.name, self.about, self.home)))

    @property
    def family(self) -> tuple[Kind, str, str]:
        """Identifies problems that a person would look at together: of one job, or one check of a table."""
        return self.kind, self.name, "" if self.kind == "run" else self.about
