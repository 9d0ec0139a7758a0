"""Decides how the pages of a lake are reached: on this machine by links, or beyond it by passwords."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from domotic_assets.errors import ConfigurationError
from domotic_assets.files_on_disk import write_whole
from domotic_assets.registry.loading import Sites
from domotic_assets.registry.pages import Pages
from domotic_assets.web.cookies import Cookie
from domotic_assets.web.one_time_links import private_folder
from domotic_assets.web.origins import Served

LOOPBACK = "127.0.0.1"
BACKLOG = 64
"""Connections that wait for the web server; it accepts as many in one go, on top of its bound."""


@dataclass(frozen=True)
class Reached:
    """Where the web server of a lake listens, and under which address it is found. pages: if beyond."""

    port: int
    pages: Pages | None

    @property
    def listen(self) -> str:
        """Return the address of this machine that is listened on."""
        return LOOPBACK if self.pages is None else str(self.pages.listen)

    @property
    def address(self) -> str:
        """Return the address that a person opens."""
        return f"http://{LOOPBACK}:{self.port}" if self.pages is None else self.pages.address

    def served(self) -> Served:
        """Return the hosts and origins that are answered."""
        return Served.on_loopback(self.port) if self.pages is None else Served.at(self.pages.address)

    def prefix(self, dagster_home: Path) -> str:
        """Return the path below which the pages are: a secret of the lake on loopback, else none."""
        return f"/{_secret_path(dagster_home)}" if self.pages is None else ""

    def cookie(self, prefix: str) -> Cookie:
        """Return the cookie of sessions; browsers set one called __Host- for its own host by TLS alone."""
        if self.pages is None:
            return Cookie(f"domotic-{self.port}", prefix, secure=False)
        return Cookie("__Host-domotic", "/", secure=True)


def _secret_path(dagster_home: Path) -> str:
    """Return a path of 96 bits that only the lake's account can read; it stays, so bookmarks do."""
    file = dagster_home / "sign_in" / "path"
    private_folder(file.parent)
    if not file.exists():
        write_whole(file, secrets.token_hex(12).encode(), mode=0o600)
    return file.read_text()


def refuse_without_passwords(sites: Sites, dagster_home: Path) -> None:
    """Raise ConfigurationError if pages are to answer other machines while nobody could sign in."""
    if sites.registry.pages is None:
        return
    from domotic_assets.web.passwords import Passwords

    seeing = {person.user for person in sites.registry.people if person.role in ("admin", "viewer")}
    if not seeing & Passwords(dagster_home).users():
        raise ConfigurationError(
            "no admin or viewer has a password",
            where="sites.yaml: pages",
            expected="somebody who can sign in",
            remedy="set one: domotic password USER",
        )
