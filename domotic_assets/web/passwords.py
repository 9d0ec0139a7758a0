"""Keeps the passwords of people as argon2id hashes, in a file that only the lake's account can read."""

import hashlib
import json
import secrets
from collections.abc import Collection
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domotic_assets.errors import ConfigurationError
from domotic_assets.files_on_disk import locked, write_whole
from domotic_assets.web.one_time_links import private_folder

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
_HASHER = PasswordHasher()  # RFC 9106, low memory: 64 MiB, three passes, four lanes


class Passwords:
    """The passwords of a lake's people, by login id."""

    def __init__(self, dagster_home: Path) -> None:
        self._file = dagster_home / "sign_in" / "passwords.json"

    def set(self, user: str, password: str | None, people: Collection[str]) -> None:
        """Set a person's password; None removes it. Entries of whoever is not in `people` go as well."""
        private_folder(self._file.parent)
        with locked(self._file.with_suffix(".lock")):
            held = {known: kept for known, kept in self._read().items() if known in people and known != user}
            if password is not None:
                held[user] = _HASHER.hash(password)
            write_whole(self._file, json.dumps(held, indent=1).encode(), mode=0o600)

    def users(self) -> frozenset[str]:
        """Return the login ids that have a password."""
        return frozenset(self._read())

    def verify(self, user: str, password: str) -> bool:
        """Return whether this is the person's password. It takes some 50 ms, for unknown people too."""
        held, nobodys = self._read().get(user), _hash_of_nobody()
        try:
            return _HASHER.verify(held or nobodys, password) and held is not None
        except (VerificationError, InvalidHashError):
            return False

    def mark(self, user: str) -> str | None:
        """Return a mark of the person's present password, another for each; None if there is none."""
        held = self._read().get(user)
        return None if held is None else hashlib.sha256(held.encode()).hexdigest()

    def _read(self) -> dict[str, str]:
        """Read the hashes by login id; none if there is no file yet."""
        try:
            held: dict[str, str] = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise ConfigurationError(
                "no JSON of login ids and hashes",
                where=str(self._file),
                expected="what `domotic password` has written",
                remedy="remove the file, and set the passwords again",
            ) from None
        return held


@cache
def _hash_of_nobody() -> str:
    """Return what a try for an unknown person is compared with: it takes the work of a known one."""
    return _HASHER.hash(secrets.token_urlsafe())
