"""Judges where a request comes from: which host it asks for, and the page of which origin sends it.

A browser names both (Host, Origin, Sec-Fetch-Site), and no page can make it lie. A page of another origin
that has its own name lead to this machine (DNS rebinding) asks for a host that is not served here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Headers = Iterable[tuple[bytes, bytes]]
Verdict = Literal["own", "link", "foreign", "unknown host"]
"""own: from a page of ours, or typed by a person. link: somebody followed a link on a foreign page."""


@dataclass(frozen=True)
class Served:
    """The addresses that are served: values of Host, and the origin that belongs to each."""

    origin_of_host: dict[str, str]

    @classmethod
    def on_loopback(cls, port: int) -> "Served":
        """Make the address of pages that only this machine can reach.

        `localhost` is none: browsers look for it on ::1 first, where another account may listen.
        """
        host = f"127.0.0.1:{port}"
        return cls({host: f"http://{host}"})

    @classmethod
    def at(cls, address: str) -> "Served":
        """Make the addresses of pages with one address, such as https://lake.example.org."""
        host = address.partition("://")[2]
        return cls({host.removesuffix(":443"): address.removesuffix(":443")})


def header(headers: Headers, name: bytes) -> str | None:
    """Return the value of a header; None if it is missing, and an impossible value if it stands twice."""
    values = [value for key, value in headers if key.lower() == name]
    if len(values) > 1:
        return "\0twice"
    return values[0].decode("latin-1") if values else None


def judge(headers: Headers, served: Served, *, method: str | None) -> Verdict:
    """Judge where a request comes from.

    method: None for the handshake of a WebSocket. A POST and a handshake must name their origin, as every
    browser does.
    """
    host = header(headers, b"host")
    own = served.origin_of_host.get("" if host is None else host.lower())
    if own is None:
        return "unknown host"
    origin, site = header(headers, b"origin"), header(headers, b"sec-fetch-site")
    if origin is None and method not in ("GET", "HEAD"):
        return "foreign"
    if origin is not None and origin != own:
        return "foreign"
    if site in (None, "same-origin", "none"):
        return "own"
    is_page = header(headers, b"sec-fetch-mode") == "navigate"
    is_page = is_page and header(headers, b"sec-fetch-dest") == "document"
    return "link" if is_page and method == "GET" and origin is None else "foreign"
