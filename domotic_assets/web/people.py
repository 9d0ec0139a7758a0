"""Tells what a person may do now, by sites.yaml as it is now."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from domotic_assets.errors import ConfigurationError
from domotic_assets.registry.loading import load_sites
from domotic_assets.registry.people import Person

_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Rights:
    """What somebody may do. sees: all pages of operation. acts: change something there."""

    sees: bool = False
    acts: bool = False


OPERATOR = Rights(sees=True, acts=True)
"""Of whoever can write into the lake, and so made the link by which they signed in."""


class People:
    """The people of a sites.yaml, read again when the file changes."""

    def __init__(self, sites_file: Path) -> None:
        self._file = sites_file
        self._looked_at = 0.0
        self._seen: tuple[int, int, int] | None = None
        self._people: tuple[Person, ...] = ()

    def users(self) -> frozenset[str]:
        """Return the login ids of everybody in sites.yaml."""
        self._look()
        return frozenset(person.user for person in self._people)

    def rights(self, user: str, today: date | None = None) -> Rights | None:
        """Return a person's rights on a date, by default today's in UTC; None if no entry holds then."""
        self._look()
        day = today or datetime.now(UTC).date()
        roles = {
            person.role
            for person in self._people
            if person.user == user and (person.since or date.min) <= day < (person.until or date.max)
        }
        if not roles:
            return None
        return Rights(sees=bool(roles & {"admin", "viewer"}), acts="admin" in roles)

    def _look(self) -> None:
        """Read the file if it has changed. One that cannot be read leaves nobody any right."""
        if time.monotonic() - self._looked_at < _SECONDS_BETWEEN_LOOKS and self._seen is not None:
            return
        self._looked_at = time.monotonic()
        try:
            found = self._file.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen != self._seen:
                self._people, self._seen = load_sites(self._file).registry.people, seen
        except (OSError, ConfigurationError):
            self._people, self._seen = (), None
