"""Removes files of people whose rights were withdrawn, and hands out new ones for rights that still hold.

A note in the folder (`.rights.json`, for its owner alone) says which rights the files of each person were
made with, older versions included, and of which admin's file: the files themselves tell nothing of other
people's data. Whoever reads sites.yaml to remove or to hand out does so under one lock, so that a slow build
never brings back what was withdrawn meanwhile. Files that the note does not know are removed.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domotic_assets.errors import LakeError
from domotic_assets.files_on_disk import locked, write_whole
from domotic_assets.serve import publish
from domotic_assets.serve.people.scopes import Grant, Scope

Read = Callable[[], Sequence[Scope]]
"""Reads what each person may see now, from sites.yaml."""

BUILDING_LOCK, PURPOSE = ".publishing-scopes", "scopes"
_LOCK = ".rights"


@dataclass(frozen=True)
class Note:
    """How a person's files were made.

    grants: rights of all versions. file: name of the newest version. definition, made_of, content: hashes of
    all that decides it besides the data, of the admin's file that it was made of, and of its own content.
    """

    grants: frozenset[Grant]
    file: str = ""
    definition: str = ""
    made_of: str = ""
    content: str = ""


@dataclass(frozen=True)
class Looked:
    """Result of `withdraw`: present scopes, users whose files were removed, and files that could not be."""

    scopes: tuple[Scope, ...]
    removed: frozenset[str] = frozenset()
    stuck: Mapping[str, Sequence[Path]] | None = None

    def refuse_stuck(self, serve: Path) -> None:
        """Raise LakeError if files of withdrawn rights could not be removed."""
        number = sum(map(len, (self.stuck or {}).values()))
        if number:
            raise LakeError(
                f"{number} files made with rights that were withdrawn cannot be removed",
                where=str(serve),
                expected="a folder where files can be removed, and none of these held open by a program",
                remedy="end the program or mend permissions; until then each build, and `domotic live` three "
                "times a minute, tries again",
            )


@dataclass(frozen=True)
class Made:
    """A person's file in staging, with the hashes of a `Note`."""

    file: Path
    definition: str
    made_of: str
    content: str


def withdraw(serve: Path, read: Read) -> Looked:
    """Remove all versions of the files of each person who may no longer see all that they were made with.

    Also those of people who have no scope any more. A file that cannot be removed stays noted, so that the
    next look tries again.
    """
    if not serve.is_dir():
        return Looked(tuple(read()))
    with publish.alone(serve, _LOCK):
        scopes = tuple(read())
        wanted = {scope.user: scope.grants() for scope in scopes}
        notes = before = read_notes(serve)
        removed: set[str] = set()
        stuck: dict[str, Sequence[Path]] = {}
        for user in publish.published_scopes(serve) - {publish.ADMIN}:
            if user in notes and is_within(notes[user].grants, wanted.get(user, frozenset())):
                continue
            left = publish.unlink_scope(serve, user)
            if left:
                stuck[user] = left
            else:
                removed.add(user)
        notes = {
            user: note for user, note in notes.items() if user in wanted.keys() - removed or user in stuck
        }
        if notes != before:
            _write(serve, notes)
    if removed:
        _clear_unfinished(serve)
    return Looked(scopes, frozenset(removed), stuck)


def hand_out(serve: Path, scope: Scope, made: Made, read: Read) -> Path | None:
    """Publish a person's file from staging, and return its versioned path; None if nothing was published.

    That is so if their rights changed while it was built, or if the present file holds the same: a new
    version would only tell that others have new data.
    """
    with publish.publishing(serve) as swap, publish.alone(serve, _LOCK):
        if scope not in read():
            made.file.unlink()
            return None
        notes, grants = read_notes(serve), scope.grants()
        note = notes.get(scope.user, Note(frozenset()))
        published = None
        if note.content == made.content and is_published(serve, scope.user, note):
            made.file.unlink()
        else:
            if note.grants != grants:
                # Before the file is there: it never holds more than what is noted.
                _write(serve, {**notes, scope.user: Note(grants)})
            published = swap(made.file)
        name = note.file if published is None else published.name
        _write(serve, {**notes, scope.user: Note(grants, name, made.definition, made.made_of, made.content)})
        return published


def is_published(serve: Path, user: str, note: Note) -> bool:
    """Return whether a person's stable file is the version noted, and nobody has changed it."""
    try:
        is_noted = bool(note.file) and publish.published_file(serve, user).samefile(serve / note.file)
        return is_noted and publish.is_untouched(serve, user)
    except OSError:
        return False


def are_noted(serve: Path, scopes: Sequence[Scope]) -> bool:
    """Return whether each person's file was made with all that the scope gives, and more at most."""
    notes = read_notes(serve)
    return all(
        scope.user in notes and is_within(scope.grants(), notes[scope.user].grants) for scope in scopes
    )


def is_within(held: Iterable[Grant], wanted: Iterable[Grant]) -> bool:
    """Return whether all that `held` grants is granted by `wanted`, each table with the same reach."""
    by_table: dict[tuple[str, str, int], list[tuple[int, int]]] = {}
    for grant in wanted:
        by_table.setdefault(grant[:3], []).append(grant[3:])
    return all(_is_covered(grant[3:], by_table.get(grant[:3], ())) for grant in held)


def _is_covered(dates: tuple[int, int], by: Sequence[tuple[int, int]]) -> bool:
    """Return whether spans of date keys, the end exclusive, together hold all dates of one."""
    reached, end = dates
    for first, until in sorted(by):
        if first <= reached:
            reached = max(reached, until)
    return reached >= end


def read_notes(serve: Path) -> dict[str, Note]:
    """Read the note of each person; none if the file is missing or damaged, so that all are made anew."""
    try:
        held = json.loads(publish.rights_file(serve).read_bytes())
        return {
            user: Note(frozenset((n, r, int(k), int(f), int(e)) for n, r, k, f, e in grants), *map(str, made))
            for user, (grants, *made) in held.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def _write(serve: Path, notes: Mapping[str, Note]) -> None:
    """Replace the notes; raises LakeError."""
    held = {
        user: (sorted(note.grants), note.file, note.definition, note.made_of, note.content)
        for user, note in sorted(notes.items())
    }
    try:
        write_whole(publish.rights_file(serve), json.dumps(held).encode(), mode=0o600)
    except OSError as error:
        raise publish.unwritable(serve, error) from error


def _clear_unfinished(serve: Path) -> None:
    """Remove what a killed build left in staging; a build that is under way looks at the rights itself."""
    try:
        with locked(serve / BUILDING_LOCK, 0):
            shutil.rmtree(publish.staging_file(serve, PURPOSE).parent, ignore_errors=True)
    except TimeoutError:
        return
