"""Keeps who is signed in, in memory: a browser holds a random token, and we hold its hash."""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

SECONDS_OF_A_SESSION = 12 * 3600.0
_MOST_SESSIONS = 1000


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
        self._held: OrderedDict[str, Session] = OrderedDict()

    def begin(self, user: str | None, mark: str | None) -> str:
        """Begin a session; return its token of 256 bits. It is always a new one."""
        token = secrets.token_urlsafe(32)
        self._held[_hashed(token)] = Session(user, mark, self._clock() + SECONDS_OF_A_SESSION)
        if len(self._held) > _MOST_SESSIONS:
            self._held.popitem(last=False)
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
