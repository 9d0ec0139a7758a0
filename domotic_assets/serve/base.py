"""Keeps the private base from which new versions of the published file start, and proves files unchanged.

People never open the base: it lies in a folder that only the account of the product can enter. A record says
which of two slots holds it, and how each file looked when it was finished. What looks otherwise, or has a log
beside it that DuckDB would replay, is no source for anything. All changes happen under the publishing lock.

Why: docs/decisions/0041-closed-by-default.md
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from domotic_assets.files_on_disk import write_whole
from domotic_assets.owner_only import is_private, make_private

FOLDER, _RECORD = ".base", "record.json"
_SLOTS = ("a.duckdb", "b.duckdb")
_NOTHING = "none.duckdb"
"""Name of a base that is not proved: there is never such a file."""
_TOLD_AT_MOST = 20
_PIECE_BYTES = 1 << 20

Look = tuple[int, ...]
"""How a file looked: inode, size, last write and last change of its state (ns). A written file could only
have the last change that it had if the machine's clock was set back."""


@dataclass
class Record:
    """What is known of the files.

    current: the base's slot. twin: name of the published file that is a copy of the base. slots, published:
    look by file name. hashes: SHA-256 of the published files that are no copy of the base. told: published
    files that were found changed, and when (UTC, ISO 8601).
    """

    current: str = ""
    twin: str = ""
    slots: dict[str, Look] = field(default_factory=dict)
    published: dict[str, Look] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)


def proved(serve: Path) -> Path:
    """Return the path of the base if it is as it was finished; else a path at which there is no file.

    The file at the path may be replaced by a newer version, and never changes itself while it is open.
    """
    folder = serve / FOLDER
    held = read_record(serve)
    return folder / (held.current if _is_proved(folder, held, held.current) else _NOTHING)


def take(serve: Path, target: Path) -> None:
    """Put a file to bring up at `target`: the version before the base, else a copy of the base.

    The version before saves copying, but must not change under somebody who still reads it.
    Raises OSError if nothing is proved.
    """
    folder = serve / FOLDER
    held = read_record(serve)
    spare = _other(held.current)
    if _is_proved(folder, held, spare):
        (folder / spare).replace(target)
        if _is_unread(target):
            return
        target.unlink()
    shutil.copyfile(proved(serve), target)


def keep(serve: Path, built: Path, published: str, *, follows: bool) -> Path:
    """Make a finished file the base, and return its path. It is no longer at its old one.

    DuckDB's checkpoint has brought it to the disk.
    published: name of the file that is about to be published from it: until then none is known as published.
    follows: whether it was made from what `take` gave, so that the former base is the version before it; else
    that is removed. Raises OSError, and LakeError if the folder is another account's.
    """
    folder = serve / FOLDER
    make_private(folder)
    held = read_record(serve)
    slot, former = _other(held.current), held.current
    clear_beside(folder / slot)
    built.chmod(stat.S_IRUSR | stat.S_IWUSR)
    built.replace(folder / slot)
    held.slots = {
        slot: look_of(folder / slot),
        **({former: held.slots[former]} if follows and former else {}),
    }
    held.current, held.twin = slot, published
    held.published.pop(published, None)
    write_record(serve, held)
    if not follows and former:
        (folder / former).unlink(missing_ok=True)
    return folder / slot


def remember(serve: Path, published: str) -> None:
    """Record how a published file looks now that it is published."""
    held = read_record(serve)
    held.published[published] = look_of(serve / published)
    if published != held.twin:
        held.hashes[published] = _hash_of(serve / published)
    write_record(serve, held)


def forget(serve: Path, published: str) -> None:
    """Record that a published file is about to be replaced or removed, and tell if it was changed."""
    held = read_record(serve)
    if published in held.published and _is_changed(serve, held, published):
        at = datetime.now(UTC).isoformat(timespec="seconds")
        held.told = [*held.told, (published, at)][-_TOLD_AT_MOST:]
    held.published.pop(published, None)
    held.hashes.pop(published, None)
    write_record(serve, held)


def is_untouched(serve: Path, published: str) -> bool:
    """Return whether a published file is as it was published, with nothing beside it that DuckDB would read.

    Rights that somebody gave, and links, change the state and no byte: then its bytes are compared with the
    base, if it is a copy of that, else with the hash of what was published. False if it is not known.
    """
    return _is_untouched(serve, read_record(serve), published)


def _is_untouched(serve: Path, held: Record, published: str) -> bool:
    """Apply `is_untouched` with the record that was read."""
    known = held.published.get(published)
    file = serve / published
    try:
        found = look_of(file)
    except OSError:
        return False
    if known is None or known[:3] != found[:3] or beside(file):
        return False
    if known == found:
        return True
    if published == held.twin:
        return _are_same(file, proved(serve))
    try:
        return _hash_of(file) == held.hashes.get(published)
    except OSError:
        return False


def changed_files(serve: Path) -> list[str]:
    """Return the names of published files that are not as they were published."""
    held = read_record(serve)
    return [name for name in held.published if _is_changed(serve, held, name)]


def remove(serve: Path) -> None:
    """Remove the base and the record."""
    shutil.rmtree(serve / FOLDER, ignore_errors=True)


def beside(file: Path) -> list[Path]:
    """List what lies beside a database for DuckDB to read, as it would replay a `.wal`, or made by it.

    What somebody else laid there under the database's name, a copy of their own for example, is not touched.
    """
    logs, spill = f"{file.name}.wal", f"{file.name}.tmp"
    with suppress(OSError):
        return [
            path
            for path in file.parent.iterdir()
            if path.name in (logs, spill) or path.name.startswith(f"{logs}.")
        ]
    return []


def clear_beside(file: Path) -> None:
    """Remove what lies beside a database as in `beside`; raises OSError."""
    for path in beside(file):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_record(serve: Path) -> Record:
    """Read the record; an empty one if there is none, it cannot be read, or others may have written it."""
    if not is_private(serve / FOLDER):
        return Record()
    try:
        stated = json.loads((serve / FOLDER / _RECORD).read_bytes())
        return Record(
            str(stated["current"]),
            str(stated["twin"]),
            {name: tuple(look) for name, look in stated["slots"].items()},
            {name: tuple(look) for name, look in stated["published"].items()},
            dict(stated["hashes"]),
            [(name, at) for name, at in stated["told"]],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record()


def write_record(serve: Path, record: Record) -> None:
    """Write the record atomically; raises OSError, and LakeError if the folder is another account's.

    One that a power cut takes proves nothing, and the files are built from nothing.
    """
    make_private(serve / FOLDER)
    write_whole(serve / FOLDER / _RECORD, json.dumps(asdict(record)).encode(), synced=False)


def _is_proved(folder: Path, record: Record, slot: str) -> bool:
    """Return whether the file of a slot is as recorded, with nothing beside it."""
    try:
        file = folder / slot
        return slot in _SLOTS and look_of(file) == record.slots.get(slot) and not beside(file)
    except OSError:
        return False


def look_of(file: Path) -> Look:
    """Return how a file looks, or a link of that name itself; raises OSError."""
    found = file.lstat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _other(slot: str) -> str:
    """Return the slot that is not this one."""
    return _SLOTS[slot == _SLOTS[0]]


def _is_unread(file: Path) -> bool:
    """Return whether no process, this one included, has a file open: the kernel leases no file that is.

    False where it gives no leases.
    """
    opened = os.open(file, os.O_RDONLY)
    try:
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (OSError, AttributeError):
        return False
    finally:
        os.close(opened)
    return True


def _is_changed(serve: Path, held: Record, published: str) -> bool:
    """Return whether a published file is there, or something beside it, and not as it was published.

    One that is gone was withdrawn, or is missed by whoever opens it.
    """
    file = serve / published
    return (os.path.lexists(file) or bool(beside(file))) and not _is_untouched(serve, held, published)


def _hash_of(file: Path) -> str:
    """Hash a file's bytes; raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _are_same(file: Path, other: Path) -> bool:
    """Return whether two files hold the same bytes; False if one cannot be read."""
    try:
        with file.open("rb") as first, other.open("rb") as second:
            while piece := first.read(_PIECE_BYTES):
                if piece != second.read(_PIECE_BYTES):
                    return False
            return not second.read(1)
    except OSError:
        return False
