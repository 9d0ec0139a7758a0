"""What an erasure has to remember until it is done, and the receipt that stays of it.

Once the home's rows are gone nothing in the lake says what was the home's: the journal does, in a file of
the lake that goes last. The receipt lies outside of the lake and holds no name, id or reading.
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
    """A table written anew: rows that went and stayed, and its Delta version before and after."""

    rows_removed: int
    rows_kept: int
    delta_version_before: int
    delta_version_after: int


@dataclass(frozen=True)
class Journal:
    """An erasure that was begun. salt: of the hash by which the receipt names the home."""

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
        """The journal of an erasure that begins now."""
        return cls(ids, secrets.token_hex(16), now)

    def with_table(self, table: str, done: TableDone) -> "Journal":
        """And one table more that is written anew.

        Written a second time, after a kill, it holds nothing of the home any more: the first time counts.
        """
        before = self.tables.get(table)
        kept = done if before is None or done.rows_removed else before
        return replace(self, tables={**self.tables, table: kept})

    @property
    def home_hash(self) -> str:
        """Who knows the home's id can tell that the receipt is of it; nobody else can."""
        return hashlib.sha256(f"{self.salt}{self.ids.home}".encode()).hexdigest()


_CODEC = TypeAdapter(Journal)


def recall(lake_root: str) -> Journal | None:
    """The erasure that was begun on this lake and not finished; None where there is none."""
    try:
        return _CODEC.validate_json(_file(lake_root).read_bytes())
    except FileNotFoundError:
        return None


def remember(lake_root: str, journal: Journal) -> None:
    """Write the journal, on disk before anything else happens."""
    write_whole(_file(lake_root), _CODEC.dump_json(journal), mode=OWNER_ONLY)


def close(lake_root: str) -> None:
    """The erasure is done."""
    _file(lake_root).unlink(missing_ok=True)


def refuse_unfinished(lake_root: str) -> None:
    """Raise LakeError while an erasure was begun and not finished."""
    if _file(lake_root).exists():
        raise LakeError(
            "a home is being forgotten, and is not yet",
            where=lake_root,
            expected="`domotic forget` done",
            remedy="wait until it is, or run it again if it was broken off",
        )


def write_receipt(file: Path, journal: Journal, ended: datetime, scanned: Mapping[str, int]) -> None:
    """Write the receipt, for its owner's eyes."""
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
    return Path(lake_root, FILE)
