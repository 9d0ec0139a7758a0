"""Writes and reads the cookie of a session."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Cookie:
    """The cookie that holds a session's token.

    Cookies know no ports: a server of another account on 127.0.0.1 would be sent one whose path is `/`.
    So on loopback the path is one that only the lake's account knows. secure: it is sent over TLS alone.
    """

    name: str
    path: str
    secure: bool

    def header(self, token: str, seconds: float) -> str:
        """Return the value of Set-Cookie."""
        secure = "; Secure" if self.secure else ""
        return (
            f"{self.name}={token}; Path={self.path}; Max-Age={seconds:.0f}; HttpOnly; SameSite=Strict{secure}"
        )

    def values(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield each value under this name in the Cookie headers: others may have set further ones."""
        for line in lines:
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.name and value:
                    yield value
