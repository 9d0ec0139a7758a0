"""What is wrong right now, said once for each thing that a person would mend by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["run", "check", "silence", "source"]
"""A run that failed, a check of a table, a home that sends nothing, a source that cannot be read."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. Nothing in it is personal or secret.

    name: the job, or the check. about: the keys that the run carried, or the table that is checked.
    home: the home that is meant, where there is one. detail: one line of what was found.
    link: where the Dagster UI shows it.
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
        """The same for the same problem at any time."""
        return " ".join(filter(None, (self.kind, self.name, self.about, self.home)))

    @property
    def family(self) -> tuple[Kind, str, str]:
        """The same for problems that a person would look at together: of one job, or of one check."""
        return self.kind, self.name, "" if self.kind == "run" else self.about
