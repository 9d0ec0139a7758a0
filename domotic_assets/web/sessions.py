"""Keeps who is signed in, in memory: a browser holds a random token, and we hold its hash."""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

SECONDS_OF_A_SESSION = 12 * 3600.0
_MOST_OF_A_PERSON = 20


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in. user: None for whoever used a one-time link. mark: of their password."""

    user: str | None
    mark: str | None
    ends_at: float


class Sessions:
    """The sessions of one web server; they end with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, Session] = {}

    def begin(self, user: str | None, mark: str | None) -> str:
        """Begin a session; return its token of 256 bits. It is always a new one.

        Of a person's sessions the oldest go beyond a bound, and those of nobody else.
        """
        token = secrets.token_urlsafe(32)
        of_person = [key for key, session in self._held.items() if session.user == user]
        for key in of_person[: max(0, len(of_person) + 1 - _MOST_OF_A_PERSON)]:
            del self._held[key]
        self._held[_hashed(token)] = Session(user, mark, self._clock() + SECONDS_OF_A_SESSION)
        return token

    def find(self, tokens: Iterable[str]) -> Session | None:
        """Return the session of the first token that has one that has not ended."""
        for token in tokens:
            session = self._held.get(_hashed(token))
            if session is not None and self._clock() < session.ends_at:
                return session
        return None

    def end(self, tokens: Iterable[str]) -> None:
        """End the sessions of these tokens."""
        for token in tokens:
            self._held.pop(_hashed(token), None)


def _hashed(token: str) -> str:
    """Return the hash under which a token's session is kept: a look-up by it tells nothing by its time."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
