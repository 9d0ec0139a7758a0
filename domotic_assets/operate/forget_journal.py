"""Writes the journal of an erasure, which exists until the erasure is done, and its receipt, which stays.

Once the home's rows are gone, only the journal tells what belonged to the home. It is a file in the lake and
is deleted last. The receipt lies outside the lake and holds no name, id or reading.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from domotic_assets.errors import LakeError
from domotic_assets.files_on_disk import write_whole
from domotic_assets.operate.home_rows import HomeIds

FILE = ".forgetting.json"
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class TableDone:
    """A rewritten table: rows removed and kept, and its Delta version before and after."""

    rows_removed: int
    rows_kept: int
    delta_version_before: int
    delta_version_after: int


@dataclass(frozen=True)
class Journal:
    """An erasure that has begun: the home's ids, and counts of what is removed so far.

    salt: part of the hash by which the receipt names the home. tables: rewritten tables by id. runs,
    record_rows, record_files: what was removed from Dagster's records.
    """

    ids: HomeIds
    salt: str
    started: datetime
    tables: Mapping[str, TableDone] = field(default_factory=dict)
    published_files: int = 0
    runs: int = 0
    record_rows: int = 0
    record_files: int = 0

    @classmethod
    def begun(cls, ids: HomeIds, now: datetime) -> "Journal":
        """Create the journal of an erasure that begins at `now`."""
        return cls(ids, secrets.token_hex(16), now)

    def with_table(self, table: str, done: TableDone) -> "Journal":
        """Return the journal with one more rewritten table.

        A table that is rewritten again after a kill may hold no rows of the home: then the first counts stay.
        """
        before = self.tables.get(table)
        kept = done if before is None or done.rows_removed else before
        return replace(self, tables={**self.tables, table: kept})

    @property
    def home_hash(self) -> str:
        """Salted SHA-256 of the home's id, as hex: only who knows the id can match the receipt to it."""
        return hashlib.sha256(f"{self.salt}{self.ids.home}".encode()).hexdigest()


_CODEC = TypeAdapter(Journal)


def recall(lake_root: str) -> Journal | None:
    """Read the journal of the lake's unfinished erasure; None if there is none."""
    try:
        return _CODEC.validate_json(_file(lake_root).read_bytes())
    except FileNotFoundError:
        return None


def remember(lake_root: str, journal: Journal) -> None:
    """Write the journal to disk; returns once it is there."""
    write_whole(_file(lake_root), _CODEC.dump_json(journal), mode=OWNER_ONLY)


def close(lake_root: str) -> None:
    """Delete the journal, as the erasure is done."""
    _file(lake_root).unlink(missing_ok=True)


def refuse_unfinished(lake_root: str) -> None:
    """Raise LakeError if an erasure was begun on this lake and is not finished."""
    if _file(lake_root).exists():
        raise LakeError(
            "a home is being forgotten, and is not yet",
            where=lake_root,
            expected="`domotic forget` done",
            remedy="wait until it is, or run it again if it was broken off",
        )


def write_receipt(file: Path, journal: Journal, ended: datetime, scanned: Mapping[str, int]) -> None:
    """Write the receipt as JSON, readable by its owner only. scanned: counts of the final scan."""
    receipt = {
        "what": "a home was forgotten",
        "home_sha256": journal.home_hash,
        "home_sha256_is": "SHA-256, as hex, of the salt followed by the home's id, in UTF-8",
        "salt": journal.salt,
        "started_utc": journal.started.isoformat(),
        "ended_utc": ended.isoformat(),
        "tables": {name: asdict(done) for name, done in sorted(journal.tables.items())},
        "published_files_removed": journal.published_files,
        "dagster_records_removed": {
            "runs": journal.runs,
            "other_rows": journal.record_rows,
            "files": journal.record_files,
        },
        "final_scan": dict(scanned),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(receipt, indent=2).encode() + b"\n", mode=OWNER_ONLY)


def _file(lake_root: str) -> Path:
    """Return the path of the journal in a lake."""
    return Path(lake_root, FILE)
